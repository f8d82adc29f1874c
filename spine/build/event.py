"""Build everything that the configuration asks for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np

from spine.build.config import BuildConfig, Side
from spine.build.images import add_images
from spine.build.interactions import reco_interactions, truth_interactions
from spine.build.reco import reco_fragments, reco_particles
from spine.build.summary import refresh
from spine.build.truth import truth_fragments, truth_particles
from spine.build.units import table_in
from spine.errors import DataError
from spine.schema import Event, Table

__all__ = ["build_event"]

BUILDERS: Final[dict[str, dict[Side, Callable[[Event, BuildConfig], Table]]]] = {
    "fragments": {"reco": reco_fragments, "truth": truth_fragments},
    "particles": {"reco": reco_particles, "truth": truth_particles},
    "interactions": {"reco": reco_interactions, "truth": truth_interactions},
}


def build_event(event: Event, cfg: BuildConfig) -> None:
    """Build points, fragments, particles and interactions of an event.

    Objects that the event already has (a file that was built before) are kept, in the wanted unit.

    Parameters
    ----------
    event : Event
        Gets the products points*, depositions* and {reco,truth}_{fragments,particles,interactions}.
    cfg : BuildConfig

    Raises
    ------
    DataError
        When something that is asked for cannot be built: products are missing or do not match each other.
    """
    wanted = [(f"{side}_{level}", side, level) for level in BUILDERS if getattr(cfg, level) for side in cfg.sides]
    missing = [name for name, _, _ in wanted if name not in event]
    if cfg.lite and missing:
        raise DataError(
            "nothing is built in lite mode, and the event has no such objects", where=event.label, got=missing,
            mend="set build.lite: false",
        )  # fmt: skip
    if not cfg.lite and "points" not in event and "points_label" not in event:
        add_images(event, cfg)
    for name, side, level in wanted:
        if name in missing:
            table = BUILDERS[level][side](event, cfg)
            table["units"] = np.full(len(table), cfg.units, dtype=object)
            event[name] = table
        else:
            event[name] = table_in(event, event.table(name), cfg.units)
    refresh(event)
