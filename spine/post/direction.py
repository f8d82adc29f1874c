"""Directions of objects at their start and end."""

from __future__ import annotations

import numpy as np
from pydantic import Field

from spine.ops.shape import cluster_directions
from spine.post.objects import Objects, ParticleLike, PointMode, RunMode, columns, kinds, objects_of
from spine.schema import Event, Shape
from spine.steps import StepConfig, step

__all__ = ["DirectionConfig", "direction"]

SAME_PLACE = 1e-3
"""Two positions this near (cm) differ by rounding only: far less than a voxel, more than the last digit of float32."""

FOUND = ("reco_fragments", "reco_particles")
TRUE = ("truth_fragments", "truth_particles")


class DirectionConfig(StepConfig):
    """Options of direction."""

    radius: float = Field(-1.0, description="Points at most this far from the start count; all if negative (cm)")
    optimize: bool = Field(True, description="Use the nearest points that are most line-like instead of all")
    obj_type: ParticleLike = Field(("particle",), description="Kinds of objects: fragment, particle")
    truth_point_mode: PointMode = Field("points", description="Points that make up true objects")
    run_mode: RunMode = Field("both", description="Sides: reco, truth or both")


@step(
    reads=(
        "points", "points_label", "points_g4",
        *columns(kinds("fragment", "particle"), "index", "shape", "start_point", "end_point"),
    ),
    writes=(*columns(FOUND, "start_dir", "end_dir"), *columns(TRUE, "reco_start_dir", "reco_end_dir")),
)  # fmt: skip
def direction(event: Event, cfg: DirectionConfig) -> None:
    """Direction from the start (of tracks also from the end, reversed) to the mean of the points near it.

    Parameters
    ----------
    event : Event
        Fills start_dir and end_dir of reconstructed objects, reco_start_dir and reco_end_dir of true ones: NaN
        where the points do not tell, such as a single one at the very start. Without points they stay as they are.
    cfg : DirectionConfig
    """
    for objects in objects_of(event, cfg.obj_type, cfg.run_mode, cfg.truth_point_mode):
        _measure(objects, "start", cfg)
        _measure(objects, "end", cfg)


def _measure(objects: Objects, side: str, cfg: DirectionConfig) -> None:
    table = objects.table
    chosen = objects.index.lengths > 0
    if side == "end":
        chosen &= table["shape"] == Shape.TRACK
    rows = np.flatnonzero(chosen)
    points = objects.points(rows)
    refs = table[f"{side}_point"][rows]
    directions = cluster_directions(points.values, points.offsets, refs, cfg.radius, cfg.optimize)
    single = points.lengths == 1
    gaps = points.values[points.offsets[:-1][single]] - refs[single]
    at_start = np.linalg.norm(gaps, axis=1) < SAME_PLACE
    directions[np.flatnonzero(single)[at_start]] = np.nan
    directions[(directions == 0).all(axis=1)] = np.nan
    name = f"reco_{side}_dir" if objects.is_truth else f"{side}_dir"
    values = np.array(table[name])
    values[rows] = directions if side == "start" else -directions
    table[name] = values
