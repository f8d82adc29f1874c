"""Masses of the particles and properties of liquid argon."""

from __future__ import annotations

from typing import Final, NamedTuple

from spine.schema.enums import Pid
from spine.schema.species import PID_MASSES

__all__ = [
    "BETHE_CONSTANT",
    "ELECTRON_MASS",
    "FINE_STRUCTURE",
    "KAON_MASS",
    "LIQUID_ARGON",
    "MUON_MASS",
    "PION_MASS",
    "PROTON_MASS",
    "Medium",
]

ELECTRON_MASS: Final = float(PID_MASSES[Pid.ELECTRON])
MUON_MASS: Final = float(PID_MASSES[Pid.MUON])
PION_MASS: Final = float(PID_MASSES[Pid.PION])
PROTON_MASS: Final = float(PID_MASSES[Pid.PROTON])
KAON_MASS: Final = float(PID_MASSES[Pid.KAON])

FINE_STRUCTURE: Final = 7.2973525643e-3
"""Fine-structure constant (CODATA 2022)."""

BETHE_CONSTANT: Final = 0.307075
"""4 pi N_A r_e^2 m_e c^2 in MeV cm^2 / mol (PDG 2024, table 34.1)."""


class Medium(NamedTuple):
    """A homogeneous medium that particles cross: Z, A (g/mol), and the following.

    ``density`` g/cm^3; ``excitation_energy`` MeV (mean); ``radiation_length`` and ``moliere_radius`` cm;
    ``critical_energy`` of electrons MeV (Rossi's definition); ``pair_energy`` MeV per electron-ion pair;
    ``density_*`` Sternheimer's parameters a, k, x0, x1, C and delta0 of the density effect.
    """

    density: float
    atomic_number: float
    atomic_mass: float
    excitation_energy: float
    radiation_length: float
    moliere_radius: float
    critical_energy: float
    pair_energy: float
    density_a: float
    density_k: float
    density_x0: float
    density_x1: float
    density_c: float
    density_delta0: float


LIQUID_ARGON: Final = Medium(
    density=1.396,
    atomic_number=18.0,
    atomic_mass=39.948,
    excitation_energy=188.0e-6,
    radiation_length=14.0,
    moliere_radius=9.043,
    critical_energy=32.84,
    pair_energy=23.6e-6,
    density_a=0.19559,
    density_k=3.0,
    density_x0=0.2,
    density_x1=3.0,
    density_c=5.2146,
    density_delta0=0.0,
)
"""Liquid argon at its boiling point.

PDG, Atomic and Nuclear Properties of Materials (2024), material liquid argon; the density effect after
R. M. Sternheimer, M. J. Berger, S. M. Seltzer, At. Data Nucl. Data Tables 30, 261 (1984), as given with the muon
tables of the PDG; the pair energy from M. Miyajima et al., Phys. Rev. A 9, 1438 (1974).
"""
