"""Objects of a block of events as flat columns, alone or beside their best matches."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Annotated, Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray
from pydantic import AfterValidator, BeforeValidator, Field

from spine.errors import SchemaError
from spine.schema import Block, Ragged, Table, offsets_of, product

__all__ = [
    "OBJECT_PRODUCTS",
    "ObjectKind",
    "ObjectKinds",
    "RunMode",
    "Side",
    "TimeWindow",
    "best_match_rows",
    "creation_times",
    "event_rows_of",
    "flat_columns",
    "inside",
    "joined_columns",
    "listed",
    "objects_of",
    "rows_in_block",
    "sides_of",
]

Array = NDArray[Any]
Side: TypeAlias = Literal["reco", "truth"]
RunMode: TypeAlias = Literal["reco", "truth", "both", "all"]
ObjectKind: TypeAlias = Literal["fragment", "particle", "interaction"]

OTHER: dict[Side, Side] = {"reco": "truth", "truth": "reco"}
OBJECT_PRODUCTS = tuple(
    f"{side}_{kind}s" for kind in ("fragment", "particle", "interaction") for side in ("reco", "truth")
)
"""Products that hold objects."""


def listed(value: Any) -> Any:
    """A single value as a tuple of one, so that configurations need no brackets."""
    return value if isinstance(value, list | tuple) else (value,)


def _rising(window: tuple[float, float]) -> tuple[float, float]:
    if not window[0] <= window[1]:
        raise ValueError(f"the lower end of a time window must not exceed the upper one: {window}")
    return window


ObjectKinds: TypeAlias = Annotated[tuple[ObjectKind, ...], BeforeValidator(listed), Field(min_length=1)]
TimeWindow: TypeAlias = Annotated[tuple[float, float], AfterValidator(_rising)]


def sides_of(run_mode: RunMode) -> tuple[Side, ...]:
    """Sides that a run mode names, reconstruction first."""
    if run_mode == "reco" or run_mode == "truth":
        return (run_mode,)
    return ("reco", "truth")


def objects_of(block: Block, name: str) -> Table:
    """Objects of all events, an empty table when the block has no events."""
    if len(block):
        return block.table(name)
    record = product(name).record
    if record is None:
        raise SchemaError(f"product {name!r} holds no objects")
    return Table(record, 0)


def event_rows_of(block: Block, name: str) -> NDArray[np.int64]:
    """(n,) position in the block of the event of each object."""
    return block.event_rows(name) if len(block) else np.empty(0, dtype=np.int64)


def best_match_rows(block: Block, source: str, target: str) -> NDArray[np.int64]:
    """Best match of each object.

    Parameters
    ----------
    block : Block
        The events.
    source, target : str
        Products, such as ``reco_particles`` and ``truth_particles``.

    Returns
    -------
    (n,) int64
        Row of the match in all ``target`` objects of the block, -1 where there is none.
    """
    best = objects_of(block, source)["best_match_id"]
    return rows_in_block(block, target, best, event_rows_of(block, source))


def rows_in_block(block: Block, name: str, ids: Array, events: NDArray[np.int64]) -> NDArray[np.int64]:
    """(m,) rows of objects among those of all events, from their rows ``ids`` in their events; -1 for none."""
    counts = np.bincount(event_rows_of(block, name), minlength=len(block))
    known = (ids >= 0) & (ids < counts[events])
    rows: NDArray[np.int64] = np.where(known, offsets_of(counts)[:-1][events] + ids, -1)
    return rows


def inside(values: Array, window: tuple[float, float] | None) -> NDArray[np.bool_]:
    """True for values in a closed range, or everywhere when there is none."""
    if window is None:
        return np.ones(len(values), dtype=np.bool_)
    return np.asarray((values >= window[0]) & (values <= window[1]))


def creation_times(block: Block, kind: ObjectKind) -> NDArray[np.float64]:
    """(n,) creation time of true objects in ns; that of the first particle where an interaction has none."""
    objects = objects_of(block, f"truth_{kind}s")
    times = np.array(objects["t"], dtype=np.float64)
    if kind != "interaction" or not np.isnan(times).any():
        return times
    members: Ragged = objects["particle_ids"]
    particles = objects_of(block, "truth_particles")["t"]
    rows = rows_in_block(
        block, "truth_particles", members.values, event_rows_of(block, "truth_interactions")[members.rows]
    )
    first = np.full(len(times), np.inf)
    known = (rows >= 0) & np.isfinite(particles[rows])
    np.minimum.at(first, members.rows[known], particles[rows[known]])
    return np.where(np.isnan(times) & np.isfinite(first), first, times)


def flat_columns(
    table: Table, names: Collection[str] | None = None, lengths: Mapping[str, int] | None = None
) -> dict[str, Array]:
    """Columns with one number, truth value or text per object.

    Parameters
    ----------
    table : Table
        The objects.
    names : collection of str, optional
        Columns to take, all by default.
    lengths : mapping of str to int, optional
        How many values of a ragged column to keep (``match_ids_0``, ...); other ragged columns are left out.

    Returns
    -------
    dict of str to (n,) ndarray
        In the order of the schema. Values that a ragged row does not have are NaN or -1.
    """
    out: dict[str, Array] = {}
    for name, column in table.record.columns.items():
        if names is not None and name not in names:
            continue
        if column.kind != "ragged":
            out |= table.flat([name])
        elif lengths and name in lengths:
            padded = _padded(table[name], lengths[name])
            out |= {f"{name}_{i}": padded[:, i] for i in range(lengths[name])}
    return out


def _padded(rows: Ragged, width: int) -> Array:
    """(n, width) first values of each row."""
    missing = np.nan if rows.dtype.kind == "f" else -1
    out = np.full((len(rows), width), missing, dtype=rows.dtype)
    place = np.arange(len(rows.values)) - rows.offsets[:-1][rows.rows]
    kept = place < width
    out[rows.rows[kept], place[kept]] = rows.values[kept]
    return out


def joined_columns(
    table: Table,
    rows: NDArray[np.int64],
    names: Collection[str] | None = None,
    lengths: Mapping[str, int] | None = None,
) -> dict[str, Array]:
    """Columns of chosen objects; see `flat_columns` for the other parameters.

    Parameters
    ----------
    rows : (m,) int64
        Rows of the table, -1 for an object of which nothing is known.

    Returns
    -------
    dict of str to (m,) ndarray
    """
    columns = flat_columns(table, names, lengths)
    if (rows >= 0).all():
        return {name: values[rows] for name, values in columns.items()}
    blank = flat_columns(Table(table.record, 1), names, lengths)
    return {name: np.append(values, blank[name])[rows] for name, values in columns.items()}
