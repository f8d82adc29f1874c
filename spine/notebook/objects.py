"""Objects of many events as one table, for notebooks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, overload

import numpy as np
from numpy.typing import NDArray

from spine.errors import DataError, SchemaError, did_you_mean
from spine.notebook.matching import best_rows, other_side
from spine.ops.expression import parse
from spine.schema import Column, Ragged, Row, Table
from spine.schema.cards import table_card
from spine.store.columns import picked

if TYPE_CHECKING:
    import awkward as ak
    import pandas as pd

    from spine.notebook.run import Run

__all__ = ["Objects"]

Array = NDArray[Any]
I8 = NDArray[np.int64]


class Objects:
    """Objects of one kind of the events of a run; columns are read when they are asked for.

    Parameters
    ----------
    run : Run
        The events.
    name : str
        Product, such as ``reco_particles``.
    table : Table
        Objects of all events, event after event.
    rows : (n,) int64
        Position in the run of the event of each object.

    Notes
    -----
    ``objects.length`` and ``objects["length"]`` are the whole column, ``objects[3]`` is one object, ``objects[mask]``
    are some of them.
    """

    def __init__(self, run: Run, name: str, table: Table, rows: I8) -> None:
        self.run = run
        self.name = name
        self.table = table
        self.rows = rows

    def __len__(self) -> int:
        return len(self.table)

    def __iter__(self) -> Iterator[Row]:
        return iter(self.table)

    @overload
    def __getitem__(self, item: str) -> Array | Ragged: ...
    @overload
    def __getitem__(self, item: int) -> Row: ...
    @overload
    def __getitem__(self, item: slice | Array | list[int]) -> Objects: ...
    def __getitem__(self, item: str | int | slice | Array | list[int]) -> Any:
        if isinstance(item, str | int | np.integer):
            return self.table[item]
        chosen = np.arange(len(self))[item]
        return Objects(self.run, self.name, picked(self.table, chosen), self.rows[chosen])

    def __getattr__(self, name: str) -> Array | Ragged:
        if name.startswith("_"):
            raise AttributeError(name)
        try:
            column: Array | Ragged = self.table[name]
        except SchemaError as error:
            raise AttributeError(str(error)) from None
        return column

    def __dir__(self) -> list[str]:
        return [*super().__dir__(), *self.table.record.columns]

    def where(self, expression: str) -> Objects:
        """The objects for which an expression over columns is true.

        Parameters
        ----------
        expression : str
            Such as ``is_contained & pid == 2`` or ``start_point_x < 0 & truth.ke > 50``: columns, components of
            vectors, ``run``, ``subrun`` and ``event``; ``truth.`` or ``reco.`` in front of a name means the best match
            on the other side, missing values where there is none. See `spine.ops.expression.parse`.

        Raises
        ------
        ConfigError
            When it cannot be read, or is not true or false.
        SchemaError
            When it names a column that there is not.
        """
        return self[parse(expression).mask(self._values, len(self))]

    @property
    def events(self) -> Run:
        """The events that the objects are of, each once."""
        return self.run[np.unique(self.rows)]

    def to_pandas(self, *columns: str, names: bool = False) -> pd.DataFrame:
        """One row per object: numbers of its event, then flat columns; lists are left out unless asked for.

        Parameters
        ----------
        *columns : str
            Columns to take; by default all that have one value per object. Components of a vector become columns of
            their own (``start_point_x``), a list one column of arrays.
        names : bool
            Names instead of numbers for enumerations (``MUON``).

        Returns
        -------
        pandas.DataFrame
            ``index`` (``run[index]`` is the event), ``file_index, file_entry_index, run, subrun, event``, columns.
        """
        import pandas as pd

        taken: dict[str, Any] = {name: values[self.rows] for name, values in self.run.numbers.items()}
        record = self.table.record
        for name in columns or tuple(record.columns):
            column = record.column(name)
            if column.kind != "ragged":
                taken |= {key: _named(column, v) if names else v for key, v in self.table.flat((name,)).items()}
            elif columns:
                taken[name] = list(self.table[name])
        return pd.DataFrame(taken)

    def to_awkward(self, *columns: str) -> ak.Array:
        """Objects by event as an awkward array: events, objects, fields; lists stay lists.

        Parameters
        ----------
        *columns : str
            Columns to take, all by default.
        """
        import awkward as ak

        names = columns or tuple(self.table.record.columns)
        fields = {name: _awkward(self.table[name], self.table.record.column(name)) for name in names}
        objects = ak.zip(fields, depth_limit=1)
        return ak.unflatten(objects, np.bincount(self.rows, minlength=len(self.run)))

    def describe(self) -> pd.DataFrame:
        """Meaning, unit and type of every column."""
        import pandas as pd

        columns = self.table.record.columns.values()
        rows = [(c.name, c.doc, c.unit, _type(c), _members(c)) for c in columns]
        frame = pd.DataFrame(rows, columns=["column", "meaning", "unit", "type", "values"]).set_index("column")
        return frame.assign(derived=[c.stored_after for c in columns])

    def __repr__(self) -> str:
        return f"{self.name}: {len(self)} in {len(self.run)} events"

    def _repr_html_(self) -> str:
        return table_card(self.table)

    def _values(self, name: str) -> Array:
        """(n,) values of a name in an expression."""
        side, _, column = name.rpartition(".")
        mine = self.name.partition("_")[0]
        if side in ("", mine):
            event = self.run.numbers.get(column)
            return (
                _flat(self.table, column) if event is None or column in self.table.record.columns else event[self.rows]
            )
        if f"{side}_" != other_side(self.name)[: len(side) + 1]:
            raise SchemaError(f"{side!r} is no side of {self.name}", mend=did_you_mean(side, ("reco", "truth")))
        return self._matched(column)

    def _matched(self, column: str) -> Array:
        others = self.run.objects(other_side(self.name))
        values = _flat(others.table, column)
        rows = best_rows(self.table, self.rows, others.table, others.rows)
        declared = others.table.record.columns[_plain(others.table, column)]
        missing = np.full(len(self), declared.missing, dtype=values.dtype)
        missing[rows >= 0] = values[rows[rows >= 0]]
        return missing


def _plain(table: Table, name: str) -> str:
    """Column of a flat name.

    Raises
    ------
    SchemaError
        When there is none.
    """
    vector = name.rpartition("_")[0]
    return (
        vector
        if name not in table.record.columns and vector in table.record.columns
        else table.record.column(name).name
    )


def _flat(table: Table, name: str) -> Array:
    """(n,) column or component of a vector.

    Raises
    ------
    SchemaError
        When there is none, or it does not hold one value per object.
    """
    flat = table.flat((_plain(table, name),))
    if name not in flat:
        mend = f"take one of {', '.join(flat)}" if flat else "take one with numbers"
        raise SchemaError(f"{name!r} does not hold one value per object", mend=mend)
    return flat[name]


def _type(column: Column) -> str:
    kind = "text" if column.kind == "text" else str(column.dtype)
    return f"list of {kind}" if column.kind == "ragged" else f"{kind} x {column.shape[0]}" if column.shape else kind


def _members(column: Column) -> str:
    return "" if column.enum is None else ", ".join(f"{int(member)} {member.name}" for member in column.enum)


def _named(column: Column, values: Array) -> Any:
    if column.enum is None:
        return values
    known = {int(member): member.name for member in column.enum}
    return np.array([known.get(int(value), str(value)) for value in values], dtype=object)


def _awkward(values: Array | Ragged, column: Column) -> Any:
    import awkward as ak

    if isinstance(values, Ragged):
        return ak.unflatten(ak.from_numpy(values.values), values.lengths)
    if column.kind == "text":
        return ak.from_iter([str(value) for value in values]) if len(values) else ak.Array(["x"])[:0]
    if values.dtype.kind == "O":
        raise DataError(f"column {column.name!r} cannot be turned into an array", got=values.dtype)
    return ak.from_numpy(np.ascontiguousarray(values), regulararray=True)
