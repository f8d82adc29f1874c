"""The log of a Driver: one row per iteration as CSV, the same numbers for TensorBoard, a short table on the screen."""

from __future__ import annotations

import csv
import logging
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self, TextIO

import numpy as np
import psutil

from spine.config.model import BaseBlock
from spine.driver.watches import Watches
from spine.errors import ConfigError, StageError

__all__ = ["Log", "ScalarEvents", "log_name", "memory", "open_log", "summary"]

logger = logging.getLogger("spine")

GIGABYTE: Final = 1.0e9
WIDTHS: Final = (20, 20, 9, 9)


def log_name(model: bool, builder: bool, rank: int | None, start: int) -> str:
    """Name of the log of an inference: general with objects or without networks, else by where the networks start.

    Parameters
    ----------
    model, builder : bool
        What the Driver runs.
    rank : int, optional
        Number of the process among several.
    start : int
        First iteration.
    """
    if builder or not model:
        return f"spine_proc{rank}_log.csv" if rank else "spine_log.csv"
    process = "" if rank is None else f"_proc{rank}"
    return f"inference{process}_log-{start:07d}.csv"


def open_log(base: BaseBlock, name: str, main: bool = True) -> Log:
    """The log of a run.

    Parameters
    ----------
    base : BaseBlock
        Uses log_dir, overwrite_log, csv_buffer_size and tensorboard.
    name : str
        Its file.
    main : bool
        Whether this process writes for TensorBoard.

    Raises
    ------
    ConfigError
        When the file exists and may not be replaced, or an option of TensorBoard is unknown.
    """
    folder, events = Path(base.log_dir), None
    if base.tensorboard and main:
        options = dict(base.tensorboard) if isinstance(base.tensorboard, Mapping) else {}
        events = ScalarEvents(folder / options.pop("log_dir", "tensorboard"), **options)
    return Log(folder / name, base.overwrite_log, base.csv_buffer_size, events)


def memory() -> dict[str, float]:
    """Memory of the machine in use: in GB, and in percent."""
    found = psutil.virtual_memory()
    return {"cpu_mem": found.used / GIGABYTE, "cpu_mem_perc": found.percent}


class ScalarEvents:
    """Numbers for TensorBoard.

    Parameters
    ----------
    folder : Path
        Where the file of events goes.
    **options
        Of the writer, such as ``flush_secs`` and ``max_queue``.
    """

    def __init__(self, folder: Path, **options: Any) -> None:
        from tensorboard.summary.writer.event_file_writer import EventFileWriter

        known = {"max_queue": "max_queue_size", "max_queue_size": "max_queue_size", "flush_secs": "flush_secs"}
        strange = sorted(set(options) - {*known, "filename_suffix"})
        if strange:
            raise ConfigError("unknown options of TensorBoard", where="base.tensorboard", got=", ".join(strange))
        self.folder = folder
        given = {known[name]: value for name, value in options.items() if name in known}
        self._writer = EventFileWriter(str(folder), filename_suffix=options.get("filename_suffix", ""), **given)

    def append(self, row: Mapping[str, Any], step: int) -> None:
        """Write the numbers of a row."""
        from tensorboard.compat.proto.event_pb2 import Event
        from tensorboard.compat.proto.summary_pb2 import Summary

        values = [
            Summary.Value(tag=name, simple_value=float(value))
            for name, value in row.items()
            if name != "iter" and isinstance(value, bool | int | float | np.number)
        ]
        self._writer.add_event(Event(wall_time=time.time(), step=step, summary=Summary(value=values)))

    def close(self) -> None:
        """Write what is left."""
        self._writer.close()


class Log:
    """Rows of numbers, one per iteration.

    Parameters
    ----------
    path : Path
        CSV file.
    overwrite : bool
        Replace a file that exists.
    buffer_size : int
        1: each row is written at once; -1: as the system likes; else bytes.
    events : ScalarEvents, optional
        Gets the same numbers.

    Raises
    ------
    ConfigError
        When the file exists and may not be replaced.
    """

    def __init__(
        self, path: Path, overwrite: bool = False, buffer_size: int = 1, events: ScalarEvents | None = None
    ) -> None:
        if path.exists() and not overwrite:
            raise ConfigError("the log exists", where=path, mend="remove it, or set base.overwrite_log: true")
        self.path, self.events = path, events
        path.parent.mkdir(parents=True, exist_ok=True)
        self._stream: TextIO = path.open("w", buffering=max(buffer_size, -1) or 1, newline="", encoding="utf-8")
        self._writer = csv.writer(self._stream, lineterminator="\n")
        self._columns: tuple[str, ...] = ()

    def append(self, row: Mapping[str, Any]) -> None:
        """Write a row.

        Raises
        ------
        StageError
            When its columns are not those of the first row.
        """
        if not self._columns:
            self._columns = tuple(row)
            self._writer.writerow(self._columns)
        odd = sorted(set(row) ^ set(self._columns))
        if odd:
            raise StageError("a row of the log has other columns than the first", where=self.path, got=", ".join(odd))
        self._writer.writerow([row[name] for name in self._columns])
        if self.events is not None:
            self.events.append(row, int(row["iter"]))

    def close(self) -> None:
        """Close the file and that of TensorBoard."""
        self._stream.close()
        if self.events is not None:
            self.events.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def summary(row: Mapping[str, Any], watch: Watches, stamp: str, mode: str) -> str:
    """What the screen shows of an iteration.

    Parameters
    ----------
    row : mapping
        The row of the log.
    watch : Watches
        Stopwatches.
    stamp : str
        Time of day.
    mode : str
        ``train`` or ``inference``.
    """
    total, model = watch["iteration"].time, watch["model"].time if "model" in watch else 0.0
    share = 100 * model / total if total else 0.0
    heads = (f"Time ({mode})", "CPU memory", "Loss", "Accuracy")
    values = (
        f"{total:0.2f} s ({share:0.2f} %)",
        f"{row['cpu_mem']:0.2f} GB ({row['cpu_mem_perc']:0.2f} %)",
        f"{row.get('loss', -1.0):0.3f}",
        f"{row.get('accuracy', -1.0):0.3f}",
    )
    epoch = -1.0 if row["epoch"] is None else row["epoch"]
    lines = [f"Iter. {row['iter']} (epoch {epoch:.3f}) @ {stamp}", _table_line(heads), _rule(), _table_line(values)]
    return "\n".join(lines)


def _table_line(cells: tuple[str, ...]) -> str:
    return "  | " + "| ".join(f"{cell:<{width}}" for cell, width in zip(cells, WIDTHS, strict=True)) + "|"


def _rule() -> str:
    return "  |" + "+".join("-" * (width + 1) for width in WIDTHS) + "|"
