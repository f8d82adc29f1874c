"""Volumes reduced by margins, and whether sets of points lie inside."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import ArrayLike

from spine.errors import ConfigError
from spine.geometry.detector import Detector
from spine.ops.arrays import BoolArray, FloatArray, NumberArray, RealArray
from spine.ops.segments import segment_max

__all__ = ["Margin", "VolumeMode", "Volumes", "contained", "contained_by_source", "margins", "volumes_of"]

VolumeMode: TypeAlias = Literal["detector", "module", "tpc", "source"]
Margin: TypeAlias = float | tuple[float, float, float] | tuple[tuple[float, float], ...]


@dataclass(frozen=True, eq=False)
class Volumes:
    """Volumes that count as inside.

    Parameters
    ----------
    boxes : (V, 3, 2) float64
        Lower and upper bounds, cm.
    by_source : bool
        The box of an object spans the drift volumes that contributed to it, one box per drift volume is given.
    normals : (L, 3) float64
        Planes that cut corners off: inside has ``normal . point < bounds``.
    bounds : (L,) float64
    """

    boxes: FloatArray
    by_source: bool
    normals: FloatArray
    bounds: FloatArray


def margins(margin: ArrayLike) -> FloatArray:
    """(3, 2) margin at each wall from one number, one per axis, or two per axis.

    Raises
    ------
    ConfigError
        When it has another shape.
    """
    values = np.asarray(margin, dtype=np.float64)
    if values.shape == (3,):
        values = values[:, None]
    elif values.shape not in ((), (3, 2)):
        raise ConfigError(
            "a margin is one length, one per axis, or two per axis", got=np.shape(margin), expected="(), (3,) or (3, 2)"
        )
    return np.broadcast_to(values, (3, 2)).copy()


def volumes_of(
    detector: Detector,
    margin: ArrayLike,
    cathode_margin: float | None = None,
    mode: VolumeMode = "module",
    limits: bool = True,
) -> Volumes:
    """Reduce the volumes of a detector by margins.

    Parameters
    ----------
    detector : Detector
    margin : array_like
        See `margins`, cm.
    cathode_margin : float, optional
        Margin at the cathode instead, cm; only for ``tpc`` and ``source``.
    mode : {'detector', 'module', 'tpc', 'source'}
        What has walls: everything together, each module, each drift volume, or the drift volumes that contributed.
    limits : bool
        Heed the planes that cut corners off.

    Raises
    ------
    ConfigError
        When the margins make no sense for the detector or the mode.
    """
    reduce = margins(margin)
    per_tpc = mode in ("tpc", "source")
    boxes = {"detector": detector.box[None], "module": detector.modules}.get(mode, detector.tpcs).copy()
    boxes[:, :, 0] += reduce[:, 0]
    boxes[:, :, 1] -= reduce[:, 1]
    if cathode_margin is not None:
        if not per_tpc:
            raise ConfigError("a cathode margin needs walls per drift volume", got=mode, expected="tpc or source")
        rows, axes, sides = np.arange(len(boxes)), detector.drift_axes, detector.cathode_sides
        boxes[rows, axes, sides] = detector.cathodes + np.where(sides == 0, cathode_margin, -cathode_margin)
    count = len(detector.limit_bounds) if limits else 0
    if count and (reduce != reduce[0, 0]).any():
        raise ConfigError(
            "the detector has slanted limits, for which only one margin for all walls makes sense", got=reduce.tolist()
        )
    return Volumes(
        boxes, mode == "source", detector.limit_normals[:count], detector.limit_bounds[:count] - reduce[0, 0]
    )


def contained(volumes: Volumes, points: RealArray, offsets: NumberArray) -> BoolArray:
    """Whether all points of each object lie strictly inside one volume.

    Parameters
    ----------
    volumes : Volumes
        Not by source.
    points : (N, 3) float array
        Points of the objects, one object after the other, cm.
    offsets : (n + 1,) int array

    Returns
    -------
    (n,) bool array
        True for objects without points.
    """
    return _inside(volumes, volumes.boxes, points, offsets)


def contained_by_source(
    detector: Detector,
    volumes: Volumes,
    points: RealArray,
    offsets: NumberArray,
    sources: NumberArray,
    allow_multi_module: bool = False,
) -> BoolArray:
    """Whether all points of each object lie in the box that spans the drift volumes which contributed to it.

    Parameters
    ----------
    detector : Detector
    volumes : Volumes
        By source.
    points, offsets
        See `contained`.
    sources : (N, 2) int array
        Module and TPC of each point.
    allow_multi_module : bool
        If not, an object from several modules is not contained.

    Returns
    -------
    (n,) bool array
        True for objects without points.
    """
    rows = detector.tpc_rows(sources)
    spans = np.stack(
        [-segment_max(-volumes.boxes[rows, :, 0], offsets), segment_max(volumes.boxes[rows, :, 1], offsets)], axis=-1
    )
    inside = _inside(volumes, spans[:, None], points, offsets)
    if allow_multi_module:
        return inside
    modules = np.asarray(sources[:, 0], dtype=np.int64)
    single: BoolArray = segment_max(modules, offsets) == -segment_max(-modules, offsets, fill=1)
    return np.asarray(inside & single, dtype=np.bool_)


def _inside(volumes: Volumes, boxes: FloatArray, points: RealArray, offsets: NumberArray) -> BoolArray:
    """Compare the bounds of each object with (V, 3, 2) boxes, or with its own (n, V, 3, 2) ones."""
    cloud = np.asarray(points, dtype=np.float64)
    lower, upper = -segment_max(-cloud, offsets), segment_max(cloud, offsets)
    above = lower[:, None] > boxes[..., 0]
    below = upper[:, None] < boxes[..., 1]
    inside = np.any(np.all(np.logical_and(above, below), axis=2), axis=1)
    if len(volumes.bounds):
        inside &= np.all(segment_max(cloud @ volumes.normals.T, offsets) < volumes.bounds, axis=1)
    return np.asarray(inside | (np.diff(offsets) == 0), dtype=np.bool_)
