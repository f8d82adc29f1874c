"""Object tables on disk: fixed rows, and pools of variable values by type.

A table is stored as compound rows of its fixed columns. Ragged and text columns of one type share a pool of values,
object after object; each row holds the positions at which its columns start in each pool.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import h5py
import numpy as np
import yaml
from numpy.typing import NDArray

from spine.errors import SchemaError
from spine.schema import Column, Ragged, Record, Table, offsets_of

__all__ = ["Pool", "disk_type", "fixed_dtype", "pools_of", "read_table", "table_rows"]

Array = NDArray[Any]


@dataclass(frozen=True)
class Pool:
    """Columns of one variable type.

    Parameters
    ----------
    number : int
        Position among the pools of the table.
    dtype : numpy dtype
        Type of the values; bytes for text.
    is_text : bool
        True for strings.
    fields : tuple of str
        Columns in the pool, in the order of the schema.
    """

    number: int
    dtype: np.dtype[Any]
    is_text: bool
    fields: tuple[str, ...]

    @property
    def offsets_name(self) -> str:
        """Name of the position column in the fixed rows."""
        return f"_var_offsets_{self.number}"


def pools_of(record: type[Record]) -> list[Pool]:
    """Pools of a record, by first appearance of each type."""
    groups: dict[tuple[str, bool], list[str]] = {}
    for column in record.columns.values():
        if column.kind != "fixed":
            is_text = column.kind == "text"
            key = ("|u1" if is_text else column.dtype.str, is_text)
            groups.setdefault(key, []).append(column.name)
    return [Pool(i, np.dtype(t), s, tuple(names)) for i, ((t, s), names) in enumerate(groups.items())]


def disk_type(column: Column) -> Any:
    """Type on disk of one value of a fixed column."""
    if column.enum is None:
        return column.dtype
    names = {member.name: int(member) for member in column.enum}
    return h5py.enum_dtype(names, basetype=column.dtype)


def fixed_dtype(record: type[Record]) -> np.dtype[Any]:
    """Compound type of the fixed rows of a record."""
    parts: list[tuple[Any, ...]] = [
        (c.name, disk_type(c), c.shape) if c.shape else (c.name, disk_type(c))
        for c in record.columns.values()
        if c.kind == "fixed"
    ]
    parts += [(pool.offsets_name, np.dtype(np.int64), (len(pool.fields) + 1,)) for pool in pools_of(record)]
    return np.dtype(parts)


def _as_ragged(table: Table, name: str, is_text: bool) -> Ragged:
    if not is_text:
        ragged: Ragged = table[name]
        return ragged
    encoded = [str(value).encode() for value in table[name]]
    values = np.frombuffer(b"".join(encoded), dtype=np.uint8)
    return Ragged(values, offsets_of([len(e) for e in encoded]))


def _interleaved(columns: Sequence[Ragged], dtype: np.dtype[Any], start: int) -> tuple[Array, NDArray[np.int64]]:
    """Values object by object, and the (n, fields + 1) positions counted from ``start``."""
    n = len(columns[0])
    lengths = np.stack([c.lengths for c in columns], axis=1)
    ends = np.cumsum(lengths.ravel()).reshape(n, -1) if n else np.zeros((0, len(columns)), np.int64)
    begins = ends - lengths
    values = np.empty(int(ends[-1, -1]) if n else 0, dtype=dtype)
    for j, column in enumerate(columns):
        shift = np.repeat(begins[:, j] - column.offsets[:-1], column.lengths)
        values[np.arange(len(column.values)) + shift] = column.values
    positions = np.concatenate([begins[:, :1], ends], axis=1) + start
    return values, positions


def table_rows(table: Table, starts: Sequence[int]) -> tuple[Array, list[Array]]:
    """What to append to a file for a table.

    Parameters
    ----------
    table : Table
        Objects of one or more events.
    starts : sequence of int
        Number of values already in each pool of the file.

    Returns
    -------
    rows : (n,) compound
        Fixed rows, positions filled in.
    pools : list of ndarray
        Values for each pool.
    """
    rows = np.empty(len(table), dtype=fixed_dtype(table.record))
    for column in table.record.columns.values():
        if column.kind == "fixed":
            rows[column.name] = table[column.name]
    values = []
    for pool, start in zip(pools_of(table.record), starts, strict=True):
        columns = [_as_ragged(table, name, pool.is_text) for name in pool.fields]
        flat, positions = _interleaved(columns, pool.dtype, start)
        rows[pool.offsets_name] = positions
        values.append(flat)
    return rows, values


class _Columns(Mapping[str, Any]):
    """Columns of a range of rows of a stored table, read when asked for."""

    def __init__(self, group: h5py.Group, record: type[Record], start: int, stop: int) -> None:
        self._fixed = group["fixed"]
        self._names = set(self._fixed.dtype.names or ())
        self._range = (start, stop)
        self._rows: Array | None = None
        self._record = record
        self._pools = {}
        for name, pool in group["variables"].items():
            for j, field in enumerate(yaml.safe_load(_text(pool.attrs["fields"]))):
                self._pools[field] = (int(name.rpartition("_")[2]), pool, j)
        self._positions: dict[int, Array] = {}
        self._values: dict[int, tuple[int, Array]] = {}

    def __contains__(self, name: object) -> bool:
        return name in self._names or name in self._pools

    def __iter__(self) -> Iterator[str]:
        return (name for name in self._record.columns if name in self)

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __getitem__(self, name: str) -> Any:
        start, stop = self._range
        column = self._record.column(name)
        if name in self._names:
            values = np.ascontiguousarray(self._stored()[name])
            return values.astype(column.dtype, copy=False).reshape(stop - start, *column.shape)
        number, pool, j = self._pools[name]
        ragged = self._pool_column(number, pool, j)
        if column.kind == "text":
            return np.array([row.tobytes().decode() for row in ragged], dtype=object)
        return Ragged(ragged.values.astype(column.dtype, copy=False), ragged.offsets)

    def _stored(self) -> Array:
        """Rows of fixed size as the file holds them, read once: all columns lie beside each other there."""
        if self._rows is None:
            self._rows = self._fixed[self._range[0] : self._range[1]]
        return self._rows

    def _pool_column(self, number: int, pool: h5py.Group, j: int) -> Ragged:
        if number not in self._positions:
            positions = self._stored()[f"_var_offsets_{number}"]
            first, last = (int(positions[0, 0]), int(positions[-1, -1])) if len(positions) else (0, 0)
            self._positions[number] = positions
            self._values[number] = (first, pool["values"][first:last])
        positions = self._positions[number]
        first, values = self._values[number]
        lengths = positions[:, j + 1] - positions[:, j]
        offsets = offsets_of(lengths)
        where = np.arange(offsets[-1]) + np.repeat(positions[:, j] - first - offsets[:-1], lengths)
        return Ragged(values[where], offsets)


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


def read_table(group: h5py.Group, record: type[Record], start: int, stop: int) -> Table:
    """Rows of a stored table, each column read when it is asked for.

    Parameters
    ----------
    group : h5py.Group
        Group of the product.
    record : Record subclass
        Declares the columns; columns the file lacks hold their missing value.
    start, stop : int
        Range of rows.

    Raises
    ------
    SchemaError
        When the group does not hold objects.
    """
    if "fixed" not in group or "variables" not in group:
        raise SchemaError(f"{group.name} does not hold objects", where=group.file.filename, got=list(group))
    return Table(record, stop - start, lazy=_Columns(group, record, start, stop))
