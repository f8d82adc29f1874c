"""Follow the primaries of an event through liquid argon with Geant4 (calzone)."""

from __future__ import annotations

import threading
from dataclasses import dataclass, fields
from functools import lru_cache
from types import SimpleNamespace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spine.errors import ConfigError, StageError
from spine.sim.config import SimulationConfig, TransportConfig
from spine.sim.datadir import Geant4Data, export_environment, find_data
from spine.sim.primaries import Primaries, image_bounds
from spine.sim.species import process_names

__all__ = ["Deposits", "Tracks", "data_in_use", "follow"]

Array = NDArray[np.float64]
Index = NDArray[np.int64]
_LOCK = threading.Lock()


@dataclass(frozen=True)
class Tracks:
    """Geant4 tracks of one event; primaries first, in the order of the generator. Track id = row + 1.

    Attributes
    ----------
    parent, primary : (T,) int64
        Row of the parent, -1 for primaries, and of the primary that it descends from.
    pdg, process : (T,) int64 and str
        PDG code, and Geant4 name of the creation process.
    kinetic, time, position, direction : (T,) and (T, 3) float64
        Kinetic energy (MeV), time (ns), position (cm) and unit direction at the start; with ``end_``, at the end.
    """

    parent: Index
    primary: Index
    pdg: Index
    process: NDArray[np.str_]
    kinetic: Array
    end_kinetic: Array
    time: Array
    end_time: Array
    position: Array
    end_position: Array
    direction: Array
    end_direction: Array


@dataclass(frozen=True)
class Deposits:
    """Energy deposits along straight lines; deposits at a point have no length.

    Attributes
    ----------
    track, energy : (D,) int64 and float64
        Row of the track and deposited energy (MeV).
    start, end, start_time, end_time : (D, 3) and (D,) float64
        Ends of the line (cm) and times there (ns).
    """

    track: Index
    energy: Array
    start: Array
    end: Array
    start_time: Array
    end_time: Array


@lru_cache(maxsize=1)
def _engine(data: Geant4Data) -> Any:
    """Import calzone with the data set for it; Geant4 cannot change its data in a running process."""
    export_environment(data)
    try:
        import calzone
    except ImportError as error:
        raise StageError(
            "the event generator needs Geant4, which comes with the package calzone",
            mend="install the extra 'sim' of this package",
        ) from error
    return calzone


_USED: list[Geant4Data] = []


def data_in_use(cfg: SimulationConfig) -> Geant4Data:
    """Say which Geant4 data the events are made with, and load Geant4.

    Parameters
    ----------
    cfg : SimulationConfig
        The option ``transport.geant4_data`` counts.

    Returns
    -------
    Geant4Data
        Directory, origin and digest.

    Raises
    ------
    ConfigError
        Other data were used before in this process, or the directory is incomplete.
    StageError
        calzone is not installed.
    """
    option = cfg.transport.geant4_data
    if not _USED:
        data = find_data(option)
        _engine(data)
        _USED.append(data)
    if option is not None and option.resolve() != _USED[0].path:
        raise ConfigError(
            "Geant4 was already started with other data",
            where="transport.geant4_data",
            got=str(option),
            expected=str(_USED[0].path),
            mend="use a process of its own for each data directory",
        )
    return _USED[0]


_PHYSICS: list[tuple[float, str]] = []


def _same_physics(transport: TransportConfig) -> None:
    """Refuse other physics in a running process: Geant4 does not forget, and events would depend on what ran before."""
    physics = (transport.default_cut, transport.hadronic_model)
    if _PHYSICS and _PHYSICS[0] != physics:
        raise ConfigError(
            "Geant4 was already started with other physics",
            where="transport",
            got=f"default_cut {physics[0]:g} cm, {physics[1]}",
            expected=f"default_cut {_PHYSICS[0][0]:g} cm, {_PHYSICS[0][1]}",
            mend="use a process of its own for each choice of physics",
        )
    _PHYSICS[:] = [physics]


@lru_cache(maxsize=1)
def _simulation(data: Geant4Data, box: tuple[float, float, float], cut: float, hadronic: str) -> Any:
    calzone = _engine(data)
    world = {"World": {"box": list(box), "material": "G4_lAr", "role": "record_deposits"}}
    simulation = calzone.Simulation(world)
    simulation.sample_deposits = "detailed"
    simulation.tracking = True
    simulation.secondaries = True
    simulation.physics = calzone.Physics("standard", had_model=hadronic, default_cut=cut)
    return simulation


