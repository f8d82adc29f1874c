"""Joining particles that are parts of one."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import numpy as np

from spine.build.interactions import gather
from spine.errors import DataError
from spine.ops.arrays import FloatArray, IntArray
from spine.schema import Event, Ragged, Table

__all__ = [
    "MERGED",
    "keep_most_primary",
    "merge_interactions",
    "merge_particles",
    "own_columns",
    "track_ends",
]

LISTS: Final = ("index", "orig_index", "fragment_ids", "ppn_ids")
"""Columns of particles that a merged particle collects."""

MERGED: Final = (
    *(f"reco_particles.{name}" for name in ("id", *LISTS)),
    *(f"reco_interactions.{name}" for name in ("index", "orig_index", "particle_ids")),
    "reco_fragments.particle_id",
)
"""What merging writes."""


def own_columns(table: Table, names: Iterable[str]) -> None:
    """Give a table its own copy of columns (``TABLE.COLUMN``), so that single values can be set."""
    for name in names:
        column = name.partition(".")[2]
        table[column] = np.array(table[column])


def track_ends(particles: Table, row: int) -> tuple[FloatArray, FloatArray]:
    """(2, 3) start and end of a track (cm), and the (2, 3) directions that point into it from there."""
    one = particles[row]
    return np.stack([one.start_point, one.end_point]), np.stack([one.start_dir, -one.end_dir])


def keep_most_primary(particles: Table, row: int, other: int, species: bool) -> None:
    """Copy primary score and flag, on request also the species, where those of the other are more primary."""
    scores = particles["primary_scores"]
    if scores[other, 1] > scores[row, 1]:
        for name in ("primary_scores", "is_primary", *(("pid_scores", "pid") if species else ())):
            particles[name][row] = particles[name][other]


def merge_particles(event: Event, target: IntArray) -> None:
    """Join reconstructed particles: points and fragments of a particle go to its target, and it is dropped.

    Parameters
    ----------
    event : Event
        The tables of reconstructed particles, interactions and fragments are changed; particles keep their order and
        are numbered anew.
    target : (n,) int64
        Row of the particle that takes each particle in, its own row for those that stay.

    Raises
    ------
    DataError
        When a particle to be joined is matched to true ones already.
    """
    particles = event.reco.particles
    joined = target != np.arange(len(particles))
    if not joined.any():
        return
    if particles["is_matched"][np.union1d(np.flatnonzero(joined), target[joined])].any():
        raise DataError(
            "particles to be merged are matched already",
            where=event.label,
            mend="run match last, on the output of build",
        )
    event["reco_particles"], number = _joined(particles, target, LISTS)
    _renumber(event, number, joined)


def merge_interactions(event: Event, target: IntArray) -> None:
    """Join reconstructed interactions: particles of an interaction go to its target, and it is dropped.

    Parameters
    ----------
    event : Event
        The tables of reconstructed interactions, particles and fragments are changed; interactions keep their order
        and are numbered anew.
    target : (n,) int64
        Row of the interaction that takes each one in, its own row for those that stay.
    """
    if (target == np.arange(len(target))).all():
        return
    lists = ("particle_ids", "index", "orig_index")
    event["reco_interactions"], number = _joined(event.reco.interactions, target, lists)
    for name in ("reco_particles", "reco_fragments"):
        if name in event:
            owner = event.table(name)["interaction_id"]
            event.table(name)["interaction_id"] = np.where(owner >= 0, number[np.maximum(owner, 0)], owner)


def _joined(table: Table, target: IntArray, lists: tuple[str, ...]) -> tuple[Table, IntArray]:
    """The rows that stay, with lists that hold those of the rows they take in; and the new number of each old row."""
    rows = np.arange(len(table))
    joined = target != rows
    number = (np.cumsum(~joined) - 1)[target]
    order = np.lexsort((rows, joined, number))
    members = Ragged(order, np.searchsorted(number[order], np.arange((~joined).sum() + 1)))
    merged = table[rows[~joined]]
    for name in lists:
        merged[name] = gather(table[name], members)
    merged["id"] = np.arange(len(merged))
    return merged, number


def _renumber(event: Event, number: IntArray, joined: IntArray) -> None:
    """Point interactions and fragments to the particles that are left."""
    merged, interactions = event.reco.particles, event.reco.interactions
    members = interactions["particle_ids"]
    stay = ~joined[members.values]
    owners = np.bincount(members.rows[stay], minlength=len(members))
    kept = Ragged(number[members.values[stay]].astype(np.int32), np.append(0, np.cumsum(owners)))
    interactions["particle_ids"] = kept
    for name in ("index", "orig_index"):
        interactions[name] = gather(merged[name], kept)
    if "reco_fragments" in event:
        fragments = event.reco.fragments
        owner = fragments["particle_id"]
        fragments["particle_id"] = np.where(owner >= 0, number[np.maximum(owner, 0)], owner)
