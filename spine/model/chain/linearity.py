"""How line-like the surroundings of each voxel are."""

from __future__ import annotations

import numpy as np
from scipy.spatial import cKDTree

from spine.ops.arrays import FloatArray, IntArray, NumberArray

__all__ = ["local_linearity"]

_CHUNK = 2048


def _scatter(points: FloatArray, near: IntArray, owner: IntArray, count: int) -> FloatArray:
    """(count, 3, 3) scatter matrices of the neighbours of each owner, about the owner itself then recentred."""
    sizes = np.bincount(owner, minlength=count)
    means = np.stack([np.bincount(owner, points[near, k], count) for k in range(3)], axis=1) / sizes[:, None]
    centred = points[near] - means[owner]
    scatter = np.empty((count, 3, 3))
    for a in range(3):
        for b in range(a + 1):
            scatter[:, a, b] = scatter[:, b, a] = np.bincount(owner, centred[:, a] * centred[:, b], count)
    return scatter


def local_linearity(coords: NumberArray, radius: float) -> FloatArray:
    """Linearity of the voxels around each voxel: (l1 - l2) / l1, l being the eigenvalues of their covariance.

    After Demantke et al., "Dimensionality based scale selection in 3D lidar point clouds", ISPRS Archives
    XXXVIII-5/W12, 2011.

    Parameters
    ----------
    coords : (n, 3) number
        Positions of the voxels.
    radius : float
        Neighbours are at most this far away (unit of the positions).

    Returns
    -------
    (n,) float64
        From 0 (round) to 1 (a line); 0 for a voxel that has no neighbour.
    """
    points: FloatArray = np.asarray(coords, dtype=np.float64)
    result = np.zeros(len(points))
    if len(points) == 0:
        return result
    tree = cKDTree(points)
    for start in range(0, len(points), _CHUNK):
        part = points[start : start + _CHUNK]
        pairs = cKDTree(part).sparse_distance_matrix(tree, radius, output_type="ndarray")
        owner, near = pairs["i"].astype(np.int64), pairs["j"].astype(np.int64)
        order = np.lexsort((near, owner))
        scatter = _scatter(points, near[order], owner[order], len(part))
        values = np.linalg.eigvalsh(scatter)[:, ::-1]
        spread = values[:, 0] > 1e-9
        result[start : start + len(part)][spread] = 1 - values[spread, 1] / values[spread, 0]
    return np.clip(result, 0.0, 1.0)
