"""Tables of columns with row views: how objects are held in memory."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from spine.errors import SchemaError
from spine.schema.columns import Column, Record
from spine.schema.ragged import Ragged

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Row", "Table", "TableSlice"]

Array = NDArray[Any]


def _missing_column(column: Column, n: int) -> Array | Ragged:
    if column.kind == "ragged":
        return Ragged.empty(n, column.dtype)
    return np.full((n, *column.shape), column.missing, dtype=column.dtype)


def _coerced(column: Column, value: Any, n: int) -> Array | Ragged:
    """The value with the declared type and shape, or an error that names the column."""
    if column.kind == "ragged":
        rows = value if isinstance(value, Ragged) else Ragged.from_list(value, column.dtype)
        result: Array | Ragged = Ragged(rows.values.astype(column.dtype, copy=False), rows.offsets)
        fits = len(rows) == n
    else:
        result = np.asarray(value, dtype=column.dtype)
        if result.shape == column.shape and n != 0:
            result = np.broadcast_to(result, (n, *column.shape)).copy()
        fits = result.shape == (n, *column.shape)
    if not fits:
        got = len(result) if isinstance(result, Ragged) else result.shape
        raise SchemaError(f"column {column.name!r} does not fit the table", got=got, expected=(n, *column.shape))
    return result


class TableSlice(Mapping[str, Any]):
    """Columns of a run of rows of a table, looked up when asked for.

    Parameters
    ----------
    table : Table
    start, stop : int
        The rows.
    """

    def __init__(self, table: Table, start: int, stop: int) -> None:
        self.table, self.start, self.stop = table, start, stop

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and self.table.has(name)

    def __iter__(self) -> Iterator[str]:
        return (name for name in self.table.record.columns if name in self)

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __getitem__(self, name: str) -> Any:
        return self.table[name][self.start : self.stop]


def _common_run(parts: Sequence[Table]) -> TableSlice | None:
    """The rows of one table from which all parts were cut, one after the other; None where they were not."""
    slices = [part._lazy for part in parts if isinstance(part._lazy, TableSlice)]
    if len(slices) < len(parts) or any(one.table is not slices[0].table for one in slices):
        return None
    if any(one.stop != other.start for one, other in pairwise(slices)):
        return None
    return TableSlice(slices[0].table, slices[0].start, slices[-1].stop)


class Table:
    """Objects of one kind as columns.

    Parameters
    ----------
    record : Record subclass
        Declares the columns.
    n : int
        Number of objects.
    columns : mapping, optional
        Values by column name; columns left out hold their missing value.
    lazy : mapping, optional
        Further columns, already of the declared types, which are only looked up when asked for.

    Notes
    -----
    ``table["length"]`` is the whole column, ``table[3]`` is a row view with attributes, ``table[mask]`` is the table
    of the chosen rows. Derived columns that state a function are computed at each access.
    """

    def __init__(
        self,
        record: type[Record],
        n: int,
        columns: Mapping[str, Any] | None = None,
        lazy: Mapping[str, Any] | None = None,
    ) -> None:
        self.record = record
        self._n = int(n)
        self._columns: dict[str, Array | Ragged] = {}
        self._lazy: Mapping[str, Any] = lazy if lazy is not None else {}
        self._blank: set[str] = set()
        self._own: set[str] = set()
        for name, value in (columns or {}).items():
            self[name] = value

    def __len__(self) -> int:
        return self._n

    def __iter__(self) -> Iterator[Row]:
        return (Row(self, i) for i in range(self._n))

    @overload
    def __getitem__(self, item: str) -> Any: ...
    @overload
    def __getitem__(self, item: int | np.integer[Any]) -> Row: ...
    @overload
    def __getitem__(self, item: slice | Array | list[int]) -> Table: ...
    def __getitem__(self, item: str | int | np.integer[Any] | slice | Array | list[int]) -> Any:
        if isinstance(item, str):
            return self._column(item)
        if isinstance(item, int | np.integer):
            return Row(self, range(self._n)[int(item)])
        picked = np.arange(self._n)[item]
        return Table(self.record, len(picked), lazy={name: self[name][picked] for name in self._known()})

    def _known(self) -> list[str]:
        """Columns that hold values, in the order of the schema."""
        return [name for name in self.record.columns if self.has(name)]

    def _column(self, name: str) -> Array | Ragged:
        if name in self._columns:
            return self._columns[name]
        column = self.record.column(name)
        if column.of is not None and not self._as_stored(column):
            return _coerced(column, column.of(self), self._n)
        if name in self._lazy:
            self._columns[name] = self._lazy[name]
            return self._columns[name]
        self._columns[name] = _missing_column(column, self._n)
        self._blank.add(name)
        return self._columns[name]

    def __setitem__(self, name: str, value: Any) -> None:
        column = self.record.column(name)
        if column.of is None:
            self._columns[name] = _coerced(column, value, self._n)
            self._own.add(name)
            self._blank.discard(name)

    def has(self, name: str) -> bool:
        """True when the column was given values, false when it would hold its missing value."""
        if name in self._columns:
            return True
        column = self.record.columns.get(name)
        return column is not None and name in self._lazy and (column.of is None or self._as_stored(column))

    def _as_stored(self, column: Column) -> bool:
        """True for a derived column whose sources are gone (reduced files), so that its stored values count."""
        return column.name in self._lazy and any(need not in self for need in column.needs)

    def __contains__(self, name: object) -> bool:
        """True when the column has values of its own."""
        return (name in self._columns and name not in self._blank) or name in self._lazy

    def copy(self) -> Table:
        """A table whose columns can be replaced without touching this one."""
        twin = Table(self.record, self._n, lazy=self._lazy)
        twin._columns, twin._blank, twin._own = dict(self._columns), set(self._blank), set(self._own)
        return twin

    @classmethod
    def concat(cls, parts: Sequence[Table]) -> Table:
        """Rows of all parts (at least one, of one record), in order."""
        record = parts[0].record
        names = [name for name in record.columns if any(part.has(name) for part in parts)]
        run, changed = _common_run(parts), set[str]().union(*(part._own for part in parts))
        joined: dict[str, Any] = {}
        for name in names:
            if run is not None and name not in changed and name in run:
                joined[name] = run[name]
            elif record.columns[name].kind == "ragged":
                joined[name] = Ragged.concat([part[name] for part in parts])
            else:
                joined[name] = np.concatenate([part[name] for part in parts])
        return cls(record, sum(map(len, parts)), lazy=joined)

    @classmethod
    def from_rows(cls, record: type[Record], rows: Sequence[Mapping[str, Any]]) -> Table:
        """Table of the given rows; a key left out of a row is missing there."""
        names = [n for n in record.columns if any(n in row for row in rows)]
        columns: dict[str, Any] = {}
        for name in names:
            column = record.columns[name]
            empty: ArrayLike = np.empty(0, column.dtype)
            blank = empty if column.kind == "ragged" else np.full(column.shape, column.missing, column.dtype)
            values = [row.get(name, blank if column.kind != "text" else column.missing) for row in rows]
            columns[name] = values if column.kind == "ragged" else np.array(values, dtype=column.dtype)
        return cls(record, len(rows), columns)

    def flat(self, names: Sequence[str] | None = None) -> dict[str, Array]:
        """Flat columns, vectors split by component; ragged columns are left out.

        Parameters
        ----------
        names : sequence of str, optional
            Columns to take, all by default.

        Returns
        -------
        dict of str to (n,) ndarray
            Columns by flat name (``start_point_x``), in the order of the schema.
        """
        out: dict[str, Array] = {}
        for name in names if names is not None else self.record.columns:
            column = self.record.column(name)
            if column.kind == "ragged":
                continue
            values = self[name]
            if column.shape:
                out |= {f"{name}_{s}": values[:, i] for i, s in enumerate(column.suffixes)}
            else:
                out[name] = values
        return out

    def to_pandas(self, names: Sequence[str] | None = None) -> pd.DataFrame:
        """Flat columns as a data frame, one row per object."""
        import pandas as pd

        return pd.DataFrame(self.flat(names))

    def __repr__(self) -> str:
        return f"Table({self.record.__name__}, {self._n} rows)"

    def _repr_html_(self) -> str:
        from spine.schema.cards import table_card

        return table_card(self)


class Row:
    """View of one object of a table: columns are attributes, assignments write through."""

    __slots__ = ("_i", "_table")

    def __init__(self, table: Table, i: int) -> None:
        object.__setattr__(self, "_table", table)
        object.__setattr__(self, "_i", i)

    def __reduce__(self) -> tuple[type[Row], tuple[Table, int]]:
        return Row, (self._table, self._i)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        try:
            value = self._table[name][self._i]
        except SchemaError as error:
            raise AttributeError(str(error)) from error
        return value.item() if isinstance(value, np.generic) else value

    def __setattr__(self, name: str, value: Any) -> None:
        column = self._table[name]
        if isinstance(column, Ragged):
            rows = list(column)
            rows[self._i] = np.asarray(value, dtype=column.dtype)
            self._table[name] = Ragged.from_list(rows, column.dtype)
        else:
            column[self._i] = value

    @property
    def table(self) -> Table:
        """The table of this object alone."""
        one: Table = self._table[np.array([self._i])]
        return one

    def as_dict(self) -> dict[str, Any]:
        """All columns of this object by name."""
        return {name: getattr(self, name) for name in self._table.record.columns}

    def __repr__(self) -> str:
        return f"{self._table.record.__name__}(row {self._i} of {len(self._table)})"

    def _repr_html_(self) -> str:
        from spine.schema.cards import object_card

        return object_card(self)
