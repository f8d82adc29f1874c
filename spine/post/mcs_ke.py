"""Kinetic energy of tracks from multiple scattering."""

from __future__ import annotations

from typing import Literal, Self

import numpy as np
from pydantic import Field, model_validator

from spine.ops.arrays import FloatArray, RealArray
from spine.ops.segments import segment_max
from spine.physics.mcs import AngleMethod, ScatteringModel, fit_kinetic_energies, scattering_angles
from spine.physics.tracking import Tracking, many_track_segments
from spine.post.csda_ke import tracks_of
from spine.post.objects import Particles, PidMode, PointMode, RunMode, columns, kinds, objects_of
from spine.schema import Event, Pid, Ragged, offsets_of
from spine.schema.species import PID_MASSES, mass_of
from spine.steps import StepConfig, step

__all__ = ["McsKeConfig", "mcs_ke"]


class McsKeConfig(StepConfig):
    """Options of mcs_ke."""

    tracking_mode: Literal["step", "step_next", "bin_pca"] = Field("bin_pca", description="How tracks are cut")
    segment_length: float = Field(5.0, gt=0.0, description="Length of a segment (cm)")
    anchor_point: bool = Field(True, description="Begin at the point nearest to the start, not at the start itself")
    min_count: int = Field(10, description="More points than this give a segment its own direction")
    angle_method: AngleMethod = Field("atan2", description="Formula of the angle between segments")
    res_a: float = Field(0.25, description="Angular resolution of a segment of 1 cm (rad)")
    res_b: float = Field(1.25, description="Power of the segment length by which the resolution improves")
    res_mixture: bool = Field(False, description="Add a second, wider component to the resolution")
    res_weight_ratio: float = Field(0.5, description="Weight of the second component relative to the first")
    res_scale_ratio: float = Field(2.25, description="Width of the second component relative to the first")
    lower_bound: float = Field(10.0, ge=0.0, description="Lowest energy of the fit (MeV)")
    upper_bound: float = Field(100000.0, description="Highest energy of the fit (MeV)")
    return_invalid: bool = Field(False, description="Keep results of fits that failed or ended on a bound")
    include_pids: tuple[int, ...] = Field(
        (Pid.MUON, Pid.PION, Pid.PROTON, Pid.KAON), description="Species for which the energy is computed"
    )
    fill_per_pid: bool = Field(False, description="Fill also the energy of each species at the fitted momentum")
    only_uncontained: bool = Field(False, description="Leave out contained particles")
    obj_type: Particles = Field(("particle",), description="Kinds of objects: particle")
    run_mode: RunMode = Field("both", description="Sides: reco, truth or both")
    truth_point_mode: PointMode = Field("points", description="Points that make up true objects")
    pid_mode: PidMode = Field("pid", description="Species of reconstructed objects: pid or chi2_pid")

    @model_validator(mode="after")
    def _check(self) -> Self:
        if not self.lower_bound < self.upper_bound < np.inf:
            raise ValueError("lower_bound must be below upper_bound, both finite")
        return self

    @property
    def model(self) -> ScatteringModel:
        """Distribution of scattering angles."""
        weight = self.res_weight_ratio if self.res_mixture else 0.0
        return ScatteringModel(self.segment_length, self.res_a, self.res_b, weight, self.res_scale_ratio)


@step(
    reads=(
        "points", "points_label", "points_g4",
        *columns(kinds("particle"), "index", "shape", "pid", "chi2_pid", "start_point", "is_contained"),
    ),
    writes=columns(kinds("particle"), "mcs_ke", "mcs_ke_per_pid"),
)  # fmt: skip
def mcs_ke(event: Event, cfg: McsKeConfig) -> None:
    """Fit the energy of each track to the angles between its segments.

    Parameters
    ----------
    event : Event
        Fills mcs_ke (MeV), NaN where there are too few segments or the fit does not end inside its bounds.
    cfg : McsKeConfig
    """
    for objects in objects_of(event, cfg.obj_type, cfg.run_mode, cfg.truth_point_mode):
        table = objects.table
        tried = tracks_of(objects, cfg.include_pids, cfg.pid_mode)
        if cfg.only_uncontained:
            tried = tried[~table["is_contained"][tried]]
        rows = tried[_extents(objects.points(tried), table["start_point"][tried]) > cfg.segment_length]
        masses = mass_of(objects.pids(cfg.pid_mode)[rows])
        energies = np.array(table["mcs_ke"])
        energies[tried] = np.nan
        energies[rows] = _fitted(objects.points(rows), table["start_point"][rows], masses, cfg)
        table["mcs_ke"] = energies
        if cfg.fill_per_pid:
            per_pid = np.array(table["mcs_ke_per_pid"])
            pids = np.asarray(cfg.include_pids, dtype=np.int64)
            per_pid[tried[:, None], pids] = np.nan
            per_pid[rows[:, None], pids] = _at_same_momentum(energies[rows], masses, PID_MASSES[pids])
            table["mcs_ke_per_pid"] = per_pid


def _extents(points: Ragged, starts: RealArray) -> FloatArray:
    """(n,) diagonal of the box around the points and the start of each track, cm: up to one segment, no angle."""
    upper = np.fmax(segment_max(points.values, points.offsets), starts)
    lower = np.fmin(-segment_max(-points.values, points.offsets), starts)
    extents: FloatArray = np.linalg.norm(upper - lower, axis=1)
    return extents


def _fitted(points: Ragged, starts: RealArray, masses: FloatArray, cfg: McsKeConfig) -> FloatArray:
    """(n,) energies of tracks from the angles between their segments, MeV."""
    how = Tracking(cfg.tracking_mode, cfg.segment_length, cfg.anchor_point, cfg.min_count)
    found = many_track_segments(points.values, points.offsets, starts, how)
    counts = np.diff(found.tracks)
    angles = scattering_angles(found.directions, cfg.angle_method)
    within = np.ones(max(len(found.directions) - 1, 0), dtype=np.bool_)
    ends = found.tracks[1:-1]
    within[ends[(ends > 0) & (ends <= len(within))] - 1] = False
    offsets = offsets_of(np.maximum(counts - 1, 0))
    bounds = (cfg.lower_bound, cfg.upper_bound)
    return fit_kinetic_energies(angles[within], offsets, masses, cfg.model, bounds, cfg.return_invalid)


def _at_same_momentum(ke: FloatArray, mass: FloatArray, masses: FloatArray) -> FloatArray:
    """(n, k) kinetic energies of particles of other masses with the momentum of (n,) given ones, MeV."""
    squared = ke**2 + 2.0 * mass * ke
    energies: FloatArray = np.sqrt(squared[:, None] + masses**2) - masses
    return energies
