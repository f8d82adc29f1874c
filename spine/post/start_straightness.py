"""How straight particles are at their start."""

from __future__ import annotations

import numpy as np
from pydantic import Field

from spine.ops.segments import lengths_to_offsets
from spine.ops.shape import pca_segments
from spine.post.objects import objects_of
from spine.post.selected import selected
from spine.schema import Event, Pid
from spine.steps import StepConfig, step

__all__ = ["StartStraightnessConfig", "start_straightness"]


class StartStraightnessConfig(StepConfig):
    """Options of start_straightness."""

    radius: float = Field(3.0, gt=0, description="Points nearer than this to the start count (cm)")
    n_components: int = Field(3, ge=1, le=3, description="Principal axes among which the variance is shared")
    include_pids: tuple[Pid, ...] = Field((Pid.PHOTON, Pid.ELECTRON), description="Species")
    include_secondary: bool = Field(False, description="Secondary particles as well")


@step(
    reads=(
        "points", "reco_particles.index", "reco_particles.pid", "reco_particles.is_primary",
        "reco_particles.start_point",
    ),
    writes=("reco_particles.start_straightness",),
)  # fmt: skip
def start_straightness(event: Event, cfg: StartStraightnessConfig) -> None:
    """Share of the first principal axis in the variance of the points near the start.

    Parameters
    ----------
    event : Event
        Fills start_straightness of the chosen reconstructed particles: NaN with fewer points near the start than
        axes (or than two), 0 where all of them coincide.
    cfg : StartStraightnessConfig
    """
    (objects,) = objects_of(event, ("particle",), "reco")
    rows = selected(objects.table, cfg.include_pids, cfg.include_secondary)
    points = objects.points(rows)
    starts = objects.table["start_point"][rows].astype(np.float64)
    near = np.linalg.norm(points.values - starts[points.rows], axis=1) < cfg.radius
    counts = np.bincount(points.rows[near], minlength=len(rows))
    variances = pca_segments(points.values[near], lengths_to_offsets(counts)).variances[:, : cfg.n_components]
    total = variances.sum(axis=1)
    share = np.divide(variances[:, 0], total, out=np.zeros(len(rows)), where=total > 0)
    column = np.array(objects.table["start_straightness"])
    column[rows] = np.where(counts < max(cfg.n_components, 2), np.nan, share)
    objects.table["start_straightness"] = column
