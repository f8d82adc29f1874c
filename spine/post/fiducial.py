"""Whether vertices lie away from the walls."""

from __future__ import annotations

from typing import Literal, Self

import numpy as np
from pydantic import Field, model_validator

from spine.geometry import Detector, Margin, contained, volumes_of
from spine.post.containment import frame_volume, needed
from spine.post.objects import RunMode, objects_of
from spine.schema import Event
from spine.steps import StepConfig, step

__all__ = ["FiducialConfig", "fiducial"]


class FiducialConfig(StepConfig):
    """Options of fiducial."""

    margin: Margin = Field(description="Distance to the walls: one, one per axis, or two per axis (cm)")
    cathode_margin: float | None = Field(None, description="Distance to cathodes, for mode tpc (cm)")
    mode: Literal["detector", "module", "tpc", "meta"] = Field(
        "module", description="Walls: those of the detector, a module, a TPC, or the image"
    )
    run_mode: RunMode = Field("both", description="Sides: reco, truth or both")
    truth_vertex_mode: Literal["vertex", "reco_vertex"] = Field("vertex", description="Vertex of true interactions")

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.cathode_margin is not None and self.mode != "tpc":
            raise ValueError("cathode_margin needs mode 'tpc'")
        return self


@step(
    reads=("meta", "reco_interactions.vertex", "truth_interactions.vertex", "truth_interactions.reco_vertex"),
    writes=("reco_interactions.is_fiducial", "truth_interactions.is_fiducial"),
)
def fiducial(event: Event, cfg: FiducialConfig, detector: Detector | None) -> None:
    """The vertex lies inside a volume less its margins; corners that are cut off do not matter.

    Parameters
    ----------
    event : Event
        Fills is_fiducial of interactions, False without a vertex.
    cfg : FiducialConfig
    detector : Detector, optional
        Not needed for mode ``meta``.

    Raises
    ------
    ConfigError
        When the mode needs a detector and there is none.
    """
    if cfg.mode == "meta":
        volumes = frame_volume(event, cfg.margin)
    else:
        geometry = needed(detector, "fiducial", cfg.mode)
        volumes = volumes_of(geometry, cfg.margin, cfg.cathode_margin, cfg.mode, limits=False)
    for objects in objects_of(event, ("interaction",), cfg.run_mode):
        vertices = objects.table[cfg.truth_vertex_mode if objects.is_truth else "vertex"]
        objects.table["is_fiducial"] = contained(volumes, vertices, np.arange(len(vertices) + 1))
