"""True fragments and particles from the labels of a simulation."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from spine.build.config import BuildConfig
from spine.build.family import visible_edges
from spine.build.images import label_tensor, source
from spine.build.units import table_in
from spine.errors import DataError
from spine.schema import Event, Ragged, Record, Shape, Table, Tensor
from spine.schema.object_records import TruthFragment, TruthParticle
from spine.schema.truth_records import Particle

__all__ = ["truth_fragments", "truth_particles"]

Array = NDArray[Any]
Ids = NDArray[np.int64]

COPIED = tuple(name for name, column in Particle.columns.items() if column.of is None)


def _from_particles(record: type[Record], source: Table, rows: Ids, event: Event) -> Table:
    """Objects with the columns of particles of the simulation, and new numbers.

    Rows of -1 have no particle: their columns say "missing".
    """
    if len(rows) and rows.max() >= len(source):
        raise DataError(
            "labels and particle list do not match", where=event.label, got=f"particle {rows.max()} in the labels",
            expected=f"fewer than {len(source)}", mend="read both from the same simulation",
        )  # fmt: skip
    known = rows >= 0
    picked = source[rows[known]]
    table = Table.concat([picked, Table(Particle, 1, {"units": "cm"})]) if not known.all() else picked
    place = np.where(known, np.cumsum(known) - 1, len(picked))
    out = Table(record, len(rows), {name: table[name][place] for name in COPIED if table.has(name)})
    for name in ("interaction_id", "parent_id", "children_id"):
        out[f"orig_{name}"] = out[name]
    out["orig_id"] = rows
    out["orig_group_id"] = out["group_id"]
    numbers = np.arange(len(rows))
    for name in ("id", "group_id", "parent_id"):
        out[name] = numbers
    out["children_id"] = Ragged.empty(len(rows), np.int32)
    return out


def truth_fragments(event: Event, cfg: BuildConfig) -> Table:
    """Make the true fragments: one per cluster of the labels (those adapted to the prediction where they exist).

    Parameters
    ----------
    event : Event
        With cluster labels and, where it exists, the particle list.
    cfg : BuildConfig

    Returns
    -------
    Table
        By rising cluster number. The particle is the one with most points where clusters were cut into pieces.

    Raises
    ------
    DataError
        When the labels point to particles that the list does not have.
    """
    label = label_tensor(event, cfg)
    adapted: Tensor | None = source(event, cfg, "label_adapt_tensor")
    reference = label if adapted is None else adapted
    broken = bool((label.feature("cluster") != label.label("particle")).any())
    ids, owner = _numbered(reference.feature("cluster"))
    index = Ragged.by_label(owner, len(ids))
    rows = ids if adapted is None and not broken else _most_points(owner, reference.label("particle"), len(ids))
    particles: Table | None = source(event, cfg, "particles")
    if particles is None:
        table = Table(TruthFragment, len(ids), {"id": np.arange(len(ids))})
    else:
        table = _from_particles(TruthFragment, table_in(event, particles, cfg.units), rows, event)
    table["index" if adapted is None else "index_adapt"] = index
    _set_other_rows(event, table, "cluster", ids if adapted is None and not broken else None, cfg)
    return table


def _numbered(labels: Array) -> tuple[Ids, Ids]:
    """Values of non-negative labels, sorted, and for each row the place of its label in them (-1 without)."""
    whole = np.asarray(labels, dtype=np.int64)
    present = np.bincount(whole[whole >= 0]) if len(whole) else np.empty(0, dtype=np.int64)
    ids = np.flatnonzero(present)
    place = np.full(len(present) + 1, -1, dtype=np.int64)
    place[ids] = np.arange(len(ids))
    return ids, place[whole]


def _most_points(owner: Ids, labels: Array, count: int) -> Ids:
    """(count,) label that most points of each object have, the lowest of equals."""
    kept = owner >= 0
    pairs, points = np.unique(np.column_stack([owner[kept], labels[kept].astype(np.int64)]), axis=0, return_counts=True)
    order = np.lexsort((-pairs[:, 1], points, pairs[:, 0]))
    most = np.full(count, -1, dtype=np.int64)
    most[pairs[order, 0]] = pairs[order, 1]
    return most


def _set_other_rows(event: Event, table: Table, name: str, ids: Ids | None, cfg: BuildConfig) -> None:
    """Points of the objects in the other images, and in the input image."""
    if ids is not None:
        true: Tensor | None = source(event, cfg, "label_g4_tensor")
        if true is not None:
            labels = true.feature(name) if name in true.names else true.label(name)
            table["index_g4"] = _rows_of(labels, ids)
    original = event.get("orig_index_label")
    if original is not None:
        index: Ragged = table["index"]
        table["orig_index"] = Ragged(np.asarray(original)[index.values], index.offsets)


def _rows_of(labels: Array, ids: Ids) -> Ragged:
    whole = np.asarray(labels, dtype=np.int64)
    place = np.searchsorted(ids, whole)
    found = (place < len(ids)) & (whole >= 0)
    found[found] = ids[place[found]] == whole[found]
    return Ragged.by_label(np.where(found, place, -1), len(ids))


def truth_particles(event: Event, cfg: BuildConfig) -> Table:
    """Make the true particles: one per group of the labels.

    Parameters
    ----------
    event : Event
        With cluster labels, the particle list and, where it exists, graph_label (parents and children).
        Fragments already built are assigned to their particles.
    cfg : BuildConfig

    Returns
    -------
    Table
        By rising group number. Class, start and end come from the earliest visible primary member of the group.

    Raises
    ------
    DataError
        When there is no particle list, or it does not match the labels.
    """
    label = label_tensor(event, cfg)
    particles = _particle_list(event, cfg, label)
    groups, owner = _numbered(label.label("group"))
    table = _from_particles(TruthParticle, particles, groups, event)
    table["orig_group_id"] = groups
    table["index"] = Ragged.by_label(owner, len(groups))
    _set_other_rows(event, table, "group", groups, cfg)
    adapted: Tensor | None = source(event, cfg, "label_adapt_tensor")
    if adapted is not None:
        table["index_adapt"] = _rows_of(adapted.label("group"), groups)
    _set_ends(table, particles, _representatives(label, particles, groups))
    inside = np.isin(particles["group_id"], groups)
    members = np.searchsorted(groups, particles["group_id"][inside])
    deposits = particles["energy_deposit"][inside]
    table["energy_deposit"] = np.bincount(members, weights=deposits, minlength=len(groups))
    table["length"] = table["distance_travel"]
    table["is_primary"] = table["interaction_primary"] > 0
    _set_family(event, table, source(event, cfg, "graph_label"))
    if cfg.fragments:
        _join_fragments(event, table)
    return table


def _particle_list(event: Event, cfg: BuildConfig, label: Tensor) -> Table:
    particles: Table | None = source(event, cfg, "particles")
    if particles is None:
        raise DataError(
            "true particles need the particle list of the simulation", where=event.label,
            expected=" or ".join(cfg.candidates("particles")), mend="add it to the input, or set build.mode: reco",
        )  # fmt: skip
    last = label.feature("particle_index").max(initial=-1)
    if last >= len(particles):
        raise DataError(
            "labels and particle list do not match", where=event.label, got=f"particle {int(last)} in the labels",
            expected=f"fewer than {len(particles)}", mend="read both from the same simulation",
        )  # fmt: skip
    wrong = np.flatnonzero(particles["id"] != np.arange(len(particles)))
    if len(wrong):
        raise DataError(
            "the particle list is not in the order of its numbers", where=event.label,
            got=f"id {particles['id'][wrong[0]]} in row {wrong[0]}",
        )  # fmt: skip
    return table_in(event, particles, cfg.units)


def _representatives(label: Tensor, particles: Table, groups: Ids) -> Ids:
    """(n,) row of the particle which stands for each group, -1 where no member is visible.

    It is the member with the earliest first step among visible primaries, else among all visible members.
    """
    rows = np.unique(label.feature("particle_index")).astype(np.int64)
    rows = rows[rows >= 0]
    rows = rows[np.isin(particles["group_id"][rows], groups)]
    place = np.searchsorted(groups, particles["group_id"][rows])
    primary = particles["group_primary"] if label.particles is None else label.particles["group_primary"]
    if (primary < 0).all():
        primary = particles["group_primary"]
    order = np.lexsort((rows, particles["first_step_t"][rows], primary[rows] != 1, place))
    chosen = np.full(len(groups), -1, dtype=np.int64)
    found, first = np.unique(place[order], return_index=True)
    chosen[found] = rows[order][first]
    return chosen


def _set_ends(table: Table, particles: Table, chosen: Ids) -> None:
    """Class, first step and start from the particle that stands for the group; last step and end for tracks."""
    known = chosen >= 0
    rows = chosen[known]
    shape = np.array(table["shape"])
    follows = known & ~np.isin(shape, (Shape.MICHEL, Shape.DELTA))
    shape[follows] = particles["shape"][chosen[follows]]
    table["shape"] = shape
    table["group_primary"] = np.where(known, 1, table["group_primary"])
    table["is_valid"] = known
    for name in ("first_step", "first_step_t"):
        values = np.full_like(table[name], np.nan)
        values[known] = particles[name][rows]
        table[name] = values
    table["start_point"] = table["first_step"]
    track = known & (shape == Shape.TRACK)
    for name, target in (("last_step", "last_step"), ("last_step_t", "last_step_t"), ("last_step", "end_point")):
        values = np.array(table[target])
        values[track] = particles[name][chosen[track]]
        table[target] = values


def _set_family(event: Event, table: Table, graph: Array | None) -> None:
    """Parents and children among the true particles; a particle without parent is its own."""
    if graph is None:
        return
    edges = visible_edges(np.asarray(graph, dtype=np.int64).reshape(-1, 2), table["orig_id"], event.label)
    parent = np.arange(len(table))
    parent[edges[:, 1]] = edges[:, 0]
    table["parent_id"] = parent
    children = Ragged.by_label(edges[:, 0], len(table))
    table["children_id"] = Ragged(edges[children.values, 1], children.offsets)


def _join_fragments(event: Event, particles: Table) -> None:
    fragments = event.table("truth_fragments")
    groups = fragments["orig_group_id"]
    place = np.searchsorted(particles["orig_id"], groups)
    found = np.isin(groups, particles["orig_id"])
    owner = np.where(found, place, -1)
    particles["fragment_ids"] = Ragged.by_label(owner, len(particles))
    fragments["particle_id"] = owner
