"""Tables of results: the columns that say where a row comes from, and their text."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spine.errors import DataError
from spine.schema import Block, Event
from spine.steps import Columns

__all__ = ["BASE_COLUMNS", "EVENT_ROW", "concatenated", "csv_text", "with_base_columns", "write_csv"]

EVENT_ROW = "_row"
"""Column by which a step says in which event of the block a row belongs."""

BASE_COLUMNS = ("index", "file_index", "file_entry_index", "run", "subrun", "event")

Array = NDArray[Any]


def with_base_columns(block: Block, columns: Columns) -> dict[str, Array]:
    """Put the numbers of the event in front of the columns of a step.

    Parameters
    ----------
    block : Block
        Events from which the rows were made.
    columns : mapping of str to (n,) ndarray
        With ``_row``, the position in the block of the event of each row.

    Returns
    -------
    dict of str to (n,) ndarray
        ``index, file_index, file_entry_index, run, subrun, event`` (int64, -1 where the file has no run numbers) and
        the columns without ``_row``.

    Raises
    ------
    DataError
        When ``_row`` is missing, or the columns have different lengths.
    """
    if EVENT_ROW not in columns:
        raise DataError("a table of results does not say to which events its rows belong", expected=EVENT_ROW)
    rows = np.asarray(columns[EVENT_ROW], dtype=np.int64)
    numbers = np.array([_numbers(event) for event in block], dtype=np.int64).reshape(-1, len(BASE_COLUMNS))[rows]
    out: dict[str, Array] = {name: numbers[:, i] for i, name in enumerate(BASE_COLUMNS)}
    out |= {name: np.asarray(values) for name, values in columns.items() if name != EVENT_ROW}
    _length(out)
    return out


def _numbers(event: Event) -> tuple[int, ...]:
    info = event.run_info
    run = (-1, -1, -1) if info is None else (info.run, info.subrun, info.event)
    entry = event.get("file_entry_index", event.entry)
    return int(event.get("index", event.entry)), int(event.get("file_index", 0)), int(entry), *run


def _length(columns: Columns) -> int:
    lengths = {name: len(values) for name, values in columns.items()}
    if len(set(lengths.values())) > 1:
        raise DataError("columns of one table have different lengths", got=lengths)
    return next(iter(lengths.values()), 0)


def concatenated(parts: Sequence[Columns]) -> dict[str, Array]:
    """Rows of all parts (at least one, of equal columns), in order.

    Raises
    ------
    DataError
        When the columns of the parts differ.
    """
    for part in parts:
        _same_names(tuple(parts[0]), tuple(part), "parts of a table")
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def _same_names(expected: tuple[str, ...], got: tuple[str, ...], where: object) -> None:
    if expected != got:
        odd = sorted(set(expected) ^ set(got)) or list(got)
        raise DataError("the columns differ", where=where, got=", ".join(odd[:10]), expected="the same names in order")


def csv_text(columns: Columns, header: bool = True) -> str:
    """CSV text of a table.

    Parameters
    ----------
    columns : mapping of str to (n,) ndarray
        Booleans are written as True and False, enumerations as integers, floats with the fewest digits that give the
        same float32 or float64 back, missing floats as nan.
    header : bool
        Begin with the names of the columns.

    Raises
    ------
    DataError
        When a column has another shape or length.
    """
    _length(columns)
    texts = [_texts(name, np.asarray(values)) for name, values in columns.items()]
    lines = [",".join(map(_quoted, columns))] if header else []
    lines.extend(map(",".join, zip(*texts, strict=True)))
    return "".join(f"{line}\n" for line in lines)


def _float64_texts(values: Array) -> Iterable[str]:
    return map(repr, values.tolist())


def _float32_texts(values: Array) -> Iterable[str]:
    texts: list[str] = values.astype(np.float32).astype("U32").tolist()
    return texts


def _string_texts(values: Array) -> Iterable[str]:
    return map(_quoted, map(str, values.tolist()))


def _plain_texts(values: Array) -> Iterable[str]:
    return map(str, values.tolist())


def _texts(name: str, values: Array) -> Iterable[str]:
    if values.ndim != 1:
        raise DataError(f"column {name!r} of a table of results is not flat", got=values.shape, expected="(n,)")
    if values.dtype.kind == "f" and np.isnan(values).all():
        return ["nan"] * len(values)
    writers: dict[str, Callable[[Array], Iterable[str]]] = {"O": _string_texts, "U": _string_texts}
    writers["f"] = _float64_texts if values.dtype.itemsize > 4 else _float32_texts
    return writers.get(values.dtype.kind, _plain_texts)(values)


def _quoted(text: str) -> str:
    """Text as RFC 4180 wants it: in quotes where it holds a separator, quote or line end."""
    if any(mark in text for mark in ',"\n\r'):
        return '"' + text.replace('"', '""') + '"'
    return text


def write_csv(path: Path, columns: Columns, append: bool = False) -> None:
    """Write a table as CSV.

    Parameters
    ----------
    path : Path
        The file.
    columns : mapping of str to (n,) ndarray
        See `csv_text`.
    append : bool
        Add rows to a file that has these columns.

    Raises
    ------
    DataError
        When the file to which rows are added has other columns.
    """
    if append:
        with path.open(encoding="utf-8", newline="") as file:
            _same_names(tuple(file.readline().rstrip("\r\n").split(",")), tuple(map(_quoted, columns)), path)
    with path.open("a" if append else "w", encoding="utf-8", newline="") as file:
        file.write(csv_text(columns, header=not append))
