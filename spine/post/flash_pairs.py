"""What all ways of matching flashes share: which flashes and interactions count, and which pairs are reported."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from spine.geometry import Detector
from spine.ops.arrays import BoolArray, FloatArray, IntArray
from spine.post.flash_options import FlashMatchConfig
from spine.post.objects import Objects
from spine.schema import Table

__all__ = ["Pairs", "chosen_flashes", "counted", "reported", "shift_to_reference", "volume_rows"]


class Pairs(NamedTuple):
    """Matched rows of flashes and interactions, with scores and the light expected, NaN where none is."""

    flashes: IntArray
    interactions: IntArray
    scores: FloatArray
    expected: FloatArray


def volume_rows(objects: Objects, cfg: FlashMatchConfig, detector: Detector) -> IntArray:
    """(P,) optical volume of the points of all objects."""
    sources = objects.sources().values
    if cfg.volume == "tpc":
        return detector.tpc_rows(sources)
    return np.asarray(sources[:, 0], dtype=np.int64)


def chosen_flashes(flashes: Table, volume: int, cfg: FlashMatchConfig) -> IntArray:
    """Rows of the flashes of a volume that count."""
    kept = flashes["volume_id"] == volume
    if cfg.time_window is not None:
        kept &= (flashes["time"] > cfg.time_window[0]) & (flashes["time"] < cfg.time_window[1])
    if cfg.min_flash_pe is not None:
        kept &= flashes["total_pe"] > cfg.min_flash_pe
    rows = np.flatnonzero(kept)
    return rows[:1] if cfg.first_flash_only else rows


def counted(objects: Objects, inside: BoolArray, cfg: FlashMatchConfig, least: int = 0) -> BoolArray:
    """(n,) interactions that count in a volume; ``inside`` (P,) are its points."""
    table = objects.table
    counts = np.bincount(objects.index.rows[inside], minlength=len(table))
    good = counts > max(cfg.min_inter_size or 0, least)
    if cfg.time_contained:
        good &= table["is_time_contained"]
    if cfg.max_cathode_offset is not None:
        good &= ~(table["is_cathode_crosser"] & (np.abs(table["cathode_offset"]) > cfg.max_cathode_offset))
    return np.asarray(good, dtype=np.bool_)


def shift_to_reference(volume: int, cfg: FlashMatchConfig, detector: Detector) -> FloatArray:
    """(3,) way from a volume to the one in which all charge is compared, cm."""
    if cfg.ref_volume_id is None:
        return np.zeros(3)
    boxes = detector.tpcs if cfg.volume == "tpc" else detector.modules
    way: FloatArray = boxes[cfg.ref_volume_id].mean(axis=1) - boxes[volume].mean(axis=1)
    return way


def reported(chi2: FloatArray, cfg: FlashMatchConfig) -> tuple[IntArray, IntArray]:
    """Rows of flashes and interactions that match, of a (f, n) chi square; the first wins among equals."""
    good = np.isfinite(chi2)
    if cfg.reported == "unique":
        return _unique(np.where(good, chi2, np.inf))
    if cfg.reported == "best_per_flash" and chi2.size:
        good &= np.arange(chi2.shape[1])[None] == np.argmin(chi2, axis=1)[:, None]
    if cfg.reported == "best_per_interaction" and chi2.size:
        good &= np.arange(chi2.shape[0])[:, None] == np.argmin(chi2, axis=0)[None]
    first, second = np.nonzero(good)
    return first, second


def _unique(chi2: FloatArray) -> tuple[IntArray, IntArray]:
    """Pairs by rising chi square, each row and column at most once."""
    left, first, second = chi2.copy(), [], []
    while left.size and np.isfinite(left.min()):
        row, column = np.unravel_index(np.argmin(left), left.shape)
        first.append(int(row))
        second.append(int(column))
        left[row], left[:, column] = np.inf, np.inf
    order = np.argsort(first, kind="stable")
    return np.array(first, dtype=np.int64)[order], np.array(second, dtype=np.int64)[order]
