"""Energy loss near the start and the end of particles."""

from __future__ import annotations

from typing import Literal

import numpy as np
from pydantic import Field

from spine.ops.arrays import IntArray
from spine.physics.dedx import anchor_refs, directed_dedx
from spine.physics.dedx import local_dedx as dedx_around
from spine.post.objects import Objects, objects_of
from spine.post.selected import selected
from spine.schema import Event, Pid, Shape
from spine.steps import StepConfig, step

__all__ = ["LocalDedxConfig", "local_dedx"]


class LocalDedxConfig(StepConfig):
    """Options of local_dedx."""

    radius: float = Field(3.0, description="Points at most this far from the end count; all if not positive (cm)")
    anchor: bool = Field(False, description="Measure from the point of the particle nearest to the end")
    mode: Literal["default", "direction"] = Field(
        "direction", description="Length to the farthest point, or along the direction and ahead of the end only"
    )
    include_pids: tuple[Pid, ...] = Field((Pid.PHOTON, Pid.ELECTRON), description="Species")
    include_secondary: bool = Field(False, description="Secondary particles as well")


@step(
    reads=(
        "points", "depositions", "reco_particles.index", "reco_particles.pid", "reco_particles.is_primary",
        "reco_particles.shape", "reco_particles.start_point", "reco_particles.end_point", "reco_particles.start_dir",
        "reco_particles.end_dir",
    ),
    writes=("reco_particles.start_dedx", "reco_particles.end_dedx"),
)  # fmt: skip
def local_dedx(event: Event, cfg: LocalDedxConfig) -> None:
    """Energy within a radius of either end over its length.

    Parameters
    ----------
    event : Event
        Fills start_dedx and, except for showers, end_dedx of the chosen reconstructed particles (MeV/cm); NaN where
        fewer than two points or no length are in reach.
    cfg : LocalDedxConfig
    """
    (objects,) = objects_of(event, ("particle",), "reco")
    rows = selected(objects.table, cfg.include_pids, cfg.include_secondary)
    _measure(objects, rows, "start", cfg)
    _measure(objects, rows[objects.table["shape"][rows] != Shape.SHOWER], "end", cfg)


def _measure(objects: Objects, rows: IntArray, side: str, cfg: LocalDedxConfig) -> None:
    table = objects.table
    points, values = objects.points(rows), objects.depositions()[rows].values
    refs = table[f"{side}_point"][rows]
    if cfg.anchor:
        refs = anchor_refs(points.values, points.offsets, refs)
    if cfg.mode == "direction":
        inward = table[f"{side}_dir"][rows] * (1.0 if side == "start" else -1.0)
        found = directed_dedx(points.values, points.offsets, values, refs, inward, cfg.radius).dedx
    else:
        found = dedx_around(points.values, points.offsets, values, refs, cfg.radius)
    column = np.array(table[f"{side}_dedx"])
    column[rows] = found
    table[f"{side}_dedx"] = column
