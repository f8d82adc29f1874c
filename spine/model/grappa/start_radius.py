"""The neighbourhood of the start of a cluster in which it is most like a straight line."""

from __future__ import annotations

import numba
import numpy as np

from spine.ops.arrays import BoolArray, FloatArray, IntArray, RealArray

__all__ = ["best_neighbourhoods"]


def best_neighbourhoods(points: RealArray, offsets: IntArray, lengths: RealArray) -> BoolArray:
    """Choose the voxels near a start along which a cluster is straightest.

    Parameters
    ----------
    points : (N, 3) float array
        Voxels of all clusters, cluster after cluster.
    offsets : (n + 1,) int64 array
        Where each cluster starts.
    lengths : (N,) float array
        Distance of each voxel from the start of its cluster.

    Returns
    -------
    (N,) bool array
        The voxels nearest to the start, three at least, as many as give the largest ratio of the spread along
        the principal axis to that across it; all of a cluster of one or two voxels.
    """
    owners = np.repeat(np.arange(len(offsets) - 1), np.diff(offsets))
    order = np.lexsort((np.arange(len(lengths)), lengths, owners))
    kept: BoolArray = _choose(np.asarray(points, dtype=np.float64)[order], np.asarray(offsets, dtype=np.int64))
    result = np.empty(len(lengths), dtype=np.bool_)
    result[order] = kept
    return result


@numba.njit(cache=True)
def _choose(points: FloatArray, offsets: IntArray) -> BoolArray:
    kept = np.ones(len(points), dtype=np.bool_)
    for row in range(len(offsets) - 1):
        if offsets[row + 1] - offsets[row] > 2:
            count = _straightest(points[offsets[row] : offsets[row + 1]])
            kept[offsets[row] + count : offsets[row + 1]] = False
    return kept


@numba.njit(cache=True)
def _straightest(points: FloatArray) -> int:
    """Number of voxels from the start that are straightest; a later one of equal ratios in a row wins."""
    best, best_count, last = -1.0, 3, -1.0
    total, square = np.zeros(3), np.zeros((3, 3))
    for i in range(len(points)):
        total += points[i]
        square += np.outer(points[i], points[i])
        if i < 2:
            continue
        mean = total / (i + 1)
        ratio = _ratio(square / (i + 1) - np.outer(mean, mean))
        if ratio > best or (ratio == best and ratio == last):
            best, best_count = ratio, i + 1
        last = ratio
    return best_count


@numba.njit(cache=True)
def _ratio(covariance: FloatArray) -> float:
    values = np.linalg.eigvalsh(covariance)
    along, across = values[2], values[0] + values[1]
    return np.sqrt(along / across) if along > 0 and across > 1e-6 * along else 0.0
