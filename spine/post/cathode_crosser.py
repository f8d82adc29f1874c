"""Tracks that cross a cathode: found, joined, and moved so that their halves meet."""

from __future__ import annotations

import numpy as np
from pydantic import Field

from spine.errors import ConfigError
from spine.geometry import Detector
from spine.ops.arrays import BoolArray, FloatArray, IntArray
from spine.post.cathode_offsets import AdjustMethod, cathode_offset
from spine.post.cathode_pairs import PairCuts, join_ends, matching_halves, tpc_of_tracks
from spine.post.merging import MERGED, merge_interactions, merge_particles, own_columns
from spine.post.objects import TRUE_POINTS, Objects, PointMode, RunMode, Side, columns, kinds, objects_of, sides_of
from spine.schema import Event, Ragged, Shape
from spine.steps import StepConfig, step

__all__ = ["CathodeCrosserConfig", "cathode_crosser"]

JOINED = columns(
    ("reco_particles",),
    "start_point", "end_point", "start_dir", "end_dir", "is_primary", "primary_scores", "pid", "pid_scores",
    "interaction_id",
)  # fmt: skip
ENDS = ("start_point", "end_point")


class CathodeCrosserConfig(StepConfig):
    """Options of cathode_crosser."""

    crossing_point_tolerance: float = Field(description="Largest distance of halves in the cathode plane (cm)")
    offset_tolerance: float = Field(description="Largest difference of their distances to the cathode (cm)")
    angle_tolerance: float = Field(description="Largest angle between them (rad)")
    merge_crossers: bool = Field(True, description="Join tracks that were broken at the cathode")
    adjust_crossers: bool = Field(True, description="Move points so that halves meet")
    adjust_method: AdjustMethod = Field(
        "distance", description="Halves meet at the cathode, in projections, or as lines in space"
    )
    run_mode: RunMode = Field("reco", description="Sides: reco, truth or both")
    truth_point_mode: PointMode = Field("points", description="Points that make up true particles")

    @property
    def cuts(self) -> PairCuts:
        """What two halves must fulfil."""
        return PairCuts(self.crossing_point_tolerance, self.offset_tolerance, self.angle_tolerance)


@step(
    reads=(
        "points", "sources", "points_label", "sources_label", "points_g4", "sources_g4", *JOINED, *MERGED,
        *columns(kinds("particle"), "index", "shape", *ENDS), *columns(kinds("interaction"), "particle_ids"),
    ),
    writes=(
        "points", "points_label", "points_g4", *JOINED, *MERGED, *columns(kinds("particle"), *ENDS),
        *columns(kinds("particle", "interaction"), "is_cathode_crosser", "cathode_offset"),
    ),
    after=("track_extrema", "shower_start_merge"),
)  # fmt: skip
def cathode_crosser(event: Event, cfg: CathodeCrosserConfig, detector: Detector | None) -> None:
    """Mark tracks with points on both sides of a cathode, join broken ones, and move all that came with them.

    Parameters
    ----------
    event : Event
        Fills is_cathode_crosser and cathode_offset (cm, along the drift) of particles and interactions; reconstructed
        tracks are joined, with their interactions; points and ends of all particles of the interaction move. Matches
        are dropped where particles may be joined.
    cfg : CathodeCrosserConfig
    detector : Detector

    Raises
    ------
    ConfigError
        When there is no detector.
    """
    if detector is None:
        raise ConfigError("cathodes are those of a detector", where="post.cathode_crosser", mend="set geo.detector")
    for side in sides_of(cfg.run_mode):
        particles = _particles(event, side, cfg)
        crosses = _crossing(particles, detector)
        if cfg.merge_crossers:
            _drop_matches(event, side)
        if cfg.merge_crossers and side == "reco":
            crosses = _join(particles, crosses, cfg, detector)
            particles = _particles(event, side, cfg)
        particles.table["is_cathode_crosser"] = crosses
        _align(particles, np.flatnonzero(crosses), cfg, detector)
        _tell_interactions(event, side)


def _particles(event: Event, side: Side, cfg: CathodeCrosserConfig) -> Objects:
    (objects,) = objects_of(event, ("particle",), side, cfg.truth_point_mode)
    return objects


