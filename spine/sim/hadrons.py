"""What leaves the nucleus: charges and momenta of the hadrons of a neutrino interaction, absorption of pions."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from spine.sim.kinematics import decay, invariant_mass
from spine.sim.nucleon import DELTA_MASS, DELTA_WIDTH
from spine.sim.species import mass

__all__ = ["Hadrons", "absorb_pions", "deep_hadrons", "delta_mass", "delta_pair", "delta_shares"]

Array = NDArray[np.float64]
Index = NDArray[np.int64]

PROTON, NEUTRON = 2212, 2112
PIONS = {1: 211, 0: 111, -1: -211}
Hadrons = tuple[Index, Array]
"""PDG codes (N,) and four-vectors (N, 4) in MeV."""

#: Mean number of charged hadrons a + b ln W2 (GeV2) by charge of the hadrons: D. Zieminska et al., Phys. Rev. D 27
#: (1983) 47, for neutrinos (2, 1); M. Derrick et al., Phys. Rev. D 25 (1982) 624, for antineutrinos (0, -1).
_CHARGED = {2: (-0.05, 1.43), 1: (-0.20, 1.42), 0: (0.02, 1.28), -1: (0.80, 0.95)}


def delta_shares(charge: int) -> dict[tuple[int, int], float]:
    """Nucleon and pion that a Delta of a charge decays to, and how often (isospin 3/2)."""
    match charge:
        case 2:
            return {(PROTON, 211): 1.0}
        case 1:
            return {(PROTON, 111): 2 / 3, (NEUTRON, 211): 1 / 3}
        case 0:
            return {(NEUTRON, 111): 2 / 3, (PROTON, -211): 1 / 3}
    return {(NEUTRON, -211): 1.0}


def delta_pair(rng: np.random.Generator, charge: int) -> Index:
    """Draw the nucleon and the pion of a Delta."""
    shares = delta_shares(charge)
    row = int(rng.choice(len(shares), p=list(shares.values())))
    return np.array(list(shares)[row], np.int64)


def delta_mass(rng: np.random.Generator, lower: float, upper: float) -> float:
    """Mass of a Delta, Breit-Wigner between limits (MeV)."""
    angle = np.arctan(2 * (np.array([lower, upper]) - DELTA_MASS) / DELTA_WIDTH)
    return float(DELTA_MASS + DELTA_WIDTH / 2 * np.tan(rng.uniform(*angle)))


def deep_hadrons(rng: np.random.Generator, charge: int, total: float) -> Index:
    """Draw one nucleon and pions of a total charge, as many as a hadronic mass (MeV) usually makes.

    The number scatters like that of Poisson around 1.5 times the mean number of charged hadrons; pairs of pions are
    charged twice as often as neutral.
    """
    a, b = _CHARGED[int(np.clip(charge, -1, 2))]
    mean = 1.5 * (a + b * np.log((total * 1e-3) ** 2))
    room = int((total - 940.0) / 160.0)
    count = int(np.clip(rng.poisson(max(mean - 2, 0.0)) + 1, 1, max(room, 1)))
    nucleon = PROTON if rng.uniform() < 0.5 else NEUTRON
    excess = charge - int(nucleon == PROTON)
    count = max(count, abs(excess))
    pions = [int(np.sign(excess))] * abs(excess)
    while count - len(pions) >= 2:
        pions += [1, -1] if rng.uniform() < 2 / 3 else [0, 0]
    pions += [0] * (count - len(pions))
    return np.array([nucleon, *(PIONS[q] for q in pions)], np.int64)


def absorb_pions(
    rng: np.random.Generator, hadrons: Hadrons, share: float, removal: float
) -> tuple[Hadrons, Index, Array]:
    """Let a share of the pions disappear on a proton and a neutron at rest in the nucleus.

    Returns
    -------
    hadrons
        With two nucleons, back to back in the rest frame of the three, in the place of each pion that is absorbed.
    partners, energy : (2 K,) int64 and float64
        The nucleons that took part, and their energies (MeV), each lowered by the removal energy.
    """
    codes, vectors = hadrons
    gone = np.isin(np.abs(codes), (211, 111)) & (rng.uniform(0, 1, len(codes)) < share)
    pair = np.array([PROTON, NEUTRON], np.int64)
    partners = np.tile(pair, int(gone.sum()))
    energy = mass(partners) - removal
    found, moved = [codes[~gone]], [vectors[~gone]]
    for code, vector in zip(codes[gone], vectors[gone], strict=True):
        out = _after_absorption(int(code))
        system = vector + np.array([float((mass(pair) - removal).sum()), 0, 0, 0])
        if invariant_mass(system) > mass(out).sum():
            found.append(out)
            moved.append(decay(rng, system, mass(out)))
    return (np.concatenate(found), np.concatenate(moved)), partners, energy


def _after_absorption(pion: int) -> Index:
    charge = 1 + {211: 1, 111: 0, -211: -1}[pion]
    return np.array({2: [PROTON, PROTON], 1: [PROTON, NEUTRON], 0: [NEUTRON, NEUTRON]}[charge], np.int64)
