"""Where charge is collected: drift volumes of a detector, or the image as a single one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spine.errors import ConfigError
from spine.geometry import Detector
from spine.sim.config import ImageConfig, ResponseConfig, SimulationConfig

__all__ = ["Volume", "framed", "volume_of"]

Array = NDArray[np.float64]
Index = NDArray[np.int64]
_AXES = {"x": 0, "y": 1, "z": 2}


@dataclass(frozen=True)
class Volume:
    """Drift volumes.

    Attributes
    ----------
    boxes : (T, 3, 2) float64
        Bounds (cm).
    axes : (T,) int64
        Axis of the drift.
    anodes : (T,) float64
        Position of the anode along it (cm).
    """

    boxes: Array
    axes: Index
    anodes: Array

    def rows(self, points: Array) -> Index:
        """Drift volume that holds each of (N, 3) points (cm), -1 for none."""
        row = np.full(len(points), -1, np.int64)
        for i, box in enumerate(self.boxes):
            row[np.all((points >= box[:, 0]) & (points <= box[:, 1]), axis=1)] = i
        return row

    def distances(self, points: Array) -> tuple[Array, Index]:
        """Distance of (N, 3) points to their anode (cm), and axis of their drift; of points outside, to the first."""
        row = np.maximum(self.rows(points), 0)
        axis = self.axes[row]
        return np.abs(points[np.arange(len(points)), axis] - self.anodes[row]), axis


def framed(cfg: SimulationConfig, detector: Detector | None) -> SimulationConfig:
    """The configuration with the image laid around the detector, where it asks for it.

    Raises
    ------
    ConfigError
        The image is to follow the detector, and there is none.
    """
    if cfg.image.frame == "given":
        return cfg
    if detector is None:
        raise ConfigError(
            "the image is to follow the detector, but none is named", where="sim.image.frame", mend="set geo.detector"
        )
    lower, upper = detector.box[:, 0], detector.box[:, 1]
    cells = np.ceil((upper - lower) / cfg.image.voxel_size - 1e-9).astype(int)
    update = {"lower": tuple(lower.tolist()), "cells": tuple(cells.tolist())}
    return cfg.model_copy(update={"image": cfg.image.model_copy(update=update)})


def volume_of(image: ImageConfig, response: ResponseConfig | None, detector: Detector | None) -> Volume | None:
    """Drift volumes of the detector that frames the image, else the image with the drift of the response; or None."""
    if image.frame == "detector" and detector is not None:
        return Volume(detector.tpcs, detector.drift_axes, detector.anodes)
    if response is None:
        return None
    lower = np.array(image.lower)
    box = np.stack([lower, lower + np.array(image.cells) * image.voxel_size], 1)
    axis = _AXES[response.drift_axis]
    return Volume(box[None], np.array([axis]), box[axis, int(response.anode == "upper")][None])
