"""Scattering angles of energetic muons, from which the angular resolution is taken."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import BeforeValidator, Field, PositiveFloat, model_validator

from spine.ana.clouds import PointMode, points_of
from spine.ana.objects import RunMode, Side, TimeWindow, event_rows_of, inside, listed, objects_of, sides_of
from spine.ana.tables import EVENT_ROW, concatenated
from spine.ops.segments import offsets_to_lengths
from spine.physics.mcs import AngleMethod, projected_angles, scattering_angles
from spine.physics.tracking import Tracking, track_segments
from spine.schema import Block, Pid
from spine.steps import Columns, StepConfig, step

__all__ = ["CalibMcsConfig", "calib_mcs"]

Array = NDArray[Any]


class CalibMcsConfig(StepConfig):
    """Which muons to use, and how they are cut into segments."""

    min_ke: float = Field(description="Smallest kinetic energy (MeV)")
    segment_length: Annotated[tuple[PositiveFloat, ...], BeforeValidator(listed), Field(min_length=1)] = Field(
        description="Lengths of segments (cm), a table for each"
    )
    segment_method: Literal["step", "step_next", "bin_pca"] = Field("bin_pca", description="How tracks are cut")
    anchor_point: bool = Field(True, description="Begin at the point nearest to the start")
    angle_method: AngleMethod = Field("atan2", description="How angles are computed: cos, atan2, kahan")
    time_window: TimeWindow | None = Field(None, description="True muons count if created in this range (ns)")
    run_mode: RunMode = Field("truth", description="Sides to look at: reco, truth or both")
    truth_point_mode: PointMode = Field("points", description="Points of true particles")

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.time_window is not None and self.run_mode != "truth":
            raise ValueError("only true particles have a time: time_window needs run_mode 'truth'")
        return self

    @property
    def settings(self) -> dict[str, tuple[Side, float]]:
        """Side and segment length of each table."""
        both = [(side, length) for side in sides_of(self.run_mode) for length in self.segment_length]
        return {f"calib_mcs_{side}_mcs_sl{length}": (side, length) for side, length in both}


@step(
    reads=("reco_particles", "truth_particles", "points", "points_label"),
    per="block",
    tables=lambda cfg: tuple(cfg.settings),
)
def calib_mcs(block: Block, cfg: CalibMcsConfig) -> dict[str, Columns]:
    """Measure the angles between successive segments of energetic muons.

    Parameters
    ----------
    block : Block
        With particles and their points.
    cfg : CalibMcsConfig
        Options.

    Returns
    -------
    dict of str to columns
        ``calib_mcs_truth_mcs_sl14.0``, ...: ``ke`` (MeV), ``time`` (ns, true muons), ``dir_*`` (mean of both segments),
        ``angle_yz, angle_xz, angle_xy`` (projected, signed), ``angle`` (rad), ``min_count`` (points in the smaller
        segment) and ``distance`` of the centres (cm) for each pair of segments.
    """
    return {name: _rows(block, cfg, *setting) for name, setting in cfg.settings.items()}


def _rows(block: Block, cfg: CalibMcsConfig, side: Side, length: float) -> Columns:
    name = f"{side}_particles"
    particles, clouds = objects_of(block, name), points_of(block, name, cfg.truth_point_mode)
    muons = (particles["pid"] == Pid.MUON) & (particles["ke"] >= cfg.min_ke)
    if cfg.time_window is not None:
        muons &= inside(particles["t"], cfg.time_window)
    how = Tracking(cfg.segment_method, length, cfg.anchor_point)
    rows = np.flatnonzero(muons)
    parts = [_angles(clouds[row], particles["start_point"][row], how, cfg.angle_method) for row in rows]
    nothing = _angles(np.empty((0, 3)), np.full(3, np.nan), how, cfg.angle_method)
    owners = np.repeat(rows, [len(part["angle"]) for part in parts] or 0)
    base: dict[str, Array] = {EVENT_ROW: event_rows_of(block, name)[owners], "ke": particles["ke"][owners]}
    if side == "truth":
        base["time"] = particles["t"][owners]
    return base | concatenated([*parts, nothing])


def _angles(points: Array, start: Array, how: Tracking, method: AngleMethod) -> dict[str, Array]:
    """Columns of the pairs of successive segments of one track."""
    segments = track_segments(points, start, how)
    rays, lengths = segments.directions, segments.lengths
    counts = offsets_to_lengths(segments.offsets)
    middle, projected = (rays[:-1] + rays[1:]) / 2, projected_angles(rays)
    out: dict[str, Array] = {f"dir_{axis}": middle[:, i] for i, axis in enumerate("xyz")}
    out |= {f"angle_{plane}": projected[:, i] for i, plane in enumerate(("yz", "xz", "xy"))}
    out["angle"] = scattering_angles(rays, method)
    out["min_count"] = np.minimum(counts[:-1], counts[1:])
    return out | {"distance": (lengths[:-1] + lengths[1:]) / 2}
