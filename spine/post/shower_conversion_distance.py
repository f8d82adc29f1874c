"""How far showers begin from the vertex."""

from __future__ import annotations

from typing import Final, Literal

import numpy as np
from pydantic import Field

from spine.ops.arrays import FloatArray, IntArray
from spine.ops.distance import pair_distances
from spine.ops.segments import segment_max
from spine.post.objects import Objects, objects_of
from spine.post.selected import interaction_rows, of_shape, particle_vertices
from spine.schema import Event, Pid, Shape
from spine.steps import StepConfig, step

__all__ = ["ShowerConversionDistanceConfig", "shower_conversion_distance"]

HADRONS: Final = (Pid.PION, Pid.PROTON)


class ShowerConversionDistanceConfig(StepConfig):
    """Options of shower_conversion_distance."""

    mode: Literal["vertex_to_start", "vertex_to_points", "protons_to_points"] = Field(
        "vertex_to_points",
        description="From the vertex to the start or to the nearest point, or from primary pions and protons to "
        "the nearest point",
    )
    include_secondary: bool = Field(False, description="Secondary showers as well")


@step(
    reads=(
        "points", "reco_particles.index", "reco_particles.shape", "reco_particles.pid", "reco_particles.is_primary",
        "reco_particles.start_point", "reco_interactions.particle_ids", "reco_interactions.vertex",
    ),
    writes=("reco_particles.vertex_distance",),
)  # fmt: skip
def shower_conversion_distance(event: Event, cfg: ShowerConversionDistanceConfig) -> None:
    """Distance between a shower and the vertex of its interaction, or its pions and protons.

    Parameters
    ----------
    event : Event
        Fills vertex_distance of the chosen showers (cm); NaN where there is nothing to measure from.
    cfg : ShowerConversionDistanceConfig
    """
    (objects,) = objects_of(event, ("particle",), "reco")
    table = objects.table
    rows = of_shape(table, Shape.SHOWER, cfg.include_secondary)
    owners = interaction_rows(event.reco.interactions, len(table))
    rows = rows[owners[rows] >= 0]
    if cfg.mode == "protons_to_points":
        found = _from_hadrons(objects, rows, owners)
    else:
        vertices = particle_vertices(event.reco.interactions, len(table))[rows]
        if cfg.mode == "vertex_to_start":
            found = np.linalg.norm(vertices - table["start_point"][rows], axis=1)
        else:
            found = _to_points(objects, rows, vertices)
    column = np.array(table["vertex_distance"])
    column[rows] = found
    table["vertex_distance"] = column


def _to_points(objects: Objects, rows: IntArray, vertices: FloatArray) -> FloatArray:
    points = objects.points(rows)
    gaps: FloatArray = np.linalg.norm(points.values - vertices[points.rows], axis=1)
    nearest: FloatArray = -segment_max(-gaps, points.offsets)
    return nearest


def _from_hadrons(objects: Objects, rows: IntArray, owners: IntArray) -> FloatArray:
    table = objects.table
    hadrons = np.flatnonzero(np.isin(table["pid"], HADRONS) & table["is_primary"])
    first, second = np.nonzero(owners[rows][:, None] == owners[hadrons][None])
    points = objects.points()
    pairs = np.column_stack([rows[first], hadrons[second]])
    nearest = np.full(len(rows), np.inf)
    np.fmin.at(nearest, first, pair_distances(points.values, points.offsets, pairs).distances)
    return np.where(np.isfinite(nearest), nearest, np.nan)
