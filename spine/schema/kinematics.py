"""Energy and momentum that follow from other columns of a particle table."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from spine.schema.enums import Shape
from spine.schema.species import mass_of, pdg_of
from spine.schema.table import Table

__all__ = ["best_ke", "measured_momentum", "momentum_size", "pdg_code", "rest_mass", "true_ke"]

F8 = NDArray[np.float64]


def pdg_code(particles: Table) -> NDArray[np.int64]:
    """(n,) PDG code without sign of the species."""
    return pdg_of(particles["pid"])


def rest_mass(particles: Table) -> F8:
    """(n,) rest mass of the species in MeV/c^2."""
    return mass_of(particles["pid"])


def best_ke(particles: Table) -> F8:
    """(n,) kinetic energy in MeV: of tracks by range when contained, by scattering when not, else by charge.

    An estimate counts as available when it is above zero.
    """
    contained = particles["is_contained"]
    precise = np.where(contained, particles["csda_ke"], particles["mcs_ke"])
    use = (particles["shape"] == Shape.TRACK) & (np.nan_to_num(precise, nan=0.0) > 0.0)
    return np.asarray(np.where(use, precise, particles["calo_ke"]))


def _momentum(ke: F8, pid: NDArray[Any], unit: NDArray[Any]) -> F8:
    """(n, 3) sqrt(T^2 + 2 T m) along the direction, in MeV/c."""
    size: F8 = np.sqrt(np.where(ke >= 0.0, ke**2 + 2.0 * ke * mass_of(pid), np.nan))
    return np.asarray(size[:, None] * unit.astype(np.float64))


def measured_momentum(particles: Table) -> F8:
    """(n, 3) momentum in MeV/c from the best kinetic energy and the measured direction."""
    name = "reco_start_dir" if "reco_start_dir" in particles.record.columns else "start_dir"
    return _momentum(best_ke(particles), particles["pid"], particles[name])


def momentum_size(particles: Table) -> F8:
    """(n,) size of the measured momentum in MeV/c."""
    return np.asarray(np.linalg.norm(measured_momentum(particles), axis=1))


def true_ke(particles: Table) -> F8:
    """(n,) kinetic energy at creation in MeV: total energy less rest mass."""
    return np.asarray(particles["energy_init"] - particles["mass"])
