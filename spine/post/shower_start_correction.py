"""Starts of showers where they are nearest to the tracks of their interaction."""

from __future__ import annotations

import numpy as np
from pydantic import Field

from spine.ops.arrays import FloatArray, IntArray
from spine.ops.distance import pair_distances
from spine.ops.shape import cluster_directions
from spine.post.objects import Objects, objects_of
from spine.post.selected import interaction_rows, of_shape
from spine.schema import Event, Shape
from spine.steps import StepConfig, step

__all__ = ["ShowerStartCorrectionConfig", "shower_start_correction"]


class ShowerStartCorrectionConfig(StepConfig):
    """Options of shower_start_correction."""

    update_directions: bool = Field(True, description="Measure the direction anew where the start has moved")
    radius: float = Field(-1.0, description="Points at most this far from the start count; all if negative (cm)")
    optimize: bool = Field(True, description="Use the nearest points that are most line-like instead of all")


@step(
    reads=(
        "points", "reco_particles.index", "reco_particles.shape", "reco_particles.is_primary",
        "reco_particles.start_point", "reco_particles.start_dir", "reco_interactions.particle_ids",
    ),
    writes=("reco_particles.start_point", "reco_particles.start_dir"),
    after=("vertex", "shower_start_merge", "track_extrema", "cathode_crosser"),
)  # fmt: skip
def shower_start_correction(event: Event, cfg: ShowerStartCorrectionConfig) -> None:
    """Move the start of primary showers to their point nearest to any primary track of the interaction.

    Parameters
    ----------
    event : Event
        Sets start_point and start_dir of primary showers; those without a primary track beside them keep theirs.
    cfg : ShowerStartCorrectionConfig
    """
    (objects,) = objects_of(event, ("particle",), "reco")
    table = objects.table
    owners = interaction_rows(event.reco.interactions, len(table))
    rows, starts = _nearest_to_tracks(objects, owners)
    moved = (starts != table["start_point"][rows]).any(axis=1)
    column = np.array(table["start_point"])
    column[rows] = starts
    table["start_point"] = column
    if cfg.update_directions:
        points = objects.points(rows[moved])
        directions = np.array(table["start_dir"])
        directions[rows[moved]] = cluster_directions(
            points.values, points.offsets, starts[moved], cfg.radius, cfg.optimize
        )
        table["start_dir"] = directions


def _nearest_to_tracks(objects: Objects, owners: IntArray) -> tuple[IntArray, FloatArray]:
    """Primary showers beside primary tracks, and the point of each nearest to these (the first among equals)."""
    showers, tracks = (of_shape(objects.table, shape) for shape in (Shape.SHOWER, Shape.TRACK))
    showers = showers[owners[showers] >= 0]
    first, second = np.nonzero(owners[showers][:, None] == owners[tracks][None])
    points = objects.points()
    found = pair_distances(points.values, points.offsets, np.column_stack([showers[first], tracks[second]]))
    good = np.flatnonzero(np.isfinite(found.distances))
    order = good[np.lexsort((found.first[good], found.distances[good], first[good]))]
    best = order[np.unique(first[order], return_index=True)[1]]
    starts: FloatArray = points.values[found.first[best]]
    return showers[first[best]], starts
