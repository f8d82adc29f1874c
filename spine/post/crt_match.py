"""Tracks and the hits that they leave in the cosmic-ray tagger."""

from __future__ import annotations

from typing import Literal, NamedTuple, Self

import numpy as np
from pydantic import Field, model_validator

from spine.errors import ConfigError, DataError
from spine.geometry import Detector
from spine.ops.arrays import FloatArray, IntArray
from spine.ops.segments import segment_argmax, segment_max
from spine.post.objects import Objects, RunMode, columns, kinds, objects_of
from spine.schema import Event, Ragged, Shape, Table, offsets_of
from spine.steps import StepConfig, step

__all__ = ["CrtMatchConfig", "crt_match"]


class CrtMatchConfig(StepConfig):
    """Options of crt_match."""

    crt_key: str = Field(description="Product with the hits of the tagger")
    driftv: float = Field(gt=0, description="Drift velocity (cm/us)")
    run_mode: RunMode = Field("reco", description="Sides: reco, truth or both")
    match_method: Literal["threshold", "best"] = Field(
        "threshold", description="Every track within match_distance, or for each hit the nearest track only"
    )
    tolerance: float = Field(5.0, ge=0, description="Distance by which a moved track may leave its TPC (cm)")
    time_window: tuple[float, float] | None = Field(None, description="Hits between these times count (us)")
    min_part_size: int | None = Field(None, description="Tracks with more points count")
    min_crt_pe: float | None = Field(None, description="Hits with more photo-electrons count")
    match_distance: float | None = Field(None, gt=0, description="Largest distance in the tagger plane (cm)")

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.match_method == "threshold" and self.match_distance is None:
            raise ValueError("match_method 'threshold' needs match_distance")
        return self


class _Tracks(NamedTuple):
    """Tracks: rows, (n, 2, 3) ends and directions, (n, 2) TPC at each end, (n, 2) range along the drift."""

    rows: IntArray
    ends: FloatArray
    directions: FloatArray
    tpcs: IntArray
    reach: FloatArray


@step(
    reads=(
        "points", "sources", "points_label", "sources_label", "crthits",
        *columns(kinds("particle"), "index", "shape", "start_point", "end_point"),
        "reco_particles.start_dir", "reco_particles.end_dir",
    ),
    writes=columns(kinds("particle"), "is_crt_matched", "crt_ids", "crt_times", "crt_scores"),
)  # fmt: skip
def crt_match(event: Event, cfg: CrtMatchConfig, detector: Detector | None) -> None:
    """Prolong tracks, moved along the drift by the time of a hit, to the tagger plane of that hit.

    Parameters
    ----------
    event : Event
        Fills is_crt_matched, crt_ids, crt_times (us) and crt_scores (distance in the plane, cm) of particles, hits in
        their order. Tracks in several TPCs have their time fixed and match hits at the trigger time alone.
    cfg : CrtMatchConfig
    detector : Detector

    Raises
    ------
    ConfigError
        When there is no detector with a tagger.
    DataError
        When a hit names a plane which the tagger does not have.
    """
    if detector is None or detector.tagger is None:
        raise ConfigError("the configured detector has no tagger", where="post.crt_match", mend="set geo.detector")
    hits = _chosen_hits(event, cfg)
    normals = _normals(event, hits, detector)
    for objects in objects_of(event, ("particle",), cfg.run_mode):
        tracks = _tracks(objects, cfg, detector)
        distances = _distances(tracks, hits, normals, cfg, detector)
        _store(objects.table, tracks.rows, hits, _accepted(distances, cfg))


def _chosen_hits(event: Event, cfg: CrtMatchConfig) -> Table:
    hits = event.table(cfg.crt_key)
    kept = np.ones(len(hits), dtype=np.bool_)
    if cfg.time_window is not None:
        kept &= (hits["time"] > cfg.time_window[0]) & (hits["time"] < cfg.time_window[1])
    if cfg.min_crt_pe is not None:
        kept &= hits["total_pe"] > cfg.min_crt_pe
    return hits[kept]


def _normals(event: Event, hits: Table, detector: Detector) -> IntArray:
    """(h,) axis to which the plane of each hit is perpendicular."""
    tagger = detector.tagger
    rows = [tagger.plane_of(hit.plane, hit.center) if tagger is not None else -1 for hit in hits]
    if -1 in rows:
        raise DataError(
            "a hit is on a tagger plane that the detector does not have", where=event.label,
            got=f"plane {hits['plane'][rows.index(-1)]}", mend="set the geo.detector that took the data",
        )  # fmt: skip
    axes = np.zeros(0, dtype=np.int64) if tagger is None else tagger.normals
    picked: IntArray = axes[np.array(rows, dtype=np.int64)]
    return picked


