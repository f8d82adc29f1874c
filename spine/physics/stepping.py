"""Walk along a track segment by segment."""

from __future__ import annotations

import numba
import numpy as np

from spine.ops.arrays import FloatArray, IntArray

__all__ = ["step_through", "walk_along"]


@numba.njit(cache=True)
def step_through(
    points: FloatArray, start: FloatArray, length: float, use_mean: bool, min_count: int
) -> tuple[IntArray, FloatArray, FloatArray]:
    """Walk along (N, 3) points in steps of fixed length; return owners, directions and lengths.

    Each step takes the points within ``length`` of its origin. Its direction is that of their mean (``use_mean``
    and more than ``min_count`` points), else that of the nearest point out of reach. The walk ends when that
    point lies backwards, or when none is left; the last step ends at its farthest point. Owners (N,) int64 say
    which step took a point, -1 for those left behind; directions are (S, 3), lengths (S,).
    """
    owners = np.full(len(points), -1, dtype=np.int64)
    free = np.arange(len(points))
    squares = np.empty(len(points))
    directions, lengths = np.empty((16, 3)), np.empty(16)
    origin, count = start.copy(), 0
    while True:
        inside, farthest, beyond = _reach(points, free, origin, length * length, squares)
        if beyond >= 0 and ((points[beyond] - origin) * (origin - start)).sum() < 0.0:
            beyond = -1
        if inside == 0 and beyond < 0:
            break
        if count == len(lengths):
            directions, lengths = _longer(directions, lengths)
        target = points[beyond] if beyond >= 0 else points[farthest]
        if use_mean and inside > min_count and (points[farthest] != origin).any():
            target = _mean_within(points, free, squares, length * length, inside)
        directions[count] = _unit(target - origin)
        lengths[count] = length
        if beyond < 0:
            lengths[count] = ((points[farthest] - origin) * directions[count]).sum()
        free = _take(free, owners, squares, length * length, count, len(free) - inside)
        origin = origin + lengths[count] * directions[count]
        count += 1
        if beyond < 0:
            break
    return owners, directions[:count], lengths[:count]


@numba.njit(cache=True)
def walk_along(
    points: FloatArray, offsets: IntArray, origins: FloatArray, length: float, use_mean: bool, min_count: int
) -> tuple[IntArray, FloatArray, FloatArray, IntArray]:
    """Walk along n tracks from (n, 3) origins; see `step_through`.

    Return the owners of all points, segments being numbered over all tracks, and the number of segments of each track.
    """
    owners = np.full(len(points), -1, dtype=np.int64)
    counts = np.zeros(len(offsets) - 1, dtype=np.int64)
    directions, lengths, total = np.empty((64, 3)), np.empty(64), 0
    for track in range(len(counts)):
        a, b = offsets[track], offsets[track + 1]
        if b == a:
            continue
        own, rays, sizes = step_through(points[a:b], origins[track], length, use_mean, min_count)
        count = len(sizes)
        while total + count > len(lengths):
            more, longer = np.empty((2 * len(lengths), 3)), np.empty(2 * len(lengths))
            more[:total], longer[:total] = directions[:total], lengths[:total]
            directions, lengths = more, longer
        directions[total : total + count], lengths[total : total + count] = rays, sizes
        owners[a:b] = np.where(own >= 0, own + total, -1)
        counts[track] = count
        total += count
    return owners, directions[:total].copy(), lengths[:total].copy(), counts


@numba.njit(cache=True)
def _reach(
    points: FloatArray, free: IntArray, origin: FloatArray, reach: float, squares: FloatArray
) -> tuple[int, int, int]:
    """Return the number of free points in reach, the farthest of them, and the nearest one out of reach.

    ``reach`` is squared; squared distances of the free points are put into ``squares``.
    """
    inside, farthest, beyond = 0, -1, -1
    high, low = -1.0, np.inf
    x, y, z = origin[0], origin[1], origin[2]
    for place in range(len(free)):
        row = free[place]
        square = (points[row, 0] - x) ** 2 + (points[row, 1] - y) ** 2 + (points[row, 2] - z) ** 2
        squares[place] = square
        if square <= reach:
            inside += 1
            if square > high:
                high, farthest = square, row
        elif square < low:
            low, beyond = square, row
    return inside, farthest, beyond


@numba.njit(cache=True)
def _mean_within(points: FloatArray, free: IntArray, squares: FloatArray, reach: float, count: int) -> FloatArray:
    total = np.zeros(3)
    for place in range(len(free)):
        if squares[place] <= reach:
            total += points[free[place]]
    return total / count


@numba.njit(cache=True)
def _take(free: IntArray, owners: IntArray, squares: FloatArray, reach: float, step: int, rest: int) -> IntArray:
    """Give points in reach to a step, and return the others."""
    left, count = np.empty(rest, dtype=np.int64), 0
    for place in range(len(free)):
        if squares[place] <= reach:
            owners[free[place]] = step
        else:
            left[count] = free[place]
            count += 1
    return left


@numba.njit(cache=True)
def _unit(vector: FloatArray) -> FloatArray:
    size = np.sqrt((vector * vector).sum())
    return vector / size if size > 0.0 else np.array([1.0, 0.0, 0.0])


@numba.njit(cache=True)
def _longer(directions: FloatArray, lengths: FloatArray) -> tuple[FloatArray, FloatArray]:
    more, longer = np.empty((2 * len(lengths), 3)), np.empty(2 * len(lengths))
    more[: len(lengths)], longer[: len(lengths)] = directions, lengths
    return more, longer
