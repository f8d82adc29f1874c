"""Reading the older HDF5 layout (format version 1): datasets per product, events as region references into them.

``events`` is a compound dataset with one region reference per product. Arrays and objects lie in one dataset each,
lists in a group with ``elements`` and an ``index`` of further references. References are resolved to ranges of rows,
so that many events are read at once.
"""

from __future__ import annotations

import json
import weakref
from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

import h5py
import numpy as np
import yaml
from numpy.typing import NDArray

from spine.errors import DataError, SchemaError
from spine.schema import Column, Product, Ragged, Record, Table, offsets_of
from spine.store.foreign import product_of_dataset
from spine.store.layout import elements_of, stored_type
from spine.store.reader import EventFile, open_hdf5
from spine.store.stored import LABELS, StoredProduct, joined_elements

__all__ = ["RegionFile"]

Array = NDArray[Any]
Ranges = NDArray[np.int64]

SIDECAR = "_particles"
"""Suffix of the dataset with the labels of a cluster label."""
WIDTH = "width"
"""Attribute of a dataset that is wider or narrower than its product usually is: its columns, none of them a batch."""


def _ranges(references: Iterable[h5py.RegionReference], dataset: h5py.Dataset) -> Ranges:
    """(n, 2) first row and row behind the last one of each reference into a dataset."""
    found = []
    for reference in references:
        region = h5py.h5r.get_region(reference, dataset.id)
        if region.get_select_npoints() == 0:
            found.append((0, 0))
        else:
            low, high = region.get_select_bounds()
            found.append((low[0], high[0] + 1))
    return np.array(found, dtype=np.int64).reshape(-1, 2)


class _Handle:
    """The one open handle of a file, closed when nobody uses it any more.

    Of two handles of one file, HDF5 keeps the types of rows with lists by the one that was first; when that one is
    closed before the other, reading crashes the process (issue 2920 of h5py). So all readers of a file share a handle.
    """

    open_ones: ClassVar[dict[tuple[int, ...], _Handle]] = {}

    def __init__(self, path: Path, key: tuple[int, ...]) -> None:
        self.file = open_hdf5(path)
        self._key, self._users = key, 0

    @classmethod
    def of(cls, path: Path) -> _Handle:
        """The handle of a file, a new one when it is not open or was replaced since."""
        about = path.stat() if path.exists() else None
        key = (about.st_dev, about.st_ino, about.st_mtime_ns, about.st_size) if about is not None else ()
        return cls.open_ones.get(key) or cls.open_ones.setdefault(key, cls(path, key))

    def enter(self) -> None:
        """One more user."""
        self._users += 1

    def leave(self) -> None:
        """One user less; the last one closes the file."""
        self._users -= 1
        if self._users == 0:
            del self.open_ones[self._key]
            self.file.close()


class _Lease:
    """The right to use a handle, until it is given back or forgotten."""

    def __init__(self, handle: _Handle) -> None:
        self.file = handle.file
        handle.enter()
        self.release = weakref.finalize(self, handle.leave)


class _Rows:
    """Rows of a dataset which belong to a run of events, event after event.

    Parameters
    ----------
    dataset : h5py.Dataset
        Holds the rows.
    ranges : (n, 2) int64
        Rows of each event.
    held : _Lease
        Keeps the file open.
    """

    def __init__(self, dataset: h5py.Dataset, ranges: Ranges, held: _Lease) -> None:
        self._held = held
        lengths = ranges[:, 1] - ranges[:, 0]
        used = ranges[lengths > 0]
        self.dataset = dataset
        self.bounds = offsets_of(lengths)
        self.first, self.last = (int(used[:, 0].min()), int(used[:, 1].max())) if len(used) else (0, 0)
        follow = bool((used[1:, 0] == used[:-1, 1]).all())
        self._picked = None if follow else np.concatenate([np.arange(a, b) for a, b in used]) - self.first

    def __len__(self) -> int:
        return int(self.bounds[-1])

    def read(self, names: list[str] | str | None = None) -> Array:
        """The rows, on request only some columns of a compound dataset."""
        source = self.dataset if names is None else self.dataset.fields(names)
        rows: Array = source[self.first : self.last]
        return rows if self._picked is None else rows[self._picked]


