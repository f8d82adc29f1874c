"""Built-in event generator: Geant4 in liquid argon, with the truth labels of the field."""

from __future__ import annotations

from spine.sim.config import SimulationConfig
from spine.sim.events import ImageMeta, SimulatedEvent, simulate_event, simulate_events

__all__ = ["ImageMeta", "SimulatedEvent", "SimulationConfig", "simulate_event", "simulate_events"]
