"""Joining pieces of tracks that continue each other."""

from __future__ import annotations

import numpy as np
from pydantic import Field
from scipy.spatial import cKDTree

from spine.ops.arrays import FloatArray, IntArray
from spine.ops.clustering import connected_components
from spine.ops.shape import cluster_directions
from spine.schema import Ragged
from spine.steps.step import StepConfig

__all__ = ["TrackGrouping", "group_tracks"]


class TrackGrouping(StepConfig):
    """How pieces of tracks are joined."""

    max_gap: float = Field(17.0, ge=0, description="Largest gap between ends that face each other (voxels)")
    max_angle: float = Field(20.0, ge=0, le=180, description="Largest angle between pieces that continue (degrees)")
    touch: float = Field(5.0, ge=0, description="Ends this near need no gap direction (voxels)")
    radius: float = Field(15.0, gt=0, description="Voxels around an end that give its direction (voxels)")
    min_size: int = Field(4, ge=1, description="Smallest piece that has a direction (number of voxels)")


def group_tracks(
    coords: FloatArray, clusts: Ragged, start: FloatArray, end: FloatArray, cfg: TrackGrouping
) -> IntArray:
    """Group pieces of tracks.

    Two pieces are joined when an end of one and an end of the other are near, the directions at these ends are
    opposite within ``max_angle`` and, unless they nearly touch, the gap lies along both.

    Parameters
    ----------
    coords : (N, 3) float64
        Voxels of the image.
    clusts : Ragged of int
        Voxels of each piece.
    start, end : (n, 3) float
        Ends of each piece.
    cfg : TrackGrouping

    Returns
    -------
    (n,) int64
        Groups, numbered by their first piece.
    """
    n = len(clusts)
    ends = np.concatenate([start, end])
    if n < 2:
        return np.arange(n, dtype=np.int64)
    both = Ragged.concat([clusts, clusts])
    inward = cluster_directions(coords[both.values], both.offsets, ends, cfg.radius)
    pairs = cKDTree(ends).query_pairs(cfg.max_gap, output_type="ndarray").astype(np.int64)
    a, b = np.sort(pairs, axis=1).T
    big = both.lengths >= cfg.min_size
    kept = (a % n != b % n) & big[a] & big[b]
    a, b = a[kept], b[kept]
    joined = _continue(ends[b] - ends[a], inward[a], inward[b], cfg)
    return connected_components(np.column_stack([a[joined] % n, b[joined] % n]), n)


def _continue(gaps: FloatArray, first: FloatArray, second: FloatArray, cfg: TrackGrouping) -> FloatArray:
    """Whether pieces with these inward directions, and the gap from the one to the other, make one line."""
    limit = np.cos(np.radians(cfg.max_angle))
    size = np.linalg.norm(gaps, axis=1)
    facing = -(first * second).sum(axis=1) >= limit
    along = np.minimum(-(gaps * first).sum(axis=1), (gaps * second).sum(axis=1)) >= limit * size
    joined: FloatArray = facing & (along | (size <= cfg.touch))
    return joined
