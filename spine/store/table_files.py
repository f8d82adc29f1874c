"""Files of flat tables for other tools: ROOT, Parquet, CSV."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from spine.schema import Ragged, offsets_of
from spine.store.atomic import atomic_directory, atomic_file
from spine.store.flat import EVENTS, FlatColumn, FlatTable, flat_tables
from spine.store.reader import EventFile

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["TABLE_FORMS", "TableForm", "write_tables"]

TableForm = Literal["root", "parquet", "csv"]

Tables = Iterator[list[FlatTable]]

NUMBERS: Final = ("index", "run", "subrun", "event")
"""Columns of the events that stand in front of the rows of every other table."""


def write_tables(file: EventFile, output: Path, form: TableForm, names: Sequence[str], block: int) -> None:
    """Write products as flat tables.

    Parameters
    ----------
    file : EventFile
        The last file of a chain.
    output : Path
        The ROOT file, or the directory of the Parquet or CSV files, one per table; complete or not there at all.
    form : {'root', 'parquet', 'csv'}
        ROOT: a tree ``events`` with a branch per column, ``PRODUCT_COLUMN``, and the number of rows in ``nPRODUCT``;
        a list or string of each object is a branch of all values with a branch ``..._length`` beside the others.
        Parquet: lists are lists, meaning and unit are in the metadata of the columns. CSV: lists are numbers with
        spaces between them; the long lists of points are left out. Rows of both begin with the numbers of their event;
        a column of objects of the same name is called ``object_NAME``.
    names : sequence of str
        Products.
    block : int
        Events held in memory at a time.
    """
    ranges = range(0, max(len(file), 1), block)
    blocks = (list(flat_tables(file, names, i, min(i + block, len(file)))) for i in ranges)
    WRITERS[form](blocks, output)


def _lengths(values: Ragged, counts: NDArray[np.int64]) -> NDArray[np.int64]:
    """(n,) values of each event in a column of lists."""
    ends = offsets_of(counts)
    return np.diff(values.offsets[ends])


def _bytes(values: NDArray[Any]) -> Ragged:
    """Strings as lists of bytes (UTF-8)."""
    encoded = [str(value).encode() for value in values]
    return Ragged(np.frombuffer(b"".join(encoded), dtype=np.uint8), offsets_of([len(text) for text in encoded]))


def _branches(table: FlatTable) -> dict[str, Any]:
    """Branches of a table as awkward arrays of one entry per event."""
    import awkward as ak

    branches: dict[str, Any] = {}
    inner: dict[str, Any] = {}
    for name, column in table.columns.items():
        values = column.values
        if not isinstance(values, Ragged) and values.dtype.kind == "O":
            values = _bytes(values)
        if isinstance(values, Ragged):
            outer = name if table.name == EVENTS else f"{table.name}_{name}"
            branches[outer] = ak.unflatten(ak.from_numpy(values.values), _lengths(values, table.counts))
            if table.name != EVENTS:
                inner[f"{name}_length"] = values.lengths.astype(np.int32)
        elif table.name == EVENTS:
            branches[name] = values
        else:
            inner[name] = np.ascontiguousarray(values)
    if inner:
        rows = ak.zip({name: ak.from_numpy(values) for name, values in inner.items()}, depth_limit=1)
        branches[table.name] = ak.unflatten(rows, table.counts)
    return branches


def _type(values: Any) -> Any:
    """Type of one entry of a branch."""
    return values.dtype if isinstance(values, np.ndarray) else values.type.content


def _write_root(blocks: Tables, output: Path) -> None:
    import uproot

    with atomic_file(output) as path, uproot.recreate(path) as file:
        tree = None
        for tables in blocks:
            branches: dict[str, Any] = {}
            for table in tables:
                branches |= _branches(table)
            if tree is None:
                tree = file.mktree(EVENTS, {name: _type(values) for name, values in branches.items()}, title="Events")
            tree.extend(branches)


def _numbers(tables: Sequence[FlatTable]) -> dict[str, FlatColumn]:
    events = next(table for table in tables if table.name == EVENTS)
    return {name: events.columns[name] for name in NUMBERS if name in events.columns}


def _with_numbers(table: FlatTable, numbers: dict[str, FlatColumn]) -> dict[str, FlatColumn]:
    """Columns of a table behind the numbers of the event of each row; of equal names the later one is prefixed."""
    if table.name == EVENTS:
        return table.columns
    front = {
        name: FlatColumn(np.repeat(column.values, table.counts), column.doc, column.unit)
        for name, column in numbers.items()
        if not isinstance(column.values, Ragged)
    }
    return front | {f"object_{name}" if name in front else name: c for name, c in table.columns.items()}


def _arrow(columns: dict[str, FlatColumn]) -> pa.Table:
    import pyarrow as pa

    arrays, fields = [], []
    for name, column in columns.items():
        values = column.values
        if isinstance(values, Ragged):
            array = pa.LargeListArray.from_arrays(values.offsets, pa.array(values.values))
        else:
            array = pa.array([str(v) for v in values], pa.string()) if values.dtype.kind == "O" else pa.array(values)
        arrays.append(array)
        fields.append(pa.field(name, array.type, metadata={"doc": column.doc, "unit": column.unit}))
    return pa.Table.from_arrays(arrays, schema=pa.schema(fields))


def _write_parquet(blocks: Tables, output: Path) -> None:
    import pyarrow.parquet as pq

    with atomic_directory(output) as folder, ExitStack() as stack:
        writers: dict[str, Any] = {}
        for tables in blocks:
            numbers = _numbers(tables)
            for table in tables:
                rows = _arrow(_with_numbers(table, numbers))
                if table.name not in writers:
                    place = folder / f"{table.name}.parquet"
                    writers[table.name] = stack.enter_context(pq.ParquetWriter(place, rows.schema))
                writers[table.name].write_table(rows)


def _text(values: Ragged) -> list[str]:
    return [" ".join(map(str, row.tolist())) for row in values]


def _write_csv(blocks: Tables, output: Path) -> None:
    import pandas as pd

    with atomic_directory(output) as folder:
        for tables in blocks:
            numbers = _numbers(tables)
            for table in tables:
                columns = _with_numbers(table, numbers)
                shown = {name: column.values for name, column in columns.items() if not column.long}
                frame = pd.DataFrame({n: _text(v) if isinstance(v, Ragged) else v for n, v in shown.items()})
                place = folder / f"{table.name}.csv"
                frame.to_csv(place, mode="a", header=not place.exists(), index=False)


WRITERS: Final[dict[TableForm, Callable[[Tables, Path], None]]] = {
    "root": _write_root,
    "parquet": _write_parquet,
    "csv": _write_csv,
}

TABLE_FORMS: Final = tuple(WRITERS)
"""Forms in which products can be written as flat tables."""
