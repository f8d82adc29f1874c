"""The files behind a run, with one face: events one by one, products of many events as columns."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from spine.errors import DataError, did_you_mean
from spine.schema import PRODUCTS, Event, Product, Ragged, Table, Tensor, offsets_of
from spine.store.columns import stored_events
from spine.store.reader import EventFile
from spine.store.source import BadEvent, HDF5Source, LarcvSource, open_source
from spine.store.stored import LABELS, StoredProduct

__all__ = ["Part", "open_part"]

Entries = NDArray[np.int64]

KEPT = 256
"""Parsed events of a larcv file that are kept."""


class Part(Protocol):
    """One file of a run."""

    path: Path

    def __len__(self) -> int: ...
    def names(self) -> tuple[str, ...]:
        """Products of the events."""

    def declared(self, name: str) -> Product:
        """Declaration of a product."""

    def about(self) -> dict[str, str]:
        """Who made the file."""

    def event(self, entry: int) -> Event:
        """One event."""

    def stored(self, name: str, entries: Entries) -> StoredProduct:
        """One product of some events."""

    def close(self) -> None:
        """Close the file."""


class _Stored:
    """An HDF5 file, alone or the last one of a chain."""

    def __init__(self, file: EventFile) -> None:
        self.path, self._file = file.path, file

    def __len__(self) -> int:
        return len(self._file)

    def names(self) -> tuple[str, ...]:
        """Products of the events."""
        return self._file.names()

    def declared(self, name: str) -> Product:
        """Declaration of a product."""
        return self._file.declared(name)

    def about(self) -> dict[str, str]:
        """Stage, version and steps."""
        names = {"made by": "stage", "version": "spine_version"}
        texts = {label: self._file.attribute(name) for label, name in names.items()}
        return {label: text for label, text in texts.items() if text} | {"steps": ", ".join(self._file.steps)}

    def event(self, entry: int) -> Event:
        """One event, read product by product when asked for."""
        return self._file.event(entry)

    def stored(self, name: str, entries: Entries) -> StoredProduct:
        """One product of some events, its columns read when asked for."""
        return stored_events(self._file, name, entries)

    def close(self) -> None:
        """Close the file."""
        self._file.close()


class _Parsed:
    """A larcv file; an event that is asked for is parsed as a whole, the last ones are kept."""

    def __init__(self, source: LarcvSource) -> None:
        self.path, self._source = source.path, source
        self._kept: dict[int, Event] = {}

    def __len__(self) -> int:
        return len(self._source)

    def names(self) -> tuple[str, ...]:
        """Products of the events."""
        return self._source.names()

    def declared(self, name: str) -> Product:
        """Declaration of a product."""
        return PRODUCTS[name]

    def about(self) -> dict[str, str]:
        """The format."""
        return {"made by": "larcv"}

    def event(self, entry: int) -> Event:
        """One event.

        Raises
        ------
        DataError
            When it cannot be read.
        """
        if entry not in self._kept:
            event = self._source.events(entry, entry + 1)[0]
            if isinstance(event, BadEvent):
                raise DataError("the event cannot be read", where=event.event.label, got=event.error) from event.error
            if len(self._kept) >= KEPT:
                self._kept.clear()
            self._kept[entry] = event
        return self._kept[entry]

    def stored(self, name: str, entries: Entries) -> StoredProduct:
        """One product of some events."""
        return _gathered(PRODUCTS[name], [self.event(entry)[name] for entry in entries.tolist()])

    def close(self) -> None:
        """Close the file."""
        self._source.close()


def _gathered(declared: Product, values: Sequence[Any]) -> StoredProduct:
    """Values of several events as a file would hold them."""
    if declared.record is not None:
        tables = [value.table if declared.kind == "object" else value for value in values]
        rows: Any = Table.concat(tables) if tables else Table(declared.record, 0)
        return StoredProduct(declared, rows, offsets_of([len(table) for table in tables]))
    if declared.kind == "index_list":
        lists = Ragged.concat(values) if values else Ragged.empty(0, declared.numpy)
        return StoredProduct(declared, lists, offsets_of([len(value) for value in values]))
    arrays = [_rows(value) for value in values]
    rows = np.concatenate(arrays) if arrays else np.zeros((0, declared.width) if declared.width else 0, declared.numpy)
    labels = None
    if declared.kind == "cluster_label" and values:
        labels = _gathered(LABELS, [value.particles for value in values])
    return StoredProduct(declared, rows, offsets_of([len(array) for array in arrays]), labels)


def _rows(value: Any) -> NDArray[Any]:
    if isinstance(value, Tensor):
        return np.concatenate([value.coords.astype(np.float32), value.features], axis=1)
    return np.atleast_1d(np.asarray(value))


def open_part(path: Path, has_truth: bool = True) -> Part:
    """Open an HDF5 or larcv file.

    Raises
    ------
    DataError
        When the file is missing, truncated or of another kind.
    """
    source = open_source(path, has_truth=has_truth)
    if isinstance(source, HDF5Source):
        return _Stored(source.file)
    if isinstance(source, LarcvSource):
        return _Parsed(source)
    raise DataError("files of this kind cannot be looked at", where=path, got=type(source).__name__)


def checked(name: str, names: Sequence[str], where: object) -> str:
    """The name, when there is a product of it.

    Raises
    ------
    DataError
        When there is none; the nearest names are suggested.
    """
    if name not in names:
        raise DataError(f"no product {name!r}", where=where, mend=did_you_mean(name, names))
    return name
