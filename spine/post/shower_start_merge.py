"""Beginnings of showers that were taken for tracks."""

from __future__ import annotations

import numpy as np
from pydantic import Field

from spine.ops.arrays import BoolArray, FloatArray, IntArray
from spine.ops.distance import closest_pair
from spine.ops.segments import segment_sum
from spine.physics.dedx import local_dedx
from spine.physics.tracking import track_length
from spine.post.merging import MERGED, keep_most_primary, merge_particles, own_columns, track_ends
from spine.post.objects import Objects, columns, objects_of
from spine.post.selected import interaction_rows, of_shape
from spine.schema import Event, Shape
from spine.steps import StepConfig, step

__all__ = ["ShowerStartMergeConfig", "shower_start_merge"]

CHANGED = columns(("reco_particles",), "start_point", "start_dir", "is_primary", "primary_scores")
DEDX_RADIUS = 5.0
"""Part of a track in which its energy loss is measured (cm)."""


class ShowerStartMergeConfig(StepConfig):
    """Options of shower_start_merge."""

    angle_threshold: float = Field(0.175, ge=0, description="Largest angle between the two directions (rad)")
    distance_threshold: float = Field(1.0, ge=0, description="Largest distance between track and shower (cm)")
    track_length_limit: float = Field(50.0, description="Length above which a track stays one (cm)")
    track_dedx_limit: float | None = Field(None, description="Energy loss above which a track stays one (MeV/cm)")


@step(
    reads=(
        "points", "depositions", "reco_particles.shape", "reco_particles.end_point",
        "reco_particles.end_dir", *CHANGED, *MERGED,
    ),
    writes=(*CHANGED, *MERGED),
    after=("track_extrema",),
)  # fmt: skip
def shower_start_merge(event: Event, cfg: ShowerStartMergeConfig) -> None:
    """Join primary tracks to the leading primary shower of their interaction where they lie in line with it.

    Parameters
    ----------
    event : Event
        Reconstructed particles are joined, in their order; the shower starts at the end of the track that is farther
        from its old start. The leading shower is the one with most charge.
    cfg : ShowerStartMergeConfig

    Raises
    ------
    DataError
        When particles that should be joined are matched to true ones already.
    """
    (objects,) = objects_of(event, ("particle",), "reco")
    own_columns(objects.table, CHANGED)
    target = np.arange(len(objects.table))
    for shower, tracks in _candidates(event, objects):
        target[_joined(objects, shower, tracks, cfg)] = shower
    merge_particles(event, target)


def _candidates(event: Event, objects: Objects) -> list[tuple[int, IntArray]]:
    """The leading shower of each interaction that has one, with the primary tracks of the interaction."""
    table = objects.table
    owners = interaction_rows(event.reco.interactions, len(table))
    deposits = objects.depositions()
    charge = segment_sum(deposits.values.astype(np.float64), deposits.offsets)
    showers, tracks = of_shape(table, Shape.SHOWER), of_shape(table, Shape.TRACK)
    showers = showers[owners[showers] >= 0]
    order = showers[np.lexsort((showers, -charge[showers], owners[showers]))]
    leading = order[np.unique(owners[order], return_index=True)[1]]
    return [(int(row), tracks[owners[tracks] == owners[row]]) for row in leading]


def _joined(objects: Objects, shower: int, tracks: IntArray, cfg: ShowerStartMergeConfig) -> list[int]:
    """Tracks that join a shower, whose start moves with each of them."""
    table, joined = objects.table, []
    points = objects.points()
    cloud = points[shower]
    for track in tracks[~_stays(objects, tracks, cfg)]:
        aligned = abs(float(table["start_dir"][track] @ table["start_dir"][shower])) >= np.cos(cfg.angle_threshold)
        if aligned and closest_pair(points[track], cloud).distance <= cfg.distance_threshold:
            cloud = np.vstack([cloud, points[track]])
            _move_start(objects, shower, int(track))
            joined.append(int(track))
    return joined


def _stays(objects: Objects, tracks: IntArray, cfg: ShowerStartMergeConfig) -> BoolArray:
    """Tracks too long or too dense to be part of a shower."""
    stays = _lengths(objects, tracks) > cfg.track_length_limit
    if cfg.track_dedx_limit is not None:
        points, values = objects.points(tracks), objects.depositions()[tracks].values
        starts = objects.table["start_point"][tracks]
        dedx = local_dedx(points.values, points.offsets, values, starts, DEDX_RADIUS)
        stays |= dedx > cfg.track_dedx_limit
    return np.asarray(stays)


def _lengths(objects: Objects, tracks: IntArray) -> FloatArray:
    """Lengths of tracks (cm): as measured before, else measured here."""
    lengths: FloatArray = np.array(objects.table["length"][tracks])
    for i in np.flatnonzero(np.isnan(lengths)):
        lengths[i] = track_length(objects.points(tracks[i : i + 1]).values, objects.table["start_point"][tracks[i]])
    return lengths


def _move_start(objects: Objects, shower: int, track: int) -> None:
    table = objects.table
    ends, inward = track_ends(table, track)
    far = int(np.argmax(np.linalg.norm(ends - table["start_point"][shower], axis=1)))
    table["start_point"][shower], table["start_dir"][shower] = ends[far], inward[far]
    keep_most_primary(table, shower, track, species=False)
