"""Scintillation light: how much a deposition gives, and which share of it reaches a sensor directly."""

from __future__ import annotations

from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import ArrayLike

from spine.ops.arrays import FloatArray, RealArray
from spine.physics.constants import LIQUID_ARGON, Medium

__all__ = ["SensorShape", "photon_yield", "solid_angle"]

SensorShape: TypeAlias = Literal["box", "disk", "ellipsoid"]


def photon_yield(
    energy: ArrayLike, recombination: float = 0.65, excitons: float = 0.21, medium: Medium = LIQUID_ARGON
) -> FloatArray:
    """Return the number of photons of energy in MeV, of excited atoms and of electrons that recombine.

    N = E / W (N_ex / N_i + 1 - R), with R the share of electrons that escape (T. Doke et al., Nucl. Instrum. Meth.
    A 269, 291, 1988): some 24,000 per MeV of a minimum ionising particle at 0.5 kV/cm.
    """
    return np.asarray(energy, dtype=np.float64) / medium.pair_energy * (excitons + 1.0 - recombination)


def solid_angle(points: RealArray, center: RealArray, size: RealArray, shape: SensorShape) -> FloatArray:
    """Return the solid angle (n,) under which a sensor appears from (n, 3) points, sr.

    Parameters
    ----------
    points, center : (n, 3), (3,) float array
        cm.
    size : (3,) float array
        Full size along each axis, cm; the sensor faces along the shortest, to both sides.
    shape : {'box', 'disk', 'ellipsoid'}

    Notes
    -----
    Exact for the rectangular face of a box. A disk of area A counts as one of area A cos(theta) that faces the point,
    exact on its axis; an ellipsoid as one of area A (1 + cos(theta)) / 2, the projection of a dome (D. Garcia-Gamez,
    P. Green, A. M. Szelc, Eur. Phys. J. C 81, 349, 2021).
    """
    normal = int(np.argmin(size))
    across = [axis for axis in range(3) if axis != normal]
    away: FloatArray = np.asarray(points, dtype=np.float64).reshape(-1, 3) - np.asarray(center, dtype=np.float64)
    height = np.abs(away[:, normal])
    sides = np.asarray(size, dtype=np.float64)[across] / 2
    if shape == "box":
        return _rectangle(away[:, across], height, sides)
    distance = np.linalg.norm(away, axis=1)
    cosine = np.divide(height, distance, out=np.ones_like(height), where=distance > 0)
    facing = cosine if shape == "disk" else (1 + cosine) / 2
    with np.errstate(divide="ignore"):
        ratio = np.asarray(np.prod(sides) * facing / distance**2)
    return np.asarray(2 * np.pi * (1 - 1 / np.sqrt(1 + ratio)))


def _rectangle(places: FloatArray, height: FloatArray, sides: FloatArray) -> FloatArray:
    """Solid angle of a rectangle around the origin from (n, 2) places at some height above it."""
    safe = np.maximum(height, 1e-9)
    total = np.zeros(len(places))
    for first in (-1, 1):
        for second in (-1, 1):
            x, y = places[:, 0] + first * sides[0], places[:, 1] + second * sides[1]
            total += first * second * np.arctan(x * y / (safe * np.sqrt(x**2 + y**2 + safe**2)))
    return np.abs(total)
