"""Recombination of ionisation electrons in liquid argon: Birks' law and the modified box model."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from spine.ops.arrays import FloatArray
from spine.physics.constants import LIQUID_ARGON, Medium

__all__ = ["BirksModel", "BoxModel", "charge_to_energy", "energy_to_charge"]


@dataclass(frozen=True)
class BirksModel:
    """Birks' law, R = A / (1 + k dE/dx / (rho E)) (S. Amoruso et al., Nucl. Instrum. Meth. A 523, 275, 2004).

    ``field`` E in kV/cm, ``amplitude`` A, ``strength`` k in (kV/cm) (g/cm^2) / MeV.
    """

    field: float
    amplitude: float = 0.800
    strength: float = 0.0486
    medium: Medium = LIQUID_ARGON

    @property
    def _slope(self) -> float:
        return self.strength / self.field / self.medium.density

    def survival(self, dedx: ArrayLike, cos_drift: ArrayLike = 0.0) -> FloatArray:
        """Return the share of electrons that survive at dE/dx (MeV/cm); the angle has no effect."""
        del cos_drift
        dose = self._slope * np.asarray(dedx, dtype=np.float64)
        return np.asarray(self.amplitude / (1 + dose))

    def energy_loss(self, dqdx: ArrayLike, cos_drift: ArrayLike = 0.0) -> FloatArray:
        """Return dE/dx (MeV/cm) at a charge per length (electrons/cm); NaN where no energy gives it."""
        del cos_drift
        charge = np.asarray(dqdx, dtype=np.float64)
        room = self.amplitude / self.medium.pair_energy - self._slope * charge
        return np.asarray(charge / np.where(room > 0, room, np.nan))


@dataclass(frozen=True)
class BoxModel:
    """Modified box model, R = ln(alpha + b dE/dx) / (b dE/dx) with b = beta / (rho E).

    R. Acciarri et al. (ArgoNeuT), JINST 8, P08005 (2013); the ellipsoid correction divides b by
    sqrt(sin^2 phi + cos^2 phi / R^2), phi being the angle to the drift direction (P. Abratenko et al. (ICARUS),
    JINST 20, P01033, 2025). ``field`` in kV/cm, ``beta`` in (kV/cm) (g/cm^2) / MeV; ``ellipsoid`` R is 1 for no
    dependence on the angle, 1.25 in ICARUS.
    """

    field: float
    alpha: float = 0.906
    beta: float = 0.203
    ellipsoid: float = 1.0
    medium: Medium = LIQUID_ARGON

    def _slope(self, cos_drift: ArrayLike) -> FloatArray:
        cosine = np.asarray(cos_drift, dtype=np.float64)
        stretch = np.sqrt(1 - (1 - self.ellipsoid**-2) * cosine**2)
        return np.asarray(self.beta / self.field / self.medium.density / stretch)

    def survival(self, dedx: ArrayLike, cos_drift: ArrayLike = 0.0) -> FloatArray:
        """Return the share of electrons that survive at dE/dx (MeV/cm); NaN where it is not positive."""
        dose = self._slope(cos_drift) * np.asarray(dedx, dtype=np.float64)
        dose = np.where(dose > 0, dose, np.nan)
        return np.log(self.alpha + dose) / dose

    def energy_loss(self, dqdx: ArrayLike, cos_drift: ArrayLike = 0.0) -> FloatArray:
        """Return dE/dx (MeV/cm) at a charge per length (electrons/cm)."""
        slope = self._slope(cos_drift)
        return (np.exp(slope * self.medium.pair_energy * np.asarray(dqdx, np.float64)) - self.alpha) / slope


def energy_to_charge(
    energy: ArrayLike, dedx: ArrayLike, model: BirksModel | BoxModel, cos_drift: ArrayLike = 0.0
) -> FloatArray:
    """Return the electrons that escape recombination from energy in MeV lost at dE/dx in MeV/cm.

    ``cos_drift`` is the cosine of the angle between track and drift direction.
    """
    return np.asarray(energy) * model.survival(dedx, cos_drift) / model.medium.pair_energy


def charge_to_energy(
    charge: ArrayLike, dqdx: ArrayLike, model: BirksModel | BoxModel, cos_drift: ArrayLike = 0.0
) -> FloatArray:
    """Return the deposited energy (MeV) of electrons, given their local number per length (electrons/cm)."""
    local = np.asarray(dqdx, dtype=np.float64)
    return np.asarray(charge) * model.energy_loss(local, cos_drift) / local
