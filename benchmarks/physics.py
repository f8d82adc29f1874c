"""Measurements of simulated particles in a large volume of argon, beside published numbers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import curve_fit
from scipy.stats import norm

from spine.physics.constants import LIQUID_ARGON, MUON_MASS
from spine.physics.csda import csda_range
from spine.physics.energy_loss import most_probable_loss
from spine.physics.mcs import highland
from spine.physics.shower import longitudinal_maximum, longitudinal_profile, transverse_profile
from spine.schema.enums import Pid
from spine.sim.config import ImageConfig, SimulationConfig, TransportConfig
from spine.sim.primaries import Primaries
from spine.sim.transport import Deposits, Tracks, follow
from spine.sim.voxelise import split_lines

__all__ = [
    "XCOM",
    "Check",
    "Shower",
    "apart",
    "capture",
    "conversions",
    "depth_of_maximum",
    "michel_spectrum",
    "moliere",
    "most_probable",
    "parametrised_share",
    "ranges",
    "scattering",
    "shower",
    "slab_losses",
]

Array = NDArray[np.float64]
Result = TypeVar("Result")

#: Argon, barn per atom: energy (MeV), incoherent scattering and photoelectric effect, pair production.
#: M. J. Berger et al., XCOM 3.1, NIST Standard Reference Database 8 (doi 10.18434/T48G6X).
XCOM = np.array([
    (2, 2.6396, 0.0588), (5, 1.4955, 0.3627), (10, 0.9210, 0.7049), (20, 0.5471, 1.0802), (50, 0.2642, 1.5684),
    (100, 0.1490, 1.8867), (300, 0.0590, 2.2535), (1000, 0.0210, 2.4670),
])  # fmt: skip
PER_LENGTH = 0.602214 / LIQUID_ARGON.atomic_mass * LIQUID_ARGON.density  # barn per atom to 1/cm
#: Box of 12 m: nothing of interest leaves it.
_IMAGE = ImageConfig(voxel_size=1.0, cells=(1200, 1200, 1200), lower=(-600, -600, -600))
_CFG = SimulationConfig(seed=1, bomb=None, cosmics=None, image=_IMAGE)
GRINDHAMMER = "Grindhammer and Peters, hep-ex/0001020"
USUAL_CUT = _CFG.transport.default_cut


@dataclass(frozen=True)
class Check:
    """A simulated number, its statistical error, and what it should be.

    Parameters
    ----------
    quantity : str
        What it is.
    at : float
        Energy of the particle (MeV), or NaN.
    value, error, reference : float
        Simulated, statistical error, published.
    tolerance : float
        Largest relative deviation, besides three statistical errors.
    unit, source : str
        Unit; where the reference comes from.
    """

    quantity: str
    at: float
    value: float
    error: float
    reference: float
    tolerance: float
    unit: str
    source: str

    @property
    def deviation(self) -> float:
        """Relative to the reference."""
        return self.value / self.reference - 1

    @property
    def good(self) -> bool:
        """Whether it lies within the tolerance."""
        return bool(abs(self.value - self.reference) <= self.tolerance * self.reference + 3 * self.error)


def apart(measure: Callable[..., Result], *arguments: object) -> Result:
    """Measure in a process of its own, which another range cut needs."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(measure, *arguments).result()


def shoot(pdg: int, energy: float, count: int, seed: int, cut: float = USUAL_CUT) -> tuple[Tracks, Deposits]:
    """Shoot particles from the origin along z, with a range cut for secondaries (cm)."""
    cfg = _CFG.model_copy(update={"transport": TransportConfig(default_cut=cut)})
    number = np.arange(count)
    primaries = Primaries(
        pdg=np.full(count, pdg, np.int32),
        kinetic=np.full(count, float(energy)),
        position=np.zeros((count, 3)),
        direction=np.tile([0.0, 0.0, 1.0], (count, 1)),
        interaction=number,
        vertices=np.zeros((count, 3)),
        vertex_time=np.zeros(count),
        vertex_nu=number,
        vertex_mpv=np.ones(count, bool),
    )
    return follow(cfg, primaries, seed)


def _mean(values: Array) -> tuple[float, float]:
    return float(values.mean()), float(values.std(ddof=1) / np.sqrt(len(values)))


