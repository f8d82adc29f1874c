"""Products of a range of events as a file holds them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from spine.schema import Product, Ragged, Table, TableSlice, Tensor
from spine.schema.products import LABEL_TABLE
from spine.store.layout import elements_of, event_bounds, feature_names, lists_of, texts_of
from spine.store.pools import read_table

__all__ = ["LABELS", "StoredProduct", "joined_elements", "read_product"]

Array = NDArray[Any]

LABELS = Product("particles", "objects", "Labels", record=LABEL_TABLE)
"""The table of a cluster label."""


def _sliced(table: Table, start: int, stop: int) -> Table:
    return Table(table.record, stop - start, lazy=TableSlice(table, start, stop))


@dataclass(frozen=True)
class StoredProduct:
    """One product of a range of events, held as the file holds it.

    Parameters
    ----------
    declared : Product
        Declaration.
    rows : Table, Ragged or ndarray
        Rows of all events, one event after the other.
    bounds : (n + 1,) int64
        Where each of the n events starts among the rows.
    labels : StoredProduct, optional
        Table of labels of a cluster label.
    """

    declared: Product
    rows: Any
    bounds: NDArray[np.int64]
    labels: StoredProduct | None = None

    def event(self, i: int) -> Any:
        """The product of the i-th event of the range."""
        a, b = int(self.bounds[i]), int(self.bounds[i + 1])
        kind = self.declared.kind
        if kind == "objects":
            return _sliced(self.rows, a, b)
        if kind == "object":
            return _sliced(self.rows, a, b)[0]
        if kind in ("tensor", "cluster_label"):
            return self._tensor(i, self.rows[a:b])
        if kind == "scalar":
            return self.rows[a].item()
        if kind == "text":
            return self.rows[a]
        if kind == "array_list":
            return [element.event(i) for element in self.rows]
        if kind in ("index_list", "list"):
            return Ragged(self.rows[a:b].values.astype(self.declared.numpy, copy=False), self.rows[a:b].offsets)
        return self.rows[a:b].astype(self.declared.numpy, copy=False)

    def _tensor(self, i: int, rows: Array) -> Tensor:
        width = 3 * len(self.declared.points)
        coords = rows[:, :width].astype(np.int32 if self.declared.discrete else np.float32)
        labels = self.labels.event(i) if self.labels is not None else None
        features = rows[:, width:].astype(np.float32, copy=False)
        return Tensor(coords, features, feature_names(self.declared, features.shape[1]), labels)


def joined_elements(declared: Product, elements: Sequence[StoredProduct]) -> StoredProduct:
    """The arrays of an ``array_list``, each stored on its own."""
    n = len(elements[0].bounds) if elements else 1
    return StoredProduct(declared, tuple(elements), np.arange(n, dtype=np.int64))


def read_product(declared: Product, group: h5py.Group, start: int, stop: int) -> StoredProduct:
    """A product of a range of events from its group."""
    if declared.kind == "array_list":
        return joined_elements(declared, [read_product(e, group[e.name], start, stop) for e in elements_of(declared)])
    bounds = event_bounds(group, start, stop)
    first, last = int(bounds[0]), int(bounds[-1])
    rows: Any
    if declared.record is not None:
        rows = read_table(group, declared.record, first, last)
    elif declared.kind in ("index_list", "list"):
        rows = lists_of(group, bounds)
    elif declared.kind == "text":
        rows, bounds = texts_of(group, bounds), first + np.arange(stop - start + 1)
    else:
        rows = group["values"][first:last]
    labels = None
    if declared.kind == "cluster_label" and "particles" in group:
        labels = read_product(LABELS, group["particles"], start, stop)
    return StoredProduct(declared, rows, bounds - first, labels)
