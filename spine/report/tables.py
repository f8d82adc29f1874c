"""Merged tables, of which only the columns in use are read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from spine.errors import DataError

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Columns", "Tables", "csv_of_parts", "csv_text"]

Columns = dict[str, NDArray[np.float64]]


@dataclass(frozen=True)
class Tables:
    """A directory of merged tables.

    Parameters
    ----------
    folder : Path
        Holds ``<table>.csv``, and maybe ``<table>.parquet``, which is read instead when it is not older.
    """

    folder: Path

    def has(self, table: str) -> bool:
        """True when the table was written."""
        return self._csv(table).exists()

    def _csv(self, table: str) -> Path:
        return self.folder / f"{table}.csv"

    def header(self, table: str) -> list[str]:
        """Names of the columns of a table, none when it was not written or is empty."""
        if not self.has(table):
            return []
        with self._csv(table).open(encoding="utf-8") as stream:
            line = stream.readline().strip()
        return line.split(",") if line else []

    def count(self, table: str) -> int | None:
        """Number of rows, None when the table was not written."""
        if not self.has(table):
            return None
        names = self.header(table)
        return len(self._frame(table, names[:1])) if names else 0

    def numbers(self, table: str, names: Sequence[str]) -> Columns | None:
        """Columns of numbers.

        Parameters
        ----------
        table : str
            Name of the table.
        names : sequence of str
            Columns wanted. A column which the table lacks is NaN; columns of a table that holds one side alone may
            lack their ``reco_`` or ``truth_``.

        Returns
        -------
        dict of str to (n,) float64, or None when the table was not written
        """
        if not self.has(table):
            return None
        stored = {name: found for name in names if (found := self._stored(table, name))}
        frame = self._frame(table, sorted(set(stored.values()) or self.header(table)[:1]))
        blank = np.full(len(frame), np.nan)
        return {name: _floats(frame[stored[name]]) if name in stored else blank for name in names}

    def _stored(self, table: str, name: str) -> str:
        header = self.header(table)
        if name in header:
            return name
        side, _, bare = name.partition("_")
        own = table.startswith(f"save_{side}_") and "match_overlap" not in header
        return bare if own and bare in header else ""

    def texts(self, table: str) -> tuple[list[str], list[list[str]]]:
        """Names of the columns of a table and its rows as text."""
        names = self.header(table)
        frame = self._frame(table, names, as_text=True) if names else None
        return names, [] if frame is None else [[str(v) for v in row] for row in frame[names].to_numpy()]

    def _frame(self, table: str, names: Sequence[str], as_text: bool = False) -> pd.DataFrame:
        import pandas as pd

        path = self._csv(table)
        if not names:
            return pd.DataFrame()
        fast = path.with_suffix(".parquet")
        try:
            if not as_text and fast.exists() and fast.stat().st_mtime_ns >= path.stat().st_mtime_ns:
                return pd.read_parquet(fast, columns=list(names))
            if as_text:
                return pd.read_csv(path, usecols=list(names), dtype=str, keep_default_na=False)
            return pd.read_csv(path, usecols=list(names), low_memory=False)
        except (ValueError, OSError, pd.errors.ParserError) as error:
            raise DataError(
                "the table cannot be read", where=path, got=str(error).splitlines()[0], mend="merge the tables again"
            ) from error


def _floats(values: pd.Series) -> NDArray[np.float64]:
    import pandas as pd

    return pd.to_numeric(values, errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan)


def csv_text(columns: Mapping[str, Sequence[object] | NDArray[Any]]) -> str:
    """Columns of equal length as CSV: numbers with ten digits, text quoted where needed."""
    lines = [",".join(map(_cell, columns))]
    lines += [",".join(map(_cell, row)) for row in zip(*columns.values(), strict=True)]
    return "\n".join(lines) + "\n"


def csv_of_parts(parts: Sequence[tuple[Mapping[str, str], Mapping[str, NDArray[Any]]]]) -> str:
    """Groups of rows with equal columns below each other, each with labels that are the same in all its rows."""
    lengths = [len(next(iter(columns.values()))) for _, columns in parts]
    names = [*parts[0][0], *parts[0][1]] if parts else []
    out: dict[str, list[object]] = {name: [] for name in names}
    for (labels, columns), n in zip(parts, lengths, strict=True):
        for name in names:
            out[name] += [labels[name]] * n if name in labels else list(columns[name])
    return csv_text(out)


def _cell(value: object) -> str:
    text = f"{value:.10g}" if isinstance(value, float | np.floating) else str(value)
    return '"' + text.replace('"', '""') + '"' if any(c in text for c in ',"\n\r') else text
