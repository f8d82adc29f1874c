"""Writing the older HDF5 layout (format version 1), which makers of analysis files read.

Objects are compound rows with lists of variable length inside, each event holds one region reference per product.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, ClassVar

import h5py
import numpy as np
from numpy.typing import NDArray

from spine.errors import SchemaError
from spine.schema import Column, Event, Product, Ragged, Record, Table, product
from spine.schema.products import LABEL_TABLE
from spine.store.layout import CHUNK_BYTES, elements_of, extend, labels_of, product_rows, stored_type
from spine.store.pools import disk_type
from spine.store.regions import SIDECAR, WIDTH, RegionFile
from spine.store.writer import EventWriter

__all__ = ["RegionWriter", "object_dtype"]

Array = NDArray[Any]


def _column_type(column: Column) -> tuple[Any, ...]:
    if column.kind == "text":
        return (column.name, h5py.string_dtype())
    if column.kind == "ragged":
        return (column.name, h5py.vlen_dtype(column.dtype))
    return (column.name, disk_type(column), column.shape) if column.shape else (column.name, disk_type(column))


def object_dtype(record: type[Record]) -> np.dtype[Any]:
    """Compound type of an object: all columns in the order of the schema, lists and texts of variable length."""
    return np.dtype([_column_type(column) for column in record.columns.values()])


def _object_rows(table: Table) -> Array:
    rows = np.empty(len(table), dtype=object_dtype(table.record))
    for name, column in table.record.columns.items():
        values = table[name]
        rows[name] = np.fromiter(values, dtype=object, count=len(table)) if column.kind == "ragged" else values
    return rows


def _dataset(group: h5py.Group, name: str, dtype: Any, width: int = 0, scalar: bool = False) -> h5py.Dataset:
    """An empty dataset that grows."""
    shape: tuple[int, ...] = (0, width) if width else (0,)
    limit: tuple[int | None, ...] = (None, width) if width else (None,)
    rows = max(1, CHUNK_BYTES // (np.dtype(dtype).itemsize * max(width, 1)))
    dataset = group.create_dataset(name, shape, maxshape=limit, dtype=dtype, chunks=(rows, *shape[1:]))
    dataset.attrs["scalar"] = scalar
    return dataset


def _create_objects(group: h5py.Group, name: str, record: type[Record], scalar: bool) -> None:
    _dataset(group, name, object_dtype(record), scalar=scalar).attrs["class_name"] = record.__name__


def _create(root: h5py.Group, declared: Product) -> None:
    if declared.record is not None:
        _create_objects(root, declared.name, declared.record, declared.kind == "object")
        return
    stored = stored_type(declared)
    if declared.kind == "array_list":
        _create_elements(root, declared)
        return
    if declared.kind == "text":
        _dataset(root, declared.name, h5py.string_dtype(), scalar=True)
        return
    if declared.kind in ("index_list", "list"):
        group = root.create_group(declared.name)
        group.attrs["scalar"] = False
        _dataset(group, "index", h5py.regionref_dtype)
        _dataset(group, "elements", stored.dtype, stored.width)
        return
    _dataset(root, declared.name, stored.dtype, stored.width, declared.kind == "scalar")
    if declared.kind == "cluster_label":
        _create_objects(root, declared.name + SIDECAR, LABEL_TABLE, False)


def _create_elements(root: h5py.Group, declared: Product) -> None:
    group, elements = root.create_group(declared.name), elements_of(declared)
    group.attrs["scalar"] = False
    n = len(elements)
    group.create_dataset("index", (0, n), maxshape=(None, n), dtype=h5py.regionref_dtype, chunks=(1024, n))
    for element in elements:
        _create(group, element)


def _appended(dataset: h5py.Dataset, parts: Sequence[Array]) -> list[h5py.RegionReference]:
    """Append the rows of some events and refer to those of each."""
    ends = len(dataset) + np.cumsum([len(part) for part in parts])
    extend(dataset, np.concatenate(parts))
    return [dataset.regionref[int(end) - len(part) : int(end)] for part, end in zip(parts, ends, strict=True)]


def _appended_lists(group: h5py.Group, lists: Sequence[Ragged]) -> list[h5py.RegionReference]:
    """Append lists of some events, each of which has a reference of its own, and refer to those of each event."""
    elements, joined = group["elements"], Ragged.concat(lists)
    start = len(elements)
    extend(elements, joined.values)
    bounds = (joined.offsets + start).tolist()
    found = [elements.regionref[a:b] for a, b in pairwise(bounds)]
    references = np.fromiter(found, dtype=h5py.regionref_dtype, count=len(found))
    return _appended(group["index"], [references[a:b] for a, b in _spans([len(one) for one in lists])])


def _appended_elements(
    group: h5py.Group, declared: Product, values: Sequence[Any], events: Sequence[Event]
) -> list[h5py.RegionReference]:
    """Append arrays of different widths and refer to the row of the index which refers to those of an event."""
    columns = []
    for element, parts in zip(elements_of(declared), zip(*values, strict=True), strict=True):
        rows = [product_rows(element, part, event) for part, event in zip(parts, events, strict=True)]
        columns.append(_appended(group[element.name], rows))
    index = np.empty((len(events), len(columns)), dtype=h5py.regionref_dtype)
    for i, references in enumerate(columns):
        index[:, i] = np.fromiter(references, dtype=h5py.regionref_dtype, count=len(events))
    return _appended(group["index"], list(index[:, None]))


def _spans(lengths: Sequence[int]) -> list[tuple[int, int]]:
    ends = np.cumsum(lengths).tolist()
    return list(zip([0, *ends[:-1]], ends, strict=True))


class RegionWriter(EventWriter):
    """Writes events in the older layout to a file that appears when all is well.

    Parameters
    ----------
    path : Path
        The output.
    info : FileInfo
        Provenance.
    keys : sequence of str, optional
        Products to store; by default those set on the first event. Every event must have them. The number of the
        event (``index``) is always stored.

    Raises
    ------
    StageError
        When the directory cannot be written.
    SchemaError
        When a product is not declared.
    """

    version: ClassVar[int] = RegionFile.version

    def _place(self) -> h5py.Group:
        """Products lie beside the description of the file."""
        return self._file["/"]

    def _create(self, products: Sequence[Product]) -> None:
        names = []
        for declared in (*products, *(() if "index" in (self.keys or ()) else (product("index"),))):
            _create(self._products, declared)
            names += [declared.name, declared.name + SIDECAR] if declared.kind == "cluster_label" else [declared.name]
        kinds = np.dtype([(name, h5py.regionref_dtype) for name in names])
        self._file.create_dataset("events", (0,), maxshape=(None,), dtype=kinds, chunks=(1024,))

    def _store(self, events: Sequence[Event]) -> None:
        stored = self._file["events"]
        rows = np.empty(len(events), dtype=stored.dtype)
        for name in dict.fromkeys([*(self.keys or ()), "index"]):
            for dataset, references in self._references(self._declaration(name), events).items():
                rows[dataset] = np.fromiter(references, dtype=h5py.regionref_dtype, count=len(events))
        extend(stored, rows)

    def _references(self, declared: Product, events: Sequence[Event]) -> dict[str, list[h5py.RegionReference]]:
        """Append one product of some events; references by the dataset into which they point."""
        name = declared.name
        if name == "index":
            first = len(self._products[name])
            numbers = [np.array([event.get(name, first + i)], dtype=np.int64) for i, event in enumerate(events)]
            return {name: _appended(self._products[name], numbers)}
        values = [event[name] for event in events]
        if declared.kind == "array_list":
            return {name: _appended_elements(self._products[name], declared, values, events)}
        if declared.kind == "text":
            texts = [np.array([str(value)], dtype=object) for value in values]
            return {name: _appended(self._products[name], texts)}
        if declared.record is not None:
            tables = [value.table if declared.kind == "object" else value for value in values]
            return {name: _appended(self._products[name], [_object_rows(table) for table in tables])}
        if declared.kind in ("index_list", "list"):
            return {name: _appended_lists(self._products[name], values)}
        pairs = list(zip(values, events, strict=True))
        parts = [product_rows(declared, value, event) for value, event in pairs]
        self._fit(declared, parts, events)
        found = {name: _appended(self._products[name], parts)}
        if declared.kind == "cluster_label":
            labels = [_object_rows(labels_of(value, event)) for value, event in pairs]
            found[name + SIDECAR] = _appended(self._products[name + SIDECAR], labels)
        return found

    def _fit(self, declared: Product, parts: Sequence[Array], events: Sequence[Event]) -> None:
        """Give a product of flexible width the one that its first rows have; later rows must agree."""
        stored = self._products[declared.name]
        if declared.flexible and len(stored) == 0 and parts[0].shape[1:] != stored.shape[1:]:
            del self._products[declared.name]
            stored = _dataset(self._products, declared.name, stored.dtype, parts[0].shape[1])
            stored.attrs[WIDTH] = parts[0].shape[1]
        for event, part in zip(events, parts, strict=True):
            if part.shape[1:] != stored.shape[1:]:
                raise SchemaError(
                    f"product {declared.name!r} does not have the width of the events before",
                    where=event.label, got=part.shape, expected=f"{stored.shape[1:]} values per row",
                )  # fmt: skip

    def _close_events(self) -> None:
        if "events" not in self._file:
            self.select(())
