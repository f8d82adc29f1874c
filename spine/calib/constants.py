"""Constants of a calibration: one number, one per TPC, or one per TPC and run."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from spine.calib.database import interval, values_by_run
from spine.calib.hits import Hits
from spine.errors import ConfigError
from spine.ops.arrays import FloatArray

__all__ = ["Constant", "Database", "Value"]

Value = float | tuple[float, ...]
"""One number for all TPCs, or one for each."""

Database = str | dict[int, Value]
"""SQLite file, or the value from each run on."""


@dataclass(frozen=True)
class Constant:
    """A constant of each TPC.

    Parameters
    ----------
    name : str
        For messages.
    value, database : Value or Database, optional
        Exactly one of them.
    keys : tuple of str, optional
        Columns of a SQLite file that hold the constants of the TPCs.
    scale : float
        Factor on what a database holds.

    Raises
    ------
    ValueError
        When none or both are given, or ``keys`` without a file.
    """

    name: str
    value: Value | None
    database: Database | None
    keys: tuple[str, ...] | None = None
    scale: float = 1.0

    def __post_init__(self) -> None:
        if (self.value is None) == (self.database is None):
            raise ValueError(f"give one of {self.name} and {self.name}_db")
        if self.keys is not None and not isinstance(self.database, str):
            raise ValueError(f"{self.name}_db_value_keys are columns of a SQLite file")

    def of(self, hits: Hits) -> FloatArray:
        """(n,) constant of the TPC of each hit."""
        count = len(hits.detector.tpcs)
        if self.value is not None:
            return self._spread(self.value, count)[hits.tpcs]
        if isinstance(self.database, str):
            found = values_by_run(self.database, self.keys, count)
            return (self.scale * found[interval(list(found), hits.run, self.name)])[hits.tpcs]
        by_run = self.database or {}
        chosen = by_run[interval(list(by_run), hits.run, self.name)]
        return (self.scale * self._spread(chosen, count))[hits.tpcs]

    def _spread(self, value: Value, count: int) -> FloatArray:
        values = np.asarray(value, dtype=np.float64)
        if values.ndim and len(values) != count:
            raise ConfigError(f"{self.name} is one number or one per TPC", got=f"{len(values)} numbers", expected=count)
        return np.broadcast_to(values, count)
