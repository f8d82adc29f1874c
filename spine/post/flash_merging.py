"""Flashes that follow each other closely, taken as one."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from spine.ops.arrays import BoolArray, IntArray
from spine.ops.segments import segment_max, segment_sum
from spine.schema import Ragged, Table, offsets_of

__all__ = ["FlashMerging", "merge_flashes"]


class FlashMerging(BaseModel):
    """Which flashes are merged."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    threshold: float = Field(1.0, gt=0, description="Flashes less apart than this are one (us)")
    window: tuple[float, float] | None = Field(None, description="Only flashes between these times are merged (us)")
    combine_volumes: bool = Field(
        True, description="Flashes of different optical volumes too; all are then of volume 0"
    )


def merge_flashes(flashes: Table, how: FlashMerging) -> tuple[Table, Ragged]:
    """Merge flashes whose times follow each other closely.

    Parameters
    ----------
    flashes : Table
    how : FlashMerging

    Returns
    -------
    merged : Table
        By volume and time, numbered anew. Time and frame are those of the first part, photo-electrons add up, centres
        are averaged with weights width^-2 (alike where a width is not positive).
    rows : Ragged
        Rows of ``flashes`` in each merged one, by time.
    """
    volumes = np.zeros(len(flashes), dtype=np.int64) if how.combine_volumes else flashes["volume_id"]
    order = np.lexsort((np.arange(len(flashes)), flashes["time"], volumes))
    starts = _starts(flashes["time"][order], volumes[order], how)
    offsets = offsets_of(np.bincount(np.cumsum(starts) - 1, minlength=int(starts.sum())))
    merged = flashes[order[starts]]
    merged["id"] = np.arange(len(merged))
    if how.combine_volumes:
        merged["volume_id"] = np.zeros(len(merged), dtype=np.int64)
    _sum_up(merged, flashes[order], offsets)
    return merged, Ragged(order, offsets)


def _starts(times: np.ndarray[tuple[int], np.dtype[np.float64]], volumes: IntArray, how: FlashMerging) -> BoolArray:
    """Whether each flash (by volume and time) begins a merged one."""
    apart = (np.diff(times) >= how.threshold) | (np.diff(volumes) != 0)
    if how.window is not None:
        apart |= (times[:-1] <= how.window[0]) | (times[1:] >= how.window[1])
    return np.concatenate([np.ones(min(len(times), 1), dtype=np.bool_), apart])


def _sum_up(merged: Table, parts: Table, offsets: IntArray) -> None:
    """Set what follows from all parts of merged flashes."""
    several = np.diff(offsets) > 1
    ends = segment_max(parts["time"] + parts["time_width"], offsets)
    total = segment_sum(parts["total_pe"], offsets)
    fast = segment_sum(parts["fast_to_total"] * parts["total_pe"], offsets)
    width = parts["width"].astype(np.float64)
    known = -segment_max(-(width > 0).astype(np.int64), offsets, fill=0) > 0
    weights = np.where(known[np.repeat(np.arange(len(merged)), np.diff(offsets))] & (width > 0), width, 1.0) ** -2
    sums = segment_sum(weights, offsets)
    center = segment_sum(weights * parts["center"], offsets) / np.maximum(sums, 1e-300)
    new = {
        "time_width": ends - merged["time"],
        "total_pe": total,
        "fast_to_total": np.divide(fast, total, out=np.full(len(total), np.nan), where=total > 0),
        "center": center,
        "width": np.where(known, np.maximum(sums, 1e-300) ** -0.5, np.nan),
    }
    for name, values in new.items():
        old = merged[name]
        merged[name] = np.where(several.reshape(-1, *[1] * (old.ndim - 1)), values, old)
    merged["pe_per_ch"] = [_channel_sums(list(parts["pe_per_ch"][a:b])) for a, b in pairwise(offsets)]


def _channel_sums(
    rows: list[np.ndarray[tuple[int], np.dtype[np.float32]]],
) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
    sums = np.zeros(max(map(len, rows)), dtype=np.float32)
    for row in rows:
        sums[: len(row)] += row
    return sums
