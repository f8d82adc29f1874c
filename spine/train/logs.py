"""Tables of training and validation, and events for TensorBoard."""

from __future__ import annotations

import csv
import math
import os
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import torch

__all__ = ["Stopwatch", "TrainLog", "memory"]

GIGABYTE = 1e9


class Stopwatch:
    """Adds up wall time and process time by name, as the tables of SPINE have them."""

    def __init__(self) -> None:
        self._totals: dict[str, tuple[float, float]] = {}
        self._last: dict[str, tuple[float, float]] = {}
        self._start: dict[str, tuple[float, float]] = {}

    def start(self, name: str) -> None:
        """Begin to measure."""
        self._start[name] = (time.perf_counter(), time.process_time())

    def stop(self, name: str) -> None:
        """End a measurement."""
        wall, cpu = self._start.pop(name)
        spent = (time.perf_counter() - wall, time.process_time() - cpu)
        last = self._last.get(name, (0.0, 0.0))
        total = self._totals.get(name, (0.0, 0.0))
        self._last[name] = (last[0] + spent[0], last[1] + spent[1])
        self._totals[name] = (total[0] + spent[0], total[1] + spent[1])

    def row(self) -> dict[str, float]:
        """Times since the last row and in all (s)."""
        columns: dict[str, float] = {}
        for name, total in self._totals.items():
            last = self._last.get(name, (0.0, 0.0))
            columns |= {f"{name}_time": last[0], f"{name}_time_cpu": last[1]}
            columns |= {f"{name}_time_sum": total[0], f"{name}_time_sum_cpu": total[1]}
        self._last = {}
        return columns


def memory(device: torch.device) -> dict[str, float]:
    """Memory of this process (GB), and its share of that of the machine (%)."""
    page = os.sysconf("SC_PAGE_SIZE")
    resident = int(Path("/proc/self/statm").read_text().split()[1]) * page if Path("/proc/self/statm").exists() else 0
    whole = os.sysconf("SC_PHYS_PAGES") * page
    columns = {"cpu_mem": resident / GIGABYTE, "cpu_mem_perc": 100.0 * resident / whole}
    if device.type == "cuda":
        total = torch.cuda.get_device_properties(device).total_memory
        columns |= {
            "gpu_mem_allocated": torch.cuda.memory_allocated(device) / GIGABYTE,
            "gpu_mem_allocated_peak": torch.cuda.max_memory_allocated(device) / GIGABYTE,
            "gpu_mem_reserved": torch.cuda.memory_reserved(device) / GIGABYTE,
            "gpu_mem_total": total / GIGABYTE,
        }
    return columns


class _Table:
    """A CSV file whose columns are those of its first row; each row is on disk when it has been written."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = path.open("w", newline="", buffering=1)
        self._writer: csv.DictWriter[str] | None = None

    def write(self, row: Mapping[str, Any]) -> None:
        if self._writer is None:
            self._writer = csv.DictWriter(self._file, list(row), restval=math.nan, extrasaction="ignore")
            self._writer.writeheader()
        self._writer.writerow(row)

    def close(self) -> None:
        self._file.close()


class TrainLog:
    """Tables and events of a training.

    Parameters
    ----------
    folder : Path
        Where they go: ``train_log-NUMBER.csv``, ``validation_log-NUMBER.csv`` and ``tensorboard``.
    start : int
        Number of the first step.
    tensorboard : bool
        Whether to write events.
    """

    def __init__(self, folder: Path, start: int, tensorboard: bool) -> None:
        self.folder, self.start = folder, start
        self._train = _Table(folder / f"train_log-{start:07d}.csv")
        self._validation: _Table | None = None
        self._events: Any = None
        if tensorboard:
            from torch.utils.tensorboard.writer import SummaryWriter

            self._events = SummaryWriter(str(folder / "tensorboard"), purge_step=start)

    def step(self, row: Mapping[str, float]) -> None:
        """Record a step."""
        self._train.write(row)
        self._plot("", row)

    def validation(self, row: Mapping[str, float]) -> None:
        """Record a validation."""
        if self._validation is None:
            self._validation = _Table(self.folder / f"validation_log-{self.start:07d}.csv")
        self._validation.write(row)
        self._plot("val_", row)

    def _plot(self, prefix: str, row: Mapping[str, float]) -> None:
        if self._events is not None:
            for name, value in row.items():
                self._events.add_scalar(prefix + name, value, int(row["iter"]))

    def close(self) -> None:
        """Close all files."""
        self._train.close()
        if self._validation is not None:
            self._validation.close()
        if self._events is not None:
            self._events.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
