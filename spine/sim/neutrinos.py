"""Neutrino interactions in argon: a lepton and hadrons from a struck nucleon, and the truth record of the neutrino."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spine.errors import ConfigError
from spine.sim.config import NeutrinoConfig
from spine.sim.hadrons import Hadrons, absorb_pions, deep_hadrons, delta_mass, delta_pair
from spine.sim.kinematics import boost, decay, directed, invariant_mass, isotropic, two_body_momentum
from spine.sim.nucleon import (
    DEEP_LOWEST_MASS,
    NUCLEON_MASS,
    deep_grid,
    deep_total,
    dipole_transfer,
    elastic_spectrum,
    resonant_total,
)
from spine.sim.species import mass

__all__ = ["ARGON", "CC", "NC", "Channel", "NeutrinoInteraction", "channels", "draw_interaction"]

Array = NDArray[np.float64]
Index = NDArray[np.int64]

ARGON = 1000180400
CC, NC = 0, 1
ELASTIC, RESONANT, DEEP = 0, 1, 2  # modes, in the numbering of LArSoft
PROTON, NEUTRON = 2212, 2112
_NUMBER = {PROTON: 18, NEUTRON: 22}
_PION = 139.57039
_TRIES = 500
#: Neutral over charged current. Elastic: L. A. Ahrens et al. (E734), Phys. Rev. D 35 (1987) 785. Deeply inelastic:
#: J. A. Formaggio and G. P. Zeller, Rev. Mod. Phys. 84 (2012) 1307; resonant: about as theirs for single pions.
_NEUTRAL = {ELASTIC: (0.153, 0.218), RESONANT: (0.25, 0.35), DEEP: (0.31, 0.37)}
#: LArSoft's numbers of resonant channels by sign, current, struck nucleon and pion.
_RESONANT_TYPE = {
    (1, CC, PROTON, 211): 1003, (1, CC, NEUTRON, 111): 1004, (1, CC, NEUTRON, 211): 1005,
    (1, NC, PROTON, 111): 1006, (1, NC, PROTON, 211): 1007, (1, NC, NEUTRON, 111): 1008, (1, NC, NEUTRON, -211): 1009,
    (-1, CC, NEUTRON, -211): 1010, (-1, CC, PROTON, 111): 1011, (-1, CC, PROTON, -211): 1012,
    (-1, NC, PROTON, 111): 1013, (-1, NC, PROTON, 211): 1014, (-1, NC, NEUTRON, 111): 1015,
    (-1, NC, NEUTRON, -211): 1016,
}  # fmt: skip


@dataclass(frozen=True)
class Channel:
    """A current, a mode (LArSoft's number) and a struck nucleon, with the cross section of all such nucleons."""

    current: int
    mode: int
    nucleon: int
    weight: float


@dataclass(frozen=True)
class NeutrinoInteraction:
    """One interaction. Four-vectors (E, px, py, pz) in MeV.

    Attributes
    ----------
    pdg, current, mode, kind, nucleon, quark : int
        PDG codes of neutrino, struck nucleon and (deeply inelastic) struck quark, else 0; current; LArSoft's numbers
        of mode and interaction.
    neutrino, lepton, struck : (4,) array
        Incoming neutrino, outgoing lepton, and the sum of all nucleons that took part, lowered by removal energies.
    lepton_pdg : int
        PDG code of the outgoing lepton.
    hadronic_mass : float
        Mass of the hadrons before absorption in the nucleus (MeV).
    codes, vectors : (N,) int64, (N, 4) float64
        Hadrons that leave the nucleus.
    remnant : int
        PDG code of the nucleus that is left. Energy and momentum of neutrino and struck nucleons equal those of lepton
        and hadrons; the nucleus takes up the rest, unseen.
    """

    pdg: int
    current: int
    mode: int
    kind: int
    nucleon: int
    quark: int
    neutrino: Array
    lepton_pdg: int
    lepton: Array
    struck: Array
    hadronic_mass: float
    codes: Index
    vectors: Array
    remnant: int

    @property
    def transfer(self) -> Array:
        """Four-vector that the lepton hands over."""
        return self.neutrino - self.lepton

    @property
    def q2(self) -> float:
        """Squared momentum transfer (MeV2)."""
        return float((self.transfer[1:] ** 2).sum() - self.transfer[0] ** 2)

    @property
    def seen(self) -> Hadrons:
        """PDG codes and four-vectors of all that Geant4 follows: a charged lepton first, then hadrons."""
        if self.current == NC:
            return self.codes, self.vectors
        return np.r_[self.lepton_pdg, self.codes], np.concatenate([self.lepton[None], self.vectors])


def _lepton(pdg: int, current: int) -> int:
    return pdg - int(np.sign(pdg)) if current == CC else pdg


def _charge(pdg: int, current: int, nucleon: int) -> int:
    """Charge of the hadrons."""
    return int(nucleon == PROTON) + (int(np.sign(pdg)) if current == CC else 0)


def channels(pdg: int, energy: float, cfg: NeutrinoConfig) -> list[Channel]:
    """Ways in which a neutrino of an energy (MeV) can interact with argon, with weights in 1e-38 cm2 per nucleus."""
    return [c for current in (CC, NC) for c in _channels(pdg, energy, current, cfg) if c.weight > 0]


def _channels(pdg: int, energy: float, current: int, cfg: NeutrinoConfig) -> Iterator[Channel]:
    sign = int(np.sign(pdg))
    lepton = float(mass(np.array([_lepton(pdg, current)]))[0])
    scale = [cfg.cc_weight if current == CC else cfg.nc_weight * _NEUTRAL[m][sign < 0] for m in range(3)]
    q2, density = elastic_spectrum(energy - cfg.removal_energy, lepton, sign, cfg.axial_mass)
    elastic = float(np.trapezoid(density, q2)) * scale[ELASTIC] * cfg.qe_weight
    resonant = resonant_total(energy - cfg.removal_energy, lepton, sign) * scale[RESONANT] * cfg.res_weight
    deep = deep_total(energy, deep_grid(energy, lepton, sign), sign) * scale[DEEP] * cfg.dis_weight
    for nucleon, number in _NUMBER.items():
        favoured = (nucleon == NEUTRON) == (sign > 0)
        if current == NC or favoured:
            yield Channel(current, ELASTIC, nucleon, number * elastic)
        yield Channel(current, RESONANT, nucleon, number * resonant * _isospin(current, favoured))
        yield Channel(current, DEEP, nucleon, number * deep * (1.0 if current == NC else 4 / 3 if favoured else 2 / 3))


def _isospin(current: int, favoured: bool) -> float:
    """Resonant cross section of one nucleon in units of the largest channel: 9 to 2 + 1 for charged currents."""
    if current == NC:
        return 2 / 3
    return 1 / 3 if favoured else 1.0


def draw_interaction(rng: np.random.Generator, cfg: NeutrinoConfig) -> NeutrinoInteraction:
    """Draw flavour, energy, channel and kinematics.

    Raises
    ------
    ConfigError
        Neutrinos of the drawn energy do not interact in the allowed ways.
    """
    weight = np.array([f.weight for f in cfg.flavours])
    pdg = cfg.flavours[int(rng.choice(len(weight), p=weight / weight.sum()))].pdg
    energy = _energy(rng, cfg)
    found = channels(pdg, energy, cfg)
    share = np.array([c.weight for c in found])
    for _ in range(10 if found else 0):
        channel = found[int(rng.choice(len(found), p=share / share.sum()))]
        for _ in range(_TRIES):
            result = _attempt(rng, cfg, pdg, energy, channel)
            if result is not None:
                return result
    raise ConfigError(
        f"neutrinos {pdg} of {energy:.0f} MeV do not interact in the allowed ways",
        where="neutrino.energy",
        mend="raise the lower end of the energies, or allow neutral currents",
    )


def _energy(rng: np.random.Generator, cfg: NeutrinoConfig) -> float:
    if not cfg.spectrum:
        return float(rng.uniform(*cfg.energy))
    energy, density = np.array(cfg.spectrum, np.float64).T
    grid = np.unique(np.r_[energy, np.linspace(energy[0], energy[-1], 400)])
    height = np.interp(grid, energy, density)
    steps = np.r_[0.0, np.cumsum(0.5 * (height[1:] + height[:-1]) * np.diff(grid))]
    return float(np.interp(rng.uniform(0, steps[-1]), steps, grid))


def _attempt(
    rng: np.random.Generator, cfg: NeutrinoConfig, pdg: int, energy: float, channel: Channel
) -> NeutrinoInteraction | None:
    """One try with a nucleon of random momentum; None where it is not possible or Pauli's principle forbids it."""
    bare = float(mass(np.array([channel.nucleon]))[0])
    fermi = isotropic(rng, 1)[0] * cfg.fermi_momentum * rng.uniform() ** (1 / 3)
    struck = np.r_[np.sqrt(bare**2 + (fermi**2).sum()) - cfg.removal_energy, fermi]
    neutrino = np.array([energy, 0.0, 0.0, energy])
    lepton_pdg = _lepton(pdg, channel.current)
    lepton_mass = float(mass(np.array([lepton_pdg]))[0])
    chosen = _transfer(rng, cfg, channel, pdg, neutrino + struck, lepton_mass)
    if chosen is None:
        return None
    hadronic, q2 = chosen
    lepton = _scatter(rng, neutrino, neutrino + struck, (lepton_mass, hadronic), q2)
    if lepton is None:
        return None
    system = neutrino + struck - lepton
    codes = _hadrons(rng, channel, pdg, hadronic)
    if mass(codes).sum() >= hadronic and len(codes) > 1:
        return None
    vectors = system[None] if len(codes) == 1 else decay(rng, system, mass(codes))
    nucleons = np.isin(codes, (PROTON, NEUTRON))
    if np.any(np.linalg.norm(vectors[nucleons, 1:], axis=1) < cfg.fermi_momentum):
        return None
    return _leave(rng, cfg, channel, pdg, (neutrino, lepton, struck, system), (codes, vectors))


def _transfer(
    rng: np.random.Generator, cfg: NeutrinoConfig, channel: Channel, pdg: int, total: Array, lepton: float
) -> tuple[float, float] | None:
    """Draw the mass of the hadrons and Q2, in the rest frame of the nucleon."""
    root = float(invariant_mass(total))
    energy = (root**2 - NUCLEON_MASS**2) / (2 * NUCLEON_MASS)
    sign = int(np.sign(pdg))
    if channel.mode == ELASTIC:
        out = PROTON if _charge(pdg, channel.current, channel.nucleon) else NEUTRON
        q2, density = elastic_spectrum(energy, lepton, sign, cfg.axial_mass)
        if not density.any():
            return None
        steps = np.r_[0.0, np.cumsum(0.5 * (density[1:] + density[:-1]) * np.diff(q2))]
        return float(mass(np.array([out]))[0]), float(np.interp(rng.uniform(0, steps[-1]), steps, q2))
    if channel.mode == RESONANT:
        lower, upper = NUCLEON_MASS + _PION + 2, min(DEEP_LOWEST_MASS, root - lepton)
        if upper <= lower:
            return None
        reach = 2 * energy * NUCLEON_MASS
        return delta_mass(rng, lower, upper), dipole_transfer(rng.uniform(), (0.0, reach), cfg.resonance_axial_mass)
    grid = deep_grid(energy, lepton, sign)
    if not grid.weight.any():
        return None
    row = int(rng.choice(len(grid.weight), p=grid.weight / grid.weight.sum()))
    x, y = np.array([grid.x[row], grid.y[row]]) + rng.uniform(-0.5, 0.5, 2) * grid.step
    mass2 = NUCLEON_MASS**2 + 2 * NUCLEON_MASS * y * energy * (1 - x)
    return float(np.sqrt(mass2)), float(2 * NUCLEON_MASS * energy * x * y)


def _scatter(
    rng: np.random.Generator, neutrino: Array, total: Array, masses: tuple[float, float], q2: float
) -> Array | None:
    """Lepton that leaves hadrons of a mass with a Q2, at a random azimuth; None where there is none."""
    root = float(invariant_mass(total))
    if root <= sum(masses):
        return None
    momentum = float(two_body_momentum(root, *masses))
    rest = boost(neutrino, np.r_[total[0], -total[1:]])
    energy = float(np.hypot(momentum, masses[0]))
    cosine = (2 * rest[0] * energy - masses[0] ** 2 - q2) / (2 * rest[0] * momentum)
    if abs(cosine) > 1:
        return None
    azimuth = rng.uniform(0, 2 * np.pi)
    sine = np.sqrt(1 - cosine**2)
    local = np.array([sine * np.cos(azimuth), sine * np.sin(azimuth), cosine])
    return boost(np.r_[energy, momentum * directed(local, rest[1:])], total)


def _hadrons(rng: np.random.Generator, channel: Channel, pdg: int, hadronic: float) -> Index:
    charge = _charge(pdg, channel.current, channel.nucleon)
    if channel.mode == ELASTIC:
        return np.array([PROTON if charge else NEUTRON], np.int64)
    if channel.mode == RESONANT:
        return delta_pair(rng, charge)
    return deep_hadrons(rng, charge, hadronic)


def _leave(
    rng: np.random.Generator,
    cfg: NeutrinoConfig,
    channel: Channel,
    pdg: int,
    parts: tuple[Array, Array, Array, Array],
    hadrons: Hadrons,
) -> NeutrinoInteraction:
    """Absorb pions in the nucleus, turn everything to the beam, and take down what happened."""
    neutrino, lepton, struck, system = parts
    (codes, vectors), partners, energy = absorb_pions(rng, hadrons, cfg.pion_absorption, cfg.removal_energy)
    axis = np.array(cfg.direction, np.float64)
    everything = np.concatenate([np.stack([neutrino, lepton, struck]), vectors])
    everything[:, 1:] = directed(everything[:, 1:], axis)
    everything[2, 0] += energy.sum()
    return NeutrinoInteraction(
        pdg=pdg,
        current=channel.current,
        mode=channel.mode,
        kind=_kind(channel, pdg, hadrons[0]),
        nucleon=channel.nucleon,
        quark=_quark(rng, channel, pdg),
        neutrino=everything[0],
        lepton_pdg=_lepton(pdg, channel.current),
        lepton=everything[1],
        struck=everything[2],
        hadronic_mass=float(invariant_mass(system)),
        codes=codes,
        vectors=everything[3:],
        remnant=_remnant(1 + len(partners), _charge(pdg, channel.current, NEUTRON), codes),
    )


def _kind(channel: Channel, pdg: int, hadrons: Index) -> int:
    if channel.mode == RESONANT:
        return _RESONANT_TYPE[(int(np.sign(pdg)), channel.current, channel.nucleon, int(hadrons[1]))]
    return {ELASTIC: 1001, DEEP: 1091}[channel.mode] + channel.current


def _quark(rng: np.random.Generator, channel: Channel, pdg: int) -> int:
    """A neutrino turns a down quark into an up quark, an antineutrino the reverse; neutral currents strike both."""
    if channel.mode != DEEP:
        return 0
    if channel.current == NC:
        return 1 + int(rng.uniform() < 0.5)
    return 1 if pdg > 0 else 2


def _remnant(struck: int, weak: int, codes: Index) -> int:
    """PDG code of argon without the nucleons that left; ``weak`` is the charge that the lepton hands over."""
    charge = np.isin(codes, (PROTON, 211)).sum() - (codes == -211).sum()
    protons = 18 + weak - int(charge)
    return 1_000_000_000 + 10_000 * protons + 10 * (40 - struck)
