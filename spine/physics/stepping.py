"""Walk along a track segment by segment."""

from __future__ import annotations

import numba
import numpy as np

from spine.ops.arrays import BoolArray, FloatArray, IntArray

__all__ = ["step_through"]


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
    free = np.ones(len(points), dtype=np.bool_)
    directions, lengths = np.empty((len(points) + 1, 3)), np.empty(len(points) + 1)
    origin, count = start.copy(), 0
    while True:
        inside, farthest, beyond = _reach(points, free, origin, length)
        if beyond >= 0 and ((points[beyond] - origin) * (origin - start)).sum() < 0.0:
            beyond = -1
        if inside == 0 and beyond < 0:
            break
        if count == len(lengths):
            directions, lengths = _longer(directions, lengths)
        target = points[beyond] if beyond >= 0 else points[farthest]
        if use_mean and inside > min_count and (points[farthest] != origin).any():
            target = _mean_within(points, free, origin, length)
        directions[count] = _unit(target - origin)
        lengths[count] = length
        if beyond < 0:
            lengths[count] = ((points[farthest] - origin) * directions[count]).sum()
        _take(points, free, owners, origin, length, count)
        origin = origin + lengths[count] * directions[count]
        count += 1
        if beyond < 0:
            break
    return owners, directions[:count], lengths[:count]


@numba.njit(cache=True)
def _reach(points: FloatArray, free: BoolArray, origin: FloatArray, length: float) -> tuple[int, int, int]:
    """Return the number of free points in reach, the farthest of them, and the nearest one out of reach."""
    inside, farthest, beyond = 0, -1, -1
    high, low = -1.0, np.inf
    for row in range(len(points)):
        if free[row]:
            distance = np.sqrt(((points[row] - origin) ** 2).sum())
            if distance <= length:
                inside += 1
                if distance > high:
                    high, farthest = distance, row
            elif distance < low:
                low, beyond = distance, row
    return inside, farthest, beyond


@numba.njit(cache=True)
def _mean_within(points: FloatArray, free: BoolArray, origin: FloatArray, length: float) -> FloatArray:
    total, count = np.zeros(3), 0
    for row in range(len(points)):
        if free[row] and np.sqrt(((points[row] - origin) ** 2).sum()) <= length:
            total += points[row]
            count += 1
    return total / count


@numba.njit(cache=True)
def _take(points: FloatArray, free: BoolArray, owners: IntArray, origin: FloatArray, length: float, step: int) -> None:
    for row in range(len(points)):
        if free[row] and np.sqrt(((points[row] - origin) ** 2).sum()) <= length:
            free[row], owners[row] = False, step


@numba.njit(cache=True)
def _unit(vector: FloatArray) -> FloatArray:
    size = np.sqrt((vector * vector).sum())
    return vector / size if size > 0.0 else np.array([1.0, 0.0, 0.0])


@numba.njit(cache=True)
def _longer(directions: FloatArray, lengths: FloatArray) -> tuple[FloatArray, FloatArray]:
    more, longer = np.empty((2 * len(lengths), 3)), np.empty(2 * len(lengths))
    more[: len(lengths)], longer[: len(lengths)] = directions, lengths
    return more, longer
