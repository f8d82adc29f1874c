"""Grouping particles that come from one place."""

from __future__ import annotations

import numpy as np
from pydantic import Field

from spine.model.chain.points import Ends
from spine.model.chain.rows import image_of
from spine.ops.arrays import FloatArray, IntArray
from spine.ops.clustering import union_find
from spine.ops.distance import pair_distances
from spine.ops.shape import cluster_directions
from spine.schema import Event, Ragged, Shape
from spine.steps.step import StepConfig

__all__ = ["InteractionGrouping", "group_particles"]


class InteractionGrouping(StepConfig):
    """How particles are grouped into interactions."""

    distance: float = Field(5.0, ge=0, description="Particles this near are of one interaction (voxels)")
    max_angle: float = Field(
        20.0,
        ge=0,
        lt=90,
        description="Largest angle between a detached shower and the line from an end to it (degrees)",
    )
    max_length: float = Field(300.0, ge=0, description="Longest such line (voxels)")


def group_particles(event: Event, ends: Ends, cfg: InteractionGrouping) -> IntArray:
    """Group particles into interactions.

    Particles are joined when their closest voxels are near. A shower that then stands alone joins the track end from
    which it seems to come: the one seen at the smallest angle from its axis.

    Returns
    -------
    (n,) int64
        Interactions, numbered by their first particle.
    """
    clusts: Ragged = event["particle_clusts"]
    coords = np.asarray(image_of(event).coords, dtype=np.float64)
    n = len(clusts)
    pairs = np.column_stack(np.triu_indices(n, 1)).astype(np.int64)
    gaps = pair_distances(coords[clusts.values], clusts.offsets, pairs).distances
    pairs = pairs[gaps <= cfg.distance]
    alone = np.bincount(pairs.ravel(), minlength=n) == 0
    shapes = np.asarray(event["particle_shapes"])
    showers = np.flatnonzero(alone & (shapes == Shape.SHOWER))
    tracks = np.flatnonzero(shapes == Shape.TRACK)
    axes = cluster_directions(coords[clusts[showers].values], clusts[showers].offsets, ends.start[showers])
    links = _links(ends, tracks, ends.start[showers], axes, cfg)
    return union_find(np.concatenate([pairs, np.column_stack([showers[links[:, 0]], tracks[links[:, 1]]])]), n)


def _links(ends: Ends, tracks: IntArray, start: FloatArray, axes: FloatArray, cfg: InteractionGrouping) -> IntArray:
    """(k, 2) shower and the track from an end of which it comes, for the showers that have one."""
    if len(tracks) == 0 or len(start) == 0:
        return np.empty((0, 2), dtype=np.int64)
    points = np.concatenate([ends.start[tracks], ends.end[tracks]])
    rays = start[:, None] - points[None]
    length = np.linalg.norm(rays, axis=2)
    cosine = (rays * axes[:, None]).sum(axis=2) / np.maximum(length, 1e-9)
    allowed = (cosine >= np.cos(np.radians(cfg.max_angle))) & (length <= cfg.max_length)
    best = np.argmax(np.where(allowed, cosine, -2.0), axis=1)
    found = np.flatnonzero(allowed[np.arange(len(start)), best])
    return np.column_stack([found, best[found] % len(tracks)]).astype(np.int64)
