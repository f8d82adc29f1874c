"""Profiles of electromagnetic showers in liquid argon, and the energy of a shower that leaves the detector.

Two longitudinal profiles: ``gp``, G. Grindhammer and S. Peters (hep-ex/0001020), for homogeneous media and energies
over 1 GeV; ``lar``, the same gamma distribution with logarithmic growth of its parameters, as fitted by the SPINE
authors to simulated electrons in liquid argon. The transverse profile is that of Grindhammer and Peters. The
angular profile is a Stacy distribution after arXiv:2303.10226 with parameters fitted by the SPINE authors.
Energies in MeV, lengths in cm, angles in radians.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import minimize_scalar
from scipy.special import gammaincinv, gammaln

from spine.errors import DataError
from spine.ops.arrays import FloatArray, RealArray
from spine.physics.constants import LIQUID_ARGON

__all__ = [
    "LongitudinalModel",
    "ShowerFit",
    "TransverseShape",
    "angular_parameters",
    "angular_profile",
    "angular_quantile",
    "box_shares",
    "energy_density",
    "fit_shower_energy",
    "longitudinal_maximum",
    "longitudinal_parameters",
    "longitudinal_profile",
    "longitudinal_quantile",
    "place_points",
    "transverse_profile",
    "transverse_shape",
]

LongitudinalModel: TypeAlias = Literal["lar", "gp"]

X0 = LIQUID_ARGON.radiation_length
Z = LIQUID_ARGON.atomic_number


class TransverseShape(NamedTuple):
    """Radii of core and tail in cm, and the share of the core."""

    core: FloatArray
    tail: FloatArray
    share: FloatArray


@dataclass(frozen=True)
class ShowerFit:
    """How the energy of a shower is fitted.

    Parameters
    ----------
    count : int
        Points that stand for the shower.
    floor : float
        Uncertainty added to that of the sampling in each box, MeV.
    bounds : (float, float)
        Energies searched, MeV.
    tolerance : float
        MeV.
    model : {'lar', 'gp'}
    seed : int
    """

    count: int = 10_000
    floor: float = 1.0
    bounds: tuple[float, float] = (1.0, 1.0e4)
    tolerance: float = 1.0
    model: LongitudinalModel = "lar"
    seed: int = 12345


def longitudinal_maximum(energy: float, model: LongitudinalModel = "lar") -> float:
    """Return the depth of the shower maximum, cm (not positive for ``gp`` under 78 MeV)."""
    y = energy / LIQUID_ARGON.critical_energy
    if model == "gp":
        return float(np.log(y) - 0.858) * X0
    return float(0.689 * np.log(1 + 0.305 * y**1.68)) * X0


def longitudinal_parameters(energy: float, model: LongitudinalModel = "lar") -> tuple[float, float]:
    """Return shape a and rate b (per radiation length) of the gamma distribution of depths.

    NaN where the model does not hold (a not over 1, or no maximum).
    """
    y = energy / LIQUID_ARGON.critical_energy
    if model == "gp":
        shape = 0.21 + (0.492 + 2.38 / Z) * float(np.log(y))
    else:
        shape = 1.4 + 0.083 * float(np.logaddexp(0.0, np.log(0.21) + 7.83 * np.log(y)))
    depth = longitudinal_maximum(energy, model) / X0
    good = shape > 1 and depth > 0
    return (shape, (shape - 1) / depth) if good else (float("nan"), float("nan"))


def longitudinal_profile(depth: ArrayLike, energy: float, model: LongitudinalModel = "lar") -> FloatArray:
    """Return the energy per length (MeV/cm) at a depth (cm); 0 before the start."""
    shape, rate = longitudinal_parameters(energy, model)
    t = rate * np.maximum(np.asarray(depth, dtype=np.float64), 0.0) / X0
    density = np.power(t, shape - 1) * np.exp(-t - gammaln(shape))
    return np.asarray(energy * rate / X0 * density)


def longitudinal_quantile(energy: float, share: float | RealArray, model: LongitudinalModel = "lar") -> FloatArray:
    """Return the depth (cm) before which a share of the energy is deposited."""
    shape, rate = longitudinal_parameters(energy, model)
    return np.asarray(gammaincinv(shape, share) / rate * X0, dtype=np.float64)


def transverse_shape(depth: ArrayLike, energy: float) -> TransverseShape:
    """Return the radii of core and tail at a depth in cm (Grindhammer and Peters, appendix A.1).

    Made for energies over 1 GeV; under 78 MeV, where their shower has no maximum, the radii are without bound.
    """
    maximum = max(longitudinal_maximum(energy, "gp") / X0, 1e-6)
    tau = np.asarray(depth, dtype=np.float64) / X0 / maximum
    log_gev = float(np.log(max(energy / 1e3, 1e-6)))
    core = 0.0251 + 0.00319 * log_gev + (0.1162 - 0.000381 * Z) * tau
    fall = np.exp(np.minimum(-2.59 * (tau - 0.645), 80.0))
    rise = np.exp(np.minimum((0.3585 + 0.0421 * log_gev) * (tau - 0.645), 80.0))
    tail = (0.659 - 0.00309 * Z) * (fall + rise)
    place = (0.401 + 0.00187 * Z - tau) / (1.313 - 0.0686 * log_gev)
    share = (2.632 - 0.00094 * Z) * np.exp(place - np.exp(np.minimum(place, 700.0)))
    radii = [np.maximum(radius * LIQUID_ARGON.moliere_radius, 1e-6) for radius in (core, tail)]
    return TransverseShape(radii[0], radii[1], np.clip(share, 0.0, 1.0))


def transverse_profile(radius: ArrayLike, depth: ArrayLike, energy: float) -> FloatArray:
    """Return the probability per radius (1/cm) of the distance from the axis (cm) at a depth (cm)."""
    r = np.asarray(radius, dtype=np.float64)
    core, tail, share = transverse_shape(depth, energy)
    parts = [2 * r * width**2 / (r**2 + width**2) ** 2 for width in (core, tail)]
    return np.asarray(share * parts[0] + (1 - share) * parts[1])


def energy_density(
    points: RealArray, start: RealArray, direction: RealArray, energy: float, model: LongitudinalModel = "lar"
) -> FloatArray:
    """Return the energy per volume (N,) (MeV/cm^3) of a shower at (N, 3) points (cm).

    The direction may have any length but 0. On the axis the value is that 1e-6 cm beside it.
    """
    axis = _unit(direction)
    lines = np.asarray(points, dtype=np.float64) - start
    depth = lines @ axis
    radius = np.maximum(np.linalg.norm(lines - depth[:, None] * axis, axis=1), 1e-6)
    across = transverse_profile(radius, depth, energy) / (2 * np.pi * radius)
    return np.asarray(longitudinal_profile(depth, energy, model) * across)


def _unit(direction: RealArray) -> FloatArray:
    axis: FloatArray = np.asarray(direction, dtype=np.float64)
    size = float(np.linalg.norm(axis))
    if not size > 0:
        raise DataError("a shower needs a direction", got=direction, expected="a vector that is not zero")
    return axis / size


def angular_parameters(energy: float) -> tuple[float, float, float]:
    """Return the parameters a, b (radians) and c of the Stacy distribution of angles."""
    y = energy / LIQUID_ARGON.critical_energy
    mode = 0.192 * float(np.log(1 + 2.131 * y**-0.71))
    a = 1.49 + 0.0958 * float(np.log(1 + 1.53 * y**2.63))
    c = 1.22 - 0.017 * float(np.logaddexp(0.0, np.log(8.05) + 8.94 * np.log(y)))
    return a, mode * ((a - 1) / c) ** (-1 / c), c


def angular_profile(angle: ArrayLike, energy: float) -> FloatArray:
    """Return the probability per angle (1/rad) of the angle (rad) to the axis seen from the start."""
    a, b, c = angular_parameters(energy)
    x = np.asarray(angle, dtype=np.float64) / b
    return np.asarray(c / b * np.power(x, a - 1) * np.exp(-np.power(x, c) - gammaln(a / c)))


def angular_quantile(energy: float, share: float | RealArray) -> FloatArray:
    """Return the angle (rad) within which a share of the energy lies."""
    a, b, c = angular_parameters(energy)
    return np.asarray(b * gammaincinv(a / c, share) ** (1 / c), dtype=np.float64)


def place_points(
    uniforms: RealArray,
    start: RealArray,
    direction: RealArray,
    energy: float,
    model: LongitudinalModel = "lar",
) -> FloatArray:
    """Turn (N, 4) uniform random numbers into (N, 3) points (cm) distributed like the energy of a shower.

    The columns, in [0, 1), stand for depth, core or tail, radius and azimuth. The same numbers at another energy
    give points that move smoothly with it, except between core and tail.
    """
    axis = _unit(direction)
    side = np.cross(axis, [0.0, 0.0, 1.0] if abs(axis[2]) < 0.9 else [0.0, 1.0, 0.0])
    side /= np.linalg.norm(side)
    depth = longitudinal_quantile(energy, uniforms[:, 0], model)
    core, tail, share = transverse_shape(depth, energy)
    radius = np.where(uniforms[:, 1] < share, core, tail) * np.sqrt(uniforms[:, 2] / (1 - uniforms[:, 2]))
    azimuth = 2 * np.pi * uniforms[:, 3]
    across = np.cos(azimuth)[:, None] * side + np.sin(azimuth)[:, None] * np.cross(axis, side)
    return np.asarray(start + depth[:, None] * axis + radius[:, None] * across)


def box_shares(points: RealArray, boxes: RealArray) -> FloatArray:
    """Return the share of (N, 3) points in each of (B, 3, 2) boxes, lower faces included, (B,) float64."""
    edges = np.asarray(boxes, dtype=np.float64)
    inside = [((points >= box[:, 0]) & (points < box[:, 1])).all(axis=1).sum() for box in edges]
    return np.array(inside, dtype=np.float64) / max(len(points), 1)


def fit_shower_energy(
    energies: RealArray,
    boxes: RealArray,
    start: RealArray,
    direction: RealArray,
    options: ShowerFit | None = None,
) -> float:
    """Return the energy (MeV) of a shower from what it leaves in each active box.

    Parameters
    ----------
    energies : (B,) float array
        Energy reconstructed in each box, MeV.
    boxes : (B, 3, 2) float array, cm
        Lower and upper bound along each axis.
    start, direction : (3,) float arrays
        cm, and a vector of any length but 0.
    options : ShowerFit, optional

    Notes
    -----
    The least sum over boxes of (seen - expected)^2 / (floor^2 + sampling variance), looked for on a grid first
    because the sum has minima at high energy. NaN if start, direction or boxes are missing.
    """
    options = options or ShowerFit()
    seen = np.asarray(energies, dtype=np.float64)
    if len(seen) == 0 or not (np.isfinite(start).all() and np.isfinite(direction).all()):
        return float("nan")
    uniforms = np.random.default_rng(options.seed).random((options.count, 4))

    def chi2(energy: float) -> float:
        shares = box_shares(place_points(uniforms, start, direction, energy, options.model), boxes)
        variance = options.floor**2 + energy**2 * shares / options.count
        return float(np.sum((seen - energy * shares) ** 2 / variance))

    grid = np.geomspace(*options.bounds, 33)
    best = int(np.argmin([chi2(float(energy)) for energy in grid]))
    near = (grid[max(best - 1, 0)], grid[min(best + 1, 32)])
    found = minimize_scalar(chi2, bounds=near, method="bounded", options={"xatol": options.tolerance})
    return float(found.x)
