"""Fragments without networks: true clusters, or density clustering per semantic class."""

from __future__ import annotations

from typing import Any, Literal, Self, TypeAlias

import numpy as np
from pydantic import Field, model_validator

from spine.model.chain.formation import Fragments
from spine.model.chain.linearity import local_linearity
from spine.model.chain.point_break import break_clusters, far_from
from spine.model.chain.provider import provider
from spine.model.chain.rows import cluster_feature, cluster_label, image_of, majority, voxel_order
from spine.model.point_prediction import PointPredictionConfig, ProposedPoints, predict_points
from spine.ops.arrays import BoolArray, FloatArray, IntArray, NumberArray
from spine.ops.clustering import Metric, clusters_from_labels
from spine.ops.clustering import dbscan as density_clusters
from spine.schema import Event, Ragged, Shape, Tensor
from spine.steps.step import StepConfig

__all__ = ["DbscanFragmentation", "LabelFragmentation", "dbscan", "label"]

_MADE = ("fragment_clusts", "fragment_shapes")

PerShape: TypeAlias = float | tuple[float, ...]


class LabelFragmentation(StepConfig):
    """No options: fragments are the true clusters."""


@provider("fragmentation", "label", requires=("data", "clust_label"), provides=_MADE)
def label(event: Event, cfg: LabelFragmentation) -> Fragments:
    """True clusters, in the order of their numbers; the class is that of most of their voxels."""
    del cfg
    found = clusters_from_labels(cluster_feature(event, "cluster"))
    clusts = Ragged(found.values, found.offsets)
    return Fragments(clusts, majority(cluster_label(event, "shape"), clusts))


class DbscanFragmentation(StepConfig):
    """Options of density clustering; a list gives one value per class of ``shapes``."""

    shapes: tuple[Shape, ...] = Field(
        (Shape.SHOWER, Shape.TRACK, Shape.MICHEL, Shape.DELTA), description="Semantic classes to cluster"
    )
    eps: PerShape = Field(1.8, description="Voxels this near are neighbours (voxels)")
    min_samples: int | tuple[int, ...] = Field(1, description="Neighbours of a core voxel, itself included")
    min_size: int | tuple[int, ...] = Field(3, description="Smallest fragment (number of voxels)")
    metric: Metric | tuple[Metric, ...] = Field("euclidean", description="Distance between voxels")
    break_shapes: tuple[Shape, ...] = Field(
        (Shape.TRACK,), description="Semantic classes to break at points of interest"
    )
    break_mask_radius: PerShape = Field(5.0, description="Voxels this near to a point are set aside (voxels)")
    use_label_break_points: bool = Field(
        False, description="Break at the ends of true particles instead of at predicted points"
    )
    break_track_method: Literal["masked_dbscan"] = Field("masked_dbscan", description="How tracks are broken")
    ppn_predictor: PointPredictionConfig | None = Field(
        None, description="Options of predicted points; those that segmentation found if left out"
    )
    break_linearity: float | None = Field(
        None,
        gt=0,
        le=1,
        description="Break where the surroundings are less line-like than this, (l1 - l2) / l1, instead of at points",
    )
    linearity_radius: float = Field(8.0, gt=0, description="Surroundings in which that is measured (voxels)")
    track_include_delta: bool = Field(
        False, description="Let delta rays join pieces of tracks that are broken at points"
    )

    @model_validator(mode="after")
    def _lengths(self) -> Self:
        for name in ("eps", "min_samples", "min_size", "metric", "break_mask_radius"):
            value = getattr(self, name)
            if isinstance(value, tuple) and len(value) != len(self.shapes):
                raise ValueError(f"{name} needs one value, or one for each of the {len(self.shapes)} shapes")
        return self

    def of(self, name: str, k: int) -> Any:
        """Value of an option for the k-th class."""
        value = getattr(self, name)
        return value[k] if isinstance(value, tuple) else value


