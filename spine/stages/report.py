"""Report: merged tables and some events in, one page, its numbers and an event display out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from spine.config.model import Config
from spine.report import ReportOptions, ReportOutputs, write_display, write_report
from spine.report.provenance import entries
from spine.stages.outcome import Progress, StageReport

__all__ = ["ReportInputs", "run"]


@dataclass(frozen=True)
class ReportInputs:
    """What the report is made of.

    Parameters
    ----------
    tables : Path
        Directory of the merged tables.
    files : sequence of Path
        Outputs of post, for the displays and the provenance.
    benchmarks : Path, optional
        Directory with the time and memory of each job.
    """

    tables: Path
    files: Sequence[Path]
    benchmarks: Path | None = None


def run(inputs: ReportInputs, output: Path, config: Config) -> StageReport:
    """Write the report.

    Parameters
    ----------
    inputs : ReportInputs
        Tables, files and benchmarks.
    output : Path
        Directory in which ``report.html``, ``metrics.json`` and ``events.html`` are written.
    config : Config
        Uses the block report.

    Returns
    -------
    StageReport
        Events counted in the report.
    """
    progress = Progress("report", 0)
    block = config.report
    options = ReportOptions(title=block.title, events=block.events, max_points=block.max_points)
    shown = write_display(inputs.files, output / "events.html", options)
    options = replace(options, shown=shown, display="events.html")
    outputs = ReportOutputs(html=output / "report.html", metrics=output / "metrics.json")
    metrics = write_report(inputs.tables, outputs, options, inputs.benchmarks, entries(inputs.tables, inputs.files))
    counts = metrics["counts"]
    progress.advance(int(counts["events"] or 0) if isinstance(counts, dict) else 0)
    return progress.finish(output / "report.html")
