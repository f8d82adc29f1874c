"""Distances between the parts of particles and interactions, from which edge lengths of graphs are chosen."""

from __future__ import annotations

from typing import Any, Literal, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from spine.ana.clouds import PointMode, points_of
from spine.ana.objects import (
    OBJECT_PRODUCTS,
    ObjectKinds,
    RunMode,
    Side,
    TimeWindow,
    creation_times,
    event_rows_of,
    inside,
    objects_of,
    rows_in_block,
    sides_of,
)
from spine.ana.tables import EVENT_ROW
from spine.ops.distance import pair_distances
from spine.schema import Block, Ragged, offsets_of
from spine.steps import Columns, StepConfig, step

__all__ = ["GraphEdgeLengthConfig", "graph_edge_length"]

IntArray = NDArray[np.int64]
Kind = Literal["particle", "interaction"]
TIE_DIGITS = 3  # lengths are equal to 10 um: voxels lie on a grid, whose rounding must not choose


class GraphEdgeLengthConfig(StepConfig):
    """Which groups to look at."""

    time_window: TimeWindow | None = Field(None, description="True groups count if created in this range (ns)")
    obj_type: ObjectKinds = Field(("particle", "interaction"), description="Groups: particle, interaction")
    run_mode: RunMode = Field("truth", description="Sides to look at: reco, truth or both")
    truth_point_mode: PointMode = Field("points", description="Points of true objects")

    @model_validator(mode="after")
    def _check(self) -> Self:
        if not self.kinds:
            raise ValueError("obj_type must name particle or interaction: fragments have no parts")
        if self.time_window is not None and self.run_mode != "truth":
            raise ValueError("only true objects have a time: time_window needs run_mode 'truth'")
        return self

    @property
    def kinds(self) -> tuple[Kind, ...]:
        """Kinds of groups."""
        kinds: tuple[Kind, ...] = ("particle", "interaction")
        return tuple(kind for kind in kinds if kind in self.obj_type)

    @property
    def sources(self) -> tuple[tuple[Side, Kind], ...]:
        """Side and kind of each table."""
        return tuple((side, kind) for kind in self.kinds for side in sides_of(self.run_mode))


class Pairs(NamedTuple):
    """Ordered pairs of parts of one group: rows of the group, of the source and of the sink, and their order."""

    group: IntArray
    source: IntArray
    sink: IntArray
    place: IntArray


@step(
    reads=(*OBJECT_PRODUCTS, "points", "points_label"),
    per="block",
    tables=lambda cfg: tuple(f"graph_edge_length_{side}_{kind}s" for side, kind in cfg.sources),
)
def graph_edge_length(block: Block, cfg: GraphEdgeLengthConfig) -> dict[str, Columns]:
    """Find, for each part of a group, the nearest other part of each class.

    Parameters
    ----------
    block : Block
        With particles and their fragments, interactions and their particles, and points.
    cfg : GraphEdgeLengthConfig
        Options.

    Returns
    -------
    dict of str to columns
        ``graph_edge_length_truth_particles``, ...: ``id`` of the group, ``source_id, sink_id, source_shape,
        sink_shape`` (the class of the source not above that of the sink) and ``length``, the smallest distance (cm).
    """
    return {f"graph_edge_length_{side}_{kind}s": _rows(block, cfg, side, kind) for side, kind in cfg.sources}


def _rows(block: Block, cfg: GraphEdgeLengthConfig, side: Side, kind: Kind) -> Columns:
    part = "fragment" if kind == "particle" else "particle"
    groups, parts = objects_of(block, f"{side}_{kind}s"), objects_of(block, f"{side}_{part}s")
    pairs = _pairs(_members(block, cfg, side, kind, part))
    shapes = parts["shape"]
    pairs = Pairs(*(field[shapes[pairs.source] <= shapes[pairs.sink]] for field in pairs))
    clouds = points_of(block, f"{side}_{part}s", cfg.truth_point_mode)
    edges = np.column_stack([pairs.source, pairs.sink])
    lengths = pair_distances(clouds.values, clouds.offsets, edges).distances
    best = _nearest(pairs, shapes, lengths)
    group, source, sink = pairs.group[best], pairs.source[best], pairs.sink[best]
    return {
        EVENT_ROW: event_rows_of(block, f"{side}_{kind}s")[group],
        "id": groups["id"][group],
        "source_id": parts["id"][source],
        "sink_id": parts["id"][sink],
        "source_shape": shapes[source],
        "sink_shape": shapes[sink],
        "length": lengths[best],
    }


def _members(block: Block, cfg: GraphEdgeLengthConfig, side: Side, kind: Kind, part: str) -> Ragged:
    """Rows of the parts of each group among all parts; none for groups outside the time window."""
    name = f"{side}_{kind}s"
    lists: Ragged = objects_of(block, name)[f"{part}_ids"]
    rows = rows_in_block(block, f"{side}_{part}s", lists.values, event_rows_of(block, name)[lists.rows])
    kept = rows >= 0
    if side == "truth":
        kept &= inside(creation_times(block, kind), cfg.time_window)[lists.rows]
    return Ragged(rows[kept], offsets_of(np.bincount(lists.rows[kept], minlength=len(lists))))


def _pairs(members: Ragged) -> Pairs:
    """All ordered pairs of different parts within each group."""
    counts = members.lengths[members.rows]
    first = np.repeat(np.arange(len(members.values)), counts)
    second = (
        np.arange(len(first)) - np.repeat(offsets_of(counts)[:-1], counts) + members.offsets[:-1][members.rows[first]]
    )
    kept = first != second
    first, second = first[kept], second[kept]
    return Pairs(members.rows[first], members.values[first], members.values[second], np.column_stack([first, second]))


def _nearest(pairs: Pairs, shapes: NDArray[Any], lengths: NDArray[np.float64]) -> IntArray:
    """Pairs with the smallest length (the first sink among equals) for each group, source and class of the sink."""
    first, second = pairs.place[:, 0], pairs.place[:, 1]
    source, sink = shapes[pairs.source], shapes[pairs.sink]
    order = np.lexsort([second, np.round(lengths, TIE_DIGITS), first, sink, source, pairs.group])
    order = order[np.isfinite(lengths[order])]
    keys = np.column_stack([first[order], sink[order]])
    new = np.ones(len(order), dtype=np.bool_)
    new[1:] = (keys[1:] != keys[:-1]).any(axis=1)
    return np.asarray(order[new])
