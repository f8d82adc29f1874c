"""Geant4 data for a world of pure argon, computed from published formulas.

Geant4 reads cross sections from data sets of two gigabytes that no Python package carries. A world that
holds argon alone needs few of them, and those are computed here. No Geant4 data file is used or copied.
Hadronic cross sections are approximate; electromagnetic ones agree with published tables to a few per cent.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import nnls

__all__ = ["DATA_SETS", "argon_files", "bremsstrahlung", "inelastic_cross_section"]

Array = NDArray[np.float64]

#: Environment variable and folder of each data set that Geant4 11.4 looks for.
DATA_SETS: dict[str, str] = {
    "G4NEUTRONHPDATA": "G4NDL4.7.1",
    "G4LEDATA": "G4EMLOW8.8",
    "G4LEVELGAMMADATA": "PhotonEvaporation6.1.2",
    "G4RADIOACTIVEDATA": "RadioactiveDecay6.1.2",
    "G4PARTICLEXSDATA": "G4PARTICLEXS4.2",
    "G4PIIDATA": "G4PII1.3",
    "G4REALSURFACEDATA": "RealSurface2.2",
    "G4SAIDXSDATA": "G4SAIDDATA2.0",
    "G4ABLADATA": "G4ABLA3.3",
    "G4INCLDATA": "G4INCL1.3",
    "G4ENSDFSTATEDATA": "G4ENSDFSTATE3.0",
    "G4CHANNELINGDATA": "G4CHANNELING2.0",
}

_ALPHA = 1 / 137.035999  # fine-structure constant (CODATA 2018)
_RADIUS2 = 79.4078  # squared classical electron radius (mb)
_ELECTRON = 0.51099895  # electron mass (MeV)
_Z, _A = 18, 39.948
_OFF = 1e-40
# Ratio of photon to electron energy at which Geant4 tabulates bremsstrahlung.
_RATIO = np.r_[
    1e-12, 0.025, 0.05, 0.075, 0.1:0.9:17j, 0.925, 0.95, 0.97, 0.99, 0.995, 0.999, 0.9995, 0.9999, 0.99995,
    0.99999, 1.0,
]  # fmt: skip
_SHELL_SHARE = np.array([0.895, 0.070, 0.010, 0.015, 0.006, 0.002, 0.002])  # K, L1-3, M1-3 of argon
_HADRONS = ("neutron", "proton", "deuteron", "triton", "He3", "alpha")


def argon_files() -> Iterator[tuple[str, str]]:
    """Compute the data files.

    Yields
    ------
    tuple of str
        Path relative to the data directory, and the text of the file.
    """
    yield from _bremsstrahlung_files(f"{DATA_SETS['G4LEDATA']}/brem_SB")
    yield from _photoelectric_files(f"{DATA_SETS['G4LEDATA']}/epics2017/phot")
    yield from _rayleigh_files(f"{DATA_SETS['G4LEDATA']}/epics2017/rayl")
    yield from _hadronic_files(DATA_SETS["G4PARTICLEXSDATA"])
    yield (
        f"{DATA_SETS['G4ENSDFSTATEDATA']}/ENSDFSTATE.dat",
        " 1   3  0 - 5.6075e+08 1 2.97896\n 18  37  0 - 4.37e+06 3 1.145\n 18  39  0 - 1.2248e+10 7 -1.588\n",
    )


def bremsstrahlung(kinetic: float, ratio: Array, charge: int = _Z) -> Array:
    """Scaled bremsstrahlung cross section ``beta^2 / Z^2 k dsigma/dk``.

    Parameters
    ----------
    kinetic : float
        Kinetic energy of the electron (MeV).
    ratio : (N,) array
        Photon energy over kinetic energy.
    charge : int
        Atomic number.

    Returns
    -------
    (N,) array
        Cross section (mb).

    Notes
    -----
    Tsai, Rev. Mod. Phys. 46 (1974) 815, eqs. 3.38 to 3.41: Thomas-Fermi screening with the Coulomb correction
    of Davies, Bethe and Maximon. Born approximation: about 10 % low under 2 MeV.
    """
    energy = kinetic + _ELECTRON
    y = np.minimum(ratio * kinetic / energy, 1 - _ELECTRON / energy)
    beta2 = 1 - (_ELECTRON / energy) ** 2
    a2 = (_ALPHA * charge) ** 2
    coulomb = a2 * (1 / (1 + a2) + 0.20206 - 0.0369 * a2 + 0.0083 * a2**2 - 0.002 * a2**3)
    delta = 100 * _ELECTRON * y / (1 - y) / energy
    elastic, inelastic, first, second = _screening(delta / charge ** (1 / 3), delta / charge ** (2 / 3))
    log_z = np.log(charge) / 3
    nucleus = 0.25 * elastic - log_z - coulomb + (0.25 * inelastic - 2 * log_z) / charge
    shape = (1 - y + 0.75 * y * y) * nucleus + 0.125 * (1 - y) * (first + second / charge)
    return np.asarray(np.maximum(16 * _ALPHA * _RADIUS2 / 3 * shape * beta2, 1e-3))


def _screening(gamma: Array, epsilon: Array) -> tuple[Array, Array, Array, Array]:
    phi = 16.863 - 2 * np.log(1 + 0.311877 * gamma**2) + 2.4 * np.exp(-0.9 * gamma)
    phi = phi + 1.6 * np.exp(-1.5 * gamma)
    psi = 24.34 - 2 * np.log(1 + 13.111641 * epsilon**2) + 2.8 * np.exp(-8 * epsilon)
    psi = psi + 1.2 * np.exp(-29.2 * epsilon)
    first = 2 / (3 + 19.5 * gamma + 18 * gamma**2)
    second = 2 / (3 + 120 * epsilon + 1200 * epsilon**2)
    return phi, psi, first, second


def inelastic_cross_section(energy: Array, mass_number: float) -> Array:
    """Inelastic cross section of a nucleon on a nucleus.

    Parameters
    ----------
    energy : (N,) array
        Kinetic energy (MeV).
    mass_number : float
        Mass number of the nucleus.

    Returns
    -------
    (N,) array
        Cross section (mb). Letaw, Silberberg and Tsao, Astrophys. J. Suppl. 51 (1983) 271, held constant under
        20 MeV and closed by a smooth threshold at 3.5 MeV.
    """
    e = np.maximum(energy, 20.0)
    high = 45 * mass_number**0.7 * (1 + 0.016 * np.sin(5.3 - 2.63 * np.log(mass_number)))
    low = 1 - 0.62 * np.exp(-e / 200) * np.sin(10.9 * e**-0.28)
    return np.asarray(high * low / (1 + np.exp(-(energy - 3.5) / 0.7)))


def _numbers(values: Array, digits: int = 6) -> str:
    return " ".join(f"{v:.{digits}g}" for v in values)


def _vector(x: Array, y: Array) -> str:
    """Text of a Geant4 physics vector."""
    head = f"{x[0]:.8g} {x[-1]:.8g} {len(x)}\n{len(x)}\n"
    return head + "".join(f"{a:.8g} {b:.6g}\n" for a, b in zip(x, y, strict=True))


def _bremsstrahlung_files(folder: str) -> Iterator[tuple[str, str]]:
    log_energy = np.linspace(np.log(1e-3), np.log(1e4), 57)
    lines = [f"4 {len(_RATIO)} {len(log_energy)}", _numbers(_RATIO)]
    lines.append(" ".join(f"{t:.5f}" for t in log_energy))
    lines += [_numbers(bremsstrahlung(float(np.exp(t)), _RATIO)) for t in log_energy]
    yield f"{folder}/br{_Z}", "\n".join(lines) + "\n"


def _photo_cross_section(energy: Array) -> Array:
    """Photoelectric cross section of argon (barn) at energies in MeV.

    Elam, Ravel and Sieber, Radiat. Phys. Chem. 63 (2002) 121, to 0.8 MeV, carried on with a falling power.
    """
    import xraydb

    low = xraydb.mu_elam("Ar", np.minimum(energy, 0.8) * 1e6, kind="photo") * _A / 0.602214
    tail = (0.8 / np.minimum(energy, 3)) ** 1.35 * np.minimum(1, 3 / energy)
    return np.asarray(low * np.where(energy > 0.8, tail, 1.0))


def _inverse_power_fit(lower: float, upper: float) -> Array:
    """Coefficients of 1/E ... 1/E^6 that describe the photoelectric cross section between two energies."""
    energy = np.geomspace(lower, upper, 120)
    sigma = _photo_cross_section(energy)
    terms = np.stack([energy ** -(i + 1.0) for i in range(6)], 1) / sigma[:, None]
    return np.asarray(nnls(terms, np.ones(len(energy)))[0])


def _photoelectric_files(folder: str) -> Iterator[tuple[str, str]]:
    import xraydb

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        edges = np.array([edge.energy for edge in xraydb.xray_edges("Ar").values()]) * 1e-6
        cumulative = np.cumsum(_SHELL_SHARE) / _SHELL_SHARE.sum()
        for name, lower, upper in (("high", 0.1, 100.0), ("low", 0.02, 0.1)):
            fit = _inverse_power_fit(lower, upper)
            rows = [f"{e:.7g} {_numbers(c * fit)}\n" for e, c in zip(edges, cumulative, strict=True)]
            yield f"{folder}/pe-{name}-{_Z}.dat", f"7 7 {lower}\n" + "".join(rows)
        above = np.geomspace(edges[0], 0.12, 60)
        yield f"{folder}/pe-cs-{_Z}.dat", _vector(above, _photo_cross_section(above) * above**3)
        below = np.geomspace(110e-6, edges[0] * 0.9999, 120)
        scaled = _photo_cross_section(below) * below**3
        first = scaled[0] * (edges[-1] / below[0])
        yield f"{folder}/pe-le-cs-{_Z}.dat", _vector(np.r_[edges[-1], below], np.r_[first, scaled])
        yield f"{folder}/pe-ss-cs-{_Z}.dat", _shell_text(edges)


def _shell_text(edges: Array) -> str:
    parts = []
    for shell, edge in enumerate(edges):
        energy = np.geomspace(edge, 0.12, 40)
        total = _photo_cross_section(np.maximum(energy, 110e-6)) * energy**3
        open_share = np.array([_SHELL_SHARE[edges <= e + 1e-12].sum() for e in energy])
        values = total * _SHELL_SHARE[shell] / open_share
        parts.append(f"{energy[0]:.7g} {energy[-1]:.7g} {len(energy)} {shell}\n")
        parts += [f"{a:.7g} {b:.6g}\n" for a, b in zip(energy, values, strict=True)]
    return "".join(parts)


def _rayleigh_files(folder: str) -> Iterator[tuple[str, str]]:
    """Coherent scattering, which deposits nothing, is switched off."""
    x = np.geomspace(1e-5, 1e5, 40)
    yield f"{folder}/re-cs-{_Z}.dat", _vector(x, np.full(40, _OFF))
    q = np.r_[0, np.geomspace(1e-4, 1e17, 80)]
    yield f"{folder}/re-ff-{_Z}.dat", _vector(q, _Z / (1 + (q / 1e8) ** 2) ** 2)


def _mass_number(charge: int) -> float:
    return {1: 1.008, _Z: _A}.get(charge, 2 * charge * (1 + 0.0035 * charge))


def _hadronic_files(folder: str) -> Iterator[tuple[str, str]]:
    """Cross sections (mm^2): inelastic of hadrons, elastic and 1/v capture (0.66 b thermal) of neutrons."""
    energy, slow = np.geomspace(0.1, 2e4, 80), np.geomspace(1e-5, 2e4, 100)
    thermal, photon = np.geomspace(1e-11, 20, 60), np.geomspace(1, 2e4, 20)
    for z in range(1, 96):
        a = _mass_number(z)
        inelastic = _vector(energy, inelastic_cross_section(energy, a) * 1e-25)
        for hadron in _HADRONS:
            yield f"{folder}/{hadron}/inel{z}", inelastic
        elastic = 700 * (a / 40) ** (2 / 3) * (0.55 + 1.9 * np.exp(-slow / 30))
        yield f"{folder}/neutron/el{z}", _vector(slow, elastic * 1e-25)
        yield f"{folder}/neutron/cap{z}", _vector(thermal, 660 * np.sqrt(2.53e-8 / thermal) * 1e-25)
        yield f"{folder}/gamma/inel{z}", _vector(photon, np.full(20, _OFF))
