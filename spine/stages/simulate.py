"""Simulate: configuration and seed in, events with truth out."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

from spine.config.model import Config
from spine.config.slices import stage_code, stage_slice
from spine.geometry import Detector
from spine.schema import Event
from spine.sim import simulate_event
from spine.sim.config import SimulationConfig
from spine.sim.datadir import find_data
from spine.stages.outcome import Progress, StageReport
from spine.stages.simulated import simulated_products
from spine.stages.steps import detector_of
from spine.store.writer import EventWriter, FileInfo

__all__ = ["run"]

AHEAD = 8
"""Events per process that are simulated or wait to be written."""


@dataclass(frozen=True)
class _Sample:
    """The events of one file: their configuration and detector, and the number of the first."""

    cfg: SimulationConfig
    detector: Detector | None
    first: int

    def event(self, entry: int) -> Event:
        """Products of the event at a place in the file."""
        return simulated_products(simulate_event(self.cfg, self.first + entry, self.detector), entry)


def _events(sample: _Sample, count: int, workers: int) -> Iterator[Event]:
    """Events in order, whichever process makes them."""
    if workers == 1:
        yield from map(sample.event, range(count))
        return
    waiting: deque[Future[Event]] = deque()
    with ProcessPoolExecutor(min(workers, count), mp_context=get_context("spawn")) as pool:
        try:
            for entry in range(count):
                waiting.append(pool.submit(sample.event, entry))
                if len(waiting) >= AHEAD * workers:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            pool.shutdown(cancel_futures=True)


def run(number: int, output: Path, config: Config, workers: int | None = None) -> StageReport:
    """Simulate one file of events.

    Parameters
    ----------
    number : int
        Number of the file: it holds the events ``number * events_per_file`` and on.
    output : Path
        HDF5 file to write.
    config : Config
        Uses the blocks sim and base, and geo where the image follows the detector.
    workers : int, optional
        Processes; ``base.threads`` when not given. The events do not depend on it.

    Returns
    -------
    StageReport
        Events written.
    """
    count = config.sim.events_per_file
    options = {**(config.sim.model_extra or {}), "seed": config.base.seed, "n_events": (number + 1) * count}
    sim = SimulationConfig.model_validate(options)
    detector = detector_of(config) if sim.image.frame == "detector" else None
    progress = Progress("simulate", count)
    info = FileInfo(
        "simulate",
        stage_slice(config, "simulate"),
        stage_code(config, "simulate"),
        steps=("simulate",),
        seed=sim.seed,
        arguments=f"--number {number}",
        extra=find_data(sim.transport.geant4_data).provenance(),
    )
    sample = _Sample(sim, detector, number * count)
    with EventWriter(output, info) as writer:
        for event in _events(sample, count, workers or config.base.threads):
            writer.append([event])
            progress.advance(1)
    return progress.finish(output)
