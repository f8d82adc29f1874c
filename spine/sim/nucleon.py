"""Neutrinos on nucleons: how often quasi-elastic, resonant and deeply inelastic scattering occur, and at what Q2.

Energies in MeV, cross sections in 1e-38 cm2. Quasi-elastic scattering is computed; the other two follow measured
totals with simple shapes. Coherent scattering and that on pairs of nucleons are left out.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["DEEP_LOWEST_MASS", "DELTA_MASS", "DELTA_WIDTH", "NUCLEON_MASS", "DeepGrid", "deep_grid", "deep_total",
           "dipole_transfer", "elastic_spectrum", "resonant_total"]  # fmt: skip

Array = NDArray[np.float64]

NUCLEON_MASS = 938.918754  # mean of proton and neutron (PDG 2024)
DELTA_MASS, DELTA_WIDTH = 1232.0, 117.0  # Breit-Wigner values (PDG 2024)
DEEP_LOWEST_MASS = 1700.0  # hadronic mass above which scattering counts as deeply inelastic, as in GENIE
_PION = 139.57039
_AXIAL = 1.2754  # axial coupling at Q2 = 0 (PDG 2024)
_MOMENT = 4.70589  # difference of the magnetic moments of proton and neutron (nuclear magnetons)
_VECTOR2 = 0.71e6  # squared vector mass (MeV2)
_FERMI = 1.1663788e-11  # MeV-2
_CABIBBO2 = 0.97367**2
_TO_AREA = 0.389379e-21 * 1e38  # (hbar c)2: MeV-2 to 1e-38 cm2
_STEPS = 200


def elastic_spectrum(energy: float, lepton: float, sign: int, axial_mass: float) -> tuple[Array, Array]:
    """Quasi-elastic scattering on a free nucleon at rest.

    Parameters
    ----------
    energy, lepton : float
        Energy of the neutrino and mass of the outgoing lepton.
    sign : int
        1 for neutrinos, -1 for antineutrinos.
    axial_mass : float
        Mass in the dipole form of the axial form factor.

    Returns
    -------
    q2, density : (N,) array
        Squared momentum transfers (MeV2) over the allowed range, and differential cross section (1e-38 cm2 / MeV2);
        empty below the threshold. C. H. Llewellyn Smith, Phys. Rept. 3 (1972) 261, dipole form factors.
    """
    s = NUCLEON_MASS**2 + 2 * NUCLEON_MASS * energy
    span = _transfer_range(s, energy * NUCLEON_MASS / np.sqrt(s), lepton, NUCLEON_MASS)
    if span is None:
        return np.zeros(0), np.zeros(0)
    q2 = np.linspace(*span, _STEPS)
    first, second, third = _structure(q2 / NUCLEON_MASS**2, (lepton / NUCLEON_MASS) ** 2, q2, axial_mass)
    su = (4 * NUCLEON_MASS * energy - q2 - lepton**2) / NUCLEON_MASS**2
    scale = _FERMI**2 * _CABIBBO2 * NUCLEON_MASS**2 / (8 * np.pi * energy**2) * _TO_AREA
    return q2, scale * np.maximum(first + sign * su * second + su**2 * third, 0.0)


def _structure(t: Array, m2: float, q2: Array, axial_mass: float) -> tuple[Array, Array, Array]:
    """The functions A, B, C of Llewellyn Smith; t = Q2 / M2, m2 = squared lepton over nucleon mass."""
    eta = t / 4
    electric = (1 + q2 / _VECTOR2) ** -2
    f1 = electric * (1 + eta * _MOMENT) / (1 + eta)
    f2 = electric * (_MOMENT - 1) / (1 + eta)
    axial = _AXIAL * (1 + q2 / axial_mass**2) ** -2
    pseudo = axial * 2 * NUCLEON_MASS**2 / (_PION**2 + q2)
    lepton = m2 / 4 * ((f1 + f2) ** 2 + (axial + 2 * pseudo) ** 2 - (t + 4) * pseudo**2)
    first = (m2 + t) * ((1 + eta) * axial**2 - (1 - eta) * f1**2 + eta * (1 - eta) * f2**2 + 4 * eta * f1 * f2 - lepton)
    return first, t * axial * (f1 + f2), (axial**2 + f1**2 + eta * f2**2) / 4


def _transfer_range(s: float, neutrino: float, lepton: float, hadron: float) -> tuple[float, float] | None:
    """Least and largest Q2 of a neutrino of given energy in the centre of mass; None below the threshold."""
    total = np.sqrt(s)
    if total <= lepton + hadron:
        return None
    energy = (s + lepton**2 - hadron**2) / (2 * total)
    momentum = np.sqrt(max(energy**2 - lepton**2, 0.0))
    middle = 2 * neutrino * energy - lepton**2
    return max(float(middle - 2 * neutrino * momentum), 0.0), float(middle + 2 * neutrino * momentum)


def dipole_transfer(uniform: float, span: tuple[float, float], axial_mass: float) -> float:
    """Q2 within a span, with the density of a squared dipole, at a place from 0 to 1 of its integral."""
    low, high = ((1 + q2 / axial_mass**2) ** -3 for q2 in span)
    return float(axial_mass**2 * ((low + uniform * (high - low)) ** (-1 / 3) - 1))


def resonant_total(energy: float, lepton: float, sign: int) -> float:
    """Cross section of neutrino p -> lepton p pi+ (for antineutrinos of its mirror image), 1e-38 cm2.

    Rises from the threshold of the Delta to 0.65, close to the deuterium data of Argonne and Brookhaven as analysed
    again by C. Wilkinson et al., Phys. Rev. D 90 (2014) 112017; half of it for antineutrinos.
    """
    lightest = NUCLEON_MASS + _PION + lepton
    threshold = (lightest**2 - NUCLEON_MASS**2) / (2 * NUCLEON_MASS)
    return float(0.65 * max(1 - np.exp(-(energy - threshold) / 600), 0.0) * (1.0 if sign > 0 else 0.5))


@dataclass(frozen=True)
class DeepGrid:
    """Density of deeply inelastic scattering over cells of Bjorken x and inelasticity y.

    Attributes
    ----------
    x, y : (N,) array
        Centres of the cells.
    weight : (N,) array
        Share of each, of the integral without limits.
    step : float
        Edge of a cell.
    """

    x: Array
    y: Array
    weight: Array
    step: float


def deep_grid(energy: float, lepton: float, sign: int) -> DeepGrid:
    """Density of x and y for hadronic masses above `DEEP_LOWEST_MASS`.

    Quarks as x^0.5 (1 - x)^3, antiquarks as (1 - x)^7 with 0.19 of their momentum, which gives the ratio of the total
    cross sections of antineutrinos and neutrinos.
    """
    step = 1 / 80
    centres = (np.arange(80) + 0.5) * step
    x, y = (a.ravel() for a in np.meshgrid(centres, centres, indexing="ij"))
    quarks, antiquarks = np.sqrt(x) * (1 - x) ** 3 / 0.18287, 0.191 * 8 * (1 - x) ** 7
    flat, falling = (quarks, antiquarks) if sign > 0 else (antiquarks, quarks)
    density = flat + falling * (1 - y) ** 2
    transfer = y * energy
    mass2 = NUCLEON_MASS**2 + 2 * NUCLEON_MASS * transfer * (1 - x)
    allowed = (mass2 > DEEP_LOWEST_MASS**2) & _reachable(energy, lepton, transfer, 2 * NUCLEON_MASS * transfer * x)
    return DeepGrid(x, y, np.where(allowed, density / density.sum(), 0.0), step)


def _reachable(energy: float, lepton: float, transfer: Array, q2: Array) -> NDArray[np.bool_]:
    """Whether a lepton can carry off what energy and momentum transfer leave."""
    rest = energy - transfer
    momentum = np.sqrt(np.maximum(rest**2 - lepton**2, 0.0))
    middle = 2 * energy * rest - lepton**2
    return np.asarray((rest > lepton) & (np.abs(q2 - middle) < 2 * energy * momentum))


def deep_total(energy: float, grid: DeepGrid, sign: int) -> float:
    """Cross section per nucleon (1e-38 cm2): 0.677 and 0.334 per GeV (PDG 2024, sec. 52), within the limits of x, y."""
    return float((0.677 if sign > 0 else 0.334) * energy * 1e-3 * grid.weight.sum())
