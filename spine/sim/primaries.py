"""Primary particles: bombs of several particles from a vertex, a gun, and cosmic-ray muons from above."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spine.errors import ConfigError
from spine.sim.config import (
    BombConfig,
    CosmicsConfig,
    GunConfig,
    ImageConfig,
    NeutrinoConfig,
    RainConfig,
    SimulationConfig,
)
from spine.sim.kinematics import isotropic
from spine.sim.neutrinos import NeutrinoInteraction, draw_interaction
from spine.sim.species import mass

__all__ = ["Primaries", "draw_primaries", "event_rng", "geant4_seed", "image_bounds", "muon_spectrum"]

Array = NDArray[np.float64]
_AXES = {"x": 0, "y": 1, "z": 2}
_MUON = 105.6583755  # MeV (PDG 2024)
_TRIES = 4096


@dataclass(frozen=True)
class Primaries:
    """The primary particles of one event and the vertices that they come from.

    Attributes
    ----------
    pdg, kinetic : (P,) int32 and float64
        PDG codes and kinetic energies (MeV).
    position, direction : (P, 3) float64
        Start (cm) and unit direction.
    interaction : (P,) int64
        Row of the vertex.
    vertices, vertex_time : (V, 3) and (V,) float64
        Positions (cm; of a cosmic, where it enters the argon) and times (ns) of the vertices.
    vertex_nu : (V,) int64
        Number of the neutrino vertex, in events without neutrinos of the bomb or gun vertex; -1 for others.
    vertex_mpv : (V,) bool
        Whether a vertex counts as one of several particles (MPV): neutrinos, bombs and the gun, not rain and cosmics.
    neutrinos : tuple of (int, NeutrinoInteraction)
        Rows of the neutrino vertices, and what happened there.
    """

    pdg: NDArray[np.int32]
    kinetic: Array
    position: Array
    direction: Array
    interaction: NDArray[np.int64]
    vertices: Array
    vertex_time: Array
    vertex_nu: NDArray[np.int64]
    vertex_mpv: NDArray[np.bool_]
    neutrinos: tuple[tuple[int, NeutrinoInteraction], ...] = ()


@dataclass(frozen=True)
class _Vertex:
    position: Array
    time: float  # us
    beam: bool
    pdg: list[int]
    kinetic: list[float]
    direction: Array
    neutrino: NeutrinoInteraction | None = None


def event_rng(seed: int, event: int) -> np.random.Generator:
    """Random numbers of the primaries of one event, the same whichever process draws them."""
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence(seed, spawn_key=(event, 0))))


def geant4_seed(seed: int, event: int) -> int:
    """Seed of 128 bits for the Geant4 run of one event, independent of `event_rng`."""
    words = np.random.SeedSequence(seed, spawn_key=(event, 1)).generate_state(4, np.uint32)
    return int.from_bytes(words.astype("<u4").tobytes(), "little")


def image_bounds(image: ImageConfig, margin: float = 0.0) -> tuple[Array, Array]:
    """Lower and upper corner of the image (cm), each face moved outwards by a margin (cm)."""
    lower = np.array(image.lower, np.float64)
    upper = lower + np.array(image.cells, np.float64) * image.voxel_size
    return lower - margin, upper + margin


def draw_primaries(cfg: SimulationConfig, event: int) -> Primaries:
    """Draw the primary particles of one event.

    Parameters
    ----------
    cfg : SimulationConfig
        What to draw.
    event : int
        Number of the event.

    Returns
    -------
    Primaries
        Bomb vertices first, then the gun, neutrinos, rain, and cosmics.

    Raises
    ------
    ConfigError
        The vertex margin leaves no room in the image, or the direction of the gun is null.
    """
    rng = event_rng(cfg.seed, event)
    found: list[_Vertex] = []
    if cfg.bomb is not None:
        for _ in range(int(rng.integers(cfg.bomb.vertices[0], cfg.bomb.vertices[1] + 1))):
            found.append(_bomb(rng, cfg.bomb, cfg.image))
    if cfg.gun is not None:
        found.append(_gun(rng, cfg.gun, cfg.image))
    found += _neutrinos(rng, cfg) + _rain(rng, cfg)
    if cfg.cosmics is not None:
        lower, upper = image_bounds(cfg.image, cfg.image.box_margin)
        for _ in range(int(rng.integers(cfg.cosmics.multiplicity[0], cfg.cosmics.multiplicity[1] + 1))):
            found.append(_cosmic(rng, cfg.cosmics, lower, upper))
    return _collect(found)


def _neutrinos(rng: np.random.Generator, cfg: SimulationConfig) -> list[_Vertex]:
    if cfg.neutrino is None:
        return []
    count = int(rng.integers(cfg.neutrino.vertices[0], cfg.neutrino.vertices[1] + 1))
    return [_neutrino(rng, cfg.neutrino, cfg.image) for _ in range(count)]


def _neutrino(rng: np.random.Generator, neutrino: NeutrinoConfig, image: ImageConfig) -> _Vertex:
    position = _uniform_position(rng, image, neutrino.vertex_margin, "neutrino")
    time = float(rng.uniform(*neutrino.time))
    _unit(neutrino.direction, "neutrino")
    result = draw_interaction(rng, neutrino)
    codes, vectors = result.seen
    momentum = np.linalg.norm(vectors[:, 1:], axis=1)
    kinetic = np.hypot(momentum, mass(codes)) - mass(codes)
    return _Vertex(position, time, True, codes.tolist(), kinetic.tolist(), vectors[:, 1:] / momentum[:, None], result)


def _rain(rng: np.random.Generator, cfg: SimulationConfig) -> list[_Vertex]:
    if cfg.rain is None:
        return []
    count = int(rng.integers(cfg.rain.multiplicity[0], cfg.rain.multiplicity[1] + 1))
    return [_drop(rng, cfg.rain, cfg.image) for _ in range(count)]


def _drop(rng: np.random.Generator, rain: RainConfig, image: ImageConfig) -> _Vertex:
    position = _uniform_position(rng, image, rain.vertex_margin, "rain")
    weight = np.array([s.weight for s in rain.species])
    kind = rain.species[int(rng.choice(len(weight), p=weight / weight.sum()))]
    energy = float(rng.uniform(*kind.kinetic_energy))
    return _Vertex(position, float(rng.uniform(*rain.time)), False, [kind.pdg], [energy], isotropic(rng, 1))


def _collect(found: Sequence[_Vertex]) -> Primaries:
    counts = np.array([len(v.pdg) for v in found], np.int64)
    interaction = np.repeat(np.arange(len(found)), counts)
    vertices = np.array([v.position for v in found], np.float64).reshape(-1, 3)
    beam = np.array([v.beam for v in found], bool)
    neutrinos = tuple((i, v.neutrino) for i, v in enumerate(found) if v.neutrino is not None)
    counted = np.isin(np.arange(len(found)), [i for i, _ in neutrinos]) if neutrinos else beam
    return Primaries(
        pdg=np.array([p for v in found for p in v.pdg], np.int32),
        kinetic=np.array([k for v in found for k in v.kinetic], np.float64),
        position=vertices[interaction],
        direction=np.concatenate([v.direction for v in found] or [np.zeros((0, 3))]),
        interaction=interaction,
        vertices=vertices,
        vertex_time=np.array([v.time for v in found], np.float64) * 1e3,
        vertex_nu=np.where(counted, np.cumsum(counted) - 1, -1).astype(np.int64),
        vertex_mpv=beam,
        neutrinos=neutrinos,
    )


def _uniform_position(rng: np.random.Generator, image: ImageConfig, margin: float, block: str) -> Array:
    lower, upper = image_bounds(image, -margin)
    if np.any(lower > upper):
        raise ConfigError(
            "vertices cannot be that far from all faces of the image",
            where=f"{block}.vertex_margin",
            got=margin,
            expected=f"at most {float((upper - lower).min() / 2 + margin):g} cm",
        )
    return rng.uniform(lower, upper)


def _unit(direction: tuple[float, float, float], block: str) -> Array:
    given = np.array(direction, np.float64)
    norm = float(np.linalg.norm(given))
    if norm == 0:
        raise ConfigError("the direction has no length", where=f"{block}.direction", got=direction)
    return given / norm


def _bomb(rng: np.random.Generator, bomb: BombConfig, image: ImageConfig) -> _Vertex:
    position = _uniform_position(rng, image, bomb.vertex_margin, "bomb")
    left = np.array([s.max_count for s in bomb.species])
    weight = np.array([s.weight for s in bomb.species])
    pdg: list[int] = []
    kinetic: list[float] = []
    for _ in range(int(rng.integers(bomb.multiplicity[0], bomb.multiplicity[1] + 1))):
        share = weight * (left > 0)
        if not share.any():
            break
        kind = int(rng.choice(len(share), p=share / share.sum()))
        left[kind] -= 1
        pdg.append(bomb.species[kind].pdg)
        kinetic.append(float(rng.uniform(*bomb.species[kind].kinetic_energy)))
    return _Vertex(position, float(rng.uniform(*bomb.time)), True, pdg, kinetic, isotropic(rng, len(pdg)))


def _gun(rng: np.random.Generator, gun: GunConfig, image: ImageConfig) -> _Vertex:
    free = _uniform_position(rng, image, 0.0, "gun")
    position = free if gun.position is None else np.array(gun.position, np.float64)
    direction = isotropic(rng, 1)
    if gun.direction is not None:
        direction = _unit(gun.direction, "gun")[None]
    energy = float(rng.uniform(*gun.kinetic_energy))
    return _Vertex(position, float(rng.uniform(*gun.time)), True, [gun.pdg], [energy], direction)


def muon_spectrum(kinetic: Array) -> Array:
    """Energy spectrum of vertical cosmic-ray muons at sea level.

    Parameters
    ----------
    kinetic : (N,) array
        Kinetic energy (MeV).

    Returns
    -------
    (N,) array
        Intensity per unit of kinetic energy (arbitrary unit). Reyna, arXiv:hep-ph/0604145, eq. 3.
    """
    total = kinetic + _MUON
    momentum = np.sqrt(total**2 - _MUON**2) * 1e-3
    log_p = np.log10(momentum)
    slope = 0.2455 + 1.288 * log_p - 0.2555 * log_p**2 + 0.0209 * log_p**3
    return np.asarray(0.00253 * momentum**-slope * total / (momentum * 1e3))


def _muon_energy(rng: np.random.Generator, lower: float, upper: float) -> float:
    grid = np.geomspace(lower, upper, 400)
    density = muon_spectrum(grid)
    steps = np.r_[0.0, np.cumsum(0.5 * (density[1:] + density[:-1]) * np.diff(grid))]
    return float(np.interp(rng.uniform(0, steps[-1]), steps, grid)) if steps[-1] > 0 else lower


def _cosmic(rng: np.random.Generator, cosmics: CosmicsConfig, lower: Array, upper: Array) -> _Vertex:
    up = _AXES[cosmics.vertical]
    direction, position = _first_hit(rng, lower, upper, up)
    positive = rng.uniform() < cosmics.charge_ratio / (1 + cosmics.charge_ratio)
    energy = _muon_energy(rng, *cosmics.kinetic_energy)
    time = float(rng.uniform(*cosmics.time))
    return _Vertex(position, time, False, [-13 if positive else 13], [energy], direction[None])


def _first_hit(rng: np.random.Generator, lower: Array, upper: Array, up: int) -> tuple[Array, Array]:
    """First of many random lines, with intensity ``cos^2`` of the zenith angle, that meets the box.

    Lines cross a disc around the centre of the box at right angles, so each direction gets the box's
    projected area as its weight.
    """
    cosine = rng.uniform(0, 1, _TRIES) ** (1 / 3)
    azimuth, turn = rng.uniform(0, 2 * np.pi, (2, _TRIES))
    radius = 0.5 * float(np.linalg.norm(upper - lower)) * np.sqrt(rng.uniform(0, 1, _TRIES))
    down, first, second = _frames(cosine, azimuth, up)
    origin = 0.5 * (lower + upper) + radius[:, None] * (np.cos(turn)[:, None] * first + np.sin(turn)[:, None] * second)
    with np.errstate(divide="ignore", invalid="ignore"):
        a, b = (lower - origin) / down, (upper - origin) / down
    enter = np.nanmax(np.minimum(a, b), axis=1)
    leave = np.nanmin(np.maximum(a, b), axis=1)
    row = int(np.argmax(leave > enter))
    point = np.clip(origin[row] + enter[row] * down[row], lower, upper)
    return down[row], point


def _frames(cosine: Array, azimuth: Array, up: int) -> tuple[Array, Array, Array]:
    """Downward unit vectors, and two unit vectors at right angles to each."""
    sine = np.sqrt(1 - cosine**2)
    side, other = (up + 1) % 3, (up + 2) % 3
    down, first, second = np.zeros((3, len(cosine), 3))
    down[:, up], down[:, side], down[:, other] = -cosine, sine * np.cos(azimuth), sine * np.sin(azimuth)
    first[:, side], first[:, other] = -np.sin(azimuth), np.cos(azimuth)
    second[:, up] = sine
    second[:, side], second[:, other] = cosine * np.cos(azimuth), cosine * np.sin(azimuth)
    return down, first, second
