"""Simulated events: voxels, labels and the truth particle list."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spine.geometry import Detector
from spine.sim.config import ImageConfig, SimulationConfig
from spine.sim.hits import EnergyBudget, Hits, make_hits, voxel_cells
from spine.sim.labels import LOW_ENERGY, Clusters, find_instances, overlay
from spine.sim.primaries import draw_primaries, geant4_seed, image_bounds
from spine.sim.readout import Readout, response_rng
from spine.sim.transport import Deposits, follow
from spine.sim.trees import grow_trees
from spine.sim.truth import ParticleColumns, group_primary, particle_columns
from spine.sim.vertices import mpv_columns, neutrino_columns
from spine.sim.volume import framed, volume_of

__all__ = ["ImageMeta", "SimulatedEvent", "simulate_event", "simulate_events"]


@dataclass(frozen=True)
class ImageMeta:
    """Where the image lies.

    Attributes
    ----------
    lower, upper, size : (3,) float64
        Corners and voxel edges (cm).
    count : (3,) int64
        Number of voxels along each axis.
    """

    lower: NDArray[np.float64]
    upper: NDArray[np.float64]
    size: NDArray[np.float64]
    count: NDArray[np.int64]


@dataclass(frozen=True)
class SimulatedEvent:
    """One event as a larcv file would hold it.

    Attributes
    ----------
    coords, charge : (N, 3) int32 and (N,) float32
        Voxels, sorted by z, then y, then x, and their energies (MeV), or what is read out of them in the unit of the
        response.
    semantics : (N,) int32
        Shape of the instance that the voxel belongs to.
    cluster : (N,) int32
        Row of that instance in the particle list; -1 for low-energy depositions, unless they are labelled too.
    cluster_row, cluster_particle : (Q,) int32
        All pairs of voxel row and particle row that share energy, sorted by particle: larcv's cluster3d.
    cluster_charge : (Q,) float32
        Deposited energy of each pair (MeV).
    particles : dict
        Columns of the particle list, P rows: arrays, a list of int32 arrays for ``children_id``, lists of str
        for ``*_process``. Positions in cm, times in ns, energies in MeV, momenta in MeV/c.
    visible_group_primary : (P,) int64
        ``group_primary`` again, over the instances that still have voxels in `cluster`.
    meta : ImageMeta
        Where the image lies.
    vertices, vertex_t, vertex_nu_id : (V, 3), (V,) float64 and (V,) int64
        Position (cm), time (ns) and neutrino number (-1 for none) of each interaction; row = ``interaction_id``.
    neutrinos, mpv : dict or None
        Columns of the lists of neutrinos and of the primary particles at vertices of several particles; None where
        the configuration asks for no neutrinos and for no rain.
    energy : EnergyBudget
        Where the deposited energy went (MeV).
    num_primaries, num_tracks, num_deposits : int
        Size of the simulation behind the event.
    """

    event: int
    coords: NDArray[np.int32]
    charge: NDArray[np.float32]
    semantics: NDArray[np.int32]
    cluster: NDArray[np.int32]
    cluster_row: NDArray[np.int32]
    cluster_particle: NDArray[np.int32]
    cluster_charge: NDArray[np.float32]
    particles: ParticleColumns
    visible_group_primary: NDArray[np.int64]
    meta: ImageMeta
    vertices: NDArray[np.float64]
    vertex_t: NDArray[np.float64]
    vertex_nu_id: NDArray[np.int64]
    neutrinos: ParticleColumns | None
    mpv: ParticleColumns | None
    energy: EnergyBudget
    num_primaries: int
    num_tracks: int
    num_deposits: int


def _meta(image: ImageConfig) -> ImageMeta:
    lower, upper = image_bounds(image)
    return ImageMeta(lower, upper, np.full(3, image.voxel_size), np.array(image.cells, np.int64))


def _hits(
    cfg: SimulationConfig, event: int, deposits: Deposits, detector: Detector | None
) -> tuple[Hits, EnergyBudget]:
    volume = volume_of(cfg.image, cfg.response, detector)
    readout = None
    if cfg.response is not None and volume is not None:
        readout = Readout(cfg.response, volume, response_rng(cfg.seed, event))
    return make_hits(deposits, cfg.image, volume if cfg.image.frame == "detector" else None, readout)


def _image(hits: Hits, clusters: Clusters) -> NDArray[np.float32]:
    if hits.value is not None:
        return hits.value.astype(np.float32)
    return np.asarray(np.bincount(clusters.row, clusters.energy, len(hits.voxel)), np.float32)


def simulate_event(cfg: SimulationConfig, event: int, detector: Detector | None = None) -> SimulatedEvent:
    """Simulate one event.

    Parameters
    ----------
    cfg : SimulationConfig
        What to simulate.
    event : int
        Number of the event, from 0; with the seed it fixes the event, whatever was simulated before.
    detector : Detector, optional
        Needed where the image follows the detector.

    Returns
    -------
    SimulatedEvent
        Voxels and truth.

    Raises
    ------
    ConfigError, StageError
        The configuration cannot be carried out; Geant4 is not installed or its data are broken.
    """
    cfg = framed(cfg, detector)
    primaries = draw_primaries(cfg, event)
    tracks, deposits = follow(cfg, primaries, geant4_seed(cfg.seed, event))
    hits, energy = _hits(cfg, event, deposits, detector)
    trees = grow_trees(tracks, cfg.labels.michel_energy)
    instances = find_instances(hits, tracks, trees, cfg.image.cells, cfg.labels)
    clusters = overlay(hits, instances)
    particles = particle_columns(tracks, hits, instances, clusters, primaries)
    semantics = instances.shape[clusters.winner]
    hidden = (semantics == LOW_ENERGY) & (not cfg.labels.label_le)
    cluster = np.where(hidden, -1, clusters.winner)
    visible = np.bincount(cluster[cluster >= 0], minlength=len(instances.track)) > 0
    first_time = np.asarray(particles["first_step_t"], np.float64)
    return SimulatedEvent(
        event=event,
        coords=voxel_cells(hits.voxel, cfg.image.cells).astype(np.int32),
        charge=_image(hits, clusters),
        semantics=semantics.astype(np.int32),
        cluster=cluster.astype(np.int32),
        cluster_row=clusters.row.astype(np.int32),
        cluster_particle=clusters.instance.astype(np.int32),
        cluster_charge=clusters.energy.astype(np.float32),
        particles=particles,
        visible_group_primary=group_primary(instances.group, instances.shape, first_time, visible, cfg.labels.label_le),
        meta=_meta(cfg.image),
        vertices=primaries.vertices,
        vertex_t=primaries.vertex_time,
        vertex_nu_id=primaries.vertex_nu,
        neutrinos=neutrino_columns(primaries) if cfg.neutrino is not None else None,
        mpv=mpv_columns(tracks, primaries) if cfg.rain is not None else None,
        energy=energy,
        num_primaries=len(primaries.pdg),
        num_tracks=len(tracks.pdg),
        num_deposits=len(deposits.energy),
    )


def simulate_events(
    cfg: SimulationConfig, first: int = 0, stop: int | None = None, detector: Detector | None = None
) -> Iterator[SimulatedEvent]:
    """Simulate a range of events; any split of the range gives the same events.

    Parameters
    ----------
    first, stop : int
        First event, and the one after the last; ``cfg.n_events`` when not given.
    detector : Detector, optional
        Needed where the image follows the detector.
    """
    for event in range(first, cfg.n_events if stop is None else stop):
        yield simulate_event(cfg, event, detector)
