"""Start and end points of clusters, in voxels: from the truth, from the shape, or from predicted points."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, NamedTuple, TypeAlias

import numpy as np

from spine.model.chain.rows import charge_of, cluster_feature, image_of, in_voxel_order
from spine.ops.arrays import FloatArray, IntArray, NumberArray
from spine.ops.distance import farthest_pair
from spine.ops.segments import segment_argmax
from spine.schema import Event, Ragged, Shape, Tensor

__all__ = ["Ends", "PointMode", "ends_of", "extrema_ends", "label_ends", "point_requirements", "predicted_ends"]

PointMode: TypeAlias = Literal["label", "extrema", "ppn"]


class Ends(NamedTuple):
    """(n, 3) start and end of each cluster: coordinates of voxels of it, NaN where it has none."""

    start: FloatArray
    end: FloatArray


def point_requirements(mode: PointMode) -> tuple[str, ...]:
    """Products that a way of finding points needs besides ``data``."""
    return {"label": ("clust_label", "coord_label"), "extrema": (), "ppn": ("ppn_points",)}[mode]


def ends_of(event: Event, clusts: Ragged, shapes: NumberArray, mode: PointMode) -> Ends:
    """Ends of clusters.

    Parameters
    ----------
    clusts : Ragged of int
        Rows of ``data``.
    shapes : (n,) int
        Semantic classes.
    mode : {'label', 'extrema', 'ppn'}
        See `label_ends`, `extrema_ends` and `predicted_ends`.
    """
    modes: dict[str, Callable[[Event, Ragged, NumberArray], Ends]] = {
        "label": label_ends,
        "extrema": extrema_ends,
        "ppn": predicted_ends,
    }
    return modes[mode](event, in_voxel_order(image_of(event).coords, clusts), shapes)


def label_ends(event: Event, clusts: Ragged, shapes: NumberArray) -> Ends:
    """Voxels nearest to the true ends of the earliest particle in each cluster.

    The nearest voxel is the one whose centre (its number plus one half) is nearest. Clusters without a true particle
    get `extrema_ends`.
    """
    truth: Tensor = event["coord_label"]
    found = extrema_ends(event, clusts, shapes)
    particles = cluster_feature(event, "particle_index")[clusts.values]
    known = (particles >= 0) & (particles < len(truth))
    times = truth.feature("time").astype(np.float64)
    if not known.any():
        return found
    when = np.where(known, times[np.where(known, particles, 0)], np.inf)
    order = np.lexsort((particles, when, ~known, clusts.rows))
    firsts = order[np.searchsorted(clusts.rows[order], np.arange(len(clusts)))[clusts.lengths > 0]]
    filled = np.flatnonzero(clusts.lengths > 0)[known[firsts]]
    chosen = np.zeros(len(clusts), dtype=np.int64)
    chosen[filled] = particles[firsts[known[firsts]]]
    for points, columns in ((found.start, slice(0, 3)), (found.end, slice(3, 6))):
        targets = truth.coords[chosen, columns] - 0.5
        points[filled] = _nearest_voxels(image_of(event).coords, clusts, targets)[filled]
    return found


def _nearest_voxels(coords: NumberArray, clusts: Ragged, targets: NumberArray) -> FloatArray:
    """(n, 3) voxel of each cluster that is nearest to its target, the first among equals."""
    gaps = coords[clusts.values].astype(np.float64) - targets[clusts.rows].astype(np.float64)
    best = segment_argmax(-(gaps**2).sum(axis=1), clusts.offsets)
    return _voxels(coords, clusts, best)


def _voxels(coords: NumberArray, clusts: Ragged, places: IntArray) -> FloatArray:
    """Coordinates of the voxels at places in the lists, NaN at negative places."""
    points = np.full((len(places), 3), np.nan)
    points[places >= 0] = coords[clusts.values[places[places >= 0]]]
    return points


def extrema_ends(event: Event, clusts: Ragged, shapes: NumberArray) -> Ends:
    """The two voxels of each cluster that are farthest apart.

    Tracks start at the one with the smaller coordinates, as nothing tells the ends apart without particle
    identification. All else starts at the end around which the charge is gathered more closely (smaller
    charge-weighted mean distance), and ends at its start, as only tracks have ends.
    """
    coords = np.asarray(image_of(event).coords, dtype=np.float64)
    charge = np.maximum(charge_of(event), 0.0)
    ends = Ends(np.full((len(clusts), 3), np.nan), np.full((len(clusts), 3), np.nan))
    for i, rows in enumerate(clusts):
        if len(rows) == 0:
            continue
        pair = farthest_pair(coords[rows])
        first, second = coords[rows[max(pair.first, 0)]], coords[rows[max(pair.second, 0)]]
        if shapes[i] != Shape.TRACK:
            first = second = _denser_end(coords[rows], charge[rows], first, second)
        ends.start[i], ends.end[i] = first, second
    return ends


def _denser_end(points: FloatArray, charge: FloatArray, first: FloatArray, second: FloatArray) -> FloatArray:
    lengths = [charge @ np.linalg.norm(points - end, axis=1) for end in (first, second)]
    return first if lengths[0] <= lengths[1] else second


def predicted_ends(event: Event, clusts: Ragged, shapes: NumberArray) -> Ends:
    """Ends as networks were trained with them: extrema of tracks, the best predicted point of all else.

    The point of a shower is that of its voxel with the largest point score, those first that are more likely a point
    than not and place it within one voxel of themselves; it is brought to the nearest voxel number of the cluster.
    ``ppn_points`` holds offsets (3), class scores (5) and point scores (2), as in Domine et al., Phys. Rev. D 104,
    032004 (2021).
    """
    ends = extrema_ends(event, clusts, shapes)
    raw = np.asarray(event["ppn_points"], dtype=np.float64)[clusts.values]
    score = raw[:, -1] - raw[:, -2]
    inside = (score > 0) & (np.abs(raw[:, :3]) < 1.0).all(axis=1)
    best = segment_argmax(score, clusts.offsets)
    sure = segment_argmax(np.where(inside, score, -np.inf), clusts.offsets)
    best = np.where(inside[sure] & (sure >= 0), sure, best) if len(inside) else best
    coords = image_of(event).coords
    targets = _voxels(coords, clusts, best) + (raw[best, :3] if len(raw) else 0.0) + 0.5
    points = _nearest_voxels(coords, clusts, targets)
    other = np.asarray(shapes) != Shape.TRACK
    ends.start[other], ends.end[other] = points[other], points[other]
    return ends
