"""Interactions from particles."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from spine.build.config import BuildConfig
from spine.build.images import source
from spine.build.units import positions, table_in
from spine.errors import DataError
from spine.schema import Event, Ragged, Record, Table
from spine.schema.object_records import RecoInteraction, TruthInteraction
from spine.schema.truth_records import Neutrino

__all__ = ["gather", "reco_interactions", "truth_interactions"]

Ids = NDArray[np.int64]
INDEXES = ("index", "orig_index", "index_adapt", "index_g4")
COPIED = tuple(name for name, column in Neutrino.columns.items() if column.of is None and name != "id")


def gather(rows: Ragged, members: Ragged) -> Ragged:
    """Join the rows of the members of each object: ``rows[m]`` for all m of ``members[i]``."""
    picked = rows[members.values.astype(np.int64)]
    return Ragged(picked.values, picked.offsets[members.offsets])


def _group(record: type[Record], particles: Table) -> tuple[Table, Ids]:
    """One interaction per non-negative number that particles have, by rising number, and these numbers."""
    numbers = particles["interaction_id"]
    ids, owner = np.unique(numbers[numbers >= 0], return_inverse=True)
    place = np.full(len(particles), -1, dtype=np.int64)
    place[numbers >= 0] = owner
    members = Ragged.by_label(place, len(ids))
    table = Table(record, len(ids), {"id": np.arange(len(ids)), "particle_ids": members})
    for name in INDEXES:
        if name in record.columns and particles.has(name):
            table[name] = gather(particles[name], members)
    particles["interaction_id"] = place
    return table, ids


def _number_fragments(event: Event, side: str, particles: Table) -> None:
    """Give fragments the interaction of their particle."""
    if f"{side}_fragments" not in event:
        return
    fragments = event.table(f"{side}_fragments")
    owned = fragments["particle_id"] >= 0
    mine = np.where(owned, fragments["particle_id"], 0)
    if len(particles):
        fragments["interaction_id"] = np.where(owned, particles["interaction_id"][mine], fragments["interaction_id"])


def reco_interactions(event: Event, cfg: BuildConfig) -> Table:
    """Group reconstructed particles by interaction, and number interactions 0, 1, ... in both.

    Parameters
    ----------
    event : Event
        With reco_particles and, where it exists, interaction_vertices.
    cfg : BuildConfig

    Returns
    -------
    Table

    Raises
    ------
    DataError
        When a particle has no interaction, or vertices do not match the interactions.
    """
    particles = event.table("reco_particles")
    if (particles["interaction_id"] < 0).any():
        raise DataError(
            "a reconstructed particle has no interaction", where=event.label,
            got=f"particle_group_pred {particles['interaction_id'].min()}", expected="0 or more",
        )  # fmt: skip
    table, _ = _group(RecoInteraction, particles)
    _number_fragments(event, "reco", particles)
    if "interaction_vertices" in event:
        vertices = event["interaction_vertices"]
        if len(vertices) != len(table):
            raise DataError(
                "interaction_vertices does not match the interactions", where=event.label, got=len(vertices),
                expected=len(table),
            )  # fmt: skip
        table["vertex"] = positions(event, vertices, cfg.units)
    return table


def truth_interactions(event: Event, cfg: BuildConfig) -> Table:
    """Group true particles by interaction, add the neutrino, and number interactions 0, 1, ... in both.

    Parameters
    ----------
    event : Event
        With truth_particles and, where it exists, neutrinos.
    cfg : BuildConfig

    Returns
    -------
    Table
        The vertex is that of the neutrino, else where the common ancestor was made.

    Raises
    ------
    DataError
        When an interaction has several neutrinos, or one that the list does not have.
    """
    particles = event.table("truth_particles")
    table, ids = _group(TruthInteraction, particles)
    _number_fragments(event, "truth", particles)
    members: Ragged = table["particle_ids"]
    first = members.values[members.offsets[:-1]].astype(np.int64)
    table["orig_id"] = ids
    inside = particles["interaction_id"] >= 0
    orig = np.array(particles["orig_interaction_id"])
    orig[inside] = ids[particles["interaction_id"][inside]]
    particles["orig_interaction_id"] = orig
    table["nu_id"] = particles["nu_id"][first]
    table["vertex"] = particles["ancestor_position"][first]
    different = particles["nu_id"][members.values] != table["nu_id"][members.rows]
    if different.any():
        raise DataError(
            "particles of one interaction come from several neutrinos", where=event.label,
            got=f"interaction {ids[members.rows[different][0]]}",
        )  # fmt: skip
    neutrinos: Table | None = source(event, cfg, "neutrinos")
    if neutrinos is not None:
        _attach(event, table, table_in(event, neutrinos, cfg.units))
    return table


def _attach(event: Event, table: Table, neutrinos: Table) -> None:
    """Copy the columns of the neutrino of each interaction."""
    rows = table["nu_id"]
    has = rows >= 0
    if has.any() and rows.max() >= len(neutrinos):
        raise DataError(
            "an interaction names a neutrino that is not in the list", where=event.label, got=f"neutrino {rows.max()}",
            expected=f"fewer than {len(neutrinos)}",
        )  # fmt: skip
    for name in (*COPIED, "vertex"):
        values = np.array(table[name])
        values[has] = neutrinos["position" if name == "vertex" else name][rows[has]]
        table[name] = values
