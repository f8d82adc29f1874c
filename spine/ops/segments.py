"""Reductions over ragged segments given as values and offsets.

Segment ``i`` holds ``values[offsets[i]:offsets[i + 1]]``; ``offsets`` has one entry more than there are
segments, starts at 0 and never decreases. Empty segments are ordinary.
"""

from __future__ import annotations

import numpy as np

from spine.errors import DataError
from spine.ops.arrays import FloatArray, IntArray, NumberArray

__all__ = [
    "check_offsets",
    "lengths_to_offsets",
    "offsets_to_lengths",
    "offsets_to_owners",
    "owners_to_offsets",
    "segment_argmax",
    "segment_count",
    "segment_max",
    "segment_mean",
    "segment_sum",
]


def lengths_to_offsets(lengths: NumberArray) -> IntArray:
    """Return the (n + 1,) int64 offsets of segments of the given (n,) lengths."""
    offsets = np.zeros(len(lengths) + 1, dtype=np.int64)
    np.cumsum(lengths, out=offsets[1:])
    return offsets


def offsets_to_lengths(offsets: NumberArray) -> IntArray:
    """Return the (n,) int64 lengths of the segments of (n + 1,) offsets."""
    ends: IntArray = np.asarray(offsets, dtype=np.int64)
    return ends[1:] - ends[:-1]


def offsets_to_owners(offsets: NumberArray) -> IntArray:
    """Return for each value the int64 number of the segment that holds it."""
    lengths = offsets_to_lengths(offsets)
    return np.repeat(np.arange(len(lengths), dtype=np.int64), lengths)


def owners_to_offsets(owners: NumberArray, count: int) -> IntArray:
    """Return the offsets of ``count`` segments from the owner of each value; DataError if not sorted or in range."""
    owners = np.asarray(owners, dtype=np.int64)
    if len(owners) and (owners[0] < 0 or owners[-1] >= count or bool(np.any(np.diff(owners) < 0))):
        raise DataError("owners must be sorted and in range", got=owners, expected=f"0 to {count - 1}")
    return lengths_to_offsets(np.bincount(owners, minlength=count))


def check_offsets(offsets: NumberArray, size: int) -> IntArray:
    """Return the offsets as int64; DataError if they do not rise from 0 to ``size``."""
    offsets = np.asarray(offsets, dtype=np.int64)
    good = offsets.ndim == 1 and len(offsets) > 0 and offsets[0] == 0 and offsets[-1] == size
    if not good or bool(np.any(np.diff(offsets) < 0)):
        raise DataError("offsets do not cover the values", got=offsets, expected=f"0 rising to {size}")
    return offsets


def segment_count(offsets: NumberArray) -> IntArray:
    """Return the number of values of each segment, (n,) int64."""
    return offsets_to_lengths(offsets)


def segment_sum(values: NumberArray, offsets: NumberArray) -> NumberArray:
    """Sum each segment of (N, ...) values along the first axis, (n, ...); an empty segment gives 0.

    Floats are summed in float64, integers and booleans in int64.
    """
    values = np.asarray(values)
    dtype = np.float64 if values.dtype.kind == "f" else np.int64
    return _reduce(np.add, values.astype(dtype, copy=False), check_offsets(offsets, len(values)), 0)


def segment_mean(values: NumberArray, offsets: NumberArray) -> FloatArray:
    """Average each segment along the first axis, (n, ...) float64; an empty segment gives NaN."""
    sums = segment_sum(np.asarray(values, dtype=np.float64), offsets)
    counts = offsets_to_lengths(offsets).reshape(-1, *[1] * (sums.ndim - 1))
    means: FloatArray = np.full(sums.shape, np.nan)
    return np.divide(sums, counts, out=means, where=counts > 0)


def segment_max(values: NumberArray, offsets: NumberArray, fill: float | None = None) -> NumberArray:
    """Return the largest value of each segment along the first axis, in the type of ``values``.

    Empty segments give ``fill``, by default NaN for floats and -1 for integers.
    """
    values = np.asarray(values)
    if fill is None:
        fill = np.nan if values.dtype.kind == "f" else -1
    return _reduce(np.maximum, values, check_offsets(offsets, len(values)), fill)


def segment_argmax(values: NumberArray, offsets: NumberArray) -> IntArray:
    """Return the row of the first largest value of each segment.

    Rows count from the start of ``values``, (n,) int64; an empty segment gives -1. As in numpy, NaN counts as
    larger than any number.
    """
    values = np.asarray(values)
    offsets = check_offsets(offsets, len(values))
    tops = _reduce(np.maximum, values, offsets, 0)[offsets_to_owners(offsets)]
    is_top = (values == tops) | ((values != values) & (tops != tops))
    rows = np.where(is_top, np.arange(len(values)), len(values))
    return _reduce(np.minimum, rows.astype(np.int64), offsets, -1)


def _reduce(ufunc: np.ufunc, values: NumberArray, offsets: IntArray, fill: float) -> NumberArray:
    """Reduce each segment; reduceat alone would give an empty segment the next value."""
    filled = offsets[1:] > offsets[:-1]
    result = np.full((len(filled), *values.shape[1:]), fill, dtype=values.dtype)
    if filled.any():
        result[filled] = ufunc.reduceat(values, offsets[:-1][filled], axis=0)
    return result
