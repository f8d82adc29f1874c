"""The closest points of pairs of clusters: exactly, or by walking back and forth between the two."""

from __future__ import annotations

from typing import Literal, TypeAlias

import numba
import numpy as np

from spine.ops.arrays import FloatArray, IntArray, RealArray
from spine.ops.distance import ClosestPairs, pair_distances
from spine.ops.segments import check_offsets

__all__ = ["DistanceAlgorithm", "boxes", "candidate_pairs", "closest_points", "far_ends"]

DistanceAlgorithm: TypeAlias = Literal["brute", "iterative", "recursive"]
"""``recursive`` is SPINE's old name of a walk that stops after its first step."""

SINGLE = np.float32
CELLS = 1 << 15
"""Pairs of boxes that are compared at a time: they stay in the cache."""


def closest_points(
    points: RealArray, offsets: IntArray, pairs: IntArray, algorithm: DistanceAlgorithm = "brute"
) -> ClosestPairs:
    """Find the closest points of the two clusters of each pair.

    Parameters
    ----------
    points : (N, 3) float array
        Voxels of all clusters, cluster after cluster.
    offsets : (n + 1,) int64 array
        Where each cluster starts; clusters in pairs have at least one voxel.
    pairs : (E, 2) int64 array
        Clusters.
    algorithm : {'brute', 'iterative', 'recursive'}
        ``brute`` is exact. ``iterative`` starts from the two far ends of either cluster, takes the best of the four,
        and jumps to the closest point of the other cluster until the distance stops falling: it may end in a local
        minimum, so that its distances are equal or larger. ``recursive`` makes one such jump only.

    Returns
    -------
    ClosestPairs
        (E,) float64 distances, and the rows of the points in the first and in the second cluster. The first rows
        win among equals.
    """
    if algorithm == "brute":
        return pair_distances(points, offsets, pairs)
    voxels = np.ascontiguousarray(points, dtype=SINGLE)
    offsets = check_offsets(offsets, len(voxels))
    edges = np.ascontiguousarray(pairs, dtype=np.int64).reshape(-1, 2)
    rows = np.empty((2, len(edges)), dtype=np.int64)
    squares = np.full(len(edges), 0 if algorithm == "iterative" else 1, dtype=SINGLE)
    _walk_pairs(voxels, offsets, edges, far_ends(voxels, offsets), squares, rows)
    return ClosestPairs(np.sqrt(squares.astype(np.float64)), rows[0], rows[1])


def far_ends(points: RealArray, offsets: IntArray) -> IntArray:
    """Find two points of each cluster that are far apart.

    The search jumps to the farthest point of the cluster until the distance stops rising, from the point that is
    farthest from the centre: it may end in a local maximum.

    Parameters
    ----------
    points : (N, 3) float array
        Voxels of all clusters, cluster after cluster.
    offsets : (n + 1,) int64 array
        Where each cluster starts.

    Returns
    -------
    (n, 2) int64 array
        Rows of the points; 0 for an empty cluster.
    """
    voxels = np.ascontiguousarray(points, dtype=SINGLE)
    sizes = np.diff(check_offsets(offsets, len(voxels)))
    ends = np.zeros((len(sizes), 2), dtype=np.int64)
    going = np.flatnonzero(sizes > 0)
    centres = np.add.reduceat(voxels.astype(np.float64), offsets[:-1][going], axis=0) / sizes[going, None]
    ends[going] = _farthest(voxels, offsets, going, centres.astype(SINGLE))[0][:, None]
    side, longest = 0, np.full(len(sizes), -1.0, dtype=SINGLE)
    while len(going):
        rows, squares = _farthest(voxels, offsets, going, voxels[ends[going, side]])
        farther = squares > longest[going]
        going, side = going[farther], 1 - side
        ends[going, side], longest[going] = rows[farther], squares[farther]
    return ends


