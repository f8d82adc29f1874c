"""Vertex of an interaction from the ends and directions of its particles."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple

import numba
import numpy as np

from spine.ops.arrays import BoolArray, FloatArray, IntArray, RealArray

__all__ = [
    "Vertex",
    "VertexOptions",
    "confluence_points",
    "find_vertex",
    "pointing_loss",
    "pseudo_vertex",
    "select_by_pointing",
]


class Vertex(NamedTuple):
    """Position (3,) in cm, NaN if there is none, and the rule that gave it."""

    point: FloatArray
    rule: str


@dataclass(frozen=True)
class VertexOptions:
    """How a vertex is chosen.

    Parameters
    ----------
    anchor : bool
        Prefer points at which particles touch to the crossing of their lines.
    touching : float
        Ends nearer than this touch, cm.
    selection : {None, 'pointing'}
        How to choose among several points of confluence, before other rules.
    """

    anchor: bool = True
    touching: float = 2.0
    selection: Literal["pointing"] | None = None


def find_vertex(
    starts: RealArray,
    ends: RealArray,
    directions: RealArray,
    is_track: BoolArray,
    options: VertexOptions | None = None,
) -> Vertex:
    """Find the vertex of one interaction of P particles: (P, 3) starts, ends (cm) and unit directions.

    A particle without a finite start is left out; showers need no end. The rules, in this order: nothing for no
    particle; the start of a single one; the one point at which particles touch; the best of several if a selection
    is asked for; the one point at which starts touch; the end of a single track that showers point away from; the
    start of the longest track; the point nearest to all lines.
    """
    options = options or VertexOptions()
    known = np.isfinite(np.asarray(starts, dtype=np.float64)).all(axis=1)
    start, end = (np.asarray(v, dtype=np.float64)[known] for v in (starts, ends))
    rays, tracks = np.asarray(directions, dtype=np.float64)[known], np.asarray(is_track, dtype=np.bool_)[known]
    if len(start) == 0:
        return Vertex(np.full(3, np.nan), "no_particle")
    if len(start) == 1:
        return Vertex(start[0], "single_start")
    anchored = _anchored(start, end, rays, tracks, options) if options.anchor else None
    return anchored or Vertex(pseudo_vertex(start, rays), "pseudo_vertex")


def _anchored(
    starts: FloatArray, ends: FloatArray, rays: FloatArray, tracks: BoolArray, options: VertexOptions
) -> Vertex | None:
    points = confluence_points(starts, ends, options.touching)
    if len(points) == 1:
        return Vertex(points[0], "confluence_nodir")
    if len(points) > 1 and options.selection == "pointing":
        return Vertex(select_by_pointing(points, starts, rays, options.touching), "confluence_pointing")
    if not tracks.any():
        return None
    if len(points) > 1:
        points = confluence_points(starts, None, options.touching)
        if len(points) == 1:
            return Vertex(points[0], "confluence_dir")
    if tracks.sum() == 1:
        both = np.vstack([starts[tracks], ends[tracks]])
        best = np.argmin(pointing_loss(both, starts[~tracks], rays[~tracks]))
        return Vertex(both[best], "confluence_track_showers")
    lengths = np.linalg.norm(ends[tracks] - starts[tracks], axis=1)
    return Vertex(starts[tracks][np.argmax(np.nan_to_num(lengths))], "track_length")


def confluence_points(starts: RealArray, ends: RealArray | None = None, touching: float = 2.0) -> FloatArray:
    """Return the points (V, 3) at which two or more particles touch with their starts (or ends, if given).

    ``touching`` in cm. A group is the particles with the most paths of two touches to one particle; groups are
    made from the largest number of paths down, each with a particle not yet used. The point is the mean of the
    touching ends. A particle without one of its ends touches none: with ``ends`` these are the showers, whose starts
    are too far from the vertex to be averaged with the ends of tracks.
    """
    sides = [np.asarray(starts, dtype=np.float64)]
    if ends is not None:
        sides.append(np.asarray(ends, dtype=np.float64))
    found: FloatArray = _confluence(np.ascontiguousarray(np.stack(sides, axis=1)), float(touching))
    return found


@numba.njit(cache=True)
def _confluence(ends: FloatArray, touching: float) -> FloatArray:
    """Points of confluence of (P, sides, 3) ends."""
    paths, nearest = _paths(ends, touching)
    count = len(ends)
    most = np.zeros(count, dtype=np.int64)
    for i in range(count):
        most[i] = paths[i].max()
    left = np.ones(count, dtype=np.bool_)
    points, found = np.empty((count, 3)), 0
    while left.any():
        seed = np.argmax(np.where(left, most, -1))
        if most[seed] < 2:
            break
        group = np.flatnonzero(paths[seed] == most[seed])
        points[found] = 0.0
        for one in group:
            left[one] = False
            votes = np.zeros(ends.shape[1], dtype=np.int64)
            for other in group:
                if other != one:
                    votes[nearest[one, other]] += 1
            points[found] += ends[one, np.argmax(votes)] / len(group)
        found += 1
    return points[:found].copy()


@numba.njit(cache=True)
def _paths(ends: FloatArray, touching: float) -> tuple[IntArray, IntArray]:
    """Number of paths of two touches between particles, (P, P), and which end of the first is nearest the second.

    From a particle to itself it is that to the particle with most paths.
    """
    count, sides, _ = ends.shape
    known = np.array([np.isfinite(ends[i]).all() for i in range(count)])
    touches = np.eye(count, dtype=np.int64)
    nearest = np.zeros((count, count), dtype=np.int64)
    for i in range(count):
        for j in range(i + 1, count):
            if not (known[i] and known[j]):
                continue
            low = np.inf
            for a in range(sides):
                for b in range(sides):
                    gap = np.sqrt(((ends[i, a] - ends[j, b]) ** 2).sum())
                    if gap < low:
                        low, nearest[i, j], nearest[j, i] = gap, a, b
            touches[i, j] = touches[j, i] = low < touching
    paths = np.zeros((count, count), dtype=np.int64)
    for i in range(count):
        for k in range(count):
            if touches[i, k]:
                paths[i] += touches[k]
    for i in range(count):
        paths[i, i] = 0
        paths[i, i] = paths[i].max()
    return paths, nearest


def pointing_loss(candidates: RealArray, starts: RealArray, directions: RealArray) -> FloatArray:
    """Return for each (C, 3) candidate the mean of (1 - cos) / 2 between directions and lines to the starts.

    (C,) float64 between 0 (all point away from the candidate) and 1; below 0 where a particle starts at the candidate
    itself. Particles without a direction do not count.
    """
    lines = np.asarray(starts)[None] - np.asarray(candidates)[:, None]
    sizes = np.linalg.norm(lines, axis=-1)
    products = np.sum(lines * np.asarray(directions)[None], axis=-1)
    cosines = np.divide(products, sizes, out=np.ones_like(sizes), where=sizes > 0)
    loss = np.nansum(1 - cosines, axis=1) / max(2 * len(starts), 1)
    return np.where((sizes == 0).any(axis=1), -1.0, loss)


def select_by_pointing(
    candidates: RealArray, starts: RealArray, directions: RealArray, touching: float = 2.0
) -> FloatArray:
    """Return the (3,) candidate that most particles touch or point away from.

    A particle whose start lies within ``touching`` (cm) counts 1, another (1 + cos) / 2, or 0 without a direction.
    """
    lines = np.asarray(starts)[None] - np.asarray(candidates)[:, None]
    sizes = np.linalg.norm(lines, axis=-1)
    far = sizes >= touching
    products = np.sum(lines * np.asarray(directions)[None], axis=-1)
    cosines = np.divide(products, sizes, out=np.ones_like(sizes), where=far)
    best: FloatArray = np.asarray(candidates, dtype=np.float64)[np.argmax(np.nansum((1 + cosines) / 2, axis=1))]
    return best


def pseudo_vertex(starts: RealArray, directions: RealArray, weights: RealArray | None = None) -> FloatArray:
    """Return the point (3,) with the least (weighted) sum of squared distances to the lines through the starts.

    Particles without a finite direction are left out. The only start for one line, the (weighted) mean of the
    starts for parallel lines, NaN for none.
    """
    points, rays = np.asarray(starts, dtype=np.float64), np.asarray(directions, dtype=np.float64)
    share = np.ones(len(points)) if weights is None else np.asarray(weights, dtype=np.float64)
    good = np.isfinite(points).all(axis=1) & np.isfinite(rays).all(axis=1) & (share > 0)
    points, rays, share = points[good], rays[good], share[good]
    if len(points) < 2:
        return points[0] if len(points) else np.full(3, np.nan)
    across = share[:, None, None] * (np.eye(3) - rays[:, :, None] * rays[:, None, :])
    matrix = across.sum(axis=0)
    if np.linalg.eigvalsh(matrix)[0] < 1e-9 * share.sum():
        return np.average(points, axis=0, weights=share)
    return np.linalg.solve(matrix, np.einsum("nij,nj->i", across, points))
