"""Species of tracks from templates of energy loss against residual range."""

from __future__ import annotations

from typing import Literal, Self

import numpy as np
from pydantic import Field, model_validator

from spine.physics.pid import TemplateOptions, identify
from spine.physics.tracking import Tracking
from spine.post.objects import DepMode, Objects, Particles, PointMode, RunMode, columns, kinds, objects_of
from spine.schema import Event, Pid, Shape
from spine.steps import StepConfig, step

__all__ = ["PidTemplateConfig", "pid_template"]


class PidTemplateConfig(StepConfig):
    """Options of pid_template."""

    fill_per_pid: bool = Field(False, description="Fill chi2_per_pid as well")
    obj_type: Particles = Field(("particle",), description="Kinds of objects: particle")
    run_mode: RunMode = Field("reco", description="Sides: reco, truth or both")
    truth_point_mode: PointMode = Field("points", description="Points that make up true particles")
    truth_dep_mode: DepMode = Field("depositions", description="Depositions of true particles")
    use_table: bool = Field(True, description="Energy loss from range tables instead of Bethe's formula")
    use_mpv: bool = Field(False, description="Most probable energy loss instead of the mean, without tables")
    include_pids: tuple[Pid, ...] = Field((Pid.MUON, Pid.PION, Pid.PROTON, Pid.KAON), description="Species to try")
    optimize_rr: bool = Field(False, description="Let tracks stop beyond their last point")
    max_rr: float = Field(100.0, gt=0, description="Largest distance beyond the last point (cm)")
    optimize_orient: bool = Field(True, description="Try either end as the stopping one")
    tracking_mode: Literal["step", "step_next", "bin_pca"] = Field("step_next", description="How tracks are cut")
    segment_length: float = Field(5.0, gt=0, description="Length of a segment (cm)")
    anchor_point: bool = Field(True, description="Begin at the point of the track nearest to its end")
    min_count: int = Field(10, ge=1, description="Fewest points of a segment that is measured")

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.use_mpv and self.use_table:
            raise ValueError("there are no tables of most probable losses: set use_table: false")
        return self

    @property
    def template(self) -> TemplateOptions:
        """How tracks are compared with templates."""
        tracking = Tracking(self.tracking_mode, self.segment_length, self.anchor_point, self.min_count)
        source: Literal["table", "mean", "mpv"] = "table" if self.use_table else "mpv" if self.use_mpv else "mean"
        return TemplateOptions(
            tuple(map(int, self.include_pids)), source, self.optimize_rr, self.max_rr, self.optimize_orient, tracking
        )


@step(
    reads=(
        "points", "depositions", "depositions_q", "points_label", "depositions_label", "depositions_q_label",
        "points_g4", "depositions_g4", *columns(kinds("particle"), "index", "shape", "start_point", "end_point"),
    ),
    writes=columns(kinds("particle"), "chi2_pid", "chi2_per_pid"),
)  # fmt: skip
def pid_template(event: Event, cfg: PidTemplateConfig) -> None:
    """Species whose energy loss along the track is most like the measured one.

    Parameters
    ----------
    event : Event
        Fills chi2_pid of tracks, -1 where no segment could be measured, and on request chi2_per_pid, NaN for species
        that were not tried.
    cfg : PidTemplateConfig
    """
    for objects in objects_of(event, cfg.obj_type, cfg.run_mode, cfg.truth_point_mode):
        _identify(objects, cfg)


def _identify(objects: Objects, cfg: PidTemplateConfig) -> None:
    table, options = objects.table, cfg.template
    points, values = objects.points(), objects.depositions(cfg.truth_dep_mode)
    species, chi2 = np.array(table["chi2_pid"]), np.array(table["chi2_per_pid"])
    for row in np.flatnonzero((table["shape"] == Shape.TRACK) & (points.lengths > 0)):
        found = identify(points[row], values[row], table["end_point"][row], table["start_point"][row], options)
        species[row] = found.pid
        chi2[row] = np.nan
        chi2[row, options.pids] = found.chi2
    table["chi2_pid"] = species
    if cfg.fill_per_pid:
        table["chi2_per_pid"] = chi2
