"""Built-in event generator: Geant4 in liquid argon, with the truth labels of the field."""

from __future__ import annotations

from typing import TYPE_CHECKING

from spine.sim.config import SimulationConfig

if TYPE_CHECKING:
    from spine.sim.events import ImageMeta, SimulatedEvent, simulate_event, simulate_events

__all__ = ["ImageMeta", "SimulatedEvent", "SimulationConfig", "simulate_event", "simulate_events"]


def __getattr__(name: str) -> object:
    """Load the generator, and scipy and numba with it, only when it is used."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from spine.sim import events

    return getattr(events, name)