def _ragged(rows: Array, dtype: np.dtype[Any]) -> Ragged:
    """Ragged column of an object array of arrays."""
    lengths = [len(row) for row in rows]
    values = np.concatenate([np.asarray(row, dtype=dtype) for row in rows]) if lengths else np.empty(0, dtype)
    return Ragged(values, offsets_of(lengths))


def _string(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


class _Columns(Mapping[str, Any]):
    """Columns of stored objects, read when asked for; those with one value per object all together."""

    def __init__(self, rows: _Rows, record: type[Record]) -> None:
        self._rows, self._record = rows, record
        stored = rows.dataset.dtype
        self._names = tuple(name for name in stored.names or () if name in record.columns)
        self._plain = [name for name in self._names if stored[name].kind != "O"]

    def __contains__(self, name: object) -> bool:
        return name in self._names

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)

    @cached_property
    def _fixed(self) -> Array:
        return self._rows.read(self._plain)

    def __getitem__(self, name: str) -> Any:
        column = self._record.column(name)
        values = self._fixed[name] if name in self._plain else self._rows.read(name)
        try:
            return self._converted(column, values)
        except (TypeError, ValueError) as error:
            raise SchemaError(
                f"column {name!r} of {self._rows.dataset.name} is stored in another form",
                where=self._rows.dataset.file.filename, got=values.dtype, expected=f"{column.dtype} {column.shape}",
            ) from error  # fmt: skip

    def _converted(self, column: Column, values: Array) -> Array | Ragged:
        if column.kind == "text":
            return np.array([_string(value) for value in values], dtype=object)
        if column.kind == "ragged":
            return _ragged(values, column.dtype)
        if values.dtype.kind == "O":
            values = np.array([np.asarray(value) for value in values])
        return np.asarray(values).astype(column.dtype, copy=False).reshape(len(self._rows), *column.shape)


def _objects(declared: Product, rows: _Rows) -> StoredProduct:
    record = declared.record
    if record is None or rows.dataset.dtype.names is None:
        raise SchemaError(f"{rows.dataset.name} does not hold objects", where=rows.dataset.file.filename)
    return StoredProduct(declared, Table(record, len(rows), lazy=_Columns(rows, record)), rows.bounds)


def _array(declared: Product, rows: _Rows) -> Array:
    """Rows of a tensor or array; a column with the number of the event in its batch is left out."""
    dataset, width = rows.dataset, stored_type(declared).width
    if dataset.dtype.names is not None or dataset.dtype.kind == "O":
        raise SchemaError(f"{dataset.name} does not hold numbers", where=dataset.file.filename, got=dataset.dtype)
    found = dataset.shape[1] if dataset.ndim == 2 else 0
    if declared.flexible and WIDTH in dataset.attrs:
        width = int(dataset.attrs[WIDTH])
    batched = declared.kind in ("tensor", "cluster_label") and found == width + 1
    if found != width and not batched:
        raise SchemaError(
            f"{dataset.name} does not have its declared width", where=dataset.file.filename, got=found, expected=width
        )
    values = rows.read()
    return values[:, 1:] if batched else values


def _lists(declared: Product, group: h5py.Group, places: Ranges, held: _Lease) -> StoredProduct:
    """Lists of numbers: ranges of the index belong to events, its references to lists."""
    if "elements" not in group:
        raise SchemaError(f"{group.name} does not hold lists of one width", where=group.file.filename, got=list(group))
    index = _Rows(group["index"], places, held)
    elements = _Rows(group["elements"], _ranges(index.read(), group["elements"]), held)
    return StoredProduct(declared, Ragged(elements.read(), elements.bounds), index.bounds)


