"""Products as flat tables: rows event after event, vectors split by component, lists kept as lists."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spine.schema import Column, Product, Ragged, Table
from spine.store.columns import stored_events
from spine.store.reader import EventFile
from spine.store.stored import StoredProduct

__all__ = ["FlatColumn", "FlatTable", "flat_tables"]

Array = NDArray[Any]
I8 = NDArray[np.int64]

EVENTS = "events"
"""Table with one row per event."""


@dataclass(frozen=True)
class FlatColumn:
    """One column.

    Parameters
    ----------
    values : (n,) ndarray or Ragged
        Numbers, strings (object) or lists of numbers.
    doc, unit : str
        Meaning and unit, empty when unknown.
    long : bool
        True for the long lists of points, which tables for people leave out.
    """

    values: Array | Ragged
    doc: str = ""
    unit: str = ""
    long: bool = False


@dataclass(frozen=True)
class FlatTable:
    """Rows of some events.

    Parameters
    ----------
    name : str
        Product, or ``events``.
    counts : (n,) int64
        Rows of each event.
    columns : dict of str to FlatColumn
        Columns by name.
    """

    name: str
    counts: I8
    columns: dict[str, FlatColumn]


def flat_tables(file: EventFile, names: Sequence[str], start: int, stop: int) -> Iterator[FlatTable]:
    """Products of a range of events.

    Parameters
    ----------
    file : EventFile
        The last file of a chain.
    names : sequence of str
        Products.
    start, stop : int
        Range of entries.

    Yields
    ------
    FlatTable
        First ``events``: ``index``, the columns of single objects (those of ``run_info`` without its name in front),
        numbers and strings; then one per other product. A cluster label gives a second table, ``NAME_particles``, and
        arrays of different widths one each, ``NAME_0``.
    """
    entries = np.arange(start, stop, dtype=np.int64)
    stored = {name: stored_events(file, name, entries) for name in names}
    single = [one for one in stored.values() if one.declared.kind in ("object", "scalar", "text")]
    yield FlatTable(EVENTS, np.ones(len(entries), np.int64), _event_columns(single, entries))
    for one in stored.values():
        if one not in single:
            yield from _tables(one.declared.name, one)


def _event_columns(single: Sequence[StoredProduct], entries: I8) -> dict[str, FlatColumn]:
    columns = {"index": FlatColumn(entries, "Number of the event in the file")}
    for one in single:
        declared = one.declared
        if isinstance(one.rows, Table):
            front = "" if declared.name == "run_info" else f"{declared.name}_"
            columns |= {f"{front}{name}": column for name, column in _object_columns(one.rows).items()}
        else:
            columns[declared.name] = FlatColumn(one.rows, declared.doc)
    return columns


def _tables(name: str, stored: StoredProduct) -> Iterator[FlatTable]:
    if isinstance(stored.rows, tuple):
        for i, element in enumerate(stored.rows):
            yield from _tables(f"{name}_{i}", element)
        return
    yield FlatTable(name, np.diff(stored.bounds), _columns(stored))
    if stored.labels is not None:
        yield from _tables(f"{name}_particles", stored.labels)


def _columns(stored: StoredProduct) -> dict[str, FlatColumn]:
    declared, rows = stored.declared, stored.rows
    if isinstance(rows, Table):
        return _object_columns(rows)
    if isinstance(rows, Ragged):
        flat = rows.values.astype(declared.numpy, copy=False)
        parts = flat.T if flat.ndim == 2 else [flat]
        names = [f"values_{i}" for i in range(len(parts))] if flat.ndim == 2 else ["values"]
        return {n: FlatColumn(Ragged(p, rows.offsets), declared.doc) for n, p in zip(names, parts, strict=True)}
    parts = rows.T if rows.ndim == 2 else [rows]
    return {n: FlatColumn(p, declared.doc) for n, p in zip(_names(declared, len(parts)), parts, strict=True)}


def _names(declared: Product, width: int) -> list[str]:
    """Names of the columns of an array or a tensor."""
    if declared.kind in ("tensor", "cluster_label"):
        many = len(declared.points) > 1
        points = [f"{group}_{axis}" if many else axis for group in declared.points for axis in "xyz"]
        features = [*declared.features, *(f"feature_{i}" for i in range(len(declared.features), width - len(points)))]
        return [*points, *features][:width]
    if width == 1:
        return ["value"]
    return list("xyz") if width == 3 else [f"value_{i}" for i in range(width)]


def _object_columns(table: Table) -> dict[str, FlatColumn]:
    found: dict[str, FlatColumn] = {}
    for name, column in table.record.columns.items():
        if column.kind == "fixed":
            found |= {key: _column(column, values) for key, values in table.flat((name,)).items()}
        else:
            found[name] = _column(column, table[name])
    return found


def _column(column: Column, values: Array | Ragged) -> FlatColumn:
    return FlatColumn(values, column.doc, column.unit, not column.lite)
