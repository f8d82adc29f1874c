"""Ana: post-processed events in, one CSV per table out."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from spine.ana.tables import BASE_COLUMNS, EVENT_ROW, concatenated, with_base_columns, write_csv
from spine.config.check import step_options, steps_of, table_names
from spine.config.model import Config
from spine.config.slices import stage_code, stage_slice
from spine.schema import Block
from spine.stages.chain import with_input_entries
from spine.stages.loop import failure_of
from spine.stages.outcome import Progress, StageReport
from spine.stages.steps import detector_of
from spine.steps import Columns, Step, StepConfig
from spine.store.atomic import atomic_directory
from spine.store.provenance import Record, lineage_of, source_of, versions, write_lineage
from spine.store.source import open_events
from spine.store.writer import Failure

if TYPE_CHECKING:
    from spine.geometry import Detector

__all__ = ["EVENTS", "FAILURES", "Analysis", "TableRows", "analyses", "run"]

EVENTS = "events"
FAILURES = "failures"
NUMBERS = ("run", "subrun", "event")

Array = NDArray[Any]


@dataclass(frozen=True)
class Analysis:
    """One configured analysis step."""

    name: str
    step: Step
    options: StepConfig
    detector: Detector | None

    def __call__(self, block: Block) -> dict[str, Columns]:
        """Tables of a block of events; each has a column ``_row`` with the event of the row."""
        context = (self.detector,) if self.step.takes_detector else ()
        if self.step.per == "block":
            tables: dict[str, Columns] = self.step.run(block, self.options, *context)
            return tables
        parts = [self.step.run(event, self.options, *context) or {} for event in block]
        return {name: _stacked(name, parts) for name in sorted({n for part in parts for n in part})}


def _stacked(name: str, parts: list[dict[str, Columns]]) -> Columns:
    """Rows of all events of a table that was made event by event."""
    rows: list[dict[str, Array]] = []
    for i, part in enumerate(parts):
        columns = {key: np.atleast_1d(np.asarray(values)) for key, values in part.get(name, {}).items()}
        if columns:
            n = max(len(values) for values in columns.values())
            rows.append({EVENT_ROW: np.full(n, i, dtype=np.int64), **columns})
    return concatenated(rows) if rows else {}


def analyses(config: Config) -> list[Analysis]:
    """The configured analysis steps, in order.

    Raises
    ------
    ConfigError
        When a step is unknown or its options are wrong.
    """
    detector = detector_of(config)
    return [
        Analysis(entry.name, step, step_options(entry, step), detector) for entry, step in steps_of("ana", config.ana)
    ]


class TableRows:
    """Rows of all tables, gathered block by block.

    Parameters
    ----------
    steps : sequence of Analysis
        Make the rows.
    """

    def __init__(self, steps: Sequence[Analysis]) -> None:
        self.steps = steps
        self._parts: dict[str, list[dict[str, Array]]] = {}

    def add(self, block: Block) -> None:
        """Append the rows of a block, with the columns that identify their events in front.

        Either all tables get their rows or, after an error, none.
        """
        made = _tables_of(block, self.steps)
        parts = {name: with_base_columns(block, columns) for name, columns in made.items() if columns}
        for name, part in parts.items():
            self._parts.setdefault(name, []).append(part)

    def columns(self) -> dict[str, dict[str, Array]]:
        """Columns of each table so far."""
        return {name: concatenated(parts) for name, parts in self._parts.items()}

    def complete(self, names: Sequence[str]) -> dict[str, dict[str, Array]]:
        """Columns of each named table; one without rows has only the columns that identify events."""
        empty = dict.fromkeys(BASE_COLUMNS, np.zeros(0, dtype=np.int64))
        found = self.columns()
        return {name: found.get(name) or empty for name in names}

    def write(self, folder: Path, names: Sequence[str]) -> None:
        """Write one CSV for each named table."""
        for name, columns in self.complete(names).items():
            write_csv(folder / f"{name}.csv", columns)


def failure_columns(failures: list[Failure], source: str) -> dict[str, Array]:
    """Columns of the table of events that were left out."""
    columns: dict[str, Array] = {"file": np.array([source] * len(failures), dtype=object)}
    for name in ("entry", *NUMBERS):
        columns[name] = np.array([getattr(f, name) for f in failures], dtype=np.int64)
    for name in ("step", "error"):
        columns[name] = np.array([getattr(f, name) for f in failures], dtype=object)
    return columns


def _tables_of(block: Block, steps: Sequence[Analysis]) -> dict[str, Columns]:
    tables: dict[str, Columns] = {EVENTS: {EVENT_ROW: np.arange(len(block), dtype=np.int64)}}
    for analysis in steps:
        try:
            tables |= analysis(block)
        except Exception as error:
            error.add_note(f"in step {analysis.name!r} of {block.events[0].label} and on")
            raise
    return tables


def _event_by_event(block: Block, rows: TableRows, progress: Progress) -> None:
    for event in block:
        try:
            rows.add(Block([event]))
        except Exception as error:
            progress.skip(failure_of(event, "ana", error))


def _record(source: Path, config: Config) -> Record:
    """What the stage says about itself."""
    return {
        "stage": "ana",
        "code": stage_code(config, "ana"),
        "config": json.loads(stage_slice(config, "ana")),
        "inputs": [[source.name, ""]],
        "versions": json.loads(versions()),
    }


def run(source: Path, output: Path, config: Config) -> StageReport:
    """Analyse a file.

    Parameters
    ----------
    source : Path
        Output of post.
    output : Path
        Directory for the tables: those of the steps, ``events.csv`` and ``failures.csv``.
    config : Config
        Uses the blocks ana, geo and base.

    Returns
    -------
    StageReport
        Events analysed and skipped.

    Raises
    ------
    ConfigError
        When a step is unknown or its options are wrong.
    DataError
        When an event fails and ``on_error`` is ``stop``.
    """
    rows = TableRows(analyses(config))
    with open_events(source) as file:
        progress = Progress("ana", len(file))
        for block in file.blocks(config.base.block_size):
            try:
                rows.add(block)
            except Exception:
                if config.base.on_error == "stop":
                    raise
                _event_by_event(block, rows, progress)
            progress.advance(len(block))
        failures = [*file.failures(), *with_input_entries(progress.failures, file)]
        lineage = lineage_of(file)
    name = (source_of(lineage) or source.name).rsplit(".", 1)[0]
    made = _record(source, config)
    with atomic_directory(output) as folder:
        rows.write(folder, (EVENTS, *table_names(config.ana)))
        write_csv(folder / f"{FAILURES}.csv", failure_columns(failures, name))
        write_lineage(folder, [*lineage, made])
    return progress.finish(output)
