"""Columns that follow from others: sums over points, and what interactions know of their particles.

They are refreshed after post-processing, which may change species, primaries and validity.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from spine.build.interactions import gather
from spine.schema import Event, Ragged, Table, offsets_of
from spine.schema.species import PID_TAGS

__all__ = ["refresh", "summarise_interactions", "summarise_points"]

SUMS: Final[dict[str, dict[str, tuple[str, str]]]] = {
    "reco": {
        "depositions_sum": ("depositions", "index"),
        "depositions_q_sum": ("depositions_q", "index"),
    },
    "truth": {
        "depositions_sum": ("depositions_label", "index"),
        "depositions_q_sum": ("depositions_q_label", "index"),
        "depositions_adapt_sum": ("depositions", "index_adapt"),
        "depositions_adapt_q_sum": ("depositions_q", "index_adapt"),
        "depositions_g4_sum": ("depositions_g4", "index_g4"),
    },
}
"""Product and rows over which each column sums."""

SOURCES: Final = {"reco": "sources", "truth": "sources_label"}
LISTS: Final = ("crt_ids", "crt_times", "crt_scores")


def refresh(event: Event) -> None:
    """Compute anew every column that follows from other columns and products, for all objects of the event.

    Parameters
    ----------
    event : Event
        Changed in place. Sums over points which the event does not hold stay as they are.
    """
    for side in ("reco", "truth"):
        for level in ("fragments", "particles", "interactions"):
            if f"{side}_{level}" in event:
                summarise_points(event, event.table(f"{side}_{level}"), side)
        if f"{side}_interactions" in event and f"{side}_particles" in event:
            summarise_interactions(event.table(f"{side}_interactions"), event.table(f"{side}_particles"))


def summarise_points(event: Event, table: Table, side: str) -> None:
    """Set sums of depositions, and the modules that contribute.

    Parameters
    ----------
    event : Event
        Gives depositions and sources.
    table : Table
        Objects, changed in place.
    side : {'reco', 'truth'}
    """
    for column, (product, name) in SUMS[side].items():
        if product not in event:
            continue
        index: Ragged = table[name]
        values = np.asarray(event[product], dtype=np.float64)[index.values]
        table[column] = np.bincount(index.rows, weights=values, minlength=len(table))
    if SOURCES[side] in event:
        table["module_ids"] = _distinct(table["index"], np.asarray(event[SOURCES[side]])[:, 0])


def _distinct(index: Ragged, modules: NDArray[np.int64]) -> Ragged:
    """Sorted distinct values among the points of each object."""
    pairs = np.unique(np.column_stack([index.rows, modules[index.values]]), axis=0)
    return Ragged(pairs[:, 1].astype(np.int32), offsets_of(np.bincount(pairs[:, 0], minlength=len(index))))


def summarise_interactions(interactions: Table, particles: Table) -> None:
    """Set primaries, counts by species, topology and tagger hits of interactions.

    Parameters
    ----------
    interactions, particles : Table
        The interactions, changed in place, and the particles that their particle_ids point to.
    """
    members: Ragged = interactions["particle_ids"]
    rows, owner = members.values.astype(np.int64), members.rows
    primary = particles["is_primary"][rows]
    primaries = Ragged(members.values[primary], offsets_of(np.bincount(owner[primary], minlength=len(members))))
    interactions["primary_particle_ids"] = primaries
    interactions["num_particles"] = members.lengths
    interactions["num_primary_particles"] = primaries.lengths
    counted = particles["is_valid"][rows] & (particles["pid"][rows] >= 0)
    pid = particles["pid"][rows]
    interactions["particle_counts"] = _counts(owner[counted], pid[counted], len(members))
    counts = _counts(owner[counted & primary], pid[counted & primary], len(members))
    interactions["primary_particle_counts"] = counts
    interactions["topology"] = np.array([_topology(row) for row in counts.tolist()], dtype=object)
    matched = particles["is_crt_matched"][rows]
    interactions["is_crt_matched"] = np.bincount(owner[matched], minlength=len(members)) > 0
    for name in LISTS:
        interactions[name] = gather(particles[name], members)
    if "time" in interactions.record.columns:
        interactions["time"] = _times(interactions["t"], particles["t"][rows], owner)


def _times(
    neutrino: NDArray[np.float64], particle: NDArray[np.float64], owner: NDArray[np.int64]
) -> NDArray[np.float64]:
    """(n,) time of the neutrino in ns, that of the earliest particle where there is none."""
    earliest = np.full(len(neutrino), np.inf)
    known = np.isfinite(particle)
    np.minimum.at(earliest, owner[known], particle[known])
    return np.where(np.isfinite(neutrino), neutrino, np.where(np.isfinite(earliest), earliest, np.nan))


def _counts(owner: NDArray[np.int64], pid: NDArray[np.int64], count: int) -> NDArray[np.int64]:
    species = len(PID_TAGS)
    return np.bincount(owner * species + pid, minlength=count * species).reshape(count, species)


def _topology(counts: list[int]) -> str:
    return "".join(f"{n}{tag}" for n, tag in zip(counts, PID_TAGS, strict=True) if n > 0)
