"""From deposited energy to what is read out: recombination, loss and spread on the drift, noise.

Charge is followed as numbers of electrons. Space charge is not simulated: the field is uniform.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from spine.physics.constants import LIQUID_ARGON
from spine.physics.recombination import BirksModel, BoxModel
from spine.sim.config import ResponseConfig
from spine.sim.transport import Deposits
from spine.sim.volume import Volume

__all__ = ["Readout", "Spread", "free_electrons", "measured", "response_rng", "spread"]

Array = NDArray[np.float64]
Index = NDArray[np.int64]
#: Energy loss (MeV/cm) under which the modified box model turns over; LArSoft's simulation stops there too.
_LEAST_LOSS = 1.0
#: Energy loss of a particle at its minimum of ionisation in liquid argon (MeV/cm), PDG 2024: 1.508 MeV cm2/g.
MINIMUM_LOSS = 2.105
_SHORTEST = 0.03  # cm: deposits at a point, and shorter ones, count as this long
_LEAST_SHARE = 1e-4
_PER_SECOND = 1e-6


@dataclass(frozen=True)
class Readout:
    """A response, where it acts, and its random numbers."""

    cfg: ResponseConfig
    volume: Volume
    rng: np.random.Generator


def response_rng(seed: int, event: int) -> np.random.Generator:
    """Random numbers of the noise of one event, independent of those of the primaries and of Geant4."""
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence(seed, spawn_key=(event, 2))))


def _model(cfg: ResponseConfig) -> BirksModel | BoxModel:
    if cfg.recombination == "birks":
        return BirksModel(cfg.field)
    return BoxModel(cfg.field, ellipsoid=cfg.ellipsoid)


def _survival(cfg: ResponseConfig, loss: Array, cosine: Array | float) -> Array:
    if cfg.recombination is None:
        return np.ones_like(loss)
    return np.asarray(_model(cfg).survival(np.maximum(loss, _LEAST_LOSS), cosine))


def free_electrons(deposits: Deposits, readout: Readout) -> Array:
    """Electrons per MeV that escape recombination and reach the anode, for each deposit (D,)."""
    step = deposits.end - deposits.start
    length = np.linalg.norm(step, axis=1)
    middle = 0.5 * (deposits.start + deposits.end)
    distance, axis = readout.volume.distances(middle)
    cosine = np.abs(step[np.arange(len(step)), axis]) / np.maximum(length, 1e-9)
    survival = _survival(readout.cfg, deposits.energy / np.maximum(length, _SHORTEST), cosine)
    if readout.cfg.lifetime is not None:
        survival = survival * np.exp(-distance / readout.cfg.drift_velocity / readout.cfg.lifetime)
    return np.asarray(survival / LIQUID_ARGON.pair_energy)


@dataclass(frozen=True)
class Spread:
    """Pieces of charge in the cells that diffusion brings them to.

    Attributes
    ----------
    piece : (K,) int64
        Row of the piece that each share comes from.
    cell : (K, 3) int64
        Cell, also outside the image.
    share : (K,) float64
        Share of the piece; of one piece they sum to 1.
    """

    piece: Index
    cell: Index
    share: Array


def spread(middle: Array, cell: Index, readout: Readout, lower: Array, size: float) -> Spread:
    """Let diffusion carry charge into neighbouring cells.

    Parameters
    ----------
    middle, cell : (M, 3) arrays
        Middles of the pieces (cm) and their cells.
    readout : Readout
        Diffusion and drift volumes.
    lower, size : (3,) array, float
        Lower corner of the image and edge of a voxel (cm).

    Returns
    -------
    Spread
        Gaussian of width sqrt(2 D t) per axis after a drift time t; shares under 1e-4 are left out.
    """
    cfg = readout.cfg
    distance, axis = readout.volume.distances(middle)
    time = distance / cfg.drift_velocity * _PER_SECOND
    along = np.arange(3) == axis[:, None]
    constant = np.where(along, cfg.longitudinal_diffusion, cfg.transverse_diffusion)
    sigma = np.sqrt(2 * constant * time[:, None])
    reach = int(np.ceil(3.1 * sigma.max(initial=0.0) / size))
    steps = np.arange(-reach, reach + 1)
    place = (middle - lower)[..., None] / size
    edges = cell[..., None] + np.arange(-reach, reach + 2)
    width = np.maximum(sigma / size, 1e-9)[..., None]
    shares = np.diff(ndtr((edges - place) / width), axis=-1)
    return _combine(cell, steps, shares)


def _combine(cell: Index, steps: Index, shares: Array) -> Spread:
    """Products of the shares along the three axes (M, 3, S)."""
    count = len(cell)
    grid = np.array(list(product(steps.tolist(), repeat=3)), np.int64).reshape(-1, 3)
    total = np.einsum("ma,mb,mc->mabc", shares[:, 0], shares[:, 1], shares[:, 2]).reshape(count, -1)
    total = np.where(total >= _LEAST_SHARE, total, 0.0)
    total /= np.maximum(total.sum(1, keepdims=True), 1e-300)
    piece, place = np.nonzero(total)
    return Spread(piece, cell[piece] + grid[place], total[piece, place])


def measured(electrons: Array, readout: Readout) -> Array:
    """What is read out of voxels that collect so many electrons (N,), in the unit of the response."""
    cfg, rng = readout.cfg, readout.rng
    if cfg.smearing > 0:
        electrons = electrons * rng.normal(1.0, cfg.smearing, len(electrons))
    if cfg.noise > 0:
        electrons = electrons + rng.normal(0.0, cfg.noise, len(electrons))
    if cfg.unit == "electrons":
        return electrons
    reference = _survival(cfg, np.array([MINIMUM_LOSS]), 0.0)[0]
    return np.asarray(electrons * LIQUID_ARGON.pair_energy / reference)
