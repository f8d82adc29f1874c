"""Module and TPC of points, from where they are."""

from __future__ import annotations

import numpy as np
from pydantic import Field

from spine.errors import ConfigError
from spine.geometry import Detector
from spine.ops.arrays import IntArray, RealArray
from spine.post.objects import TRUE_POINTS, PointMode, RunMode, sides_of
from spine.schema import Event
from spine.steps import StepConfig, step

__all__ = ["SourceConfig", "nearest_sources", "source"]


class SourceConfig(StepConfig):
    """Options of source."""

    run_mode: RunMode = Field("reco", description="Sides: reco, truth or both")
    truth_point_mode: PointMode = Field("points", description="Points that make up true objects")


@step(reads=("points", "points_label", "points_g4"), writes=("sources", "sources_label", "sources_g4"))
def source(event: Event, cfg: SourceConfig, detector: Detector | None) -> None:
    """Take for each point the drift volume whose centre is nearest; wrong for activity out of time near a cathode.

    Parameters
    ----------
    event : Event
        Gets the products sources, or sources_label, sources_g4: module and readout TPC within it.
    cfg : SourceConfig
    detector : Detector

    Raises
    ------
    ConfigError
        When there is no detector.
    """
    if detector is None:
        raise ConfigError("sources are those of a detector", where="post.source", mend="set geo.detector")
    for side in sides_of(cfg.run_mode):
        _, points, sources = TRUE_POINTS["points_adapt" if side == "reco" else cfg.truth_point_mode]
        event[sources] = nearest_sources(detector, event[points])


def nearest_sources(detector: Detector, points: RealArray) -> IntArray:
    """(n, 2) module and readout TPC of the drift volume nearest to (n, 3) points (cm), the first TPC that reads it."""
    rows = detector.nearest_tpcs(points)
    modules = detector.module_ids[rows]
    local = rows - modules * detector.tpcs_per_module
    if detector.det_ids is not None:
        readout = np.zeros(detector.tpcs_per_module, dtype=np.int64)
        known, first = np.unique(detector.det_ids, return_index=True)
        readout[known] = first
        local = readout[local]
    return np.column_stack([modules, local])