def _crossing(particles: Objects, detector: Detector) -> BoolArray:
    """Tracks in two drift volumes of one module, with points on either side of the cathode."""
    table, index = particles.table, particles.index
    tpcs = detector.tpc_rows(particles.sources().values)
    low, high = tpc_of_tracks(index.rows, tpcs, len(table))
    two = (table["shape"] == Shape.TRACK) & (low >= 0) & (high == low + 1)
    two &= detector.module_ids[low] == detector.module_ids[high]
    axes, cathodes = detector.drift_axes[low], (detector.cathodes[low] + detector.cathodes[high]) / 2
    along = particles.points().values[np.arange(len(index.values)), axes[index.rows]] - cathodes[index.rows]
    below, above = (np.bincount(index.rows[s], minlength=len(table)) > 0 for s in (along < 0, along > 0))
    crossing: BoolArray = two & below & above
    return crossing


def _drop_matches(event: Event, side: Side) -> None:
    for name in (f"{side}_particles", f"{side}_interactions"):
        table = event.table(name)
        table["is_matched"] = np.zeros(len(table), dtype=np.bool_)
        table["match_ids"] = Ragged.empty(len(table), np.int32)
        table["match_overlaps"] = Ragged.empty(len(table), np.float32)


def _join(particles: Objects, crosses: BoolArray, cfg: CathodeCrosserConfig, detector: Detector) -> BoolArray:
    """Join broken tracks and their interactions; tell which of the particles that are left cross."""
    table, event = particles.table, particles.event
    own_columns(table, JOINED)
    tpcs = detector.tpc_rows(particles.sources().values)
    low, high = tpc_of_tracks(particles.index.rows, tpcs, len(table))
    rows = np.flatnonzero((table["shape"] == Shape.TRACK) & (low >= 0) & (low == high))
    target, above = np.arange(len(table)), np.arange(len(event.reco.interactions))
    for first, second in matching_halves(table, rows, low, detector, cfg.cuts):
        join_ends(table, first, second)
        target[second] = first
        crosses[first] = True
        home, other = above[table["interaction_id"][[first, second]]]
        above[above == other] = home
    merge_interactions(event, above)
    merge_particles(event, target)
    kept: BoolArray = crosses[target == np.arange(len(target))]
    return kept


def _align(particles: Objects, rows: IntArray, cfg: CathodeCrosserConfig, detector: Detector) -> None:
    """Measure the offset of each crossing track, and move its interaction by it."""
    table, event = particles.table, particles.event
    offsets = np.full(len(table), np.nan)
    name = TRUE_POINTS[particles.mode][1] if particles.is_truth else "points"
    points = np.array(event[name], dtype=np.float64)
    tpcs = detector.tpc_rows(particles.sources().values)
    own_columns(table, columns(("",), *ENDS))
    for row in rows:
        index = particles.index
        mine = slice(index.offsets[row], index.offsets[row + 1])
        offsets[row] = cathode_offset(points[index[row]], tpcs[mine], detector, cfg.adjust_method)
        if cfg.adjust_crossers and np.isfinite(offsets[row]):
            module = detector.module_ids[tpcs[mine]][0]
            _move(
                particles, int(row), points, np.where(detector.module_ids == module, offsets[row], 0.0), tpcs, detector
            )
    table["cathode_offset"] = offsets
    if cfg.adjust_crossers and len(rows):
        event[name] = points.astype(np.float32)


def _move(
    particles: Objects, row: int, points: FloatArray, offsets: FloatArray, tpcs: IntArray, detector: Detector
) -> None:
    """Move points and ends of all particles in the interaction of one, by an offset along the drift of each TPC."""
    table, index = particles.table, particles.index
    home = table["interaction_id"][row]
    sisters = np.flatnonzero(table["interaction_id"] == home) if home >= 0 else np.array([row])
    for sister in sisters:
        own, inside = index[sister], tpcs[index.offsets[sister] : index.offsets[sister + 1]]
        if len(own) == 0:
            continue
        for end in ENDS:
            nearest = int(np.argmin(np.nan_to_num(np.linalg.norm(points[own] - table[end][sister], axis=1))))
            table[end][sister] += detector.drifts[inside[nearest]] * offsets[inside[nearest]]
        points[own] += detector.drifts[inside] * offsets[inside][:, None]


def _tell_interactions(event: Event, side: Side) -> None:
    """Set flag and mean offset of interactions from their particles."""
    particles, table = event.table(f"{side}_particles"), event.table(f"{side}_interactions")
    members = table["particle_ids"]
    crosses = particles["is_cathode_crosser"][members.values]
    counts = np.bincount(members.rows[crosses], minlength=len(table))
    values = particles["cathode_offset"][members.values][crosses]
    sums = np.bincount(members.rows[crosses], weights=values, minlength=len(table))
    table["is_cathode_crosser"] = counts > 0
    table["cathode_offset"] = np.divide(sums, counts, out=np.full(len(table), np.nan), where=counts > 0)
