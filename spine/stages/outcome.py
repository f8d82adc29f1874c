"""What a stage says when it is done, and the line it prints while it works."""

from __future__ import annotations

import logging
import platform
import resource
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from spine.store.provenance import write_times
from spine.store.writer import Failure

__all__ = ["Progress", "StageReport"]

log = logging.getLogger("spine")

SECONDS_BETWEEN_LINES = 5.0


@dataclass(frozen=True)
class StageReport:
    """Outcome of a stage.

    Parameters
    ----------
    stage : str
        Name of the stage.
    output : Path
        What was written.
    events : int
        Events that went through.
    failures : tuple of Failure
        Events that were left out.
    seconds : float
        Time it took.
    peak_mb : float
        Largest memory of the process so far, in MB.
    """

    stage: str
    output: Path
    events: int
    failures: tuple[Failure, ...]
    seconds: float
    peak_mb: float

    def __str__(self) -> str:
        skipped = f", {len(self.failures)} skipped" if self.failures else ""
        rate = f", {1e3 * self.seconds / self.events:.1f} ms per event" if self.events else ""
        return (
            f"{self.stage}: {self.events} events{skipped} in {self.seconds:.1f} s{rate}, "
            f"{self.peak_mb:.0f} MB -> {self.output}"
        )


@dataclass
class Progress:
    """Counts events and says how far the work is, at most every few seconds.

    Parameters
    ----------
    stage : str
        Name of the stage.
    total : int
        Number of events, 0 when unknown.
    """

    stage: str
    total: int
    done: int = 0
    failures: list[Failure] = field(default_factory=list)
    _start: float = field(default_factory=time.perf_counter)
    _said: float = field(default_factory=time.perf_counter)

    def advance(self, events: int) -> None:
        """Count events that are finished."""
        self.done += events
        now = time.perf_counter()
        if now - self._said > SECONDS_BETWEEN_LINES:
            self._said = now
            of = f" of {self.total}" if self.total else ""
            log.info("%s: %d%s events, %.1f s", self.stage, self.done, of, now - self._start)

    def skip(self, failure: Failure) -> None:
        """Record an event that is left out."""
        self.failures.append(failure)
        log.warning("%s: entry %d skipped in %s: %s", self.stage, failure.entry, failure.step, failure.error)

    def finish(self, output: Path) -> StageReport:
        """The outcome, also logged."""
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024.0
        seconds = time.perf_counter() - self._start
        report = StageReport(self.stage, output, self.done, tuple(self.failures), seconds, peak)
        write_times(output, self._made(report))
        log.info("%s", report)
        return report

    def _made(self, report: StageReport) -> dict[str, object]:
        """When, where and at which cost."""
        now = datetime.now(UTC)
        return {
            "stage": self.stage,
            "started": (now - timedelta(seconds=report.seconds)).isoformat(timespec="seconds"),
            "finished": now.isoformat(timespec="seconds"),
            "seconds": round(report.seconds, 3),
            "peak_mb": round(report.peak_mb),
            "events": report.events,
            "skipped": len(report.failures),
            "host": platform.node(),
        }