def _required(cfg: DbscanFragmentation) -> tuple[str, ...]:
    if not cfg.break_shapes or cfg.break_linearity is not None:
        return ("data", "seg_pred")
    if cfg.use_label_break_points:
        return ("data", "seg_pred", "coord_label")
    points = ("ppn_pred",) if cfg.ppn_predictor is None else ("ppn_points", "segmentation")
    return ("data", "seg_pred", *points)


@provider("fragmentation", "dbscan", requires=_required, provides=_MADE)
def dbscan(event: Event, cfg: DbscanFragmentation) -> Fragments:
    """Density clusters of each semantic class, in the order of classes and of their first voxel.

    Voxels are taken in the order of their coordinates. Classes in ``break_shapes`` are broken at points of interest,
    those of delta rays excepted; see `break_clusters`.
    """
    coords = image_of(event).coords
    order = voxel_order(coords)
    voxels = np.asarray(coords[order], dtype=np.float64)
    classes = np.asarray(event["seg_pred"], dtype=np.int64)[order]
    points = _break_points(event, cfg)
    labels = np.full(len(order), -1, dtype=np.int64)
    shapes: list[int] = []
    for k, shape in enumerate(cfg.shapes):
        found = _class_labels(voxels, classes, points, cfg, k)
        kept = clusters_from_labels(found, cfg.of("min_size", k))
        lengths = np.diff(kept.offsets)
        labels[kept.values] = len(shapes) + np.repeat(np.arange(len(lengths)), lengths)
        shapes += [int(shape)] * len(lengths)
    by_row = np.empty_like(labels)
    by_row[order] = labels
    return Fragments(Ragged.by_label(by_row, len(shapes)), np.array(shapes, dtype=np.int64))


def _class_labels(
    voxels: FloatArray, classes: IntArray, points: FloatArray, cfg: DbscanFragmentation, k: int
) -> IntArray:
    """(n,) cluster of each voxel of the k-th class, -1 for noise and other classes."""
    shape = cfg.shapes[k]
    broken = shape in cfg.break_shapes
    members = classes == shape
    if broken and shape == Shape.TRACK and cfg.track_include_delta:
        members |= classes == Shape.DELTA
    eps, samples, metric = cfg.of("eps", k), cfg.of("min_samples", k), cfg.of("metric", k)
    labels = np.full(len(voxels), -1, dtype=np.int64)
    if broken:
        free = _free(voxels[members], points, cfg, k)
        labels[members] = break_clusters(voxels[members], free, eps, samples, metric)
    else:
        labels[members] = density_clusters(voxels[members], eps, samples, metric)
    labels[classes != shape] = -1
    return labels


def _free(voxels: FloatArray, points: FloatArray, cfg: DbscanFragmentation, k: int) -> BoolArray:
    """Which voxels may hold clusters together; points are compared with the centres of voxels."""
    if cfg.break_linearity is not None:
        return local_linearity(voxels, cfg.linearity_radius) >= cfg.break_linearity
    return far_from(points, voxels + 0.5, cfg.of("break_mask_radius", k), cfg.of("metric", k))


def _break_points(event: Event, cfg: DbscanFragmentation) -> FloatArray:
    """(p, 3) points of interest, in voxel units, without those of delta rays."""
    if not cfg.break_shapes or cfg.break_linearity is not None:
        return np.empty((0, 3))
    if cfg.use_label_break_points:
        truth: Tensor = event["coord_label"]
        points, shapes = truth.coords.reshape(-1, 3), np.repeat(truth.feature("shape"), 2)
    else:
        found = _predicted(event, cfg.ppn_predictor)
        points, shapes = found[:, 1:4], found[:, -1]
    return np.asarray(points[shapes != Shape.DELTA], dtype=np.float64)


def _predicted(event: Event, cfg: PointPredictionConfig | None) -> NumberArray:
    """Predicted points, with options of their own if there are any."""
    if cfg is None:
        return np.asarray(event["ppn_pred"])
    coords = image_of(event).coords
    return predict_points(ProposedPoints(coords, event["ppn_points"], event["segmentation"]), cfg)
