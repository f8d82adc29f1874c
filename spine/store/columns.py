"""Columns of many events at once, through a chain of stage files, each read when asked for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spine.schema import Ragged, Record, Table, offsets_of
from spine.store.reader import EventFile
from spine.store.stored import StoredProduct, joined_elements

__all__ = ["joined", "narrowed", "picked", "rows_of", "stored_events"]

Array = NDArray[Any]
Rows = slice | NDArray[np.int64]


class _Lazy(Mapping[str, Any]):
    """Columns of tables, made when asked for."""

    def __init__(self, tables: Sequence[Table]) -> None:
        self._tables = tables

    def __contains__(self, name: object) -> bool:
        return any(name in table for table in self._tables)

    def __iter__(self) -> Iterator[str]:
        return (name for name in self._tables[0].record.columns if name in self)

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __getitem__(self, name: str) -> Any:
        raise NotImplementedError


class _Picked(_Lazy):
    """Some rows of a table."""

    def __init__(self, table: Table, rows: Rows) -> None:
        super().__init__([table])
        self._rows = rows

    def __getitem__(self, name: str) -> Any:
        return self._tables[0][name][self._rows]


class _Computed(_Lazy):
    """Columns of a table, those that follow from others included."""

    def __contains__(self, name: object) -> bool:
        return name in self._tables[0].record.columns

    def __getitem__(self, name: str) -> Any:
        return self._tables[0][name]


class _Joined(_Lazy):
    """Rows of several tables."""

    def __getitem__(self, name: str) -> Any:
        parts = [table[name] for table in self._tables]
        return Ragged.concat(parts) if isinstance(parts[0], Ragged) else np.concatenate(parts)


def picked(table: Table, rows: Rows) -> Table:
    """Some rows of a table; a column is read when it is asked for.

    Parameters
    ----------
    table : Table
        All rows.
    rows : slice or (m,) int64
        Which ones.
    """
    n = len(range(len(table))[rows]) if isinstance(rows, slice) else len(rows)
    return Table(table.record, n, lazy=_Picked(table, rows))


def narrowed(table: Table, record: type[Record]) -> Table:
    """The table with the columns of another record, which are some of its own."""
    return Table(record, len(table), lazy=_Computed([table]))


def joined(tables: Sequence[Table]) -> Table:
    """Rows of several tables (at least one), in order; a column is read when it is asked for."""
    if len(tables) == 1:
        return tables[0]
    return Table(tables[0].record, sum(map(len, tables)), lazy=_Joined(tables))


def rows_of(bounds: NDArray[np.int64], events: NDArray[np.int64]) -> Rows:
    """Rows of some events: a slice where they follow each other, otherwise their numbers.

    Parameters
    ----------
    bounds : (n + 1,) int64
        Where each event starts.
    events : (m,) int64
        Positions of the events.
    """
    if len(events) == 0:
        return slice(0, 0)
    if (np.diff(events) == 1).all():
        return slice(int(bounds[events[0]]), int(bounds[events[-1] + 1]))
    lengths = np.diff(bounds)[events]
    offsets = offsets_of(lengths)
    numbers: NDArray[np.int64] = np.arange(offsets[-1]) + np.repeat(bounds[events] - offsets[:-1], lengths)
    return numbers


def _some(stored: StoredProduct, events: NDArray[np.int64]) -> StoredProduct:
    """A stored product of some of its events."""
    if len(events) == len(stored.bounds) - 1 and (events == np.arange(len(events))).all():
        return stored
    if isinstance(stored.rows, tuple):
        return joined_elements(stored.declared, [_some(element, events) for element in stored.rows])
    rows = rows_of(stored.bounds, events)
    values = picked(stored.rows, rows) if isinstance(stored.rows, Table) else stored.rows[rows]
    bounds = offsets_of(np.diff(stored.bounds)[events])
    labels = _some(stored.labels, events) if stored.labels is not None else None
    return replace(stored, rows=values, bounds=bounds, labels=labels)


def stored_events(file: EventFile, name: str, entries: NDArray[np.int64]) -> StoredProduct:
    """One product of some events, from the file of the chain that holds it.

    Parameters
    ----------
    file : EventFile
        The last file of a chain.
    name : str
        Product, one of `EventFile.names`.
    entries : (n,) int64
        Entries, in any order.

    Returns
    -------
    StoredProduct
        Its n events, event after event.
    """
    if name not in file.own_names():
        return stored_events(file.parent(), name, file.parent_entries[entries])
    low, high = (int(entries.min()), int(entries.max()) + 1) if len(entries) else (0, 0)
    return _some(file.read(file.declared(name), low, high), entries - low)
