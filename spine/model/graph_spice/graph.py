"""Graphs of voxels: which voxels of an event and a semantic class are joined by an edge."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from spine.errors import DataError
from spine.ops.clustering import METRIC_ORDERS
from spine.ops.distance import nearest_neighbours
from spine.sparse.keys import KeyLayout

__all__ = ["knn_edges", "near_pairs", "radius_edges"]


def near_pairs(voxels: Tensor, queries: Tensor, radius: float, metric: str = "euclidean") -> Tensor:
    """Pairs of a query and a voxel of the same group that are nearer than a radius, equal voxels excepted.

    Parameters
    ----------
    voxels, queries : torch.Tensor
        (N, 1 + D) and (M, 1 + D) int64 group and coordinates; the voxels must all be different.
    radius : float
        Distances below it count (voxels).
    metric : {"euclidean", "chebyshev", "cityblock"}
        Distance.

    Returns
    -------
    torch.Tensor
        (P, 2) int64 row of the query and row of the voxel; sorted by the offset between them, then by the query's
        place in space.

    Raises
    ------
    DataError
        When a voxel occurs twice or coordinates are out of range.
    """
    offsets = _offsets(voxels.shape[1] - 1, radius, metric)
    return torch.cat([voxels.new_empty((0, 2)), *_pairs(voxels, queries, [offset for offset, _ in offsets])])


def _pairs(voxels: Tensor, queries: Tensor, offsets: Sequence[tuple[int, ...]]) -> list[Tensor]:
    """(P, 2) rows of queries and of the voxels at each offset from them."""
    layout = KeyLayout(voxels.shape[1] - 1)
    keys, rows = layout.pack(voxels).sort()
    if bool((keys[1:] == keys[:-1]).any()):
        raise DataError("a voxel occurs twice in the graph", mend="merge voxels with equal coordinates")
    wanted, order = (keys, rows) if queries is voxels else layout.pack(queries).sort()
    pairs = []
    for offset in offsets:
        found, places = _find(keys, wanted + layout.delta(offset))
        pairs.append(torch.stack([order[found], rows[places]], dim=1))
    return pairs


def _offsets(dimension: int, radius: float, metric: str) -> list[tuple[tuple[int, ...], float]]:
    """Non-zero offsets nearer than a radius, with their lengths."""
    if metric not in METRIC_ORDERS:
        raise DataError("unknown metric", got=metric, expected=tuple(METRIC_ORDERS))
    order = METRIC_ORDERS[metric]
    reach = math.ceil(radius)
    every = itertools.product(range(-reach, reach + 1), repeat=dimension)
    lengths = [(offset, float(np.linalg.norm(offset, order))) for offset in every]
    return [(offset, length) for offset, length in lengths if 0 < length < radius]


def _find(keys: Tensor, wanted: Tensor) -> tuple[Tensor, Tensor]:
    """Which wanted keys there are, and where."""
    if len(keys) == 0:
        return keys.new_empty(0), keys.new_empty(0)
    places = torch.searchsorted(keys, wanted).clamp(max=len(keys) - 1)
    found = torch.nonzero(keys[places] == wanted).squeeze(1)
    return found, places[found]


def radius_edges(voxels: Tensor, radius: float, max_neighbors: int = 32) -> Tensor:
    """Edges in both directions between voxels of a group that are nearer than a radius.

    Returns (E, 2) int64 source and target. At most ``max_neighbors`` edges go into a voxel: those from the nearest
    are kept, the lower rows among equals. ``voxels`` as in `near_pairs`.
    """
    offsets = _offsets(voxels.shape[1] - 1, radius, "euclidean")
    half = [(offset, length) for offset, length in offsets if offset > (0,) * len(offset)]
    pairs = _pairs(voxels, voxels, [offset for offset, _ in half])
    edges = torch.cat([voxels.new_empty((0, 2)), *pairs, *(pair.flip(1) for pair in pairs)])
    if len(offsets) <= max_neighbors or torch.bincount(edges[:, 1], minlength=1).max() <= max_neighbors:
        return edges
    lengths = torch.tensor([length for _, length in half], dtype=torch.float64, device=voxels.device)
    counts = torch.tensor([len(pair) for pair in pairs], device=voxels.device)
    distances = torch.repeat_interleave(lengths, counts).repeat(2)
    return edges[_ranks(edges, distances) < max_neighbors]


def _ranks(edges: Tensor, distances: Tensor) -> Tensor:
    """Place of each edge among those into the same target, from the nearest source."""
    order = torch.argsort(edges[:, 0], stable=True)
    order = order[torch.argsort(distances[order], stable=True)]
    order = order[torch.argsort(edges[order, 1], stable=True)]
    counts = torch.bincount(edges[:, 1])
    first = torch.repeat_interleave(counts.cumsum(0) - counts, counts)
    ranks = torch.empty_like(order)
    ranks[order] = torch.arange(len(order), device=order.device) - first
    return ranks


def knn_edges(voxels: Tensor, k: int) -> Tensor:
    """Edges from the k nearest other voxels of the group.

    Returns (E, 2) int64 source and target, nearest source first; fewer than k where the group is smaller. ``voxels``
    as in `near_pairs`. The search runs on the CPU.
    """
    table = voxels.cpu().numpy()
    edges = [np.empty((0, 2), dtype=np.int64)]
    for group in np.unique(table[:, 0]):
        rows = np.flatnonzero(table[:, 0] == group)
        _, near = nearest_neighbours(table[rows, 1:], table[rows, 1:], k + 1)
        target, place = np.nonzero((near >= 0) & (near != np.arange(len(rows))[:, None]))
        pairs = np.column_stack([rows[near[target, place]], rows[target]])
        edges.append(pairs)
    return torch.from_numpy(np.concatenate(edges)).to(voxels.device)
