"""Events and answers from the frozen files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spine.schema import PRODUCTS, Event, Ragged, Record, Table, Tensor, offsets_of
from spine.schema.products import LABEL_TABLE

__all__ = ["DATA", "Frozen"]

DATA = Path(__file__).parent / "data"
Array = NDArray[Any]


class Frozen:
    """One frozen file: its event, and the columns of its tables.

    Parameters
    ----------
    path : Path
    """

    def __init__(self, path: Path) -> None:
        with np.load(path) as file:
            self.arrays: dict[str, Array] = dict(file)

    def ragged(self, key: str) -> Ragged | None:
        if f"{key}/lengths" not in self.arrays:
            return None
        return Ragged(self.arrays[f"{key}/values"], offsets_of(self.arrays[f"{key}/lengths"]))

    def table(self, key: str, record: type[Record]) -> Table:
        """A table of the frozen columns; the rest is missing."""
        fixed = self.arrays[f"{key}/fixed"]
        table = Table(record, len(fixed))
        for name in fixed.dtype.names or ():
            if name in record.columns:
                table[name] = fixed[name].astype(object) if fixed[name].dtype.kind == "U" else fixed[name]
        for name, column in record.columns.items():
            rows = self.ragged(f"{key}/{name}")
            if column.kind == "ragged" and rows is not None:
                table[name] = rows
        return table

    def event(self) -> Event:
        """A new event with the inputs."""
        names = {key.split("/")[1] for key in self.arrays if key.startswith("in/")}
        event = Event({}, 3, "frozen.h5")
        for name in sorted(names & set(PRODUCTS)):
            event[name] = self._product(name)
        return event

    def _product(self, name: str) -> Any:
        declared = PRODUCTS[name]
        key = f"in/{name}"
        if declared.kind == "object" and declared.record is not None:
            return Table.from_rows(declared.record, [{c: self.arrays[f"{key}/{c}"] for c in declared.record.columns}])[
                0
            ]
        if declared.kind == "objects" and declared.record is not None:
            return self.table(key, declared.record)
        if declared.kind in ("tensor", "cluster_label"):
            labels = self.table(f"{key}/particles", LABEL_TABLE) if f"{key}/particles/fixed" in self.arrays else None
            coords = self.arrays[f"{key}/coords"].astype(np.int32)
            return Tensor(coords, self.arrays[f"{key}/features"], declared.features, labels)
        rows = self.ragged(key)
        return self.arrays[key] if rows is None else rows

    def answers(self, name: str) -> dict[str, Array | Ragged]:
        """Columns of a table that was built, by name; those that are all missing are not there."""
        key = f"out/{name}"
        fixed = self.arrays[f"{key}/fixed"]
        columns: dict[str, Array | Ragged] = {column: fixed[column] for column in fixed.dtype.names or ()}
        for column in {k.split("/")[2] for k in self.arrays if k.startswith(key + "/") and k.endswith("/lengths")}:
            rows = self.ragged(f"{key}/{column}")
            if rows is not None:
                columns[column] = rows
        return columns
