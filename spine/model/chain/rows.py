"""Voxels as rows: their order, their counterparts in other images, and the label of most of them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from spine.errors import DataError
from spine.ops.arrays import IntArray, NumberArray
from spine.schema import Event, Ragged, Tensor

__all__ = [
    "charge_of",
    "cluster_feature",
    "cluster_label",
    "cluster_truth",
    "image_of",
    "in_voxel_order",
    "majority",
    "rows_of",
    "voxel_order",
]


def image_of(event: Event) -> Tensor:
    """The image without the voxels that a stage took out as ghosts, else that of the input."""
    image: Tensor = event["data_adapt"] if "data_adapt" in event else event["data"]
    return image


def cluster_truth(event: Event) -> Tensor:
    """True clusters, those adapted to the predicted classes where they are."""
    truth: Tensor = event["clust_label_adapt"] if "clust_label_adapt" in event else event["clust_label"]
    return truth


def voxel_order(coords: NumberArray) -> IntArray:
    """Rows in the order of their coordinates (x, then y, then z), so that results do not depend on row order."""
    coords = np.asarray(coords)
    return np.lexsort((coords[:, 2], coords[:, 1], coords[:, 0])).astype(np.int64)


def in_voxel_order(coords: NumberArray, clusts: Ragged) -> Ragged:
    """The same lists with the rows of each in `voxel_order`."""
    rank = np.empty(len(coords), dtype=np.int64)
    rank[voxel_order(coords)] = np.arange(len(coords))
    order = np.lexsort((rank[clusts.values], clusts.rows))
    return Ragged(clusts.values[order], clusts.offsets)


def _keys(coords: NDArray[Any], lower: NDArray[Any], count: NDArray[Any]) -> IntArray:
    shifted: IntArray = np.asarray(coords, dtype=np.int64) - lower
    inside = ((shifted >= 0) & (shifted < count)).all(axis=1)
    keys = (shifted[:, 0] * count[1] + shifted[:, 1]) * count[2] + shifted[:, 2]
    return np.where(inside, keys, -1)


def rows_of(coords: NumberArray, queries: NumberArray) -> IntArray:
    """Row of each voxel in another image.

    Parameters
    ----------
    coords : (n, 3) int
        Voxels in which to look.
    queries : (m, 3) int
        Voxels to find.

    Returns
    -------
    (m,) int64
        The first row with the same coordinates, -1 where there is none.
    """
    if len(coords) == 0 or len(queries) == 0:
        return np.full(len(queries), -1, dtype=np.int64)
    if np.array_equal(coords, queries):
        return np.arange(len(coords), dtype=np.int64)
    lower = np.asarray(coords.min(axis=0), dtype=np.int64)
    count = coords.max(axis=0).astype(np.int64) - lower + 1
    keys = _keys(coords, lower, count)
    order = np.argsort(keys, kind="stable")
    wanted = _keys(queries, lower, count)
    places = np.minimum(np.searchsorted(keys[order], wanted), len(keys) - 1)
    return np.where(keys[order][places] == wanted, order[places], -1)


def cluster_label(event: Event, name: str) -> IntArray:
    """(N,) int64 label of each voxel of the image, -1 where it has none.

    Parameters
    ----------
    name : str
        Column of the labels of the true clusters, such as ``group``.
    """
    truth = cluster_truth(event)
    if truth.particles is None:
        raise DataError("the true clusters have no table of particles", where=event.label)
    return _aligned(event, truth, truth.label(name))


def cluster_feature(event: Event, name: str) -> IntArray:
    """(N,) int64 feature of the true clusters (``cluster``, ``particle_index``) at each voxel of the image, or -1."""
    truth = cluster_truth(event)
    return _aligned(event, truth, truth.feature(name))


def _aligned(event: Event, truth: Tensor, values: NumberArray) -> IntArray:
    rows = rows_of(truth.coords, image_of(event).coords)
    result = np.full(len(rows), -1, dtype=np.int64)
    result[rows >= 0] = values[rows[rows >= 0]].astype(np.int64)
    return result


def majority(values: NumberArray, clusts: Ragged, missing: int = -1) -> IntArray:
    """Most frequent value of each list.

    Parameters
    ----------
    values : (N,) int
        Value of each row.
    clusts : Ragged of int
        Lists of rows.
    missing : int
        Value of an empty list.

    Returns
    -------
    (n,) int64
        Of equally frequent values the smallest.
    """
    result = np.full(len(clusts), missing, dtype=np.int64)
    if len(clusts.values) == 0:
        return result
    pairs = np.column_stack([clusts.rows, np.asarray(values, dtype=np.int64)[clusts.values]])
    found, counts = np.unique(pairs, axis=0, return_counts=True)
    order = np.lexsort((-found[:, 1], counts, found[:, 0]))
    result[found[order, 0]] = found[order, 1]
    return result


def charge_of(event: Event) -> NDArray[np.float64]:
    """(N,) float64 charge of each voxel of the image."""
    return np.asarray(image_of(event).feature("value"), dtype=np.float64)
