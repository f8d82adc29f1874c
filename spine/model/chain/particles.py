"""Particles from fragments without networks: true groups, one per fragment, or by geometry."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from pydantic import Field

from spine.model.chain.formation import Groups, one_hot
from spine.model.chain.paths import PathConfig
from spine.model.chain.points import PointMode, ends_of, point_requirements
from spine.model.chain.provider import provider
from spine.model.chain.rows import charge_of, cluster_label, image_of, majority, voxel_order
from spine.model.chain.shower_groups import ShowerGrouping, Showers, group_showers
from spine.model.chain.track_groups import TrackGrouping, group_tracks
from spine.ops.arrays import FloatArray, IntArray
from spine.ops.segments import segment_sum
from spine.schema import Event, Ragged, Shape

__all__ = ["GeometricParticles", "LabelParticles", "SkipParticles", "geometric", "label", "skip"]

_READ = ("data", "fragment_clusts", "fragment_shapes")
_MADE = (
    "fragment_start_points",
    "fragment_end_points",
    "fragment_group_pred",
    "fragment_node_pred",
    "particle_clusts",
    "particle_shapes",
    "particle_primaries",
)


class LabelParticles(PathConfig):
    """Options of the true groups."""

    points: PointMode = Field("label", description="Where the ends of fragments come from")


class SkipParticles(PathConfig):
    """Options of particles of one fragment each."""

    points: PointMode = Field("extrema", description="Where the ends of fragments come from")


class GeometricParticles(PathConfig):
    """Options of particles by geometry."""

    points: PointMode = Field("extrema", description="Where the ends of fragments come from")
    track: TrackGrouping = Field(default_factory=TrackGrouping, description="How pieces of tracks are joined")
    shower: ShowerGrouping = Field(default_factory=ShowerGrouping, description="How pieces of showers are joined")


def _required(*more: str) -> Callable[[LabelParticles | SkipParticles | GeometricParticles], tuple[str, ...]]:
    return lambda cfg: (*_READ, *more, *point_requirements(cfg.points))


def _chosen(event: Event, cfg: PathConfig) -> tuple[IntArray, Ragged, IntArray]:
    """Fragments of the path, their voxels and their classes."""
    shapes = np.asarray(event["fragment_shapes"], dtype=np.int64)
    rows = np.flatnonzero(np.isin(shapes, cfg.shapes))
    return rows, event["fragment_clusts"][rows], shapes[rows]


@provider("particle_aggregation", "label", requires=_required("clust_label"), provides=_MADE)
def label(event: Event, cfg: LabelParticles) -> Groups:
    """Groups of the truth, by the group of most voxels of each fragment.

    A fragment without a true group is a particle of its own. The primary is the largest of the fragments that are
    primaries in truth, or of all when none is.
    """
    rows, clusts, shapes = _chosen(event, cfg)
    groups = majority(cluster_label(event, "group"), clusts)
    alone = groups < 0
    groups[alone] = groups.max(initial=-1) + 1 + np.arange(alone.sum())
    primary = majority(cluster_label(event, "group_primary"), clusts)
    chosen = _one_per_group(groups, (primary == 1) * (clusts.lengths.max(initial=0) + 1.0) + clusts.lengths)
    ends = ends_of(event, clusts, shapes, cfg.points)
    return Groups(rows, groups, one_hot(chosen, 2), ends.start, ends.end)


@provider("particle_aggregation", "skip", requires=_required(), provides=_MADE)
def skip(event: Event, cfg: SkipParticles) -> Groups:
    """Each fragment is a particle."""
    rows, clusts, shapes = _chosen(event, cfg)
    ends = ends_of(event, clusts, shapes, cfg.points)
    primary = np.ones(len(rows), dtype=np.int64)
    return Groups(rows, np.arange(len(rows)), one_hot(primary, 2), ends.start, ends.end)


@provider("particle_aggregation", "geometric", requires=_required(), provides=_MADE)
def geometric(event: Event, cfg: GeometricParticles) -> Groups:
    """Pieces of tracks joined where they continue each other, pieces of showers by cones and nearness.

    Michel electrons and delta rays stay as they are. The primary is the fragment with the largest charge.
    """
    rows, clusts, shapes = _chosen(event, cfg)
    ends = ends_of(event, clusts, shapes, cfg.points)
    coords = np.asarray(image_of(event).coords, dtype=np.float64)
    charge = segment_sum(np.maximum(charge_of(event), 0.0)[clusts.values], clusts.offsets)
    order = _canonical(coords, clusts)
    ids = np.arange(len(rows), dtype=np.int64)
    tracks, showers = order[shapes[order] == Shape.TRACK], order[shapes[order] == Shape.SHOWER]
    ids[tracks] = len(rows) + group_tracks(coords, clusts[tracks], ends.start[tracks], ends.end[tracks], cfg.track)
    pieces = Showers(coords, clusts[showers], charge[showers], ends.start[showers])
    ids[showers] = 2 * len(rows) + group_showers(pieces, cfg.shower)
    return Groups(rows, _by_first(ids), one_hot(_one_per_group(ids, charge), 2), ends.start, ends.end)


def _by_first(ids: IntArray) -> IntArray:
    """Groups numbered by their first fragment."""
    _, first, inverse = np.unique(ids, return_index=True, return_inverse=True)
    return first[inverse].astype(np.int64)


def _one_per_group(groups: IntArray, weight: FloatArray) -> IntArray:
    """1 for the fragment with the largest weight in each group, the first among equals."""
    order = np.lexsort((np.arange(len(groups)), -np.asarray(weight), groups))
    first = np.ones(len(order), dtype=np.bool_)
    first[1:] = groups[order][1:] != groups[order][:-1]
    chosen = np.zeros(len(groups), dtype=np.int64)
    chosen[order[first]] = 1
    return chosen


def _canonical(coords: FloatArray, clusts: Ragged) -> IntArray:
    """Fragments in the order of their first voxel."""
    rank = np.empty(len(coords), dtype=np.int64)
    rank[voxel_order(coords)] = np.arange(len(coords))
    lowest = np.full(len(clusts), len(coords), dtype=np.int64)
    np.minimum.at(lowest, clusts.rows, rank[clusts.values])
    return np.argsort(lowest, kind="stable")
