"""Tracks cut into segments: lengths, directions, energy loss along the track, and which end comes first."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple, TypeAlias

import numpy as np
from scipy.interpolate import UnivariateSpline

from spine.errors import DataError
from spine.ops.arrays import FloatArray, IntArray, RealArray
from spine.ops.distance import farthest_pair
from spine.ops.segments import lengths_to_offsets, offsets_to_lengths, segment_mean, segment_sum
from spine.ops.shape import pca, pca_segments
from spine.physics.stepping import step_through

__all__ = [
    "DedxProfile",
    "TrackMode",
    "TrackSegments",
    "Tracking",
    "dedx_gradient",
    "dedx_profile",
    "spline_length",
    "starts_at",
    "starts_at_candidate",
    "track_length",
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
    how = how or Tracking()
    if how.mode not in ("step", "step_next", "bin_pca") or not how.length > 0:
        raise DataError("no such segments", got=how, expected="step, step_next or bin_pca; length over 0")
    cloud: FloatArray = np.ascontiguousarray(points, dtype=np.float64).reshape(-1, 3)
    if start is not None and not np.all(np.isfinite(start)):
        start = None
    if how.mode == "bin_pca":
        return _bins(cloud, how.length, start, how.min_count)
    if len(cloud) == 0:
        return _no_segments()
    origin = _origin(cloud, start, how.anchor)
    walk = step_through(cloud, origin, float(how.length), how.mode == "step", how.min_count)
    return _collect(*walk)


def _no_segments() -> TrackSegments:
    return TrackSegments(np.empty(0, np.int64), np.zeros(1, np.int64), np.empty((0, 3)), np.empty(0))


def _origin(points: FloatArray, start: RealArray | None, anchor: bool) -> FloatArray:
    if start is None:
        row = max(farthest_pair(points).first, 0)
    elif anchor:
        row = int(np.argmin(np.linalg.norm(points - start, axis=1)))
    else:
        return np.asarray(start, dtype=np.float64)
    origin: FloatArray = points[row]
    return origin


def _collect(owners: IntArray, directions: FloatArray, lengths: FloatArray) -> TrackSegments:
    """Turn the segment of each point (-1 for none) into ragged lists."""
    order = np.argsort(owners, kind="stable")
    rows = order[np.count_nonzero(owners < 0) :].astype(np.int64)
    counts = np.bincount(owners[rows], minlength=len(lengths))
    return TrackSegments(rows, lengths_to_offsets(counts), directions, lengths)


def _bins(points: FloatArray, length: float, start: RealArray | None, min_count: int) -> TrackSegments:
    """Cut along the principal axis; a segment's length is its bin's over the cosine to the axis."""
    if len(points) < 2:
        return _no_segments()
    axis = pca(points).axes[0]
    along = points @ axis
    first = float(along.min())
    if start is not None:
        place = float(np.asarray(start, dtype=np.float64) @ axis)
        if abs(along.min() - place) > abs(along.max() - place):
            axis, along, place = -axis, -along, -place
        first = min(place, float(along.min()))
    edges = np.arange(first, along.max(), length)
    if len(edges) == 0:
        return _no_segments()
    found = _collect(np.digitize(along, edges).astype(np.int64) - 1, np.empty((0, 3)), np.zeros(len(edges)))
    directions = _bin_directions(points[found.rows], found.offsets, axis, min_count)
    lengths = np.full(len(edges), length)
    lengths[-1] = along.max() - edges[-1]
    cosines = directions @ axis
    filled = (offsets_to_lengths(found.offsets) > 0) & (cosines != 0)
    lengths[filled] /= cosines[filled]
    return TrackSegments(found.rows, found.offsets, directions, lengths)


def _bin_directions(points: FloatArray, offsets: IntArray, axis: FloatArray, min_count: int) -> FloatArray:
    local = pca_segments(points, offsets).axes[:, 0]
    local = np.where((local @ axis)[:, None] < 0, -local, local)
    many = offsets_to_lengths(offsets) > max(min_count, 1)
    return np.where(many[:, None], local, axis)


def track_length(points: RealArray, start: RealArray | None = None, how: Tracking | None = None) -> float:
    """Return the length of a track in cm, with parameters as in `track_segments` and any mode.

    0 for one point, NaN for none.
    """
    how = how or Tracking()
    if len(points) < 2:
        return 0.0 if len(points) else float("nan")
    if how.mode == "displacement":
        return float(np.ptp(np.asarray(points, dtype=np.float64) @ pca(points).axes[0]))
    if how.mode == "splines":
        return spline_length(points, how.length)
    return float(track_segments(points, start, how).lengths.sum())


def spline_length(points: RealArray, segment_length: float, smoothing: float | None = None) -> float:
    """Return the length (cm) of cubic smoothing splines x(u), y(u), z(u) along the principal axis u.

    The curve is measured between points ``segment_length`` (cm) apart in u; a shorter track, or one of fewer than
    four different u, has the extent in u for length. ``smoothing`` is the sum of squared residuals allowed per
    coordinate (`scipy.interpolate.UnivariateSpline`), the number of points by default.
    """
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