class RegionFile(EventFile):
    """A file of events in the older layout, with the same products in memory.

    Parameters
    ----------
    path : Path
        HDF5 file of format version 1, or of a producer that did not number its format yet.
    allow_incomplete : bool
        Open a file whose writer did not finish.

    Raises
    ------
    DataError
        When the file is missing, truncated, foreign or incomplete.
    """

    version: ClassVar[int] = 1

    def _opened(self) -> h5py.File:
        self._held = _Lease(_Handle.of(self.path))
        return self._held.file

    def _release(self) -> None:
        self._held.release()

    def _stored_names(self) -> Iterable[str]:
        names = self._file["events"].dtype.names
        if names is None:
            raise DataError("events are not references to products", where=self.path)
        return (name for name in names if name in self._file)

    def _declarations(self) -> dict[str, Product]:
        known = super()._declarations()
        labels = {name + SIDECAR for name, declared in known.items() if declared.kind == "cluster_label"}
        return {name: declared for name, declared in known.items() if name not in labels}

    def _foreign(self, name: str) -> Product | None:
        return product_of_dataset(name, self._file[name])

    @property
    def identity(self) -> str:
        """What tells this file from another one: its producer, configuration and size."""
        names = ("spine_version", "version", "cfg", "post_processors")
        return json.dumps([*map(self.attribute, names), len(self), self.path.stat().st_size])

    @property
    def steps(self) -> tuple[str, ...]:
        """Steps that were run on the events; older files tell only by their configuration."""
        if "post_processors" in self._file["info"].attrs:
            return super().steps
        post = (yaml.safe_load(self.attribute("cfg", "{}")) or {}).get("post") or {}
        return tuple(post)

    def read(self, declared: Product, start: int, stop: int) -> StoredProduct:
        """One product of a range of entries.

        Raises
        ------
        SchemaError
            When the product is stored in another form than declared.
        """
        name, stored = declared.name, self._file[declared.name]
        references = self._file["events"].fields(name)[start:stop]
        if declared.kind == "array_list":
            return self._elements(declared, _ranges(references, stored["index"]))
        if declared.kind in ("index_list", "list"):
            if not isinstance(stored, h5py.Group) or "index" not in stored:
                raise SchemaError(f"{name!r} does not hold lists", where=self.path, got=stored)
            return _lists(declared, stored, _ranges(references, stored["index"]), self._held)
        if not isinstance(stored, h5py.Dataset):
            raise SchemaError(f"{name!r} is not a dataset", where=self.path, got=stored, expected=declared.kind)
        rows = _Rows(stored, _ranges(references, stored), self._held)
        if declared.record is not None:
            return _objects(declared, rows)
        if declared.kind == "text":
            return StoredProduct(declared, np.array([_string(v) for v in rows.read()], dtype=object), rows.bounds)
        return StoredProduct(declared, _array(declared, rows), rows.bounds, self._labels(declared, start, stop))

    def _bounds(self, name: str) -> Array:
        references = self._file["events"].fields(name)[:]
        return _Rows(self._file[name], _ranges(references, self._file[name]), self._held).bounds

    def _elements(self, declared: Product, places: Ranges) -> StoredProduct:
        """Arrays of different widths: each row of the index refers to the arrays of one event."""
        group = self._file[declared.name]
        index = _Rows(group["index"], places, self._held).read()
        found = []
        for i, element in enumerate(elements_of(declared)):
            rows = _Rows(group[element.name], _ranges(index[:, i], group[element.name]), self._held)
            found.append(StoredProduct(element, rows.read(), rows.bounds))
        return joined_elements(declared, found)

    def _labels(self, declared: Product, start: int, stop: int) -> StoredProduct | None:
        """The table of labels of a cluster label, None where the file has none."""
        sidecar = declared.name + SIDECAR
        if declared.kind != "cluster_label" or sidecar not in self._file:
            return None
        references = self._file["events"].fields(sidecar)[start:stop]
        return _objects(LABELS, _Rows(self._file[sidecar], _ranges(references, self._file[sidecar]), self._held))
