"""Semantic classes of voxels without networks: those of the truth, or from local shape.

Geometric classes are for files without truth where no network is at hand: track, shower and low energy. Delta rays
and Michel electrons are not told apart from what they touch.
"""

from __future__ import annotations

import numpy as np
from pydantic import Field

from spine.model.chain.linearity import local_linearity
from spine.model.chain.provider import Result, provider
from spine.model.chain.rows import image_of, rows_of, voxel_order
from spine.ops.arrays import BoolArray, FloatArray, IntArray
from spine.ops.clustering import dbscan
from spine.ops.distance import nearest_neighbours
from spine.schema import Event, Shape
from spine.steps.step import StepConfig

__all__ = ["GeometricSegmentation", "LabelSegmentation", "geometric", "geometric_classes", "label"]

TOUCH = 1.8
"""Voxels touch when this near, edges and corners included (voxels; sqrt(3) and a margin)."""


class LabelSegmentation(StepConfig):
    """No options: the classes are those of the truth."""


@provider("segmentation", "label", requires=("data", "seg_label"), provides=("seg_pred",))
def label(event: Event, cfg: LabelSegmentation) -> Result:
    """True class of each voxel of the image, -1 where the truth has no such voxel."""
    del cfg
    truth = event["seg_label"]
    rows = rows_of(truth.coords, image_of(event).coords)
    classes = np.full(len(rows), int(Shape.UNKNOWN), dtype=np.int64)
    classes[rows >= 0] = truth.feature("value")[rows[rows >= 0]].astype(np.int64)
    return {"seg_pred": classes}


class GeometricSegmentation(StepConfig):
    """Options of the classes from local shape."""

    radius: float = Field(8.0, gt=0, description="Neighbourhood in which linearity is measured (voxels)")
    min_linearity: float = Field(0.95, ge=0, le=1, description="Smallest linearity (l1 - l2) / l1 inside a track")
    link_distance: float = Field(2.5, gt=0, description="Linear voxels this near belong to one segment (voxels)")
    min_length: float = Field(12.0, ge=0, description="Shortest segment that can be a track (voxels)")
    min_fraction: float = Field(
        0.5,
        ge=0,
        le=1,
        description="Smallest share of such segments in a connected set of voxels for them to be tracks",
    )
    long_length: float = Field(80.0, ge=0, description="A segment this long is a track in any case (voxels)")
    grow_distance: float = Field(3.0, ge=0, description="Voxels this near to a track join it (voxels)")
    max_fill: int = Field(60, ge=0, description="Largest rest that joins the track which it touches (number of voxels)")
    min_shower: int = Field(10, ge=1, description="Smallest connected rest that is a shower (number of voxels)")
    halo: float = Field(
        100.0, ge=0, description="Smaller rests this near to a shower belong to showers, others are low-energy (voxels)"
    )


@provider("segmentation", "geometric", requires=("data",), provides=("seg_pred",))
def geometric(event: Event, cfg: GeometricSegmentation) -> Result:
    """Class of each voxel from local shape; see `geometric_classes`."""
    coords = image_of(event).coords
    order = voxel_order(coords)
    classes = np.empty(len(coords), dtype=np.int64)
    classes[order] = geometric_classes(np.asarray(coords[order], dtype=np.float64), cfg)
    return {"seg_pred": classes}


def geometric_classes(points: FloatArray, cfg: GeometricSegmentation) -> IntArray:
    """Track, shower or low-energy class of each voxel.

    Voxels in line-like surroundings form segments; long segments, and those that make up most of the voxels which
    touch each other, are tracks. Tracks take in what is next to them and small rests (vertices, short branches).
    Larger rests are showers, and so are crumbs around them; all other crumbs are low-energy.

    Parameters
    ----------
    points : (n, 3) float64
        Voxels.
    cfg : GeometricSegmentation

    Returns
    -------
    (n,) int64
        Values of `Shape`.
    """
    if len(points) == 0:
        return np.empty(0, dtype=np.int64)
    track = _track_cores(points, cfg)
    track |= _near(points, track, cfg.grow_distance)
    track |= _small_rests(points, track, cfg.max_fill)
    shower = _large_rests(points, track, cfg.min_shower)
    shower |= ~track & _near(points, shower, cfg.halo)
    return np.select([track, shower], [int(Shape.TRACK), int(Shape.SHOWER)], int(Shape.LOWE))


def _near(points: FloatArray, chosen: BoolArray, distance: float) -> BoolArray:
    """Voxels at most so far from a chosen one."""
    nearest, _ = nearest_neighbours(points[chosen], points)
    near: BoolArray = nearest[:, 0] <= distance
    return near


def _labels(points: FloatArray, chosen: BoolArray, distance: float) -> IntArray:
    """Number of the connected set of each chosen voxel, -1 for the others."""
    labels = np.full(len(points), -1, dtype=np.int64)
    labels[chosen] = dbscan(points[chosen], distance)
    return labels


def _extents(points: FloatArray, labels: IntArray) -> FloatArray:
    """Diagonal of the box around each labelled set; one entry at least, so that -1 can index it."""
    count = max(int(labels.max(initial=-1)) + 1, 1)
    lower, upper = np.full((count, 3), np.inf), np.full((count, 3), -np.inf)
    np.minimum.at(lower, labels[labels >= 0], points[labels >= 0])
    np.maximum.at(upper, labels[labels >= 0], points[labels >= 0])
    extents: FloatArray = np.linalg.norm(np.maximum(upper - lower, 0.0), axis=1)
    return extents


def _small_rests(points: FloatArray, track: BoolArray, max_size: int) -> BoolArray:
    """Voxels outside tracks in connected sets that touch a track and are not larger than so many voxels."""
    rest = np.flatnonzero(~track)
    labels = dbscan(points[rest], TOUCH)
    touches = np.bincount(labels, weights=_near(points, track, TOUCH)[rest]) > 0
    small: BoolArray = np.zeros(len(points), dtype=np.bool_)
    small[rest] = (touches & (np.bincount(labels) <= max_size))[labels]
    return small


def _large_rests(points: FloatArray, track: BoolArray, min_size: int) -> BoolArray:
    """Voxels outside tracks in connected sets of at least so many voxels."""
    rest = np.flatnonzero(~track)
    labels = dbscan(points[rest], TOUCH)
    large: BoolArray = np.zeros(len(points), dtype=np.bool_)
    large[rest] = (np.bincount(labels) >= min_size)[labels]
    return large


def _track_cores(points: FloatArray, cfg: GeometricSegmentation) -> BoolArray:
    """Voxels of segments that are long, or that make up most of what they are connected to."""
    linear = local_linearity(points, cfg.radius) > cfg.min_linearity
    segments = _labels(points, linear, cfg.link_distance)
    lengths = np.where(linear, _extents(points, segments)[segments], 0.0)
    core: BoolArray = lengths >= max(cfg.min_length, 1e-9)
    whole = dbscan(points, TOUCH)
    share = np.bincount(whole, weights=core) / np.bincount(whole)
    return core & ((share[whole] >= cfg.min_fraction) | (lengths >= cfg.long_length))
