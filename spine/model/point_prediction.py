"""Points of interest from what the point proposal network says about each voxel."""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np
from pydantic import Field
from scipy.special import softmax

from spine.model.shape_names import ShapeName
from spine.ops.arrays import FloatArray, IntArray, NumberArray
from spine.ops.clustering import dbscan
from spine.ops.distance import nearest_neighbours
from spine.schema import Shape
from spine.steps.step import StepConfig

__all__ = ["PointPredictionConfig", "ProposedPoints", "predict_points"]

AXES = 3


class PointPredictionConfig(StepConfig):
    """Options of the points, named as in SPINE."""

    score_threshold: float = Field(0.5, ge=0, le=1, description="Probability above which a voxel is near a point")
    type_score_threshold: float = Field(0.5, ge=0, le=1, description="Probability above which a type counts")
    type_dist_threshold: float = Field(1.999, gt=0, description="Points are nearer than this to a voxel (voxels)")
    pool_score_fn: Literal["max", "mean"] = Field("max", description="Score of a point from those of its voxels")
    pool_dist: float = Field(1.999, gt=0, description="Points this near are one (voxels)")
    enforce_type: bool = Field(True, description="The type of a point must be the semantic class of its voxel")
    classes: tuple[ShapeName, ...] = Field(
        (Shape.SHOWER, Shape.TRACK, Shape.MICHEL, Shape.DELTA), description="Types that points can have"
    )


class ProposedPoints(NamedTuple):
    """Raw output for the voxels of an event.

    Parameters
    ----------
    voxels : (N, 3) int
        Coordinates.
    raw : (N, 3 + T + 2) float32
        Offset from the voxel centre, logits of the types, logits of no point and point.
    segmentation : (N, C) float32
        Logits of the semantic classes.
    mask_threshold : float
        Probability above which the network lets a voxel through.
    """

    voxels: NumberArray
    raw: NumberArray
    segmentation: NumberArray
    mask_threshold: float = 0.5


def predict_points(found: ProposedPoints, cfg: PointPredictionConfig) -> NumberArray:
    """Points of interest of one event, (P, 1 + 3 + 2 + 1 + T + 1) float32.

    Columns: zero, position in voxels, scores of no point and point, number of voxels, scores of the types, type.
    """
    scores = softmax(found.raw[:, -2:], axis=1)
    rows = np.flatnonzero(scores[:, 1] > max(cfg.score_threshold, found.mask_threshold))
    types = softmax(found.raw[rows, AXES:-2], axis=1)
    centres = found.voxels[rows] + np.float32(0.5) + found.raw[rows, :AXES]
    if cfg.enforce_type:
        kept = _of_their_type(found, rows, types, centres, cfg)
        rows, types, centres = rows[kept], types[kept], centres[kept]
    return _pooled(centres.astype(np.float64), np.hstack([scores[rows], types]), cfg)


def _of_their_type(
    found: ProposedPoints, rows: IntArray, types: NumberArray, centres: NumberArray, cfg: PointPredictionConfig
) -> IntArray:
    """Points whose type is the class of their voxel, near a voxel with such a point; type by type."""
    classes = found.segmentation[rows].argmax(axis=1)
    chosen = [np.empty(0, dtype=np.int64)]
    for shape in cfg.classes:
        mine = np.flatnonzero((classes == shape) & (types[:, shape] > cfg.type_score_threshold))
        distance, _ = nearest_neighbours(found.voxels[rows[mine]], centres[mine])
        chosen.append(mine[distance[:, 0] < cfg.type_dist_threshold])
    return np.concatenate(chosen)


def _pooled(centres: FloatArray, scores: NumberArray, cfg: PointPredictionConfig) -> NumberArray:
    """One row for each set of points that hang together."""
    labels = dbscan(centres, cfg.pool_dist)
    order = np.argsort(labels, kind="stable")
    counts = np.bincount(labels)
    starts = np.cumsum(counts) - counts
    table = np.zeros((len(counts), 1 + AXES + scores.shape[1] + 2), dtype=np.float32)
    if len(counts) == 0:
        return table
    sums = np.add.reduceat(centres[order], starts, axis=0)
    reduce = np.maximum if cfg.pool_score_fn == "max" else np.add
    pooled = reduce.reduceat(scores[order], starts, axis=0)
    if cfg.pool_score_fn == "mean":
        pooled = pooled / counts[:, None]
    votes = np.zeros((len(counts), scores.shape[1] - 2), dtype=np.int64)
    np.add.at(votes, (labels, scores[:, 2:].argmax(axis=1)), 1)
    parts = [sums / counts[:, None], pooled[:, :2], counts, pooled[:, 2:], votes.argmax(axis=1)]
    table[:, 1:] = np.column_stack(parts)
    return table
