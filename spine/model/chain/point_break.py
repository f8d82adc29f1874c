"""Breaking clusters apart at points of interest, such as vertices."""

from __future__ import annotations

import numpy as np
from scipy.spatial import cKDTree

from spine.ops.arrays import BoolArray, FloatArray, IntArray
from spine.ops.clustering import METRIC_ORDERS, Metric, dbscan, number_by_first_row

__all__ = ["break_clusters", "far_from"]

_TIES = 32


def break_clusters(voxels: FloatArray, free: BoolArray, eps: float, min_samples: int, metric: Metric) -> IntArray:
    """Cluster voxels by density, without letting some voxels hold clusters together.

    The free voxels of each density cluster are clustered again, and each of the others goes where the nearest free
    voxel is (SPINE's masked DBSCAN). A cluster without free voxels stays whole.

    Parameters
    ----------
    voxels : (n, 3) float
        Positions of the voxels.
    free : (n,) bool
        False for voxels that must not hold clusters together.
    eps : float
        In the unit of the voxels.
    min_samples : int
    metric : {'euclidean', 'chebyshev', 'cityblock'}

    Returns
    -------
    (n,) int64
        Clusters, numbered by their first voxel; noise is -1.
    """
    whole = dbscan(voxels, eps, min_samples, metric)
    labels = whole.copy()
    for cluster in np.unique(whole[~free & (whole >= 0)]):
        rows = np.flatnonzero(whole == cluster)
        active, passive = rows[free[rows]], rows[~free[rows]]
        if len(active):
            pieces = dbscan(voxels[active], eps, min_samples, metric)
            numbers = np.where(pieces >= 0, labels.max() + 1 + pieces, -1)
            labels[active] = numbers
            labels[passive] = numbers[_first_nearest(voxels[active], voxels[passive], metric)]
    return number_by_first_row(labels)


def far_from(points: FloatArray, voxels: FloatArray, radius: float, metric: Metric) -> BoolArray:
    """(n,) whether each voxel is farther than ``radius`` from every point."""
    if len(points) == 0 or len(voxels) == 0:
        return np.ones(len(voxels), dtype=np.bool_)
    distances, _ = cKDTree(points).query(voxels, k=np.array([1]), p=METRIC_ORDERS[metric])
    far: BoolArray = np.asarray(distances)[:, 0] > radius
    return far


def _first_nearest(points: FloatArray, queries: FloatArray, metric: Metric) -> IntArray:
    """Row of the nearest point of each query, the first among (up to 32) equally near ones."""
    k = np.arange(1, min(_TIES, len(points)) + 1)
    found = cKDTree(points).query(queries, k=k, p=METRIC_ORDERS[metric])
    distances, rows = np.asarray(found[0]), np.asarray(found[1])
    tied = distances <= distances[:, :1] * (1 + 1e-12)
    nearest: IntArray = np.where(tied, rows, len(points)).min(axis=1)
    return nearest
