"""Split energy deposits along their length over voxels."""

from __future__ import annotations

from dataclasses import dataclass

import numba
import numpy as np
from numpy.typing import NDArray

__all__ = ["Pieces", "split_lines"]

Array = NDArray[np.float64]
Index = NDArray[np.int64]


@dataclass(frozen=True)
class Pieces:
    """Parts of line deposits, each inside one voxel.

    Attributes
    ----------
    line : (M,) int64
        Row of the line; pieces of a line follow each other along it.
    cell : (M, 3) int64
        Voxel.
    enter, leave : (M,) float64
        Where along the line the piece begins and ends, from 0 to 1.
    """

    line: Index
    cell: Index
    enter: Array
    leave: Array


def split_lines(start: Array, end: Array, cells: tuple[int, int, int]) -> Pieces:
    """Cut straight lines at the faces of the voxels of a grid.

    Parameters
    ----------
    start, end : (N, 3) array
        Ends of the lines in voxel units: voxel ``i`` covers ``[i, i + 1)``.
    cells : tuple of int
        Size of the grid; what lies outside is left out. Lines without length count as one piece.

    Returns
    -------
    Pieces
        Parts inside the grid. Amanatides and Woo, Eurographics 1987.
    """
    start = np.ascontiguousarray(start, np.float64).reshape(-1, 3)
    end = np.ascontiguousarray(end, np.float64).reshape(-1, 3)
    size = np.array(cells, np.int64)
    span = _clip(start, end, size.astype(np.float64))
    room = np.where(span[:, 1] >= span[:, 0], _largest_count(start, end, span), 0)
    offset = np.r_[0, np.cumsum(room)].astype(np.int64)
    cell, bounds, count = _walk(np.stack([start, end], 1), size, span, offset)
    line = np.repeat(np.arange(len(start)), count)
    used = offset[line] + np.arange(len(line)) - np.repeat(np.cumsum(count) - count, count)
    return Pieces(line, cell[used], bounds[used, 0], bounds[used, 1])


def _clip(start: Array, end: Array, size: Array) -> Array:
    """Part of each line inside the grid, as two fractions; the first is larger when there is none."""
    step = end - start
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        a, b = -start / step, (size - start) / step
    still = step == 0
    inside = (start >= 0) & (start < size)
    low = np.where(still, np.where(inside, -np.inf, np.inf), np.minimum(a, b))
    high = np.where(still, np.where(inside, np.inf, -np.inf), np.maximum(a, b))
    return np.stack([np.maximum(low.max(1), 0.0), np.minimum(high.min(1), 1.0)], 1)


def _largest_count(start: Array, end: Array, span: Array) -> Index:
    """Upper bound of the number of voxels that the clipped line meets."""
    length = np.maximum(span[:, 1] - span[:, 0], 0.0)
    return np.asarray((np.ceil(np.abs(end - start) * length[:, None]) + 1).sum(1) + 1, np.int64)


@numba.njit(cache=True)
def _enter(start: Array, step: Array, size: Index, t: float) -> tuple[Index, Index, Array]:
    """Voxel at one place of a line, its sense along each axis, and where it meets the next faces."""
    here = np.empty(3, np.int64)
    way = np.zeros(3, np.int64)
    following = np.full(3, np.inf)
    for k in range(3):
        here[k] = min(max(np.int64(np.floor(start[k] + t * step[k])), 0), size[k] - 1)
        if step[k] > 0:
            way[k] = 1
            following[k] = (here[k] + 1 - start[k]) / step[k]
        elif step[k] < 0:
            way[k] = -1
            following[k] = (here[k] - start[k]) / step[k]
    return here, way, following


@numba.njit(cache=True)
def _walk(ends: Array, size: Index, span: Array, offset: Index) -> tuple[Index, Array, Index]:
    """Fill the pieces of each line into its own part of the output arrays."""
    cell = np.empty((offset[-1], 3), np.int64)
    bounds = np.empty((offset[-1], 2), np.float64)
    count = np.zeros(len(ends), np.int64)
    for i in range(len(ends)):
        start = ends[i, 0]
        t, last = span[i, 0], span[i, 1]
        if t > last:
            continue
        here, way, following = _enter(start, ends[i, 1] - start, size, t)
        n = offset[i]
        while n < offset[i + 1]:
            k = 0
            if following[1] < following[k]:
                k = 1
            if following[2] < following[k]:
                k = 2
            leave = min(following[k], last)
            if leave > t:
                cell[n, 0], cell[n, 1], cell[n, 2] = here[0], here[1], here[2]
                bounds[n, 0], bounds[n, 1] = t, leave
                n += 1
                t = leave
            if following[k] >= last:
                break
            here[k] += way[k]
            if here[k] < 0 or here[k] >= size[k]:
                break
            step = ends[i, 1, k] - start[k]
            following[k] = (here[k] + (1 if way[k] > 0 else 0) - start[k]) / step
        count[i] = n - offset[i]
        if count[i] > 0:
            bounds[n - 1, 1] = last
    return cell, bounds, count