def ranges(pdg: int, energy: float, count: int, seed: int = 11) -> Check:
    """Mean path of particles that stop without a nuclear interaction, against the range in slowing down."""
    tracks, deposits = shoot(pdg, energy, count, seed)
    length = np.linalg.norm(deposits.end - deposits.start, axis=1)
    path = np.bincount(deposits.track, length, len(tracks.pdg))[:count]
    struck = tracks.parent[np.isin(tracks.process, ("protonInelastic", "muonNuclear"))]
    whole = (tracks.end_kinetic[:count] == 0) & ~np.isin(np.arange(count), struck)
    pid = Pid.PROTON if pdg == 2212 else Pid.MUON
    name, source = ("proton", "PSTAR, NIST") if pdg == 2212 else ("muon", "Groom et al., PDG")
    value, error = _mean(path[whole])
    reference = float(csda_range(energy, pid, "published"))
    return Check(f"range of a {name}", energy, value, error, reference, 0.02, "cm", source)


def slab_losses(energy: float, thickness: float, count: int, cut: float = USUAL_CUT, seed: int = 12) -> Array:
    """Energy (MeV) that muons leave in layers of a thickness (cm) within 12 cm, delta rays within 2 cm included."""
    tracks, deposits = shoot(-13, energy, count, seed, cut)
    layers = int(12 / thickness)
    scale, shift = np.array([4.0, 4.0, thickness]), np.array([0.5, 0.5, 0.0])
    pieces = split_lines(deposits.start / scale + shift, deposits.end / scale + shift, (1, 1, layers))
    energy_in = deposits.energy[pieces.line] * (pieces.leave - pieces.enter)
    owner = tracks.primary[deposits.track[pieces.line]] * layers + pieces.cell[:, 2]
    return np.asarray(np.bincount(owner, energy_in, count * layers))


def peak(losses: Array) -> tuple[float, float]:
    """Most probable value, top of the distribution smoothed by 3 % of the median, and its error by resampling."""
    rng = np.random.default_rng(1)
    draws = [_vertex(losses)] + [_vertex(rng.choice(losses, len(losses))) for _ in range(20)]
    return draws[0], float(np.std(draws[1:]))


def _vertex(losses: Array) -> float:
    middle = float(np.median(losses))
    grid = np.linspace(0.6, 1.2, 241) * middle
    near = losses[np.abs(losses / middle - 1) < 0.6]
    density = np.exp(-0.5 * ((grid[:, None] - near) / (0.03 * middle)) ** 2).sum(1)
    top = int(np.argmax(density))
    around = slice(max(top - 20, 0), top + 21)
    a, b, _ = np.polyfit(grid[around], density[around], 2)
    return float(-b / (2 * a))


def most_probable(energy: float, thickness: float, count: int, cut: float = USUAL_CUT) -> Check:
    """Most probable energy loss of muons per length in layers of a thickness (cm).

    With the usual range cut Geant4's steps are longer than a voxel, so that fluctuations in thin layers come out too
    small and the most probable loss too large.
    """
    value, error = peak(slab_losses(energy, thickness, count, cut))
    half = energy - 2.1 * 6.0  # halfway through the layers
    reference = float(most_probable_loss(half, MUON_MASS, thickness))
    name = f"most probable dE/dx in {thickness:g} cm, cut {cut:g} cm"
    tolerance = 0.1 if cut > 0.1 * thickness - 1e-9 else 0.04
    return Check(
        name, energy, value / thickness, error / thickness, reference / thickness, tolerance, "MeV/cm", "PDG 34.12"
    )


@dataclass(frozen=True)
class Shower:
    """Mean electron shower.

    Attributes
    ----------
    depth, profile : (N,) array
        Depth (radiation lengths) and share of the energy per radiation length.
    maximum, maximum_error : float
        Depth of the maximum of a gamma distribution fitted to it (radiation lengths).
    radius, contained : (M,) array
        Radii (Moliere radii) and share of the energy within.
    """

    depth: Array
    profile: Array
    maximum: float
    maximum_error: float
    radius: Array
    contained: Array

    def radius_of(self, share: float) -> float:
        """Radius (Moliere radii) that holds a share of the energy."""
        return float(np.interp(share, self.contained, self.radius))


