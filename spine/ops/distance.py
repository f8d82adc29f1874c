"""Nearest, closest and farthest points, within and between clusters. Distances are Euclidean."""

from __future__ import annotations

from typing import NamedTuple

import numba
import numpy as np

from spine.errors import DataError
from spine.ops.arrays import FloatArray, IntArray, NumberArray, RealArray
from spine.ops.segments import check_offsets

__all__ = [
    "ClosestPairs",
    "Pair",
    "closest_pair",
    "cluster_distances",
    "farthest_pair",
    "nearest_neighbours",
    "pair_distances",
]


class Pair(NamedTuple):
    """Two rows and their distance; (-1, -1, NaN) when there is no pair."""

    first: int
    second: int
    distance: float


class ClosestPairs(NamedTuple):
    """Smallest distances and, for each, the row of the closest point of either cluster."""

    distances: FloatArray
    first: IntArray
    second: IntArray


NO_PAIR = Pair(-1, -1, float("nan"))


def nearest_neighbours(points: RealArray, queries: RealArray, k: int = 1) -> tuple[FloatArray, IntArray]:
    """Find the k points nearest to each query.

    Parameters
    ----------
    points, queries : (N, D), (M, D) float arrays
    k : int
        1 or more, else DataError.

    Returns
    -------
    distances, rows : (M, k) float64 and int64 arrays
        Rising distances and rows of ``points``; infinite and -1 where there are fewer than k points.
    """
    if k < 1:
        raise DataError("the number of neighbours must be positive", got=k, expected="1 or more")
    shape = (len(queries), k)
    if len(points) == 0 or len(queries) == 0:
        return np.full(shape, np.inf), np.full(shape, -1, dtype=np.int64)
    from scipy.spatial import cKDTree

    tree = cKDTree(np.asarray(points, dtype=np.float64))
    distances, rows = tree.query(np.asarray(queries, dtype=np.float64), k=np.arange(1, k + 1))
    return np.asarray(distances), np.where(rows < len(points), rows, -1).astype(np.int64)


def closest_pair(first: RealArray, second: RealArray) -> Pair:
    """Return the closest points of two (N, D), (M, D) sets, the lowest rows among equals."""
    if len(first) == 0 or len(second) == 0:
        return NO_PAIR
    distances, _ = nearest_neighbours(second, first)
    i = int(np.argmin(distances[:, 0]))
    gaps = np.linalg.norm(np.asarray(second, dtype=np.float64) - np.asarray(first, dtype=np.float64)[i], axis=1)
    j = int(np.argmin(gaps))
    return Pair(i, j, float(gaps[j]))


def farthest_pair(points: RealArray) -> Pair:
    """Return the two points of an (N, 3) set that are farthest apart, exactly.

    Points are tried by falling distance from the centroid, so that a bound (the sum of two such distances) ends
    the search early. ``first < second``; the lowest rows win among equals; no pair under two points.
    """
    if len(points) < 2:
        return NO_PAIR
    cloud: FloatArray = np.asarray(points, dtype=np.float64)
    centred = cloud - cloud.mean(axis=0)
    radii = np.linalg.norm(centred, axis=1)
    order = np.argsort(-radii, kind="stable")
    first, second, square = _farthest(centred, radii, order)
    return Pair(int(first), int(second), float(np.sqrt(square)))


def cluster_distances(points: RealArray, offsets: NumberArray) -> tuple[FloatArray, IntArray]:
    """Return the smallest distances between all clusters of (N, 3) points.

    Returns
    -------
    distances : (n, n) float64 array
        Symmetric with zero diagonal; NaN next to an empty cluster.
    closest : (n, n) int64 array
        Row of the point of cluster i closest to cluster j; -1 on the diagonal and next to an empty cluster.
    """
    count = len(offsets) - 1
    rows, columns = np.triu_indices(count, 1)
    pairs = pair_distances(points, offsets, np.column_stack([rows, columns]))
    distances, closest = np.zeros((count, count)), np.full((count, count), -1, dtype=np.int64)
    distances[rows, columns] = distances[columns, rows] = pairs.distances
    closest[rows, columns], closest[columns, rows] = pairs.first, pairs.second
    return distances, closest


