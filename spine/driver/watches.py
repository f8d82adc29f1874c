"""Stopwatches of a Driver: wall and processor time of the last iteration, and of all."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from spine.schema import Event
from spine.stages.loop import Action

__all__ = ["Watch", "Watches"]


@dataclass
class Watch:
    """One stopwatch.

    Parameters
    ----------
    time, time_cpu : float
        Wall and processor time in this iteration (s).
    time_sum, time_sum_cpu : float
        The same over all iterations (s).
    """

    time: float = 0.0
    time_cpu: float = 0.0
    time_sum: float = 0.0
    time_sum_cpu: float = 0.0

    def add(self, wall: float, cpu: float) -> None:
        """Count a piece of time."""
        self.time += wall
        self.time_cpu += cpu
        self.time_sum += wall
        self.time_sum_cpu += cpu


class Watches(dict[str, Watch]):
    """Stopwatches by name, in the order in which they were made."""

    def initialize(self, *names: str) -> None:
        """Make stopwatches."""
        for name in names:
            self.setdefault(name, Watch())

    def reset(self) -> None:
        """Begin an iteration."""
        for watch in self.values():
            watch.time = watch.time_cpu = 0.0

    @contextmanager
    def timed(self, name: str) -> Iterator[None]:
        """Count the time of a block of code."""
        wall, cpu = time.perf_counter(), time.process_time()
        try:
            yield
        finally:
            self[name].add(time.perf_counter() - wall, time.process_time() - cpu)

    def around(self, action: Action, name: str) -> Action:
        """An action whose time is counted under a name."""
        self.initialize(name)

        def run(event: Event) -> None:
            with self.timed(name):
                action.run(event)

        return Action(action.name, run)

    def columns(self) -> dict[str, float]:
        """Four numbers of each stopwatch, as the log has them."""
        found: dict[str, float] = {}
        for name, watch in self.items():
            found[f"{name}_time"], found[f"{name}_time_cpu"] = watch.time, watch.time_cpu
            found[f"{name}_time_sum"], found[f"{name}_time_sum_cpu"] = watch.time_sum, watch.time_sum_cpu
        return found
