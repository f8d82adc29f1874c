"""One row per event: how much is in it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from spine.schema import Block, Event
from spine.schema.object_records import OBJECT_RECORDS
from spine.steps import Columns, StepConfig, step

__all__ = ["EventSummaryConfig", "event_summary"]


class EventSummaryConfig(StepConfig):
    """No options."""


def _counted(block: Block, count: Callable[[Event], float], dtype: type) -> NDArray[np.generic]:
    return np.array([count(event) for event in block], dtype=dtype)


def _length(name: str) -> Callable[[Event], float]:
    return lambda event: len(event[name]) if name in event else -1


def _charge(event: Event) -> float:
    """Sum of the image, in double precision."""
    return float(event["data"].feature("value").sum(dtype=np.float64)) if "data" in event else np.nan


@step(
    reads=("data", "particles", "reco_particles", "truth_particles"), per="block", tables=lambda cfg: ("event_summary",)
)
def event_summary(block: Block, cfg: EventSummaryConfig) -> dict[str, Columns]:
    """Count voxels, charge and objects of each event.

    Parameters
    ----------
    block : Block
        Events.
    cfg : EventSummaryConfig
        No options.

    Returns
    -------
    dict
        Table ``event_summary``: ``num_voxels``, ``charge_sum`` (MeV), ``num_simulated_particles`` (rows of the
        particle list) and the number of objects of each kind; -1 or NaN for what the event does not have.
    """
    columns: dict[str, NDArray[np.generic]] = {
        "_row": np.arange(len(block), dtype=np.int64),
        "num_voxels": _counted(block, _length("data"), np.int64),
        "charge_sum": _counted(block, _charge, np.float64),
        "num_simulated_particles": _counted(block, _length("particles"), np.int64),
    }
    for prefix, level in OBJECT_RECORDS:
        name = f"{prefix}_{level}s"
        columns[f"num_{name}"] = _counted(block, _length(name), np.int64)
    return {"event_summary": columns}
