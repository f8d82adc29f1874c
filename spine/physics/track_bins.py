"""Many tracks cut into segments at once."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from spine.ops.arrays import BoolArray, FloatArray, IntArray, RealArray
from spine.ops.segments import check_offsets, lengths_to_offsets, offsets_to_lengths, offsets_to_owners, segment_max
from spine.ops.shape import pca_segments
from spine.physics.stepping import walk_along

__all__ = ["ManySegments", "bin_tracks", "walk_lengths", "walk_tracks"]


class ManySegments(NamedTuple):
    """Segments of n tracks.

    Track ``i`` has the segments ``tracks[i]:tracks[i + 1]``; segment ``s`` holds the points
    ``rows[offsets[s]:offsets[s + 1]]``, its unit direction is ``directions[s]`` (S, 3), its length ``lengths[s]`` (S,).
    """

    rows: IntArray
    offsets: IntArray
    tracks: IntArray
    directions: FloatArray
    lengths: FloatArray


class _Bins(NamedTuple):
    """Bins of the principal axis of each track: where they begin, how many there are, and the place of each point."""

    axes: FloatArray
    along: FloatArray
    first: FloatArray
    last: FloatArray
    counts: IntArray


def bin_tracks(points: RealArray, offsets: IntArray, starts: RealArray, length: float, min_count: int) -> ManySegments:
    """Cut tracks into equal bins along their principal axes.

    Parameters
    ----------
    points, offsets : (N, 3) float array in cm, (n + 1,) int array
    starts : (n, 3) float array
        End at which to begin; NaN for the lower end of the axis.
    length : float
        Of a bin, cm; that of a segment is longer by the cosine of its direction to the axis.
    min_count : int
        More points than this give a segment its own direction.
    """
    cloud: FloatArray = np.ascontiguousarray(points, dtype=np.float64).reshape(-1, 3)
    ends = check_offsets(offsets, len(cloud))
    bins = _bins(cloud, ends, np.asarray(starts, dtype=np.float64), length)
    owners, tracks = offsets_to_owners(ends), lengths_to_offsets(bins.counts)
    step = (bins.first + length) - bins.first
    label = _labels(bins, owners, step, length)
    segment = np.where(bins.counts[owners] > 0, tracks[owners] + label, tracks[-1])
    order = np.argsort(segment, kind="stable")
    sizes = np.bincount(segment, minlength=tracks[-1] + 1)[: tracks[-1]]
    rows, inner = order[: sizes.sum()].astype(np.int64), lengths_to_offsets(sizes)
    owner = offsets_to_owners(tracks)
    directions = _directions(cloud[rows], inner, bins.axes[owner], max(min_count, 1))
    lengths = np.full(len(owner), length)
    some = bins.counts > 0
    edges = bins.first + (bins.counts - 1) * step
    lengths[tracks[1:][some] - 1] = (bins.last - edges)[some]
    cosines = (directions * bins.axes[owner]).sum(axis=1)
    filled = (sizes > 0) & (cosines != 0)
    lengths[filled] /= cosines[filled]
    return ManySegments(rows, inner, tracks, directions, lengths)


def _bins(points: FloatArray, offsets: IntArray, starts: FloatArray, length: float) -> _Bins:
    axes, owners = pca_segments(points, offsets).axes[:, 0], offsets_to_owners(offsets)
    along = (points * axes[owners]).sum(axis=1)
    high, low = segment_max(along, offsets), -segment_max(-along, offsets)
    place = (starts * axes).sum(axis=1)
    turned: BoolArray = np.abs(low - place) > np.abs(high - place)
    sign = np.where(turned, -1.0, 1.0)
    first = np.fmin(sign * place, np.where(turned, -high, low))
    last = np.where(turned, -low, high)
    room = np.where(np.isfinite(axes[:, 0]), last - first, 0.0)
    counts = np.where(room > 0, np.ceil(room / length), 0).astype(np.int64)
    return _Bins(sign[:, None] * axes, sign[owners] * along, first, last, counts)


def _labels(bins: _Bins, owners: IntArray, step: FloatArray, length: float) -> IntArray:
    """(N,) bin of each point within its track: the last one that does not begin after it."""
    first, width, most = bins.first[owners], step[owners], np.maximum(bins.counts[owners] - 1, 0)
    room = np.nan_to_num((bins.along - first) / length)
    label = np.clip(np.floor(room), 0, most).astype(np.int64)
    label -= bins.along < first + label * width
    label += (bins.along >= first + (label + 1) * width) & (label < most)
    return np.maximum(label, 0)


def _directions(points: FloatArray, offsets: IntArray, axes: FloatArray, least: int) -> FloatArray:
    """(S, 3) direction of each segment: its own with more points than ``least``, else that of the track."""
    sizes = offsets_to_lengths(offsets)
    many = sizes > least
    chosen = np.repeat(many, sizes)
    local = pca_segments(points[chosen], lengths_to_offsets(sizes[many])).axes[:, 0]
    out = axes.copy()
    out[many] = np.where((local * axes[many]).sum(axis=1, keepdims=True) < 0, -local, local)
    return out


def walk_tracks(
    points: RealArray, offsets: IntArray, origins: FloatArray, how: tuple[float, bool, int]
) -> ManySegments:
    """Cut tracks by walking along them from (n, 3) origins; ``how`` is length, use_mean and min_count.

    See `spine.physics.stepping.step_through`; only the first axis of points is cut, so that slices stay contiguous.
    """
    cloud: FloatArray = np.ascontiguousarray(points, dtype=np.float64).reshape(-1, 3)
    ends = check_offsets(offsets, len(cloud))
    length, use_mean, min_count = how
    owners, directions, lengths, counts = walk_along(cloud, ends, origins, float(length), use_mean, int(min_count))
    order = np.argsort(owners, kind="stable")
    rows = order[np.count_nonzero(owners < 0) :].astype(np.int64)
    sizes = np.bincount(owners[rows], minlength=len(lengths))
    return ManySegments(rows, lengths_to_offsets(sizes), lengths_to_offsets(counts), directions, lengths)


def walk_lengths(segments: ManySegments) -> FloatArray:
    """(n,) sum of the lengths of the segments of each track, cm."""
    sums = np.append(0.0, np.cumsum(segments.lengths))
    total: FloatArray = sums[segments.tracks[1:]] - sums[segments.tracks[:-1]]
    return total
