"""Vertices of interactions from the ends and directions of their particles."""

from __future__ import annotations

from typing import Literal

import numpy as np
from pydantic import Field

from spine.ops.arrays import BoolArray, FloatArray, IntArray
from spine.physics.vertex import VertexOptions, find_vertex
from spine.post.objects import PointMode, RunMode, columns, kinds, objects_of, sides_of
from spine.schema import Event, Ragged, Shape, Table
from spine.steps import StepConfig, step

__all__ = ["VertexConfig", "swap_ends", "vertex"]


class VertexConfig(StepConfig):
    """Options of vertex."""

    include_shapes: tuple[int, ...] = Field((Shape.SHOWER, Shape.TRACK), description="Semantic classes to use")
    use_primaries: bool = Field(True, description="Use only primaries where there are any")
    update_orientations: bool = Field(False, description="Turn reconstructed tracks so that they start at the vertex")
    update_primaries: bool = Field(False, description="Make reconstructed particles that start or point there primary")
    anchor_vertex: bool = Field(True, description="Prefer points at which particles touch")
    touching_threshold: float = Field(2.0, description="Ends nearer than this touch (cm)")
    angle_threshold: float = Field(0.3, description="Showers that point to the vertex this well are primaries (rad)")
    confluence_selection: Literal["pointing"] | None = Field(
        None, description="Choose among several points of confluence by directions"
    )
    run_mode: RunMode = Field("both", description="Sides: reco, truth or both")
    truth_point_mode: PointMode = Field("points", description="Points that make up true objects")


@step(
    reads=(
        *columns(kinds("particle"), "index", "shape", "is_primary", "start_point", "end_point"),
        *columns(kinds("interaction"), "particle_ids"),
        "reco_particles.start_dir", "reco_particles.end_dir", "truth_particles.momentum",
    ),
    writes=(
        "reco_interactions.vertex", "truth_interactions.reco_vertex",
        *columns(("reco_particles",), "start_point", "end_point", "start_dir", "end_dir", "is_primary"),
    ),
    after=("track_extrema", "shower_start_merge", "cathode_crosser"),
)  # fmt: skip
def vertex(event: Event, cfg: VertexConfig) -> None:
    """Find the vertex of each interaction; see `spine.physics.vertex.find_vertex` for the rules.

    Parameters
    ----------
    event : Event
        Fills vertex of reconstructed interactions and reco_vertex of true ones (cm), NaN where there is nothing
        to go by. On demand it turns tracks around and changes primaries.
    cfg : VertexConfig
    """
    for objects in objects_of(event, ("interaction",), cfg.run_mode, cfg.truth_point_mode):
        particles = event.table(f"{objects.side}_particles")
        members: Ragged = objects.table["particle_ids"]
        chosen = _chosen(particles, members, cfg)
        points = np.array([_point(particles, rows, cfg) for rows in chosen]).reshape(-1, 3)
        name = "reco_vertex" if objects.is_truth else "vertex"
        objects.table[name] = np.where(chosen.lengths[:, None] > 0, points, objects.table[name])
    if "reco" in sides_of(cfg.run_mode):
        _update(event, cfg)


def _chosen(particles: Table, members: Ragged, cfg: VertexConfig) -> Ragged:
    """Particles that give the vertex: of the wanted classes, primaries if any, else all that have points."""
    rows, owner = members.values, members.rows
    visible = particles["size"][rows] > 0
    good = visible & np.isin(particles["shape"][rows], cfg.include_shapes)
    if cfg.use_primaries:
        primary = good & particles["is_primary"][rows]
        has_primary = np.bincount(owner[primary], minlength=len(members)) > 0
        good = np.where(has_primary[owner], primary, good)
    has_any = np.bincount(owner[good], minlength=len(members)) > 0
    kept = np.where(has_any[owner], good, visible)
    lengths = np.bincount(owner[kept], minlength=len(members))
    return Ragged(rows[kept], np.concatenate([[0], np.cumsum(lengths)]))


def _point(particles: Table, rows: IntArray, cfg: VertexConfig) -> FloatArray:
    options = VertexOptions(cfg.anchor_vertex, cfg.touching_threshold, cfg.confluence_selection)
    return find_vertex(
        particles["start_point"][rows],
        particles["end_point"][rows],
        particles["start_dir"][rows],
        particles["shape"][rows] == Shape.TRACK,
        options,
    ).point


def swap_ends(particles: Table, turned: BoolArray) -> None:
    """Exchange start and end of some particles, with their directions, in place."""
    for start, end, sign in (("start_point", "end_point", 1), ("start_dir", "end_dir", -1)):
        first, last = np.array(particles[start]), np.array(particles[end])
        first[turned], last[turned] = sign * particles[end][turned], sign * particles[start][turned]
        particles[start], particles[end] = first, last


def _update(event: Event, cfg: VertexConfig) -> None:
    """Turn tracks and set primaries of reconstructed particles by the vertex of their interaction."""
    if not cfg.update_orientations and not cfg.update_primaries:
        return
    particles, interactions = event.table("reco_particles"), event.table("reco_interactions")
    members: Ragged = interactions["particle_ids"]
    centre = np.full((len(particles), 3), np.nan)
    centre[members.values] = interactions["vertex"][members.rows]
    if cfg.update_orientations:
        far = np.linalg.norm(particles["start_point"] - centre, axis=1)
        near = np.linalg.norm(particles["end_point"] - centre, axis=1)
        swap_ends(particles, (particles["shape"] == Shape.TRACK) & (far > near))
    if cfg.update_primaries:
        belongs = np.isin(np.arange(len(particles)), members.values)
        primary = _primary(particles, centre, cfg)
        particles["is_primary"] = np.where(belongs, primary, particles["is_primary"])


def _primary(particles: Table, centre: FloatArray, cfg: VertexConfig) -> BoolArray:
    """Showers and tracks that start at the vertex, showers that point away from it, and primaries so far."""
    lines = particles["start_point"] - centre
    distance = np.linalg.norm(lines, axis=1)
    cosine = (lines * particles["start_dir"]).sum(axis=1)
    shower, track = (particles["shape"] == shape for shape in (Shape.SHOWER, Shape.TRACK))
    points_away = shower & (cosine > np.cos(cfg.angle_threshold) * distance)
    near = distance < cfg.touching_threshold
    return np.asarray((shower | track) & (near | points_away | particles["is_primary"]), dtype=np.bool_)
