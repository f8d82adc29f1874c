"""Masses, classes and process names of the particles that Geant4 follows in argon."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["is_charged", "is_electromagnetic", "is_nucleus", "mass", "process_names"]

Codes = NDArray[np.int64]
Flags = NDArray[np.bool_]

#: Masses (MeV), Particle Data Group, Phys. Rev. D 110 (2024) 030001; light nuclei: CODATA 2018.
_MASS: dict[int, float] = {
    11: 0.51099895, 12: 0.0, 13: 105.6583755, 14: 0.0, 16: 0.0, 22: 0.0,
    111: 134.9768, 113: 775.26, 211: 139.57039, 221: 547.862, 223: 782.66, 331: 957.78,
    130: 497.611, 310: 497.611, 311: 497.611, 321: 493.677,
    2112: 939.5654205, 2212: 938.2720882,
    3112: 1197.449, 3122: 1115.683, 3212: 1192.642, 3222: 1189.37, 3312: 1321.71, 3322: 1314.86, 3334: 1672.45,
    1000010020: 1875.6129, 1000010030: 2808.9211, 1000020030: 2808.3916, 1000020040: 3727.3794,
}  # fmt: skip
_NEUTRAL = (12, 14, 16, 22, 111, 113, 130, 221, 223, 310, 311, 331, 2112, 3122, 3212, 3322)
_NUCLEUS = 1_000_000_000

#: Geant4 names of processes whose name calzone does not shorten in a way that depends on the parent.
_NAMES = {
    "": "unknown",
    "Primary": "primary",
    "Annihilation": "annihil",
    "Compton": "compt",
    "Conversion": "conv",
    "Coulomb": "CoulombScat",
    "Elastic": "hadElastic",
    "Photoelectric": "phot",
    "Rayleigh": "Rayl",
    "Bresstrahlung": "hBrems",
    "Transport": "Transportation",
    "hBertiniCapture": "hBertiniCaptureAtRest",
    "hFritiofCapture": "hFritiofCaptureAtRest",
    "anti_neutronIne": "anti_neutronInelastic",
    "anti_protonInel": "anti_protonInelastic",
}


def is_nucleus(pdg: NDArray[np.integer]) -> Flags:
    """Tell nuclei heavier than one nucleon, for (N,) PDG codes."""
    return np.asarray(np.abs(pdg) > _NUCLEUS)


def is_electromagnetic(pdg: NDArray[np.integer]) -> Flags:
    """Tell photons, electrons and positrons, for (N,) PDG codes."""
    return np.asarray((pdg == 22) | (np.abs(pdg) == 11))


def is_charged(pdg: NDArray[np.integer]) -> Flags:
    """Tell charged particles, for (N,) PDG codes; particles that are not known count as charged."""
    return np.asarray(~np.isin(np.abs(pdg), _NEUTRAL))


def mass(pdg: NDArray[np.integer]) -> NDArray[np.float64]:
    """Rest masses.

    Parameters
    ----------
    pdg : (N,) integer array
        PDG codes.

    Returns
    -------
    (N,) float64 array
        Masses (MeV), NaN when unknown. Nuclei above helium: Weizsaecker's formula with the coefficients of
        Rohlf, Modern Physics from alpha to Z0 (1994), good to 10 MeV.
    """
    codes = np.abs(np.asarray(pdg, np.int64))
    kinds, row = np.unique(codes, return_inverse=True)
    return np.array([_MASS.get(int(k), _nuclear_mass(int(k))) for k in kinds], np.float64)[row]


def _nuclear_mass(code: int) -> float:
    if code <= _NUCLEUS:
        return float("nan")
    z, a = (code // 10000) % 1000, (code // 10) % 1000
    pairing = 12.0 / np.sqrt(a) * (0.5 * ((z % 2 == 0) + ((a - z) % 2 == 0)) * 2 - 1)
    binding = 15.75 * a - 17.8 * a ** (2 / 3) - 0.711 * z * (z - 1) / a ** (1 / 3)
    binding += -23.7 * (a - 2 * z) ** 2 / a + pairing
    return float(z * _MASS[2212] + (a - z) * _MASS[2112] - binding)


def process_names(creator: NDArray[np.bytes_], parent: NDArray[np.integer]) -> NDArray[np.str_]:
    """Geant4 names of creation processes, as larcv files have them.

    Parameters
    ----------
    creator : (N,) bytes array
        Names as calzone gives them: shortened, and cut after 15 letters.
    parent : (N,) integer array
        PDG code of the parent, 0 for primaries.

    Returns
    -------
    (N,) str array
        For example ``muIoni`` for an ionisation by a muon.
    """
    names = np.empty(len(creator), "U24")
    for short in np.unique(creator):
        rows = creator == short
        names[rows] = _process(short.decode(), np.abs(np.asarray(parent[rows], np.int64)))
    return names


def _process(short: str, parent: Codes) -> NDArray[np.str_]:
    muon, electron = parent == 13, parent == 11
    heavy = is_nucleus(parent) & ~np.isin(parent, (1000010020, 1000010030))
    match short:
        case "Ionisation":
            return np.select([muon, electron, heavy], ["muIoni", "eIoni", "ionIoni"], "hIoni")
        case "Bremsstrahlung":
            return np.select([muon, electron], ["muBrems", "eBrem"], "hBrems")
        case "PairProduction":
            return np.where(muon, "muPairProd", "hPairProd")
        case "Photonuclear":
            return np.select([muon, electron], ["muonNuclear", "electronNuclear"], "photonNuclear")
        case "Capture":
            return np.select([muon, parent == 2112], ["muMinusCaptureAtRest", "nCapture"], "Capture")
        case "Inelastic":
            return np.where(parent == 2112, "neutronInelastic", "protonInelastic")
    return np.full(len(parent), _NAMES.get(short, short))
