"""How far particles spread from a line."""

from __future__ import annotations

from typing import Literal

import numpy as np
from pydantic import Field

from spine.ops.shape import axial_spread, directional_spread, pca_segments
from spine.post.objects import objects_of
from spine.post.selected import particle_vertices, selected
from spine.schema import Event, Pid
from spine.steps import StepConfig, step

__all__ = ["ParticleSpreadConfig", "particle_spread"]


class ParticleSpreadConfig(StepConfig):
    """Options of particle_spread."""

    start_mode: Literal["vertex", "start_point"] = Field("vertex", description="Point from which to look")
    length_scale: float = Field(14.0, gt=0, description="Points count by exp(-distance / length_scale) (cm)")
    use_start_dir: bool = Field(False, description="Axis along start_dir instead of the principal axis")
    include_pids: tuple[Pid, ...] = Field((Pid.PHOTON, Pid.ELECTRON), description="Species")
    include_secondary: bool = Field(False, description="Secondary particles as well")


@step(
    reads=(
        "points", "reco_particles.index", "reco_particles.pid", "reco_particles.is_primary",
        "reco_particles.start_point", "reco_particles.start_dir", "reco_interactions.particle_ids",
        "reco_interactions.vertex",
    ),
    writes=("reco_particles.directional_spread", "reco_particles.axial_spread"),
)  # fmt: skip
def particle_spread(event: Event, cfg: ParticleSpreadConfig) -> None:
    """Spread of directions around their mean, and correlation of transverse spread with depth.

    Parameters
    ----------
    event : Event
        Fills directional_spread and axial_spread of the chosen reconstructed particles; NaN without a vertex (mode
        vertex), with fewer than three points (axial) or none away from the reference (directional).
    cfg : ParticleSpreadConfig
    """
    (objects,) = objects_of(event, ("particle",), "reco")
    table = objects.table
    rows = selected(table, cfg.include_pids, cfg.include_secondary)
    points = objects.points(rows)
    refs = table["start_point"] if cfg.start_mode == "start_point" else _vertices(event, len(table))
    axes = table["start_dir"][rows] if cfg.use_start_dir else pca_segments(points.values, points.offsets).axes[:, 0]
    spreads = [np.array(table[name]) for name in ("directional_spread", "axial_spread")]
    for i, row in enumerate(rows):
        spreads[0][row] = directional_spread(points[i], refs[row], cfg.length_scale)
        spreads[1][row] = axial_spread(points[i], axes[i], refs[row])
    table["directional_spread"], table["axial_spread"] = spreads


def _vertices(event: Event, count: int) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    return particle_vertices(event.reco.interactions, count)
