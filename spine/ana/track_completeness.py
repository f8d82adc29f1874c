"""Gaps in tracks."""

from __future__ import annotations

from typing import Annotated, Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import BeforeValidator, Field, model_validator

from spine.ana.clouds import PointMode, points_of
from spine.ana.objects import RunMode, Side, TimeWindow, event_rows_of, inside, listed, objects_of, sides_of
from spine.ana.tables import EVENT_ROW
from spine.errors import DataError
from spine.ops.distance import pair_distances
from spine.schema import Block, Event, Pid, Shape, offsets_of
from spine.steps import Columns, StepConfig, step

__all__ = ["TrackCompletenessConfig", "track_completeness"]

FloatArray = NDArray[np.float64]


class TrackCompletenessConfig(StepConfig):
    """Which tracks to look at."""

    time_window: TimeWindow | None = Field(None, description="True particles count if created in this range (ns)")
    length_threshold: float | None = Field(10.0, description="Shortest distance from start to end (cm), null for any")
    include_pids: Annotated[tuple[Pid, ...], BeforeValidator(listed)] | None = Field(
        (Pid.MUON,), description="Species to look at, null for all"
    )
    run_mode: RunMode = Field("both", description="Sides to look at: reco, truth or both")
    truth_point_mode: PointMode = Field("points", description="Points of true particles")

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.time_window is not None and self.run_mode != "truth":
            raise ValueError("only true particles have a time: time_window needs run_mode 'truth'")
        return self


class Gaps(NamedTuple):
    """A track from end to end: points nearest to its ends, direction, number of gaps and their total length."""

    start: FloatArray
    end: FloatArray
    direction: FloatArray
    length: float
    number: int
    missing: float


@step(
    reads=("reco_particles", "truth_particles", "points", "points_label", "meta"),
    per="block",
    tables=lambda cfg: tuple(f"track_completeness_{side}" for side in sides_of(cfg.run_mode)),
)
def track_completeness(block: Block, cfg: TrackCompletenessConfig) -> dict[str, Columns]:
    """Measure the gaps of each track, beyond what voxels alone make.

    Points are projected on the line from start to end and cut where neighbours are more than 1.1 times the extent of
    a voxel along the line apart; a gap is the smallest distance between successive chunks less that extent.

    Parameters
    ----------
    block : Block
        With particles and their points.
    cfg : TrackCompletenessConfig
        Options.

    Returns
    -------
    dict of str to columns
        ``track_completeness_reco``, ...: ``particle_id, size, length, dir_*, start_*, end_*`` (cm), ``num_gaps``,
        ``gap_length`` (cm) and ``gap_frac`` of each track.
    """
    return {f"track_completeness_{side}": _rows(block, cfg, side) for side in sides_of(cfg.run_mode)}


def _rows(block: Block, cfg: TrackCompletenessConfig, side: Side) -> Columns:
    name = f"{side}_particles"
    particles, events = objects_of(block, name), event_rows_of(block, name)
    clouds = points_of(block, name, cfg.truth_point_mode)
    voxels = np.array([_voxel(event) for event in block])
    found: list[Gaps] = []
    kept: list[int] = []
    for row in np.flatnonzero(_chosen(block, cfg, side) & (clouds.lengths > 0)):
        ends = np.stack([particles["start_point"][row], particles["end_point"][row]])
        track = _measured(clouds[row], ends, float(voxels[events[row]]), cfg.length_threshold or 0.0)
        if track is not None:
            found.append(track)
            kept.append(int(row))
    rows = np.array(kept, dtype=np.int64)
    own = {EVENT_ROW: events[rows], "particle_id": particles["id"][rows], "size": clouds.lengths[rows]}
    return own | _columns(found)


def _chosen(block: Block, cfg: TrackCompletenessConfig, side: Side) -> NDArray[np.bool_]:
    particles = objects_of(block, f"{side}_particles")
    chosen = np.asarray(particles["shape"] == Shape.TRACK)
    if cfg.include_pids is not None:
        chosen = chosen & np.isin(particles["pid"], list(cfg.include_pids))
    return chosen & inside(particles["t"], cfg.time_window) if cfg.time_window is not None else chosen


def _voxel(event: Event) -> float:
    size = np.asarray(event["meta"].size)
    if not (size == size[0]).all():
        raise DataError("the voxels are not cubes", where=event.label, got=size)
    return float(size[0])


def _measured(points: NDArray[Any], ends: NDArray[Any], voxel: float, shortest: float) -> Gaps | None:
    """The gaps of one track; None when it is shorter than asked for or has no length."""
    nearest = [int(np.argmin(np.sum((points - end) ** 2, axis=1))) for end in ends]
    cloud = points.astype(np.float64)
    start, end = cloud[nearest[0]], cloud[nearest[1]]
    length = float(np.linalg.norm(end - start))
    if not (np.isfinite(ends).all() and length > 0 and length >= shortest):
        return None
    direction = (end - start) / length
    extent = voxel * float(np.abs(direction).sum())
    gaps = _gaps(cloud, start, direction, extent)
    return Gaps(start, end, direction, length, len(gaps), float(gaps.sum()))


def _gaps(cloud: FloatArray, start: FloatArray, direction: FloatArray, extent: float) -> FloatArray:
    along = (cloud - start) @ direction
    order = np.argsort(along, kind="stable")
    breaks = np.flatnonzero(np.diff(along[order]) > 1.1 * extent) + 1
    bounds = np.concatenate([[0], breaks, [len(cloud)]])
    if len(breaks) == 0:
        return np.empty(0)
    near = np.minimum.reduceat(np.linalg.norm(cloud[order] - start, axis=1), bounds[:-1])
    chunks = np.argsort(near, kind="stable")
    pairs = np.column_stack([chunks[:-1], chunks[1:]])
    return pair_distances(cloud[order], offsets_of(np.diff(bounds)), pairs).distances - extent


def _columns(found: list[Gaps]) -> dict[str, NDArray[Any]]:
    length = np.array([track.length for track in found], dtype=np.float64)
    missing = np.array([track.missing for track in found], dtype=np.float64)
    out: dict[str, NDArray[Any]] = {"length": length}
    vectors = {"dir": "direction", "start": "start", "end": "end"}
    for name, field in vectors.items():
        values = np.array([getattr(track, field) for track in found], dtype=np.float64).reshape(-1, 3)
        out |= {f"{name}_{axis}": values[:, i] for i, axis in enumerate("xyz")}
    out["num_gaps"] = np.array([track.number for track in found], dtype=np.int64)
    return out | {"gap_length": missing, "gap_frac": missing / length}
