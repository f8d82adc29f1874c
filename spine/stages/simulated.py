"""Simulated events as larcv files would hold them, so that the parsers of these files make their products."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spine.errors import DataError
from spine.schema import Event, Ragged, offsets_of
from spine.sim import SimulatedEvent
from spine.store.larcv import DEFAULT_SCHEMA
from spine.store.larcv.block import RawClusters, RawEvent, RawVoxels
from spine.store.larcv.frame import Frame
from spine.store.larcv.leaves import Member, ObjectList
from spine.store.larcv.schema import Plan, plan_of

__all__ = ["SimulatedRaw", "simulated_products"]

IMAGE = "sparse3d_pcluster"
CLASSES = "sparse3d_pcluster_semantics"
CLUSTERS = "cluster3d_pcluster"
PARTICLES = "particle_corrected"
NEUTRINOS = "neutrino_mpv"
VERTEX_PARTICLES = "particle_mpv"


def _column(member: Member, particles: Mapping[str, Any], n: int) -> NDArray[Any] | Ragged:
    """A column of the particle list in the form in which larcv files give it."""
    value = particles.get(member.column)
    if member.kind == "list":
        return Ragged.from_list(value if value is not None else [[]] * n, np.dtype(member.dtype))
    if member.kind == "text":
        return np.array(value if value is not None else [""] * n, dtype=object)
    dtype = np.int64 if member.kind == "int" else np.float64
    shape = (n, 3) if member.kind == "vector" else (n,)
    missing = member.missing if member.kind == "int" else np.nan
    return np.full(shape, missing, dtype) if value is None else np.asarray(value, dtype)


class SimulatedRaw(RawEvent):
    """A simulated event in the place of an entry of a larcv file.

    Parameters
    ----------
    simulated : SimulatedEvent
        The event.
    entry : int
        Its number in the file that is being written.
    """

    def __init__(self, simulated: SimulatedEvent, entry: int) -> None:
        self.simulated, self.entry = simulated, entry
        meta = simulated.meta
        self._frame = Frame(meta.lower, meta.upper, meta.size, meta.count)
        nx, ny = int(meta.count[0]), int(meta.count[1])
        x, y, z = simulated.coords.astype(np.int64).T
        self._ids = (z * ny + y) * nx + x

    def error(
        self, what: str, product: str, *, got: object = None, expected: object = None, mend: str = ""
    ) -> DataError:
        """An error that names the event and the product."""
        where = f"simulated event {self.simulated.event}, {product}"
        return DataError(what, where=where, got=got, expected=expected, mend=mend)

    def frame(self, product: str) -> Frame:
        """Frame of the image."""
        return self._frame

    def voxels(self, product: str) -> RawVoxels:
        """The image, or the semantic class of its voxels."""
        values = self.simulated.semantics if product == CLASSES else self.simulated.charge
        return RawVoxels(self._frame, self._ids, values.astype(np.float32))

    def clusters(self, product: str) -> RawClusters:
        """Voxels of each particle."""
        event = self.simulated
        n = len(event.particles["id"])
        lengths = np.bincount(event.cluster_particle, minlength=n)
        return RawClusters(self._frame, Ragged(self._ids[event.cluster_row], offsets_of(lengths)), event.cluster_charge)

    def objects(self, product: str, members: tuple[Member, ...]) -> ObjectList:
        """The list of particles, of those at vertices of several particles, or of neutrinos."""
        lists = {NEUTRINOS: self.simulated.neutrinos, VERTEX_PARTICLES: self.simulated.mpv}
        rows = lists.get(product, self.simulated.particles) or {"id": np.zeros(0, np.int64)}
        n = len(rows["id"])
        columns = {member.column: _column(member, rows, n) for member in members}
        return ObjectList(np.array([0, n], dtype=np.int64), columns)

    def numbers(self, product: str) -> tuple[int, int, int]:
        """Run 1, subrun 0, and the number of the event."""
        return 1, 0, self.simulated.event


@cache
def _plans(source: str = "", product: str = "") -> tuple[Plan, ...]:
    """How products are made; the source of neutrino numbers is an option of the parsers and the product it names."""
    if not source:
        return plan_of(DEFAULT_SCHEMA)
    schema: dict[str, dict[str, Any]] = {name: dict(entry) for name, entry in DEFAULT_SCHEMA.items()}
    schema["particles"][source] = product
    schema["clust_label"]["particle_info"] = {**schema["clust_label"]["particle_info"], source: product}
    if source == "neutrino_event":
        schema["neutrinos"] = {"provider": "neutrino", "neutrino_event": product, "sparse_event": IMAGE}
    return plan_of(schema)


def _plans_for(simulated: SimulatedEvent) -> tuple[Plan, ...]:
    if simulated.neutrinos is not None:
        return _plans("neutrino_event", NEUTRINOS)
    return _plans() if simulated.mpv is None else _plans("particle_mpv_event", VERTEX_PARTICLES)


def simulated_products(simulated: SimulatedEvent, entry: int) -> Event:
    """The products that a larcv file with the event would give.

    Parameters
    ----------
    simulated : SimulatedEvent
        The event.
    entry : int
        Its number in the file that is being written.

    Returns
    -------
    Event
        With ``index``, ``file_index``, ``file_entry_index`` and the products of `DEFAULT_SCHEMA`; ``neutrinos`` too
        where neutrinos are simulated.
    """
    event = Event({}, entry, "simulation")
    event["index"], event["file_index"], event["file_entry_index"] = entry, 0, entry
    raw = SimulatedRaw(simulated, entry)
    for plan in _plans_for(simulated):
        event[plan.name] = plan.make(raw)
    return event
