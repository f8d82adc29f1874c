"""Fragments and particles from the products of the networks."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from spine.build.config import BuildConfig
from spine.build.units import positions
from spine.errors import DataError
from spine.schema import Event, Ragged, Shape, Table
from spine.schema.object_records import RecoFragment, RecoParticle

__all__ = ["reco_fragments", "reco_particles"]

Array = NDArray[Any]


def clusters(event: Event, level: str) -> Ragged:
    """Rows of the image in each fragment or particle.

    Raises
    ------
    DataError
        When a row is not in the image.
    """
    rows: Ragged = event[f"{level}_clusts"]
    size = len(event["points"])
    if len(rows.values) and not (rows.values.min() >= 0 and rows.values.max() < size):
        raise DataError(
            f"{level}_clusts points outside the image", where=event.label,
            got=f"rows {rows.values.min()} to {rows.values.max()}", expected=f"0 to {size - 1}",
            mend="the clusters were made for another image: check build.sources.data_tensor",
        )  # fmt: skip
    return rows


def _property(event: Event, name: str, count: int) -> Array:
    values: Array = np.asarray(event[name])
    if len(values) != count:
        raise DataError(
            f"{name} does not match the clusters", where=event.label, got=f"{len(values)} rows", expected=count
        )
    return values


def _optional(event: Event, name: str, count: int) -> Array | None:
    return _property(event, name, count) if name in event else None


def _original_rows(event: Event, index: Ragged) -> Ragged | None:
    original = event.get("orig_index")
    return None if original is None else Ragged(np.asarray(original)[index.values], index.offsets)


def _scores(logits: Array) -> Array:
    """Softmax of each row; NaN where a network was not asked (all logits are minus infinity)."""
    scores = np.full(logits.shape, np.nan)
    asked = np.isfinite(logits).any(axis=1)
    from scipy.special import softmax

    scores[asked] = softmax(logits[asked].astype(np.float64), axis=1)
    return scores


def reco_fragments(event: Event, cfg: BuildConfig) -> Table:
    """Make the fragments that reconstruction found.

    Parameters
    ----------
    event : Event
        With points and the products fragment_clusts, fragment_shapes and, where they exist,
        fragment_start_points, fragment_end_points, fragment_group_pred, fragment_node_pred.
    cfg : BuildConfig

    Returns
    -------
    Table
        One row per cluster. Only tracks have an end.

    Raises
    ------
    DataError
        When products do not match each other.
    """
    index = clusters(event, "fragment")
    count = len(index)
    table = Table(RecoFragment, count, {"id": np.arange(count), "index": index})
    table["shape"] = _property(event, "fragment_shapes", count)
    start, end = (_optional(event, f"fragment_{which}_points", count) for which in ("start", "end"))
    if start is not None:
        table["start_point"] = positions(event, start, cfg.units)
    if end is not None:
        track = table["shape"] == Shape.TRACK
        table["end_point"] = np.where(track[:, None], positions(event, end, cfg.units), np.nan)
    groups = _optional(event, "fragment_group_pred", count)
    if groups is not None:
        table["particle_id"] = groups
    scores = _optional(event, "fragment_node_pred", count)
    if scores is not None:
        table["primary_scores"] = _scores(scores)
        table["is_primary"] = scores.argmax(axis=1) > 0
    original = _original_rows(event, index)
    if original is not None:
        table["orig_index"] = original
    return table


def reco_particles(event: Event, cfg: BuildConfig) -> Table:
    """Make the particles that reconstruction found.

    Parameters
    ----------
    event : Event
        With points and the products particle_clusts, particle_shapes, particle_start_points, particle_end_points,
        particle_group_pred (interaction), particle_node_type_pred, particle_node_primary_pred and, where it
        exists, particle_node_orient_pred. Fragments already built are assigned to their particles.
    cfg : BuildConfig

    Returns
    -------
    Table
        One row per cluster. Species and primaries are the largest scores; only tracks have an end.

    Raises
    ------
    DataError
        When products do not match each other.
    """
    index = clusters(event, "particle")
    count = len(index)
    table = Table(RecoParticle, count, {"id": np.arange(count), "index": index})
    table["shape"] = _property(event, "particle_shapes", count)
    table["interaction_id"] = _property(event, "particle_group_pred", count)
    _set_scores(event, table)
    _set_ends(event, table, cfg)
    original = _original_rows(event, index)
    if original is not None:
        table["orig_index"] = original
    if cfg.fragments:
        _join_fragments(event, table)
    return table


def _set_scores(event: Event, table: Table) -> None:
    species = _property(event, "particle_node_type_pred", len(table))
    primary = _property(event, "particle_node_primary_pred", len(table))
    known = min(species.shape[1], 6)
    scores = np.zeros((len(table), 6))
    if len(table):
        scores[:, :known] = _scores(species[:, :known])
        table["pid"] = species[:, :known].argmax(axis=1)
        table["primary_scores"] = _scores(primary)
        table["is_primary"] = primary.argmax(axis=1) > 0
    table["pid_scores"] = scores


def _set_ends(event: Event, table: Table, cfg: BuildConfig) -> None:
    """Start of every particle and end of tracks, swapped where the network says that a track runs backwards."""
    count = len(table)
    start, end = (
        positions(event, _property(event, f"particle_{which}_points", count), cfg.units) for which in ("start", "end")
    )
    track = table["shape"] == Shape.TRACK
    swap = np.zeros(count, dtype=np.bool_)
    orient = _optional(event, "particle_node_orient_pred", count)
    if orient is not None and count:
        swap = track & (orient.argmax(axis=1) == 0)
    table["start_point"] = np.where(swap[:, None], end, start)
    table["end_point"] = np.where(track[:, None], np.where(swap[:, None], start, end), np.nan)


def _join_fragments(event: Event, particles: Table) -> None:
    """Put fragments into the particles that hold their points."""
    fragments = event.table("reco_fragments")
    holder = np.full(len(event["points"]), -1, dtype=np.int64)
    holder[particles["index"].values] = particles["index"].rows
    index: Ragged = fragments["index"]
    owner = np.full(len(fragments), -1, dtype=np.int64)
    filled = index.lengths > 0
    owner[filled] = holder[index.values[index.offsets[:-1][filled]]]
    split = np.flatnonzero(holder[index.values] != owner[index.rows])
    if len(split):
        raise DataError(
            "the points of a fragment lie in several particles", where=event.label,
            got=f"fragment {index.rows[split[0]]}", mend="fragment_clusts and particle_clusts are of different runs",
        )  # fmt: skip
    particles["fragment_ids"] = Ragged.by_label(owner, len(particles))
    fragments["particle_id"] = owner
    fragments["interaction_id"] = np.append(particles["interaction_id"], -1)[owner]
