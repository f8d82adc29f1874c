"""Tracks cut into segments: lengths, directions, energy loss along the track, and which end comes first."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Literal, NamedTuple, TypeAlias

import numpy as np

from spine.errors import DataError
from spine.ops.arrays import FloatArray, IntArray, NumberArray, RealArray
from spine.ops.distance import farthest_pair
from spine.ops.segments import (
    check_offsets,
    lengths_to_offsets,
    offsets_to_lengths,
    offsets_to_owners,
    segment_max,
    segment_mean,
    segment_sum,
)
from spine.ops.shape import pca, pca_segments
from spine.physics.dedx import anchor_refs
from spine.physics.track_bins import ManySegments, bin_tracks, walk_lengths, walk_tracks

__all__ = [
    "DedxProfile",
    "TrackMode",
    "TrackSegments",
    "Tracking",
    "dedx_gradient",
    "dedx_profile",
    "many_track_segments",
    "spline_length",
    "starts_at",
    "starts_at_candidate",
    "track_length",
    "track_lengths",
    "track_segments",
]

TrackMode: TypeAlias = Literal["step", "step_next", "bin_pca", "displacement", "splines"]


@dataclass(frozen=True)
class Tracking:
    """How a track is measured.

    Parameters
    ----------
    mode : {'step', 'step_next', 'bin_pca', 'displacement', 'splines'}
        Segments by walking towards the mean of the points within reach (``step``) or towards the nearest point
        out of reach (``step_next``), or by equal bins of the principal axis (``bin_pca``). Two more modes give a
        length without segments: the extent along the axis, or the length of smoothing splines.
    length : float
        Length of a segment, cm; the last one may be shorter.
    anchor : bool
        Begin to walk at the point nearest to the given end instead of at the end itself.
    min_count : int
        A direction is taken from the points of a segment only if there are more than this, an energy loss only
        if there are no fewer.
    """

    mode: TrackMode = "step_next"
    length: float = 5.0
    anchor: bool = True
    min_count: int = 10


class TrackSegments(NamedTuple):
    """Segments in order along the track.

    Segment ``i`` holds the points ``rows[offsets[i]:offsets[i + 1]]``, its unit direction is ``directions[i]``
    (S, 3) and its length ``lengths[i]`` (S,) in cm.
    """

    rows: IntArray
    offsets: IntArray
    directions: FloatArray
    lengths: FloatArray


class DedxProfile(NamedTuple):
    """Energy loss in each segment, (S,) float64 each.

    ``dedx`` and its error are in the unit of the values per cm, NaN where a segment has too few points;
    ``distance`` is that of the middle of the segment from the end at which the segmentation started, in cm (the
    residual range if that is where the track stops).
    """

    dedx: FloatArray
    error: FloatArray
    distance: FloatArray
    segments: TrackSegments


def track_segments(points: RealArray, start: RealArray | None = None, how: Tracking | None = None) -> TrackSegments:
    """Cut a track of (N, 3) points (cm) into segments.

    ``start`` (3,) is the end at which to begin, by default one of the two points farthest apart. There are no
    segments for fewer than two points with ``bin_pca``, or no points when walking; DataError for other modes.
    """
    begin = np.full((1, 3), np.nan) if start is None else np.asarray(start, dtype=np.float64).reshape(1, 3)
    found = many_track_segments(points, np.array([0, len(points)]), begin, how)
    return TrackSegments(found.rows, found.offsets, found.directions, found.lengths)


def many_track_segments(
    points: RealArray, offsets: NumberArray, starts: RealArray, how: Tracking | None = None
) -> ManySegments:
    """Cut n tracks into segments, with (n, 3) starts that may be NaN; otherwise as `track_segments`."""
    how = how or Tracking()
    if how.mode not in ("step", "step_next", "bin_pca") or not how.length > 0:
        raise DataError("no such segments", got=how, expected="step, step_next or bin_pca; length over 0")
    cloud: FloatArray = np.ascontiguousarray(points, dtype=np.float64).reshape(-1, 3)
    ends = check_offsets(offsets, len(cloud))
    begin = np.asarray(starts, dtype=np.float64)
    begin = np.where(np.isfinite(begin).all(axis=1, keepdims=True), begin, np.nan)
    if how.mode == "bin_pca":
        return bin_tracks(cloud, ends, begin, float(how.length), how.min_count)
    options = (float(how.length), how.mode == "step", how.min_count)
    return walk_tracks(cloud, ends, _origins(cloud, ends, begin, how.anchor), options)


def _origins(points: FloatArray, offsets: IntArray, starts: FloatArray, anchor: bool) -> FloatArray:
    """(n, 3) where walks begin; NaN for tracks without points."""
    unknown = np.flatnonzero(np.isnan(starts[:, 0]) & (np.diff(offsets) > 0))
    origins = anchor_refs(points, offsets, starts) if anchor else starts.copy()
    for row in unknown:
        origins[row] = _origin(points[offsets[row] : offsets[row + 1]], None, anchor)
    return origins


def _origin(points: FloatArray, start: RealArray | None, anchor: bool) -> FloatArray:
    if start is None:
        row = max(farthest_pair(points).first, 0)
    elif anchor:
        row = int(np.argmin(np.linalg.norm(points - start, axis=1)))
    else:
        return np.asarray(start, dtype=np.float64)
    origin: FloatArray = points[row]
    return origin


def track_length(points: RealArray, start: RealArray | None = None, how: Tracking | None = None) -> float:
    """Return the length of a track in cm, with parameters as in `track_segments` and any mode.

    0 for one point, NaN for none.
    """
    begin = np.full((1, 3), np.nan) if start is None else np.asarray(start, dtype=np.float64).reshape(1, 3)
    return float(track_lengths(points, np.array([0, len(points)]), begin, how)[0])


def track_lengths(
    points: RealArray, offsets: NumberArray, starts: RealArray, how: Tracking | None = None
) -> FloatArray:
    """Return the lengths of n tracks, (n,) cm, with parameters as in `many_track_segments` and any mode."""
    how = how or Tracking()
    cloud: FloatArray = np.ascontiguousarray(points, dtype=np.float64).reshape(-1, 3)
    ends = check_offsets(offsets, len(cloud))
    counts = offsets_to_lengths(ends)
    if how.mode == "splines":
        lengths = np.array([spline_length(cloud[a:b], how.length) for a, b in pairwise(ends.tolist())])
    elif how.mode == "displacement":
        along = (cloud * pca_segments(cloud, ends).axes[offsets_to_owners(ends), 0]).sum(axis=1)
        lengths = segment_max(along, ends) + segment_max(-along, ends)
    else:
        lengths = walk_lengths(many_track_segments(cloud, ends, starts, how))
    return np.where(counts > 1, lengths, np.where(counts == 1, 0.0, np.nan))


def spline_length(points: RealArray, segment_length: float, smoothing: float | None = None) -> float:
    """Return the length (cm) of cubic smoothing splines x(u), y(u), z(u) along the principal axis u.

    The curve is measured between points ``segment_length`` (cm) apart in u; a shorter track, or one of fewer than
    four different u, has the extent in u for length. ``smoothing`` is the sum of squared residuals allowed per
    coordinate (`scipy.interpolate.UnivariateSpline`), the number of points by default.
    """
    from scipy.interpolate import UnivariateSpline

    if len(points) < 2:
        return 0.0 if len(points) else float("nan")
    cloud: FloatArray = np.asarray(points, dtype=np.float64)
    along, inverse, counts = np.unique(cloud @ pca(cloud).axes[0], return_inverse=True, return_counts=True)
    extent = float(along[-1] - along[0])
    if len(along) < 4 or extent <= segment_length:
        return extent
    means = segment_mean(cloud[np.argsort(inverse, kind="stable")], lengths_to_offsets(counts))
    places = np.append(np.arange(along[0], along[-1], segment_length), along[-1])
    curve = np.column_stack([UnivariateSpline(along, means[:, i], s=smoothing)(places) for i in range(3)])
    return float(np.linalg.norm(np.diff(curve, axis=0), axis=1).sum())


def dedx_profile(
    points: RealArray, values: RealArray, end: RealArray | None = None, how: Tracking | None = None
) -> DedxProfile:
    """Return the energy (or charge) per length along a track of (N, 3) points (cm) with (N,) values.

    ``end`` (3,) is the end from which distances count.
    """
    how = how or Tracking()
    segments = track_segments(points, end, how)
    deposits: FloatArray = np.asarray(values, dtype=np.float64)[segments.rows]
    counts = offsets_to_lengths(segments.offsets)
    means = np.repeat(segment_mean(deposits, segments.offsets), counts)
    lengths = np.where((counts >= how.min_count) & (segments.lengths > 0), segments.lengths, np.nan)
    dedx = segment_sum(deposits, segments.offsets) / lengths
    error = np.sqrt(segment_sum((deposits - means) ** 2, segments.offsets)) / lengths
    distance = np.cumsum(segments.lengths) - segments.lengths / 2
    return DedxProfile(dedx, error, distance, segments)


def dedx_gradient(profile: DedxProfile) -> float:
    """Return the slope of dE/dx against distance by least squares, per cm^2.

    0 when all measured segments are at one distance, NaN when none is measured.
    """
    measured = np.isfinite(profile.dedx)
    if not measured.any():
        return float("nan")
    x = profile.distance[measured] - profile.distance[measured].mean()
    spread = float(x @ x)
    return float(x @ profile.dedx[measured]) / spread if spread > 0 else 0.0


def starts_at(
    points: RealArray,
    values: RealArray,
    ends: RealArray,
    method: Literal["local", "gradient"] = "local",
    radius: float = 5.0,
    anchor: bool = True,
) -> bool:
    """Tell whether a track starts at the first of its (2, 3) ends: energy loss rises towards the stop.

    ``method`` 'local' compares the energy within ``radius`` (cm) of each end, 'gradient' the slopes of dE/dx in
    segments of that length. ``anchor`` moves the ends to the nearest points first. True as well when nothing can
    be measured.
    """
    cloud: FloatArray = np.asarray(points, dtype=np.float64).reshape(-1, 3)
    if len(cloud) == 0:
        return True
    if method == "gradient":
        how = Tracking(length=radius, anchor=anchor)
        profiles = [dedx_profile(cloud, values, end, how) for end in np.asarray(ends)]
        slopes = np.nan_to_num([dedx_gradient(profile) for profile in profiles])
        return bool(slopes[0] >= slopes[1])
    places = [_origin(cloud, end, anchor) for end in np.asarray(ends)]
    sums = [np.sum(np.asarray(values)[np.linalg.norm(cloud - p, axis=1) < radius]) for p in places]
    return bool(sums[0] <= sums[1])


def starts_at_candidate(ends: RealArray, candidates: RealArray, scores: RealArray) -> bool:
    """Tell whether a track starts at the first of its (2, 3) ends, from (C, 3) predicted points of interest.

    ``scores`` (C, 2) are those of being a start and of being an end. True as well without candidates.
    """
    if len(candidates) == 0:
        return True
    distances = np.linalg.norm(np.asarray(ends)[:, None] - np.asarray(candidates)[None], axis=-1)
    first, second = np.argmin(distances, axis=1)
    if first == second:
        is_end = bool(np.argmax(scores[first]) == 1)
        nearer = bool(distances[0, first] < distances[1, first])
        return nearer != is_end
    return bool(scores[first, 1] < scores[second, 1])
