"""Joining pieces of showers: cones from the large pieces, and nearness."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from pydantic import Field

from spine.ops.arrays import FloatArray, IntArray
from spine.ops.clustering import union_find
from spine.ops.distance import pair_distances
from spine.ops.segments import segment_mean
from spine.ops.shape import cluster_directions
from spine.schema import Ragged
from spine.steps.step import StepConfig

__all__ = ["ShowerGrouping", "Showers", "group_showers"]


class ShowerGrouping(StepConfig):
    """How pieces of showers are joined."""

    seed_size: int = Field(20, ge=1, description="Smallest piece from which a cone starts (number of voxels)")
    max_angle: float = Field(25.0, gt=0, lt=90, description="Half opening angle of the cone (degrees)")
    max_length: float = Field(300.0, gt=0, description="Length of the cone (voxels)")
    distance: float = Field(20.0, ge=0, description="Pieces this near are joined in any case (voxels)")


class Showers(NamedTuple):
    """Pieces of showers.

    Parameters
    ----------
    coords : (N, 3) float64
        Voxels of the image.
    clusts : Ragged of int
        Voxels of each piece.
    charge : (n,) float64
        Charge of each piece.
    start : (n, 3) float64
        Start of each piece.
    """

    coords: FloatArray
    clusts: Ragged
    charge: FloatArray
    start: FloatArray


def group_showers(pieces: Showers, cfg: ShowerGrouping) -> IntArray:
    """Group pieces of showers.

    Each piece joins one piece of larger charge that is large enough to have a direction: one that is near, else the
    one in whose cone it lies with the smallest angle.

    Returns
    -------
    (n,) int64
        Groups, numbered by their first piece.
    """
    n = len(pieces.clusts)
    values, offsets = pieces.coords[pieces.clusts.values], pieces.clusts.offsets
    rank = np.empty(n, dtype=np.int64)
    rank[np.argsort(-pieces.charge, kind="stable")] = np.arange(n)
    seeds = np.flatnonzero(pieces.clusts.lengths >= cfg.seed_size)
    first, second = (axis.ravel() for axis in np.meshgrid(seeds, np.arange(n), indexing="ij"))
    kept = rank[first] < rank[second]
    pairs = np.column_stack([first[kept], second[kept]]).astype(np.int64)
    if len(pairs) == 0:
        return np.arange(n, dtype=np.int64)
    axis = cluster_directions(values, offsets, pieces.start)
    cost = _angle(pieces.start, axis, segment_mean(values, offsets), pairs, cfg)
    gaps = pair_distances(values, offsets, pairs).distances
    cost = np.where(gaps <= cfg.distance, gaps - cfg.distance - 1.0, cost)
    return union_find(pairs[_best(pairs, cost)], n)


def _angle(start: FloatArray, axis: FloatArray, centre: FloatArray, pairs: IntArray, cfg: ShowerGrouping) -> FloatArray:
    """(E,) angle in degrees at which the first piece of each pair sees the second, infinite outside its cone."""
    rays = centre[pairs[:, 1]] - start[pairs[:, 0]]
    length = np.linalg.norm(rays, axis=1)
    cosine = (rays * axis[pairs[:, 0]]).sum(axis=1) / np.maximum(length, 1e-9)
    angle = np.degrees(np.arccos(np.clip(cosine, -1.0, 1.0)))
    return np.where((angle <= cfg.max_angle) & (length <= cfg.max_length), angle, np.inf)


def _best(pairs: IntArray, cost: FloatArray) -> IntArray:
    """Rows of the pairs that are the cheapest for their second piece, if that is finite."""
    order = np.lexsort((pairs[:, 0], cost, pairs[:, 1]))
    first = np.ones(len(order), dtype=np.bool_)
    first[1:] = pairs[order[1:], 1] != pairs[order[:-1], 1]
    rows = order[first]
    chosen: IntArray = rows[np.isfinite(cost[rows])]
    return chosen
