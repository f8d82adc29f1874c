"""Tracks that end on either side of a cathode and are one."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from spine.geometry import Detector
from spine.ops.arrays import FloatArray, IntArray
from spine.post.merging import keep_most_primary, track_ends
from spine.schema import Table

__all__ = ["PairCuts", "join_ends", "matching_halves", "tpc_of_tracks"]


class PairCuts(NamedTuple):
    """Largest distance in the cathode plane (cm), difference of distances to it (cm), and angle (rad)."""

    distance: float
    offset: float
    angle: float


def tpc_of_tracks(rows: IntArray, tpcs: IntArray, count: int) -> tuple[IntArray, IntArray]:
    """(count,) lowest and highest drift volume of each object, whose points have ``rows`` and ``tpcs``; -1 for none."""
    low, high = np.full(count, np.iinfo(np.int64).max), np.full(count, -1, dtype=np.int64)
    np.minimum.at(low, rows, tpcs)
    np.maximum.at(high, rows, tpcs)
    return np.where(high < 0, -1, low), high


def matching_halves(
    particles: Table, rows: IntArray, tpcs: IntArray, detector: Detector, cuts: PairCuts
) -> list[tuple[int, int]]:
    """Pairs of tracks (first the lower row) that continue each other; the nearest ones first, each in one pair."""
    pairs = []
    for i, first in enumerate(rows):
        for second in rows[i + 1 :]:
            here, there = tpcs[first], tpcs[second]
            if here != there and detector.module_ids[here] == detector.module_ids[there]:
                distance = _distance(particles, (int(first), int(second)), (int(here), int(there)), detector, cuts)
                pairs.append((distance, int(first), int(second)))
    chosen: list[tuple[int, int]] = []
    for distance, first, second in sorted(pairs):
        used = {row for pair in chosen for row in pair}
        if np.isfinite(distance) and not {first, second} & used:
            chosen.append((first, second))
    return chosen


def _distance(
    particles: Table, pair: tuple[int, int], tpcs: tuple[int, int], detector: Detector, cuts: PairCuts
) -> float:
    """Distance in the cathode plane between the ends that are nearest there, infinite where a cut fails."""
    axis = int(detector.drift_axes[tpcs[0]])
    (ends, inward), (others, outward) = (track_ends(particles, row) for row in pair)
    apart = np.linalg.norm(np.delete(ends[:, None] - others[None], axis, axis=2), axis=2)
    if not np.isfinite(apart).all():
        return float("inf")
    i, j = np.unravel_index(int(np.argmin(apart)), (2, 2))
    cathode = float(np.mean(detector.cathodes[list(tpcs)]))
    offset = abs(float(ends[i, axis] + others[j, axis] - 2 * cathode))
    angle = float(np.arccos(np.clip(-inward[i] @ outward[j], -1.0, 1.0)))
    good = apart[i, j] < cuts.distance and offset < cuts.offset and angle < cuts.angle
    return float(apart[i, j]) if good else float("inf")


def join_ends(particles: Table, first: int, second: int) -> None:
    """Give a track the ends of two that are farthest apart, and species and primary of the more primary one."""
    (ends, inward), (others, outward) = (track_ends(particles, row) for row in (first, second))
    gaps: FloatArray = np.linalg.norm(ends[:, None] - others[None], axis=2)
    i, j = np.unravel_index(int(np.argmax(gaps)), (2, 2))
    for name, value in (
        ("start_point", ends[i]),
        ("end_point", others[j]),
        ("start_dir", inward[i]),
        ("end_dir", -outward[j]),
    ):
        particles[name][first] = value
    keep_most_primary(particles, first, second, species=True)
