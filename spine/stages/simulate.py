"""Simulate: configuration and seed in, events with truth out."""

from __future__ import annotations

from pathlib import Path

from spine.config.model import Config
from spine.config.slices import stage_code, stage_slice
from spine.sim import simulate_events
from spine.sim.config import SimulationConfig
from spine.stages.outcome import Progress, StageReport
from spine.stages.simulated import simulated_products
from spine.store.writer import EventWriter, FileInfo

__all__ = ["run"]


def run(number: int, output: Path, config: Config) -> StageReport:
    """Simulate one file of events.

    Parameters
    ----------
    number : int
        Number of the file: it holds the events ``number * events_per_file`` and on.
    output : Path
        HDF5 file to write.
    config : Config
        Uses the blocks sim and base.

    Returns
    -------
    StageReport
        Events written.
    """
    count = config.sim.events_per_file
    options = {**(config.sim.model_extra or {}), "seed": config.base.seed, "n_events": (number + 1) * count}
    sim = SimulationConfig.model_validate(options)
    progress = Progress("simulate", count)
    info = FileInfo(
        "simulate", stage_slice(config, "simulate"), stage_code(config, "simulate"), steps=("simulate",), seed=sim.seed
    )
    with EventWriter(output, info) as writer:
        for i, simulated in enumerate(simulate_events(sim, number * count, (number + 1) * count)):
            writer.append([simulated_products(simulated, i)])
            progress.advance(1)
    return progress.finish(output)
