"""The closest points of pairs of clusters: exactly, or by walking back and forth between the two."""

from __future__ import annotations

from typing import Literal, TypeAlias

import numba
import numpy as np

from spine.ops.arrays import FloatArray, IntArray, NumberArray, RealArray
from spine.ops.distance import ClosestPairs, pair_distances
from spine.ops.segments import check_offsets

__all__ = ["DistanceAlgorithm", "boxes", "candidate_pairs", "closest_points", "far_ends"]

DistanceAlgorithm: TypeAlias = Literal["brute", "iterative", "recursive"]
"""``recursive`` is SPINE's old name of a walk that stops after its first step."""

SINGLE = np.float32


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
    distances, rows = _walk_pairs(voxels, offsets, edges, _far_ends(voxels, offsets), algorithm == "iterative")
    return ClosestPairs(distances, rows[:, 0], rows[:, 1])


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
    ends: IntArray = _far_ends(np.ascontiguousarray(points, dtype=SINGLE), check_offsets(offsets, len(points)))
    return ends


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
    found: IntArray = _candidates(corners, limits, np.asarray(classes, dtype=np.int64), rows.start, rows.stop)
    return found


@numba.njit(cache=True)
def _candidates(corners: FloatArray, limits: FloatArray, classes: IntArray, start: int, stop: int) -> IntArray:
    count = len(corners)
    found = np.empty((max((stop - start) * count, 0), 2), dtype=np.int64)
    size = 0
    for i in range(start, stop):
        for j in range(i + 1, count):
            limit = limits[classes[i], classes[j]]
            square = 0.0
            for axis in range(3):
                below, above = corners[i, 0, axis] - corners[j, 1, axis], corners[j, 0, axis] - corners[i, 1, axis]
                square += max(0.0, below, above) ** 2
            if limit > 0 and square <= limit * limit:
                found[size, 0], found[size, 1] = i, j
                size += 1
    return found[:size].copy()


@numba.njit(cache=True)
def _square(a: RealArray, b: RealArray) -> np.float32:
    x, y, z = b[0] - a[0], b[1] - a[1], b[2] - a[2]
    return SINGLE(SINGLE(x * x + y * y) + z * z)


@numba.njit(cache=True)
def _nearest(points: RealArray, start: int, stop: int, target: RealArray) -> tuple[int, np.float32]:
    best, best_row = SINGLE(np.inf), start
    for row in range(start, stop):
        square = _square(points[row], target)
        if square < best:
            best, best_row = square, row
    return best_row, best


@numba.njit(cache=True)
def _farthest(points: RealArray, start: int, stop: int, target: RealArray) -> tuple[int, np.float32]:
    best, best_row = SINGLE(-1.0), start
    for row in range(start, stop):
        square = _square(target, points[row])
        if square > best:
            best, best_row = square, row
    return best_row, best


@numba.njit(cache=True)
def _far_ends(points: RealArray, offsets: IntArray) -> IntArray:
    """(n, 2) rows of two points far apart, found by jumps to the farthest point, from the one far from the centre."""
    ends = np.zeros((len(offsets) - 1, 2), dtype=np.int64)
    centre = np.empty(3, dtype=SINGLE)
    for k in range(len(ends)):
        start, stop = offsets[k], offsets[k + 1]
        if start == stop:
            continue
        for axis in range(3):
            total = 0.0
            for row in range(start, stop):
                total += points[row, axis]
            centre[axis] = total / (stop - start)
        first, _ = _farthest(points, start, stop, centre)
        ends[k, 0] = ends[k, 1] = first
        side, longest = 0, SINGLE(-1.0)
        while True:
            row, square = _farthest(points, start, stop, points[ends[k, side]])
            if square <= longest:
                break
            side = 1 - side
            ends[k, side], longest = row, square
    return ends


@numba.njit(cache=True)
def _walk_pairs(
    points: RealArray, offsets: IntArray, pairs: IntArray, ends: IntArray, to_the_end: bool
) -> tuple[FloatArray, IntArray]:
    distances = np.empty(len(pairs), dtype=np.float64)
    rows = np.empty((len(pairs), 2), dtype=np.int64)
    for k in range(len(pairs)):
        side, square = _seed(points, offsets, pairs[k], ends, rows[k])
        while True:
            other = 1 - side
            cluster = pairs[k, other]
            row, shorter = _nearest(points, offsets[cluster], offsets[cluster + 1], points[rows[k, side]])
            if shorter >= square:
                if not to_the_end:
                    rows[k, other] = row
                break
            rows[k, other], square = row, shorter
            if not to_the_end:
                break
            side = other
        distances[k] = np.sqrt(np.float64(square))
    return distances, rows


@numba.njit(cache=True)
def _seed(
    points: RealArray, offsets: IntArray, pair: NumberArray, ends: IntArray, rows: IntArray
) -> tuple[int, np.float32]:
    """Set the rows to the best of the ends of either cluster and its neighbour; return the neighbour's side."""
    side, best = 0, SINGLE(np.inf)
    for i in range(2):
        other = 1 - i
        start, stop = offsets[pair[other]], offsets[pair[other] + 1]
        for end in ends[pair[i]]:
            row, square = _nearest(points, start, stop, points[end])
            if square < best:
                side, best = other, square
                rows[i], rows[other] = end, row
    return side, best