def shower(pdg: int, energy: float, count: int, seed: int = 13) -> Shower:
    """Mean shower of electrons or photons of an energy."""
    tracks, deposits = shoot(pdg, energy, count, seed)
    middle = 0.5 * (deposits.start + deposits.end)
    t = middle[:, 2] / LIQUID_ARGON.radiation_length
    edges = np.arange(0, 26, 0.5)
    each = np.zeros((count, len(edges) - 1))
    owner = tracks.primary[deposits.track]
    row = np.digitize(t, edges) - 1
    inside = (row >= 0) & (row < each.shape[1])
    np.add.at(each, (owner[inside], row[inside]), deposits.energy[inside])
    each /= 0.5 * deposits.energy.sum() / count
    centre = 0.5 * (edges[1:] + edges[:-1])
    rng = np.random.default_rng(2)
    maxima = [_gamma_maximum(centre, each[rng.integers(0, count, count)].mean(0)) for _ in range(20)]
    radius = np.hypot(middle[:, 0], middle[:, 1]) / LIQUID_ARGON.moliere_radius
    order = np.argsort(radius)
    share = np.cumsum(deposits.energy[order]) / deposits.energy.sum()
    grid = np.linspace(0, 4, 81)
    profile = each.mean(0)
    contained = np.interp(grid, radius[order], share)
    return Shower(centre, profile, _gamma_maximum(centre, profile), float(np.std(maxima)), grid, contained)


def depth_of_maximum(found: Shower, energy: float) -> Check:
    """Depth of the maximum of electron showers, against homogeneous media."""
    reference = longitudinal_maximum(energy, "gp") / LIQUID_ARGON.radiation_length
    error = found.maximum_error
    return Check("shower maximum", energy, found.maximum, error, reference, 0.08, "X0", GRINDHAMMER)


def moliere(found: Shower, energy: float, within: float) -> Check:
    """Share of the energy within a radius in units of Moliere's."""
    value = float(np.interp(within, found.radius, found.contained))
    reference = float(parametrised_share(energy, np.array([within]))[0])
    return Check(f"energy within {within:g} RM", energy, value, 0.0, reference, 0.08, "", GRINDHAMMER)


def parametrised_share(energy: float, radii: Array) -> Array:
    """Share of the energy within radii (Moliere radii) in the mean shower of Grindhammer and Peters."""
    depth = np.linspace(0.05, 25, 120) * LIQUID_ARGON.radiation_length
    weight = longitudinal_profile(depth, energy, "gp")
    r = np.linspace(0, radii.max() * LIQUID_ARGON.moliere_radius, 3000)
    density = (weight[:, None] * transverse_profile(r, depth[:, None], energy)).sum(0) / weight.sum()
    inside = np.r_[0, np.cumsum(0.5 * (density[1:] + density[:-1]) * np.diff(r))]
    return np.asarray(np.interp(radii * LIQUID_ARGON.moliere_radius, r, inside))


def _gamma_maximum(t: Array, profile: Array) -> float:
    from scipy.stats import gamma

    def shape(x: Array, a: float, b: float) -> Array:
        return np.asarray(gamma.pdf(x, a, scale=1 / b))

    (a, b), _ = curve_fit(shape, t, profile, p0=(3.0, 0.5), bounds=((1.01, 0.05), (30, 5)))
    return float((a - 1) / b)


def conversions(energies: Sequence[float], count: int) -> list[tuple[Check, Check]]:
    """Checks of `_conversion` at some energies, with a range cut of their own: see `apart`."""
    return [_conversion(energy, count) for energy in energies]


def _conversion(energy: float, count: int, seed: int = 14) -> tuple[Check, Check]:
    """Attenuation length of photons, and share of those that convert to a pair, against XCOM."""
    tracks, _ = shoot(22, energy, count, seed, cut=1e4)  # only the first interaction counts
    child = np.flatnonzero((tracks.parent >= 0) & (tracks.parent < count))
    order = np.lexsort((tracks.time[child], tracks.parent[child]))
    photon, first = np.unique(tracks.parent[child][order], return_index=True)
    chosen = child[order][first]
    pairs = np.isin(tracks.process[chosen], ("conv",))
    depth, error = _mean(tracks.position[chosen][:, 2])
    row = int(np.flatnonzero(XCOM[:, 0] == energy)[0])
    total = float(XCOM[row, 1:].sum())
    share = float(XCOM[row, 2] / total)
    spread = float(np.sqrt(share * (1 - share) / len(photon)))
    source = "XCOM, NIST"
    return (
        Check("attenuation length of photons", energy, depth, error, 1 / total / PER_LENGTH, 0.06, "cm", source),
        Check("photons that convert first", energy, float(pairs.mean()), spread, share, 0.04, "", source),
    )


