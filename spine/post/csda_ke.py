"""Kinetic energy of tracks from their range."""

from __future__ import annotations

import numpy as np
from pydantic import Field

from spine.ops.arrays import FloatArray, IntArray
from spine.physics.csda import csda_ke as ke_of_range
from spine.physics.tracking import Tracking, TrackMode, spline_length, track_lengths
from spine.post.objects import Objects, Particles, PidMode, PointMode, RunMode, columns, kinds, objects_of
from spine.schema import Event, Pid, Shape
from spine.steps import StepConfig, step

__all__ = ["CsdaKeConfig", "csda_ke", "tracks_of"]


class CsdaKeConfig(StepConfig):
    """Options of csda_ke."""

    tracking_mode: TrackMode = Field("step_next", description="How the length of a track is measured")
    segment_length: float = Field(5.0, gt=0.0, description="Length of a segment (cm)")
    anchor_point: bool = Field(True, description="Begin at the point nearest to the start, not at the start itself")
    min_count: int = Field(10, description="More points than this give a segment its own direction")
    spline_smooth: float | None = Field(None, description="Squared residuals allowed to splines; None for one each")
    include_pids: tuple[int, ...] = Field(
        (Pid.MUON, Pid.PION, Pid.PROTON, Pid.KAON), description="Species for which the energy is computed"
    )
    fill_per_pid: bool = Field(False, description="Fill also the energy that each species would have")
    obj_type: Particles = Field(("particle",), description="Kinds of objects: particle")
    run_mode: RunMode = Field("both", description="Sides: reco, truth or both")
    truth_point_mode: PointMode = Field("points", description="Points that make up true objects")
    pid_mode: PidMode = Field("pid", description="Species of reconstructed objects: pid or chi2_pid")


@step(
    reads=(
        "points", "points_label", "points_g4",
        *columns(kinds("particle"), "index", "shape", "pid", "chi2_pid", "start_point"),
    ),
    writes=(
        "reco_particles.length", "truth_particles.reco_length",
        *columns(kinds("particle"), "csda_ke", "csda_ke_per_pid"),
    ),
)  # fmt: skip
def csda_ke(event: Event, cfg: CsdaKeConfig) -> None:
    """Length of each track, and the energy of a particle of its species that stops after it.

    Parameters
    ----------
    event : Event
        Fills length of reconstructed and reco_length of true tracks (cm), and csda_ke (MeV), which is 0 for a
        track without extent.
    cfg : CsdaKeConfig
    """
    for objects in objects_of(event, cfg.obj_type, cfg.run_mode, cfg.truth_point_mode):
        rows = tracks_of(objects, cfg.include_pids, cfg.pid_mode)
        lengths = _lengths(objects, rows, cfg)
        name = "reco_length" if objects.is_truth else "length"
        values = np.array(objects.table[name])
        values[rows] = lengths
        objects.table[name] = values
        energies = np.array(objects.table["csda_ke"])
        energies[rows] = ke_of_range(lengths, objects.pids(cfg.pid_mode)[rows])
        objects.table["csda_ke"] = energies
        if cfg.fill_per_pid:
            per_pid = np.array(objects.table["csda_ke_per_pid"])
            pids = np.asarray(cfg.include_pids, dtype=np.int64)
            per_pid[rows[:, None], pids] = ke_of_range(lengths[:, None], pids)
            objects.table["csda_ke_per_pid"] = per_pid


def tracks_of(objects: Objects, pids: tuple[int, ...], mode: PidMode) -> IntArray:
    """Rows of tracks of some species that have points."""
    track = (objects.table["shape"] == Shape.TRACK) & np.isin(objects.pids(mode), pids)
    return np.flatnonzero(track & (objects.index.lengths > 0))


def _lengths(objects: Objects, rows: IntArray, cfg: CsdaKeConfig) -> FloatArray:
    how = Tracking(cfg.tracking_mode, cfg.segment_length, cfg.anchor_point, cfg.min_count)
    points, starts = objects.points(rows), objects.table["start_point"][rows]
    if cfg.tracking_mode == "splines":
        lengths = [spline_length(one, cfg.segment_length, cfg.spline_smooth) for one in points]
        return np.array(lengths, dtype=np.float64)
    return track_lengths(points.values, points.offsets, starts, how)