def pair_distances(points: RealArray, offsets: NumberArray, pairs: NumberArray) -> ClosestPairs:
    """Return the smallest distance between the two clusters of each of (E, 2) pairs.

    (E,) distances and rows of the (N, 3) points; NaN and -1 next to an empty cluster.
    """
    cloud: FloatArray = np.ascontiguousarray(points, dtype=np.float64)
    edges: IntArray = np.ascontiguousarray(pairs, dtype=np.int64).reshape(-1, 2)
    offsets = check_offsets(offsets, len(cloud))
    distances, closest = _pair_distances(cloud, offsets, edges, _boxes(cloud, offsets))
    return ClosestPairs(distances, closest[:, 0], closest[:, 1])


@numba.njit(cache=True)
def _square(a: FloatArray, b: FloatArray) -> float:
    return float((a[0] - b[0]) ** 2 + (a[1] - b[1]) ** 2 + (a[2] - b[2]) ** 2)


@numba.njit(cache=True)
def _farthest(points: FloatArray, radii: FloatArray, order: IntArray) -> tuple[int, int, float]:
    first, second, best = 0, 1, -1.0
    for left in range(len(order)):
        i = order[left]
        if (2 * radii[i]) ** 2 * (1 + 1e-9) < best:
            break
        for right in range(left + 1, len(order)):
            j = order[right]
            if (radii[i] + radii[j]) ** 2 * (1 + 1e-9) < best:
                break
            square = _square(points[i], points[j])
            low, high = min(i, j), max(i, j)
            if square > best or (square == best and (low, high) < (first, second)):
                first, second, best = low, high, square
    return first, second, best


@numba.njit(cache=True)
def _boxes(points: FloatArray, offsets: IntArray) -> FloatArray:
    """Return the lower and upper corners of the clusters, (n, 2, 3)."""
    boxes = np.full((len(offsets) - 1, 2, 3), np.nan)
    for row in range(len(boxes)):
        for axis in range(3):
            values = points[offsets[row] : offsets[row + 1], axis]
            if len(values):
                boxes[row, 0, axis], boxes[row, 1, axis] = values.min(), values.max()
    return boxes


@numba.njit(cache=True)
def _pair_distances(
    points: FloatArray, offsets: IntArray, pairs: IntArray, boxes: FloatArray
) -> tuple[FloatArray, IntArray]:
    """Search each pair exhaustively among the points whose distance to the other box is below a bound."""
    distances = np.full(len(pairs), np.nan)
    closest = np.full((len(pairs), 2), -1, dtype=np.int64)
    for row in range(len(pairs)):
        a, b = pairs[row]
        first = np.arange(offsets[a], offsets[a + 1])
        second = np.arange(offsets[b], offsets[b + 1])
        if len(first) == 0 or len(second) == 0:
            continue
        bound = _upper_bound(points, first, second) * (1 + 1e-9)
        first = _near_box(points, first, boxes[b], bound)
        second = _near_box(points, second, boxes[a], bound)
        i, j, square = _brute(points, first, second)
        distances[row], closest[row, 0], closest[row, 1] = np.sqrt(square), i, j
    return distances, closest


@numba.njit(cache=True)
def _nearest(points: FloatArray, rows: IntArray, target: FloatArray) -> tuple[int, float]:
    best, best_row = np.inf, rows[0]
    for row in rows:
        square = _square(points[row], target)
        if square < best:
            best, best_row = square, row
    return best_row, best


@numba.njit(cache=True)
def _upper_bound(points: FloatArray, first: IntArray, second: IntArray) -> float:
    """Walk from a point to the nearest of the other cluster and back until the distance stops falling."""
    j, square = _nearest(points, second, points[first[0]])
    while True:
        i, _ = _nearest(points, first, points[j])
        j, shorter = _nearest(points, second, points[i])
        if shorter >= square:
            return square
        square = shorter


@numba.njit(cache=True)
def _near_box(points: FloatArray, rows: IntArray, box: FloatArray, bound: float) -> IntArray:
    kept = np.zeros(len(rows), dtype=np.bool_)
    for k in range(len(rows)):
        square = 0.0
        for axis in range(3):
            value = points[rows[k], axis]
            square += max(0.0, box[0, axis] - value, value - box[1, axis]) ** 2
        kept[k] = square <= bound
    return rows[kept]


@numba.njit(cache=True)
def _brute(points: FloatArray, first: IntArray, second: IntArray) -> tuple[int, int, float]:
    best, best_i, best_j = np.inf, first[0], second[0]
    for i in first:
        j, square = _nearest(points, second, points[i])
        if square < best:
            best, best_i, best_j = square, i, j
    return best_i, best_j, best
