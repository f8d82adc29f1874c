"""Parsers for events of one particle: its species and its energy."""

from __future__ import annotations

from typing import Final

import numpy as np
from pydantic import Field

from spine.schema.species import PDG_TO_PID, PID_MASSES
from spine.store.larcv.block import RawEvent
from spine.store.larcv.leaves import PARTICLES
from spine.store.larcv.parsers.options import ParserOptions

__all__ = ["SingleParticleOptions", "single_particle_energy", "single_particle_pid"]

FIRST: Final = 1
"""Track number of the particle with which an event starts."""


class SingleParticleOptions(ParserOptions):
    """Options of the parsers of one particle."""

    particle_event: str = Field(description="particle product")


def _first(event: RawEvent, cfg: SingleParticleOptions) -> tuple[int, float]:
    """Species and initial energy (MeV) of the first particle; -1 and NaN where there is none of a known species."""
    particles = event.objects(cfg.particle_event, PARTICLES)
    rows = np.flatnonzero(particles.array("track_id") == FIRST)
    if len(rows) == 0:
        return -1, float("nan")
    pid = PDG_TO_PID.get(int(particles.array("pdg_code")[rows[0]]), -1)
    return pid, float(particles.array("energy_init")[rows[0]])


def single_particle_pid(event: RawEvent, cfg: SingleParticleOptions) -> int:
    """Species of the first particle of the event, -1 when it has none or is of another."""
    return _first(event, cfg)[0]


def single_particle_energy(event: RawEvent, cfg: SingleParticleOptions) -> float:
    """Initial kinetic energy of the first particle (MeV), -1 where its species is not known."""
    pid, energy = _first(event, cfg)
    return energy - float(PID_MASSES[pid]) if pid >= 0 else -1.0
