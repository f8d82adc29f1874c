"""Displacement of points by a field that is not uniform, as a stage of the calibration."""

from __future__ import annotations

from typing import Literal, Self

import numpy as np
from pydantic import Field, model_validator

from spine.calib.hits import Hits
from spine.calib.maps import Bounds, FieldMap, read_field_map
from spine.calib.stages import Stage
from spine.errors import ConfigError
from spine.geometry import Detector
from spine.ops.arrays import BoolArray, FloatArray, IntArray

__all__ = ["FieldStage"]


class FieldStage(Stage):
    """Moves points to where the charge was set free."""

    map_file: str = Field(description="ROOT file with the displacements (cm)")
    map_prefix: str = Field("TrueFwd_Displacement", description="Histograms are PREFIX_X, PREFIX_Y, PREFIX_Z")
    map_suffix: str = Field("", description="Further part of the names of the histograms")
    map_suffixes: tuple[str, ...] | None = Field(None, description="Suffixes of several maps, one per region")
    map_selection_axis: Literal[0, 1, 2] = Field(0, description="Coordinate by which the map is chosen")
    map_selection_boundaries: tuple[float, ...] = Field((), description="Bounds between the regions, rising (cm)")
    scale: float = Field(1.0, description="Factor on the displacements; -1 to subtract them")
    bounds: Bounds = Field("zero", description="Outside of the map: no displacement, that of the edge, or an error")

    @model_validator(mode="after")
    def _check(self) -> Self:
        regions = len(self.map_suffixes or ("",))
        if self.map_suffixes is not None and (self.map_suffix or regions < 2):
            raise ValueError("map_suffixes are several, and stand instead of map_suffix")
        if len(self.map_selection_boundaries) != regions - 1 or (np.diff(self.map_selection_boundaries) <= 0).any():
            raise ValueError("map_selection_boundaries rise, and are one fewer than map_suffixes")
        return self

    def forward(self, hits: Hits) -> FloatArray:
        """Values do not change."""
        return hits.values

    def moved(self, hits: Hits) -> FloatArray:
        """(n, 3) where the charge was set free, cm.

        Raises
        ------
        ConfigError
            When the map belongs to none of the modules.
        """
        modules = hits.detector.module_ids[hits.tpcs]
        region = np.searchsorted(self.map_selection_boundaries, hits.points[:, self.map_selection_axis], side="right")
        shift = np.zeros_like(hits.points)
        for i, suffix in enumerate(self.map_suffixes or (self.map_suffix,)):
            found = read_field_map(self.map_file, self.map_prefix, suffix)
            for module in np.unique(modules[region == i]):
                here = (region == i) & (modules == module)
                shift[here] = self._shifts(found, hits.detector, int(module), hits.points[here])
        return hits.points + self.scale * shift

    def _shifts(self, field: FieldMap, detector: Detector, module: int, points: FloatArray) -> FloatArray:
        """(n, 3) displacements in a module, by that of an equal or mirrored one where the map does not reach it."""
        covered = np.flatnonzero(_overlap(detector.modules, field.ranges))
        if module in covered:
            return field.at(points, self.bounds)
        source = _equivalent(detector, module, covered)
        signs = _mirrors(detector, source, module)
        centers = detector.modules.mean(axis=2)
        inside = signs * (points - centers[module]) + centers[source]
        return signs * field.at(inside, self.bounds)


def _overlap(boxes: FloatArray, ranges: FloatArray) -> BoolArray:
    gaps = np.minimum(boxes[:, :, 1], ranges[:, 1]) - np.maximum(boxes[:, :, 0], ranges[:, 0])
    return np.asarray((gaps > 0).all(axis=1))


def _mirrors(detector: Detector, source: int, target: int) -> FloatArray:
    """(3,) -1 for coordinates in which two modules mirror each other at the middle of the detector."""
    first, second = detector.modules[[source, target]].mean(axis=2)
    middle = detector.box.mean(axis=1)
    mirrored = np.isclose(first + second, 2 * middle) & ~np.isclose(first, second)
    return np.where(mirrored, -1.0, 1.0)


def _equivalent(detector: Detector, module: int, covered: IntArray) -> int:
    """The covered module of the same size that mirrors in most coordinates, else the nearest to the mirror image."""
    sizes = detector.modules[:, :, 1] - detector.modules[:, :, 0]
    like = [int(m) for m in covered if np.allclose(sizes[m], sizes[module])]
    if not like:
        raise ConfigError("the map of the field belongs to none of the modules", where="calibration.field", got=module)
    centers = detector.modules.mean(axis=2)
    image = 2 * detector.box.mean(axis=1) - centers[module]
    ranks = [
        (-int((_mirrors(detector, m, module) < 0).sum()), float(np.linalg.norm(centers[m] - image)), m) for m in like
    ]
    return min(ranks)[-1]