def _farthest(voxels: RealArray, offsets: IntArray, some: IntArray, targets: RealArray) -> tuple[IntArray, RealArray]:
    """Row of each of some clusters that is farthest from its target, the first among equals, and the square."""
    sizes = np.diff(offsets)[some]
    starts = np.concatenate([[0], np.cumsum(sizes)])
    rows = np.arange(starts[-1]) + np.repeat(offsets[:-1][some] - starts[:-1], sizes)
    x, y, z = (np.repeat(targets[:, axis], sizes) - voxels[rows, axis] for axis in range(3))
    squares = x * x + y * y + z * z
    most = np.maximum.reduceat(squares, starts[:-1])
    hits = np.flatnonzero(squares == np.repeat(most, sizes))
    return rows[hits[np.searchsorted(hits, starts[:-1])]], most


def boxes(points: RealArray, offsets: IntArray) -> FloatArray:
    """(n, 2, 3) float64 lower and upper corners of clusters; NaN for an empty one."""
    corners = np.full((len(offsets) - 1, 2, 3), np.nan)
    filled = offsets[1:] > offsets[:-1]
    if filled.any():
        starts = offsets[:-1][filled]
        corners[filled, 0] = np.minimum.reduceat(points, starts, axis=0)
        corners[filled, 1] = np.maximum.reduceat(points, starts, axis=0)
    return corners


def candidate_pairs(corners: FloatArray, limits: FloatArray, classes: IntArray, rows: range) -> IntArray:
    """Pairs of clusters that may be nearer to each other than the limit of their classes.

    Parameters
    ----------
    corners : (n, 2, 3) float64
        Boxes around the clusters.
    limits : (k, k) float64
        Largest distance, exclusive, of each pair of classes; infinite for none.
    classes : (n,) int64
        Class of each cluster, below k.
    rows : range
        Clusters to pair with those after them.

    Returns
    -------
    (E, 2) int64 array
        First < second, sorted.
    """
    step = max(CELLS // max(len(corners), 1), 1)
    parts = [np.empty((0, 2), dtype=np.int64)]
    for start in range(rows.start, rows.stop, step):
        parts.append(_candidates(corners[start:], limits, classes[start:], min(step, rows.stop - start)) + start)
    return np.concatenate(parts)


def _candidates(corners: FloatArray, limits: FloatArray, classes: IntArray, count: int) -> IntArray:
    """Pairs of the first ``count`` clusters with those after them."""
    square = np.zeros((count, len(corners)))
    for axis in range(3):
        low, high = corners[:, 0, axis], corners[:, 1, axis]
        gap = np.maximum(low[:count, None] - high, low - high[:count, None])
        square += np.square(np.maximum(gap, 0.0, out=gap), out=gap)
    limit = limits[classes[:count]][:, classes]
    return np.column_stack(np.nonzero(np.triu((limit > 0) & (square <= limit * limit), 1)))


@numba.njit(cache=True)
def _walk_pairs(
    points: RealArray, offsets: IntArray, pairs: IntArray, ends: IntArray, squares: RealArray, rows: IntArray
) -> None:
    """Fill the squares of distances and the rows in both clusters; to the end where the square is 0 before."""
    for k in range(len(pairs)):
        to_the_end, best, side, step = bool(squares[k] == 0), SINGLE(np.inf), 0, 0
        going = True
        while going:
            if step < 4:  # from the two ends of either cluster
                other = 1 - step // 2
                origin = ends[pairs[k, 1 - other], step % 2]
            else:  # from where the last step led
                other = 1 - side
                origin = rows[side, k]
            cluster, shorter = pairs[k, other], SINGLE(np.inf)
            closest = offsets[cluster]
            for i in range(closest, offsets[cluster + 1]):
                x, y, z = (
                    points[i, 0] - points[origin, 0],
                    points[i, 1] - points[origin, 1],
                    points[i, 2] - points[origin, 2],
                )
                square = SINGLE(SINGLE(x * x + y * y) + z * z)
                if square < shorter:
                    shorter, closest = square, i
            going = step < 4 or (to_the_end and bool(shorter < best))
            if shorter < best:
                best, side = shorter, other
                rows[1 - other, k], rows[other, k] = origin, closest
            elif step == 4 and not to_the_end:
                rows[other, k] = closest
            step += 1
        squares[k] = best
