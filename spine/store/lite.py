"""Reduced files: objects without the lists of their points, nothing per point."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, Literal

from spine.errors import ConfigError, DataError, did_you_mean
from spine.schema import Column, Event, Product, Record, Table
from spine.store.columns import narrowed
from spine.store.export import BLOCK, LAYOUTS, Layout, file_info
from spine.store.reader import EventFile
from spine.store.source import open_events

__all__ = ["LITE_KEYS", "LiteMode", "litify"]

LiteMode = Literal["lite", "fixed_only"]

LITE_KEYS: Final = (
    "run_info", "meta", "reco_particles", "truth_particles", "reco_interactions", "truth_interactions",
)  # fmt: skip
"""Products that a reduced file holds unless told otherwise, as far as the file has them."""

NUMBERS: Final = (
    "index", "file_index", "file_entry_index", "source_file_index", "source_file_entry_index",
)  # fmt: skip
"""Numbers of the events, which are always kept."""


def _kept(column: Column, mode: LiteMode) -> bool:
    return column.kind == "fixed" if mode == "fixed_only" else column.lite


def _reduced_record(record: type[Record], mode: LiteMode) -> type[Record]:
    """The record without the columns that a reduced file leaves out; what follows from others is a plain column."""
    kept = {name: replace(column, of=None) for name, column in record.columns.items() if _kept(column, mode)}
    return type(record.__name__, (Record,), {"__doc__": record.__doc__, **kept})


def _reduced(declared: Product, mode: LiteMode) -> Product:
    if declared.record is None:
        return declared
    return replace(declared, record=_reduced_record(declared.record, mode))


def _chosen(file: EventFile, keys: Sequence[str] | None) -> tuple[str, ...]:
    names = file.names()
    for key in keys or ():
        if key not in names:
            raise DataError(f"no product {key!r}", where=file.path, mend=did_you_mean(key, names))
    return tuple(dict.fromkeys(name for name in (*NUMBERS, *(keys or LITE_KEYS)) if name in names))


def _event(event: Event, declared: dict[str, Product]) -> Event:
    products: dict[str, Any] = {}
    for name, product in declared.items():
        value = event[name]
        if product.record is not None:
            table = narrowed(value if isinstance(value, Table) else value.table, product.record)
            value = table if isinstance(value, Table) else table[0]
        products[name] = value
    return Event(products, event.entry, event.source)


def litify(
    path: Path | str,
    output: Path | str,
    keys: Sequence[str] | None = None,
    mode: LiteMode = "lite",
    layout: Layout = "v2",
) -> int:
    """Write a reduced copy of a file.

    Parameters
    ----------
    path : Path or str
        File of events of either layout, the last one of a chain or any other.
    output : Path or str
        The file to write; complete or not there at all.
    keys : sequence of str, optional
        Products to keep, `LITE_KEYS` by default; numbers of the events are kept as well.
    mode : {'lite', 'fixed_only'}
        Leave out the long lists of points, or all lists and strings. Columns that follow from what is left out, such
        as the number of points, are stored and keep their values.
    layout : {'v2', 'v1'}
        Layout of the output.

    Returns
    -------
    int
        Number of events.

    Raises
    ------
    ConfigError
        When the mode is unknown, or the output would replace the input.
    DataError
        When a product is missing.
    """
    if mode not in ("lite", "fixed_only"):
        raise ConfigError("no such mode", got=mode, expected="lite, fixed_only")
    if Path(path).resolve() == Path(output).resolve():
        raise ConfigError("a file cannot be reduced onto itself", where=path, mend="choose another output")
    with open_events(path) as file:
        chosen = _chosen(file, keys)
        declared = {name: _reduced(file.declared(name), mode) for name in chosen}
        with LAYOUTS[layout](Path(output), file_info(file, "litify"), chosen, declared) as writer:
            for events in file.blocks(BLOCK):
                writer.append([_event(event, declared) for event in events])
            writer.failures = file.failures()
        return len(file)
