"""Connected pieces of trees on the voxel grid."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from spine.sim.hits import Hits, voxel_cells
from spine.sim.trees import Kind, Trees

__all__ = ["Components", "contact", "find_components"]

Array = NDArray[np.float64]
Index = NDArray[np.int64]
_AROUND = np.array(list(product((-1, 0, 1), repeat=3)), np.int64)


@dataclass(frozen=True)
class Components:
    """Sets of touching voxels (faces, edges or corners) of one tree.

    Attributes
    ----------
    key, component : (Q,) int64
        Sorted keys of the pairs of tree and voxel, and the component of each.
    pair : (M,) int64
        Pair of each hit.
    stride, width : (3,) int64, int
        Steps of the key along x, y, z, and from one tree to the next.
    tree, size, lead, lead_time : (C,)
        Of each component: first track of its tree, number of voxels, track and time (ns) of its earliest hit.
    """

    key: Index
    component: Index
    pair: Index
    stride: Index
    width: int
    tree: Index
    size: Index
    lead: Index
    lead_time: Array


def find_components(hits: Hits, trees: Trees, cells: tuple[int, int, int]) -> Components:
    """Split the voxels of every shower-like tree into connected components; a track is always one.

    Returns
    -------
    Components
        Of the hits in an image of the given number of cells; empty for an event without hits.
    """
    stride = np.array([1, cells[0] + 2, (cells[0] + 2) * (cells[1] + 2)], np.int64)
    width = int(stride[2] * (cells[2] + 2))
    cell = (voxel_cells(hits.voxel, cells) + 1) @ stride
    key, pair = np.unique(trees.root[hits.track] * width + cell[hits.row], return_inverse=True)
    tree = key // width
    component = _connect(key, tree, np.isin(trees.kind[tree], (Kind.TRACK, Kind.NUCLEUS)), stride)
    count = int(component.max(initial=-1)) + 1
    owner = np.zeros(count, np.int64)
    owner[component] = tree
    label = component[pair]
    order = np.lexsort((hits.start_time, label))
    first = order[np.searchsorted(label[order], np.arange(count))]
    return Components(
        key=key,
        component=component,
        pair=pair,
        stride=stride,
        width=width,
        tree=owner,
        size=np.bincount(component, minlength=count),
        lead=hits.track[first],
        lead_time=hits.start_time[first],
    )


def _find(key: Index, wanted: Index) -> tuple[Index, NDArray[np.bool_]]:
    """Rows of wanted keys among sorted keys, and whether they are there."""
    if len(key) == 0:
        return np.zeros(len(wanted), np.int64), np.zeros(len(wanted), bool)
    row = np.minimum(np.searchsorted(key, wanted), len(key) - 1)
    return row, key[row] == wanted


def _connect(key: Index, tree: Index, whole: NDArray[np.bool_], stride: Index) -> Index:
    loose = np.flatnonzero(~whole)
    left, right = [], []
    for step in _AROUND[14:] @ stride:
        row, found = _find(key, key[loose] + step)
        left.append(loose[found])
        right.append(row[found])
    chain = np.flatnonzero(whole[1:] & (tree[1:] == tree[:-1]))
    a, b = np.concatenate([*left, chain]), np.concatenate([*right, chain + 1])
    graph = coo_array((np.ones(len(a), np.int8), (a, b)), shape=(len(key), len(key)))
    return np.asarray(connected_components(graph, directed=False)[1], np.int64)


def contact(parts: Components, other: Index) -> tuple[NDArray[np.bool_], Index]:
    """Compare components with the voxels of another tree.

    Parameters
    ----------
    parts : Components
        All components.
    other : (C,) int64
        Tree to compare each with, -1 for none.

    Returns
    -------
    touches : (C,) bool
        Whether any voxel of the component lies in or next to one of the other tree.
    beyond : (C,) int64
        Number of voxels of the component that the other tree does not have.
    """
    pairs = np.flatnonzero(other[parts.component] >= 0)
    label = parts.component[pairs]
    shifted = parts.key[pairs] + (other[label] - parts.tree[label]) * parts.width
    near = np.zeros(len(pairs), bool)
    for step in _AROUND @ parts.stride:
        near |= _find(parts.key, shifted + step)[1]
    shared = _find(parts.key, shifted)[1]
    touches = np.bincount(label[near], minlength=len(other)) > 0
    return touches, parts.size - np.bincount(label[shared], minlength=len(other))
