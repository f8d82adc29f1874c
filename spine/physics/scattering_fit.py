"""Fit of the energy of many tracks to their scattering angles, compiled."""

from __future__ import annotations

import numba
import numpy as np

from spine.ops.arrays import BoolArray, FloatArray, IntArray
from spine.physics.constants import Medium
from spine.physics.energy_loss import stopping_power_of_one

__all__ = ["fit_many"]

GOLDEN = 0.5 * (3.0 - np.sqrt(5.0))
ROOT_EPSILON = np.sqrt(2.2e-16)
TOLERANCE = 1e-5
MOST = 500


@numba.njit(cache=True)
def _loss(ke: float, angles: FloatArray, mass: float, blur: FloatArray, path: FloatArray, medium: Medium) -> float:
    """Minus the log-likelihood of angles; ``blur`` is resolution, tail weight, tail scale; ``path`` step and parts."""
    step, parts = path[0], int(path[1])
    scale = 13.6 * np.sqrt(step / medium.radiation_length)
    depth = np.log(step / medium.radiation_length)
    energy, total = ke, 0.0
    before = energy * (energy + 2.0 * mass)
    for angle in angles:
        for _ in range(parts):
            if energy > 0.0:
                energy = max(0.0, energy - step / parts * stopping_power_of_one(energy, mass, 1.0, medium))
        if energy <= 0.0:
            return np.inf
        after = energy * (energy + 2.0 * mass)
        momentum = np.sqrt(np.sqrt(after) * np.sqrt(before))
        beta = momentum / np.sqrt(momentum * momentum + mass * mass)
        width = scale / (beta * momentum) * (1.0 + 0.038 * (depth - 2.0 * np.log(beta)))
        first = _log_rayleigh(angle, width, blur[0])
        if blur[1] > 0.0:
            second = np.log(blur[1]) + _log_rayleigh(angle, width, blur[0] * blur[2])
            first = np.logaddexp(first, second)
        total -= first
        before = after
    return float(total)


@numba.njit(cache=True)
def _log_rayleigh(angle: float, width: float, blur: float) -> float:
    square = width * width + blur * blur
    return float(-0.5 * angle * angle / square - np.log(square))


@numba.njit(cache=True)
def _fit(
    angles: FloatArray, mass: float, blur: FloatArray, path: FloatArray, medium: Medium, bounds: FloatArray
) -> tuple[float, bool]:
    """Energy of the smallest loss within bounds, and whether the search converged.

    R. P. Brent, Algorithms for Minimization without Derivatives (1973), chapter 5: golden sections and parabolas.
    """
    low, high = bounds[0], bounds[1]
    best = second = third = low + GOLDEN * (high - low)
    move = last = 0.0
    at_best = at_second = at_third = _loss(best, angles, mass, blur, path, medium)
    for _ in range(MOST - 1):
        middle = 0.5 * (low + high)
        small = ROOT_EPSILON * abs(best) + TOLERANCE / 3.0
        if abs(best - middle) <= 2.0 * small - 0.5 * (high - low):
            return best, True
        golden = True
        if abs(last) > small:
            r = (best - second) * (at_best - at_third)
            q = (best - third) * (at_best - at_second)
            p = (best - third) * q - (best - second) * r
            q = 2.0 * (q - r)
            if q > 0.0:
                p = -p
            q = abs(q)
            r, last = last, move
            if abs(p) < abs(0.5 * q * r) and p > q * (low - best) and p < q * (high - best):
                move, golden = p / q, False
                trial = best + move
                if trial - low < 2.0 * small or high - trial < 2.0 * small:
                    move = small if middle >= best else -small
        if golden:
            last = low - best if best >= middle else high - best
            move = GOLDEN * last
        trial = best + (1.0 if move >= 0.0 else -1.0) * max(abs(move), small)
        value = _loss(trial, angles, mass, blur, path, medium)
        if value <= at_best:
            if trial >= best:
                low = best
            else:
                high = best
            third, at_third, second, at_second, best, at_best = second, at_second, best, at_best, trial, value
            continue
        if trial < best:
            low = trial
        else:
            high = trial
        if value <= at_second or second == best:
            third, at_third, second, at_second = second, at_second, trial, value
        elif value <= at_third or third in (best, second):
            third, at_third = trial, value
    return best, False


@numba.njit(cache=True)
def fit_many(
    angles: FloatArray,
    offsets: IntArray,
    masses: FloatArray,
    model: tuple[FloatArray, FloatArray, Medium],
    bounds: FloatArray,
) -> tuple[FloatArray, BoolArray]:
    """(n,) energy that fits the angles of each track best, and whether its search converged; NaN without angles."""
    energies = np.full(len(masses), np.nan)
    good = np.zeros(len(masses), dtype=np.bool_)
    blur, path, medium = model
    for row in range(len(masses)):
        own = angles[offsets[row] : offsets[row + 1]]
        if len(own) > 0:
            energies[row], good[row] = _fit(own, masses[row], blur, path, medium, bounds)
    return energies, good
