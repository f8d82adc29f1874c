"""Four-vectors (E, px, py, pz): boosts, decays of two and more bodies."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["boost", "decay", "directed", "invariant_mass", "isotropic", "two_body_momentum"]

Array = NDArray[np.float64]
_CANDIDATES = 256


def isotropic(rng: np.random.Generator, count: int) -> Array:
    """Random unit vectors (count, 3)."""
    cosine = rng.uniform(-1, 1, count)
    azimuth = rng.uniform(0, 2 * np.pi, count)
    sine = np.sqrt(1 - cosine**2)
    return np.stack([sine * np.cos(azimuth), sine * np.sin(azimuth), cosine], 1)


def invariant_mass(vectors: Array) -> Array:
    """Masses (...) of four-vectors (..., 4)."""
    squared = vectors[..., 0] ** 2 - (vectors[..., 1:] ** 2).sum(-1)
    return np.asarray(np.sqrt(np.maximum(squared, 0.0)))


def boost(vectors: Array, frame: Array) -> Array:
    """Four-vectors given in the rest frame of another, in the frame in which that one is given.

    Parameters
    ----------
    vectors : (..., 4) array
        In the rest frame of ``frame``.
    frame : (..., 4) array
        Four-vector with a mass.
    """
    mass = invariant_mass(frame)
    along = (vectors[..., 1:] * frame[..., 1:]).sum(-1)
    energy = (vectors[..., 0] * frame[..., 0] + along) / mass
    scale = (vectors[..., 0] + energy) / (frame[..., 0] + mass)
    return np.concatenate([energy[..., None], vectors[..., 1:] + scale[..., None] * frame[..., 1:]], -1)


def directed(local: Array, axis: Array) -> Array:
    """Vectors (..., 3), given relative to the z axis, relative to another axis (3,)."""
    unit = axis / np.linalg.norm(axis)
    helper = np.eye(3)[int(np.argmin(np.abs(unit)))]
    first = np.cross(helper, unit)
    first /= np.linalg.norm(first)
    frame = np.stack([first, np.cross(unit, first), unit])
    return np.asarray(local @ frame)


def two_body_momentum(total: Array | float, first: Array | float, second: Array | float) -> Array:
    """Momentum of two bodies of given masses in the rest frame of their total mass; 0 below the threshold."""
    total = np.asarray(total, np.float64)
    product = (total**2 - (first + second) ** 2) * (total**2 - (first - second) ** 2)
    return np.asarray(np.sqrt(np.maximum(product, 0.0)) / (2 * total))


def decay(rng: np.random.Generator, total: Array, masses: Array) -> Array:
    """Decay by phase space.

    Parameters
    ----------
    rng : Generator
        Random numbers.
    total : (4,) array
        Four-vector of what decays; its mass exceeds the sum of the masses.
    masses : (n,) array
        Masses of two or more bodies.

    Returns
    -------
    (n, 4) array
        Four-vectors of the bodies. Chains of two-body decays through random intermediate masses, one of many
        chosen by its weight: F. James, CERN 68-15 (1968).
    """
    count = len(masses)
    mass = float(invariant_mass(total))
    spare = mass - float(masses.sum())
    shares = np.sort(rng.uniform(0, 1, (_CANDIDATES, count - 2)), axis=1)
    shares = np.concatenate([np.zeros((_CANDIDATES, 1)), shares, np.ones((_CANDIDATES, 1))], 1)
    chain = np.cumsum(masses)[1:] + shares[:, 1:] * spare
    inner = np.concatenate([np.full((_CANDIDATES, 1), masses[0]), chain], 1)
    momenta = two_body_momentum(inner[:, 1:], inner[:, :-1], masses[1:])
    weight = momenta.prod(1)
    row = int(rng.choice(_CANDIDATES, p=weight / weight.sum()))
    return _assemble(rng, total, masses, inner[row], momenta[row])


def _assemble(rng: np.random.Generator, total: Array, masses: Array, inner: Array, momenta: Array) -> Array:
    """Boost a chain of two-body decays, from the last body to the first."""
    bodies = np.empty((len(masses), 4))
    frame = total
    for i, direction in zip(range(len(masses) - 1, 0, -1), isotropic(rng, len(masses) - 1), strict=True):
        momentum = momenta[i - 1] * direction
        bodies[i] = boost(np.r_[np.hypot(masses[i], momenta[i - 1]), momentum], frame)
        frame = boost(np.r_[np.hypot(inner[i - 1], momenta[i - 1]), -momentum], frame)
    bodies[0] = frame
    return bodies