def _tracks(objects: Objects, cfg: CrtMatchConfig, detector: Detector) -> _Tracks:
    table = objects.table
    kept = (table["shape"] == Shape.TRACK) & (objects.index.lengths > max(cfg.min_part_size or 0, 0))
    rows = np.flatnonzero(kept)
    points = objects.points(rows)
    tpcs = detector.tpc_rows(objects.sources()[rows].values)
    ends = np.stack([table[name][rows] for name in ("start_point", "end_point")], axis=1).astype(np.float64)
    directions = np.stack([table[name][rows] for name in ("start_dir", "end_dir")], axis=1).astype(np.float64)
    nearest = [
        segment_argmax(-np.nan_to_num(np.linalg.norm(points.values - ends[points.rows, side], axis=1)), points.offsets)
        for side in (0, 1)
    ]
    at_ends = tpcs[np.stack(nearest, axis=1)] if len(rows) else np.empty((0, 2), dtype=np.int64)
    return _Tracks(rows, ends, directions, at_ends, _reach(points, tpcs, detector))


def _reach(points: Ragged, tpcs: IntArray, detector: Detector) -> FloatArray:
    """(n, 2) how far each track may move along the drift inside its only TPC; 0 in several TPCs."""
    first = segment_max(-tpcs, points.offsets)
    alone = -first == segment_max(tpcs, points.offsets)
    box = -first * alone
    axes = detector.drift_axes[box]
    along = points.values.astype(np.float64)[np.arange(len(points.values)), axes[points.rows]]
    walls = detector.tpcs[box, axes]
    down = walls[:, 0] + segment_max(-along, points.offsets)
    up = walls[:, 1] - segment_max(along, points.offsets)
    forward = detector.cathode_sides[box] == 0
    reach = np.where(forward[:, None], np.column_stack([down, up]), np.column_stack([-up, -down]))
    return np.where(alone[:, None], reach, 0.0)


def _distances(tracks: _Tracks, hits: Table, normals: IntArray, cfg: CrtMatchConfig, detector: Detector) -> FloatArray:
    """(h, n) distance between hit and prolonged track in the plane; infinite where the time does not fit."""
    centers, shifts = hits["center"].astype(np.float64)[:, None], (hits["time"] * cfg.driftv)[:, None]
    gaps = np.linalg.norm(tracks.ends[None] - centers[:, :, None], axis=-1)
    side = np.argmin(np.where(np.isnan(gaps), np.inf, gaps), axis=2)
    track = np.arange(len(tracks.rows))[None]
    hit = np.arange(len(hits))[:, None]
    tpcs = tracks.tpcs[track, side]
    starts = tracks.ends[track, side] + detector.drifts[tpcs] * shifts[..., None]
    directions = tracks.directions[track, side]
    slope = directions[hit, track, normals[:, None]]
    path = (centers - starts)[hit, track, normals[:, None]]
    steps = np.divide(path, slope, out=np.full(path.shape, np.inf), where=slope != 0)
    fits = (shifts >= tracks.reach[:, 0] - cfg.tolerance) & (shifts <= tracks.reach[:, 1] + cfg.tolerance)
    fits &= np.isfinite(steps)
    offsets = starts + np.where(fits, steps, 0.0)[..., None] * directions - centers
    distances = np.linalg.norm(offsets, axis=-1)
    return np.where(fits & np.isfinite(distances), distances, np.inf)


def _accepted(distances: FloatArray, cfg: CrtMatchConfig) -> FloatArray:
    """Distances of the pairs that match, infinite for others."""
    if cfg.match_method == "best" and distances.size:
        best = np.argmin(distances, axis=1)
        distances = np.where(np.arange(distances.shape[1])[None] == best[:, None], distances, np.inf)
    return distances if cfg.match_distance is None else np.where(distances < cfg.match_distance, distances, np.inf)


def _store(table: Table, rows: IntArray, hits: Table, distances: FloatArray) -> None:
    track, hit = np.nonzero(np.isfinite(distances.T))
    offsets = offsets_of(np.bincount(rows[track], minlength=len(table)))
    table["is_crt_matched"] = np.diff(offsets) > 0
    table["crt_ids"] = Ragged(hits["id"][hit], offsets)
    table["crt_times"] = Ragged(hits["time"][hit], offsets)
    table["crt_scores"] = Ragged(distances[hit, track], offsets)
