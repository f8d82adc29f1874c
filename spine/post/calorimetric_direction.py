"""Direction of interactions from their charge."""

from __future__ import annotations

from typing import Final

import numpy as np
from pydantic import Field

from spine.ops.arrays import FloatArray
from spine.ops.segments import segment_sum
from spine.post.objects import DepMode, Objects, PointMode, RunMode, columns, kinds, objects_of
from spine.schema import Event
from spine.steps import StepConfig, step

__all__ = ["CalorimetricDirectionConfig", "calorimetric_direction"]

DEPOSITIONS: Final[dict[PointMode, DepMode]] = {
    "points": "depositions",
    "points_adapt": "depositions_adapt",
    "points_g4": "depositions_g4",
}
"""Depositions that belong to the points of true objects."""

HERE: Final = 1e-3
"""A point this near to the vertex has no direction, whatever rounding says (cm)."""


class CalorimetricDirectionConfig(StepConfig):
    """Options of calorimetric_direction."""

    run_mode: RunMode = Field("both", description="Sides: reco, truth or both")
    truth_point_mode: PointMode = Field("points", description="Points that make up true interactions")


@step(
    reads=(
        "points", "depositions", "points_label", "depositions_label", "points_g4", "depositions_g4",
        *columns(kinds("interaction"), "index"), "reco_interactions.vertex", "truth_interactions.reco_vertex",
    ),
    writes=("reco_interactions.dir", "truth_interactions.reco_dir"),
)  # fmt: skip
def calorimetric_direction(event: Event, cfg: CalorimetricDirectionConfig) -> None:
    """Mean of the unit vectors from the vertex to all points, weighted by their depositions.

    Parameters
    ----------
    event : Event
        Fills dir of reconstructed interactions and reco_dir of true ones; NaN without a vertex, without points away
        from it, or without charge.
    cfg : CalorimetricDirectionConfig
    """
    for objects in objects_of(event, ("interaction",), cfg.run_mode, cfg.truth_point_mode):
        name, vertex = ("reco_dir", "reco_vertex") if objects.is_truth else ("dir", "vertex")
        objects.table[name] = _directions(objects, objects.table[vertex], DEPOSITIONS[cfg.truth_point_mode])


def _directions(objects: Objects, vertices: FloatArray, mode: DepMode) -> FloatArray:
    points = objects.points()
    rays = points.values.astype(np.float64) - vertices[points.rows]
    lengths = np.linalg.norm(rays, axis=1)
    weights = np.where(lengths > HERE, objects.depositions(mode).values.astype(np.float64), 0.0)
    units = np.divide(rays, lengths[:, None], out=np.zeros_like(rays), where=lengths[:, None] > HERE)
    sums = segment_sum(units * weights[:, None], points.offsets)
    sizes = np.linalg.norm(sums, axis=1)
    good = (segment_sum(weights, points.offsets) > 0) & (sizes > 0)
    directions: FloatArray = np.full(sums.shape, np.nan)
    np.divide(sums, sizes[:, None], out=directions, where=good[:, None])
    return directions