def follow(cfg: SimulationConfig, primaries: Primaries, seed: int) -> tuple[Tracks, Deposits]:
    """Run Geant4 on one event.

    Parameters
    ----------
    cfg : SimulationConfig
        Volume and physics.
    primaries : Primaries
        What to shoot.
    seed : int
        Seed of the random numbers of Geant4.

    Returns
    -------
    Tracks, Deposits
        What came of it, the same for the same arguments whatever ran before.

    Raises
    ------
    ConfigError, StageError
        See `data_in_use`; or events with another range cut or hadronic model were made before in this process.
    """
    lower, upper = image_bounds(cfg.image, cfg.image.box_margin)
    size, centre = upper - lower, 0.5 * (lower + upper)
    data = data_in_use(cfg)
    with _LOCK:
        _same_physics(cfg.transport)
        simulation = _simulation(
            data,
            (float(size[0]), float(size[1]), float(size[2])),
            cfg.transport.default_cut,
            cfg.transport.hadronic_model,
        )
        simulation.random.seed = seed
        result = _shoot(data, simulation, primaries, centre)
    start = primaries.vertex_time[primaries.interaction]
    ids = _TrackIds(result.tracks)
    tracks = _tracks(result, ids, start, centre)
    return tracks, _deposits(result, ids, start, centre)


def _shoot(data: Geant4Data, simulation: Any, primaries: Primaries, centre: Array) -> SimpleNamespace:
    calzone = _engine(data)
    try:
        shot = calzone.particles(
            len(primaries.pdg),
            pid=primaries.pdg,
            energy=primaries.kinetic,
            position=primaries.position - centre,
            direction=primaries.direction,
        )
        result: SimpleNamespace = simulation.run(shot, verbose=False)
    except ValueError as error:
        raise ConfigError(f"Geant4 refuses a primary particle: {error}", where="pdg") from error
    except calzone.Geant4Exception as error:
        raise StageError(f"Geant4 failed: {error}", where=str(data.path)) from error
    return result


class _TrackIds:
    """Rows of the tracks of all primaries: primaries first, then by primary and Geant4's number."""

    def __init__(self, records: NDArray[np.void]) -> None:
        self._width = int(records["tid"].max(initial=0)) + 1
        key = self._key(records)
        self.order = np.lexsort((key, records["tid"] != 1))
        self._sorted = np.argsort(key[self.order])
        self._keys = key[self.order][self._sorted]

    def _key(self, records: NDArray[np.void], column: str = "tid") -> Index:
        return np.asarray(records["event"].astype(np.int64) * self._width + records[column])

    def rows(self, records: NDArray[np.void], column: str = "tid") -> Index:
        """Row of the track that each record names; -1 where it names none (0)."""
        if len(self._keys) == 0:
            return np.full(len(records), -1, np.int64)
        place = np.searchsorted(self._keys, self._key(records, column))
        found = self._sorted[np.minimum(place, len(self._keys) - 1)]
        return np.where(records[column] > 0, found, -1)


def _tracks(result: SimpleNamespace, ids: _TrackIds, start: Array, centre: Array) -> Tracks:
    records = result.tracks[ids.order]
    parent = ids.rows(records, "parent")
    primary = records["event"].astype(np.int64)
    pdg = records["pid"].astype(np.int64)
    vertices = result.vertices
    row = ids.rows(vertices)
    order = np.argsort(row, kind="stable")
    first = order[np.searchsorted(row[order], np.arange(len(records)))]
    last = order[np.searchsorted(row[order], np.arange(len(records)), side="right") - 1]
    return Tracks(
        parent=parent,
        primary=primary,
        pdg=pdg,
        process=process_names(records["creator"], np.where(parent < 0, 0, pdg[parent])),
        kinetic=vertices["energy"][first],
        end_kinetic=vertices["energy"][last],
        time=vertices["time"][first] * 1e9 + start[primary],
        end_time=vertices["time"][last] * 1e9 + start[primary],
        position=vertices["position"][first] + centre,
        end_position=vertices["position"][last] + centre,
        direction=vertices["direction"][first],
        end_direction=vertices["direction"][last],
    )


def _deposits(result: SimpleNamespace, ids: _TrackIds, start: Array, centre: Array) -> Deposits:
    parts = [_records(ids, part, start) for volume in result.deposits.values() for part in _both(volume)]
    if not parts:
        none, place = np.zeros(0), np.zeros((0, 3))
        return Deposits(np.zeros(0, np.int64), none, place, place, none, none)
    joined = {f.name: np.concatenate([getattr(p, f.name) for p in parts]) for f in fields(Deposits)}
    joined["start"] = joined["start"] + centre
    joined["end"] = joined["end"] + centre
    return Deposits(**joined)


def _both(volume: SimpleNamespace) -> tuple[NDArray[np.void], NDArray[np.void]]:
    return volume.line, volume.point


def _records(ids: _TrackIds, part: NDArray[np.void], start: Array) -> Deposits:
    offset = start[part["event"].astype(np.int64)]
    names = part.dtype.names or ()
    line = "start" in names
    time = part["time"] * 1e9
    return Deposits(
        track=ids.rows(part),
        energy=part["value"].astype(np.float64),
        start=part["start" if line else "position"],
        end=part["end" if line else "position"],
        start_time=(time[:, 0] if line else time) + offset,
        end_time=(time[:, 1] if line else time) + offset,
    )
