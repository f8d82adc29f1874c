"""Multiple Coulomb scattering: expected angles, measured angles, and the energy that fits them best."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import ArrayLike

from spine.errors import DataError
from spine.ops.arrays import FloatArray, NumberArray, RealArray
from spine.ops.segments import check_offsets, lengths_to_offsets, offsets_to_owners
from spine.physics.constants import LIQUID_ARGON, Medium
from spine.physics.energy_loss import energies_along_track
from spine.physics.scattering_fit import fit_many

__all__ = [
    "AngleMethod",
    "ScatteringModel",
    "fit_kinetic_energies",
    "fit_kinetic_energy",
    "highland",
    "negative_log_likelihood",
    "projected_angles",
    "scattering_angles",
    "split_angles",
]

AngleMethod: TypeAlias = Literal["cos", "atan2", "kahan"]


@dataclass(frozen=True)
class ScatteringModel:
    """How scattering angles between segments are distributed.

    Parameters
    ----------
    step : float
        Length of a segment, cm.
    resolution, exponent : float
        Angular resolution of a segment, ``resolution / step**exponent`` in rad.
    tail_weight, tail_scale : float
        Weight and width, relative to the main one, of a second component of the resolution; no weight, no
        second component.
    medium : Medium
    parts : int
        Sub-steps in which the energy loss along a segment is followed.
    """

    step: float = 5.0
    resolution: float = 0.25
    exponent: float = 1.25
    tail_weight: float = 0.0
    tail_scale: float = 2.25
    medium: Medium = LIQUID_ARGON
    parts: int = 1


def highland(
    momentum: ArrayLike, mass: float, step: float, charge: float = 1.0, medium: Medium = LIQUID_ARGON
) -> FloatArray:
    """Return the width of the projected scattering angle in rad (Highland, Lynch and Dahl; PDG eq. 34.16).

    ``momentum`` in MeV/c, ``step`` (thickness) in cm; NaN without a positive momentum.
    """
    p = np.asarray(momentum, dtype=np.float64)
    p = np.where(p > 0, p, np.nan)
    beta = p / np.sqrt(p**2 + mass**2)
    depth = step / medium.radiation_length
    logarithm = 1 + 0.038 * np.log(charge**2 * depth / beta**2)
    result: FloatArray = 13.6 * charge / (beta * p) * np.sqrt(depth) * logarithm
    return result


def scattering_angles(directions: RealArray, method: AngleMethod = "atan2") -> FloatArray:
    """Return the angles between successive (N, 3) unit vectors, (max(N - 1, 0),) float64, rad in [0, pi].

    ``method``: 'cos', arc cosine of the product (loses digits near 0); 'atan2', arc tangent of cross and dot
    product; 'kahan', 2 atan(norm(a - b) / norm(a + b)) after W. Kahan.
    """
    rays: FloatArray = np.asarray(directions, dtype=np.float64).reshape(-1, 3)
    first, second = rays[:-1], rays[1:]
    dot = np.sum(first * second, axis=1)
    if method == "cos":
        angles = np.arccos(np.clip(dot, -1, 1))
    elif method == "kahan":
        across, ahead = np.linalg.norm(first - second, axis=1), np.linalg.norm(first + second, axis=1)
        angles = 2 * np.arctan2(across, ahead)
    elif method == "atan2":
        angles = np.arctan2(np.linalg.norm(np.cross(first, second), axis=1), dot)
    else:
        raise DataError("unknown angle method", got=method, expected=("cos", "atan2", "kahan"))
    return np.asarray(angles)


def projected_angles(directions: RealArray) -> FloatArray:
    """Return the signed angles between successive (N, 3) directions projected along x, y and z.

    (max(N - 1, 0), 3) float64, rad in [-pi, pi], in the planes yz, zx and xy; NaN where a projection vanishes.
    """
    rays: FloatArray = np.asarray(directions, dtype=np.float64).reshape(-1, 3)
    first, second = rays[:-1], rays[1:]
    cross = np.cross(first, second)
    products = first * second
    dot = products.sum(axis=1, keepdims=True) - products
    return np.where((cross == 0) & (dot == 0), np.nan, np.arctan2(cross, dot))


def split_angles(angles: ArrayLike, rng: np.random.Generator) -> tuple[FloatArray, FloatArray]:
    """Split (N,) angles in space (rad, in [0, pi]) into two projected ones a and b with a random azimuth.

    sin^2 a + sin^2 b = sin^2 angle; both are over pi / 2 in size when the angle is.
    """
    theta = np.asarray(angles, dtype=np.float64)
    azimuth = rng.uniform(0, 2 * np.pi, theta.shape)
    parts = [np.arcsin(f(azimuth) * np.sin(theta)) for f in (np.sin, np.cos)]
    backward = theta > np.pi / 2
    return np.where(backward, np.pi - parts[0], parts[0]), np.where(backward, np.pi - parts[1], parts[1])


def negative_log_likelihood(ke: float, angles: RealArray, mass: float, model: ScatteringModel) -> float:
    """Return minus the log-likelihood of a series of angles, up to a constant.

    ``ke`` is the kinetic energy (MeV) at the start of the series, ``angles`` (N,) are those in space between
    successive segments (rad, Rayleigh distributed). Infinite if the particle stops on the way, NaN for no angles.
    """
    theta = np.asarray(angles, dtype=np.float64)
    if len(theta) == 0:
        return float("nan")
    energies = energies_along_track(ke, mass, model.step, len(theta), model.medium, model.parts)
    if energies[-1] <= 0:
        return float("inf")
    momenta = np.sqrt(energies * (energies + 2 * mass))
    width = highland(np.sqrt(momenta[1:] * momenta[:-1]), mass, model.step, medium=model.medium)
    blur = model.resolution / model.step**model.exponent
    first = _log_rayleigh(theta, np.hypot(width, blur))
    if model.tail_weight > 0:
        second = _log_rayleigh(theta, np.hypot(width, blur * model.tail_scale))
        first = np.logaddexp(first, np.log(model.tail_weight) + second)
    return -float(np.sum(first))


def _log_rayleigh(theta: FloatArray, width: FloatArray) -> FloatArray:
    ratio: FloatArray = theta / width
    return np.asarray(-0.5 * ratio**2 - 2 * np.log(width))


def fit_kinetic_energy(
    angles: RealArray,
    mass: float,
    model: ScatteringModel | None = None,
    bounds: tuple[float, float] = (10.0, 1.0e5),
    keep_invalid: bool = False,
) -> float:
    """Return the kinetic energy (MeV) at the start of a track that fits its (N,) scattering angles best.

    See `fit_kinetic_energies`; NaN for no angles.
    """
    theta = np.asarray(angles, dtype=np.float64)
    found = fit_kinetic_energies(theta, np.array([0, len(theta)]), np.array([mass]), model, bounds, keep_invalid)
    return float(found[0])


def fit_kinetic_energies(
    angles: RealArray,
    offsets: NumberArray,
    masses: RealArray,
    model: ScatteringModel | None = None,
    bounds: tuple[float, float] = (10.0, 1.0e5),
    keep_invalid: bool = False,
) -> FloatArray:
    """Return the kinetic energy (MeV) at the start of n tracks that fits their scattering angles best, (n,) float64.

    Parameters
    ----------
    angles, offsets : (N,) float array, (n + 1,) int array
        Angles in space between successive segments, rad; NaN are left out.
    masses : (n,) float array
        MeV/c^2.
    model : ScatteringModel, optional
    bounds : (float, float)
        Energies searched, MeV; DataError unless they are finite and rise from 0 or more.
    keep_invalid : bool
        Return the last point of the search even when it failed or ended on a bound (angles compatible with no
        scattering at all), which otherwise gives NaN, as do no angles.
    """
    low, high = bounds
    if not (0 <= low < high < np.inf):
        raise DataError("the energy bounds must rise", got=bounds, expected="0 <= low < high < infinity")
    theta: FloatArray = np.asarray(angles, dtype=np.float64)
    known = np.isfinite(theta)
    owners = offsets_to_owners(check_offsets(offsets, len(theta)))[known]
    ends = lengths_to_offsets(np.bincount(owners, minlength=len(masses)))
    model = model or ScatteringModel()
    blur = np.array([model.resolution / model.step**model.exponent, model.tail_weight, model.tail_scale])
    path = np.array([model.step, float(model.parts)])
    limits = np.array(bounds, dtype=np.float64)
    best, good = fit_many(theta[known], ends, np.asarray(masses, np.float64), (blur, path, model.medium), limits)
    at_bound = np.isclose(best[:, None], limits, rtol=1e-5, atol=1e-8).any(axis=1)
    return np.where(good & ~at_bound, best, np.nan) if not keep_invalid else best