def michel_spectrum(count: int, seed: int = 15) -> tuple[Array, list[Check]]:
    """Energies (MeV, with rest mass) of positrons of mu+ at rest, and checks of end point, mean and lifetime."""
    tracks, _ = shoot(-13, 20.0, count, seed)
    row = np.flatnonzero((tracks.pdg == -11) & (tracks.process == "Decay") & (tracks.parent < count))
    energy = tracks.kinetic[row] + 0.511
    mean, error = _mean(energy)
    lifetime, spread = _mean(tracks.time[row])
    largest = MUON_MASS / 2 + 0.511**2 / (2 * MUON_MASS)
    return energy, [
        Check(
            "mean energy of Michel positrons", np.nan, mean, error, 0.35 * MUON_MASS, 0.01, "MeV", "7/20 of the mass"
        ),
        Check("end point of Michel positrons", np.nan, float(energy.max()), 0.0, largest, 0.01, "MeV", "PDG"),
        Check("lifetime of mu+", np.nan, lifetime, spread, 2196.98, 0.01, "ns", "PDG"),
    ]


def capture(count: int, seed: int = 16) -> list[Check]:
    """Share of mu- at rest that decay in orbit, and their lifetime in argon."""
    tracks, _ = shoot(13, 20.0, count, seed)
    born = (tracks.process == "muMinusCaptureAtRest") & (tracks.parent >= 0) & (tracks.parent < count)
    electron = np.flatnonzero(born & (tracks.pdg == 11) & (tracks.kinetic > 3))
    share = len(np.unique(tracks.parent[electron])) / count
    late = np.flatnonzero(born & (tracks.time > 1))
    order = np.lexsort((tracks.time[late], tracks.parent[late]))
    _, first = np.unique(tracks.parent[late][order], return_index=True)
    lifetime, spread = _mean(tracks.time[late][order][first])
    source = "Suzuki et al., Phys. Rev. C 35 (1987) 2212"
    expected = 0.988 * 537.0 / 2196.98
    error = float(np.sqrt(share * (1 - share) / count))
    return [
        Check("mu- that decay", np.nan, share, error, expected, 0.1, "", source),
        Check("lifetime of mu- in argon", np.nan, lifetime, spread, 537.0, 0.1, "ns", source),
    ]


def scattering(energy: float, thickness: float, count: int, seed: int = 17) -> Check:
    """Width of the projected angle of muons behind a thickness (cm), of the central 98 %, against Highland."""
    _, deposits = shoot(-13, energy, count, seed)
    own = deposits.track < count
    start, end = deposits.start[own], deposits.end[own]
    crossing = (start[:, 2] < thickness) & (end[:, 2] >= thickness)
    step = (end - start)[crossing]
    angle = np.arctan2(step[:, :2], step[:, 2:]).ravel()
    width = _central_width(angle)
    loss = 2.12 * thickness
    momentum = np.sqrt((energy - loss / 2) * (energy - loss / 2 + 2 * MUON_MASS))
    reference = float(highland(momentum, MUON_MASS, thickness)) * 1e3
    error = width / np.sqrt(2 * max(len(angle), 1))
    name = f"scattering in {thickness:g} cm"
    return Check(name, energy, width * 1e3, error * 1e3, reference, 0.11, "mrad", "Lynch and Dahl, PDG 34.16")


def _central_width(angle: Array) -> float:
    """Standard deviation of a normal distribution whose central 98 % have the spread of those of the angles."""
    kept = angle[np.abs(angle) <= np.quantile(np.abs(angle), 0.98)]
    cut = norm.ppf(0.99)
    share = 1 - 2 * cut * norm.pdf(cut) / 0.98
    return float(np.sqrt((kept**2).mean() / share))
