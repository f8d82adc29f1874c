"""Immutable description of a detector. Boxes are arrays (..., 3, 2) of lower and upper bounds in cm."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np

from spine.ops.arrays import FloatArray, IntArray, NumberArray, RealArray

__all__ = ["Detector", "Optical", "Tagger", "bounding_box"]


def bounding_box(boxes: FloatArray) -> FloatArray:
    """(3, 2) box around (n, 3, 2) boxes."""
    return np.stack([boxes[:, :, 0].min(axis=0), boxes[:, :, 1].max(axis=0)], axis=1)


@dataclass(frozen=True, eq=False)
class Optical:
    """Light sensors.

    Parameters
    ----------
    volume : {'tpc', 'module'}
        What one optical volume is.
    positions : (V, P, 3) float64
        Centres of the sensors in each volume, cm.
    sizes : (S, 3) float64
        Full sizes by shape, cm.
    shapes : tuple of str
        ``ellipsoid``, ``box`` or ``disk``.
    shape_ids : (P,) int64
        Shape of each sensor of a volume.
    det_ids : (C,) int64, optional
        Sensor that each channel of a volume reads.
    global_index : bool
        Channel numbers count over all volumes.
    """

    volume: Literal["tpc", "module"]
    positions: FloatArray
    sizes: FloatArray
    shapes: tuple[str, ...]
    shape_ids: IntArray
    det_ids: IntArray | None = None
    global_index: bool = False

    @cached_property
    def box(self) -> FloatArray:
        """(3, 2) box around all sensors."""
        half = self.sizes[self.shape_ids] / 2
        sensors = np.stack([self.positions - half, self.positions + half], axis=-1)
        return bounding_box(sensors.reshape(-1, 3, 2))


@dataclass(frozen=True, eq=False)
class Tagger:
    """Planes of the cosmic-ray tagger.

    Parameters
    ----------
    boxes : (C, 3, 2) float64
        Bounds of each plane, cm.
    normals : (C,) int64
        Axis to which each plane is perpendicular.
    logical_ids : (C,) int64, optional
        Number by which hits name each plane.
    """

    boxes: FloatArray
    normals: IntArray
    logical_ids: IntArray | None = None

    @cached_property
    def box(self) -> FloatArray:
        """(3, 2) box around all planes."""
        return bounding_box(self.boxes)

    def plane_of(self, plane: int, position: FloatArray) -> int:
        """Row of the plane that a hit names, or of the one nearest to its position (3,) where numbers are unknown.

        -1 when no plane has the number.
        """
        if self.logical_ids is not None:
            rows = np.flatnonzero(self.logical_ids == plane)
            return int(rows[-1]) if len(rows) else -1
        outside = np.maximum(self.boxes[:, :, 0] - position, position - self.boxes[:, :, 1])
        return int(np.argmin(np.linalg.norm(np.maximum(outside, 0.0), axis=1)))


@dataclass(frozen=True, eq=False)
class Detector:
    """A detector.

    Parameters
    ----------
    name, tag, version : str
        Which detector, in which variant.
    tpcs : (T, 3, 2) float64
        Bounds of the drift volumes, module after module, cm.
    drifts : (T, 3) float64
        Unit vectors along one axis, from cathode to anode.
    module_ids : (T,) int64
        Module of each drift volume, from 0.
    up : (3,) float64
        Unit vector against gravity.
    det_ids : (D,) int64, optional
        Drift volume, within its module, of each readout TPC.
    limit_normals : (L, 3) float64
        Planes that cut corners off: the active side has ``normal . point < limit_bounds``.
    limit_bounds : (L,) float64
    optical : Optical, optional
    tagger : Tagger, optional
    """

    name: str
    tag: str
    version: str
    tpcs: FloatArray
    drifts: FloatArray
    module_ids: IntArray
    up: FloatArray
    det_ids: IntArray | None
    limit_normals: FloatArray
    limit_bounds: FloatArray
    optical: Optical | None = None
    tagger: Tagger | None = None

    @cached_property
    def modules(self) -> FloatArray:
        """(M, 3, 2) bounds of the modules."""
        return np.stack([bounding_box(self.tpcs[self.module_ids == m]) for m in range(self.module_ids.max() + 1)])

    @cached_property
    def box(self) -> FloatArray:
        """(3, 2) bounds of all drift volumes."""
        return bounding_box(self.tpcs)

    @cached_property
    def drift_axes(self) -> IntArray:
        """(T,) axis of the drift: 0, 1, 2 for x, y, z."""
        axes: IntArray = np.argmax(np.abs(self.drifts), axis=1)
        return axes

    @cached_property
    def cathode_sides(self) -> IntArray:
        """(T,) 0 where the cathode is at the lower bound of the drift axis, 1 at the upper."""
        signs = np.take_along_axis(self.drifts, self.drift_axes[:, None], axis=1)[:, 0]
        return np.asarray(signs < 0, dtype=np.int64)

    @cached_property
    def cathodes(self) -> FloatArray:
        """(T,) position of the cathode along the drift axis, cm."""
        cathodes: FloatArray = self.tpcs[np.arange(len(self.tpcs)), self.drift_axes, self.cathode_sides]
        return cathodes

    @cached_property
    def anodes(self) -> FloatArray:
        """(T,) position of the anode along the drift axis, cm."""
        anodes: FloatArray = self.tpcs[np.arange(len(self.tpcs)), self.drift_axes, 1 - self.cathode_sides]
        return anodes

    @property
    def tpcs_per_module(self) -> int:
        """Drift volumes in the first module."""
        return int((self.module_ids == 0).sum())

    def tpc_rows(self, sources: NumberArray) -> IntArray:
        """(n,) row of the drift volume that (n, 2) module and readout TPC numbers name."""
        tpcs = np.asarray(sources[:, 1], dtype=np.int64)
        local = tpcs if self.det_ids is None else self.det_ids[tpcs]
        rows: IntArray = np.asarray(sources[:, 0], dtype=np.int64) * self.tpcs_per_module + local
        return rows

    def nearest_tpcs(self, points: RealArray) -> IntArray:
        """(n,) row of the drift volume whose centre is nearest to each of (n, 3) points."""
        return _nearest(points, self.tpcs)

    def nearest_modules(self, points: RealArray) -> IntArray:
        """(n,) row of the module whose centre is nearest to each of (n, 3) points."""
        return _nearest(points, self.modules)


def _nearest(points: RealArray, boxes: FloatArray) -> IntArray:
    gaps = np.asarray(points, dtype=np.float64)[:, None] - boxes.mean(axis=2)[None]
    nearest: IntArray = np.argmin((gaps * gaps).sum(axis=2), axis=1)
    return nearest
