"""Constants that change from run to run, in SQLite files laid out as ICARUS does.

A file ``NAME_QUANTITY_data...db`` has the tables ``STEM_data``, with a row for each channel or bin, and ``STEM_iovs``,
with the first run of each interval of validity (``begin_time`` is the run number plus 10^9) and whether it is active.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import numpy as np

from spine.errors import ConfigError, DataError
from spine.ops.arrays import FloatArray

__all__ = ["Rows", "interval", "rows_by_run", "values_by_run"]

Rows = dict[str, Any]
FIRST_RUN: Final = 1_000_000_000


@lru_cache(maxsize=16)
def _read(path: Path, changed: int) -> dict[int, list[Rows]]:
    """Rows of each active interval by its first run; ``changed`` is the file's time of change."""
    del changed
    data, intervals = f'"{path.stem}_data"', f'"{path.stem}_iovs"'
    query = f"SELECT * FROM {data} AS d JOIN {intervals} AS v ON d.__iov_id = v.iov_id"
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as file:
        file.row_factory = sqlite3.Row
        try:
            rows = [dict(row) for row in file.execute(query)]
        except sqlite3.Error as error:
            raise ConfigError(f"the database cannot be read: {error}", where=path, expected=data) from error
    found: dict[int, list[Rows]] = {}
    for row in rows:
        if row["active"] == 1:
            found.setdefault(int(row["begin_time"]) - FIRST_RUN, []).append(row)
    return found


def rows_by_run(path: str) -> dict[int, list[Rows]]:
    """Rows of each active interval of validity, by its first run.

    Raises
    ------
    ConfigError
        When there is no such file, or it has other tables.
    """
    file = Path(path)
    if not file.is_file():
        raise ConfigError("no such database of constants", got=file.absolute())
    return _read(file, file.stat().st_mtime_ns)


def values_by_run(path: str, keys: Sequence[str] | None, count: int) -> dict[int, FloatArray]:
    """(count,) one constant per TPC for each interval.

    Parameters
    ----------
    path : str
        SQLite file.
    keys : sequence of str, optional
        Columns that hold the constants of the TPCs, in one row; by default there is a row per TPC (``channel``) and
        the column is called as the middle part of the file name.
    count : int
        Number of TPCs.

    Raises
    ------
    ConfigError
        When constants are missing.
    """
    quantity = "_".join(Path(path).stem.split("_")[1:-1])
    out = {}
    for run, rows in rows_by_run(path).items():
        wanted = 1 if keys is not None else count
        if len(rows) != wanted or (keys is not None and len(keys) != count):
            raise ConfigError(
                "the database does not hold one constant per TPC", where=path, got=f"{len(rows)} rows in run {run}",
                expected=f"{count} constants",
            )  # fmt: skip
        if keys is not None:
            out[run] = np.array([rows[0][key] for key in keys], dtype=np.float64)
        else:
            values = np.full(count, np.nan)
            values[[int(row["channel"]) for row in rows]] = [row[quantity] for row in rows]
            out[run] = values
    return out


def interval(runs: Sequence[int], run: int | None, what: str) -> int:
    """First run of the interval in which a run lies: the last one that is not after it.

    Raises
    ------
    DataError
        When the event has no run number, or its run is before all intervals.
    """
    if run is None:
        raise DataError(f"the {what} depends on the run, and the event has no run number")
    before = [first for first in runs if first <= run]
    if not before:
        raise DataError(f"there is no {what} for the run", got=run, expected=f"{min(runs, default='any')} or later")
    return max(before)
