"""The columnar HDF5 layout (format version 2): how each kind of product lies on disk.

Every product is a group under ``/products`` with the attributes ``kind`` and ``scalar``; rows of all events follow
each other, ``event_offsets`` says where each event starts. Tensors hold coordinates and features side by side.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import h5py
import numpy as np
import yaml
from numpy.typing import NDArray

from spine.errors import DataError, SchemaError
from spine.schema import Event, Product, Ragged, Record, Table, Tensor, offsets_of
from spine.schema.products import LABEL_TABLE
from spine.store.pools import fixed_dtype, pools_of, table_rows

__all__ = [
    "FORMAT",
    "FORMAT_VERSION",
    "append_product",
    "create_product",
    "elements_of",
    "event_bounds",
    "extend",
    "feature_names",
    "labels_of",
    "lists_of",
    "product_rows",
    "stored_type",
    "texts_of",
]

FORMAT = "spine_hdf5"
FORMAT_VERSION = 2

STORED_KINDS = {"index_list": "list", "list": "list", "text": "string"}
"""How kinds of products are called on disk, those that are not plain arrays or objects."""

CHUNK_BYTES = 1 << 16
SHAPE_PRECEDENCE = [1, 2, 0, 3, 4, 6, 5]


@dataclass(frozen=True)
class StoredType:
    """Type of one row of a product on disk: element type and number of values per row (0 for flat)."""

    dtype: np.dtype[Any]
    width: int


def stored_type(product: Product) -> StoredType:
    """How a row of a tensor, array or list product lies on disk."""
    if product.kind in ("tensor", "cluster_label"):
        return StoredType(product.numpy, 3 * len(product.points) + len(product.features))
    return StoredType(product.numpy, product.width)


def feature_names(product: Product, count: int) -> tuple[str, ...]:
    """Names of the features of a tensor: the declared ones, then value_1, value_2, ..."""
    declared = product.features[:count]
    return (*declared, *(f"value_{i}" for i in range(len(declared), count)))


def _dataset(group: h5py.Group, name: str, dtype: Any, width: int = 0) -> h5py.Dataset:
    """An empty dataset that grows, compressed with what every build of HDF5 has."""
    row = np.dtype(dtype).itemsize * max(width, 1)
    shape: tuple[int, ...] = (0, width) if width else (0,)
    limit: tuple[int | None, ...] = (None, width) if width else (None,)
    chunks = (max(1, CHUNK_BYTES // row), *shape[1:])
    return group.create_dataset(
        name, shape, maxshape=limit, dtype=dtype, chunks=chunks, compression="gzip", compression_opts=1, shuffle=True
    )


def _offsets(group: h5py.Group, name: str = "event_offsets") -> None:
    group.create_dataset(name, data=np.zeros(1, np.int64), maxshape=(None,), chunks=(1024,))


def _create_objects(group: h5py.Group, record: type[Record], scalar: bool) -> None:
    group.attrs["kind"] = "objects"
    group.attrs["scalar"] = scalar
    group.attrs["class_name"] = record.__name__
    _dataset(group, "fixed", fixed_dtype(record))
    _offsets(group)
    variables = group.create_group("variables")
    for pool in pools_of(record):
        part = variables.create_group(f"pool_{pool.number}")
        part.attrs["kind"] = "string" if pool.is_text else "array"
        part.attrs["fields"] = yaml.safe_dump(list(pool.fields))
        _dataset(part, "values", pool.dtype)


def _tensor_schema(product: Product) -> dict[str, Any]:
    """Description of a tensor in the terms of the format."""
    voxels = product.kind == "tensor" and product.discrete
    return {
        "coordinate_groups": {name: [3 * i, 3 * i + 1, 3 * i + 2] for i, name in enumerate(product.points)},
        "coordinate_modes": dict.fromkeys(product.points, "discrete" if product.discrete else "continuous"),
        "feature_fields": {name: [i] for i, name in enumerate(product.features)},
        "index_cols": [1] if product.name == "ppn_label" else None,
        "remove_duplicates": voxels,
        "sum_cols": None,
        "avg_cols": None,
        "prec_col": None,
        "precedence": SHAPE_PRECEDENCE if voxels else None,
        "feats_only": False,
        "overlay_reference": None,
    }


def _metadata(product: Product) -> dict[str, Any] | None:
    """What a reader needs to rebuild the product, None for plain arrays."""
    if product.metadata:
        known: dict[str, Any] = yaml.safe_load(product.metadata)
        return known
    if product.kind == "tensor":
        width = 3 * len(product.points)
        schema = _tensor_schema(product)
        return {"product_type": "tensor", "schema": schema, "coordinate_width": width, "has_meta": False}
    if product.kind == "cluster_label":
        return {"product_type": "cluster_label", **_tensor_schema(product), "has_particles": True, "has_meta": False}
    if product.kind == "edge_index":
        return {"product_type": "edge_index", "directed": True}
    if product.kind == "index_list":
        return {"product_type": "index_list"}
    return None


def create_product(products: h5py.Group, product: Product) -> None:
    """Make the empty datasets of a product.

    Parameters
    ----------
    products : h5py.Group
        The ``/products`` group.
    product : Product
        Declaration of the product.
    """
    group = products.create_group(product.name)
    if product.record is not None:
        _create_objects(group, product.record, product.kind == "object")
        return
    if product.kind == "array_list":
        group.attrs["kind"], group.attrs["scalar"] = "multi_list", False
        for element in elements_of(product):
            create_product(group, element)
        return
    group.attrs["kind"] = STORED_KINDS.get(product.kind, "array")
    group.attrs["scalar"] = product.kind in ("scalar", "text")
    stored = stored_type(product)
    _dataset(group, "values", stored.dtype, stored.width)
    _offsets(group)
    if product.kind in ("index_list", "list"):
        _offsets(group, "element_offsets")
    metadata = _metadata(product)
    if metadata is not None:
        group.attrs["product_metadata"] = yaml.safe_dump(metadata)
    if product.kind in ("edge_index", "index_list"):
        spans = group.create_group("spans")
        spans.attrs["kind"], spans.attrs["scalar"] = "array", True
        _dataset(spans, "values", np.int64)
        _offsets(spans)
    if product.kind == "cluster_label":
        _create_objects(group.create_group("particles"), LABEL_TABLE, scalar=False)


def extend(dataset: h5py.Dataset, values: NDArray[Any]) -> None:
    """Append rows to a dataset."""
    n = len(dataset)
    dataset.resize(n + len(values), axis=0)
    if len(values):
        dataset[n:] = values


def _extend_offsets(dataset: h5py.Dataset, lengths: Sequence[int] | NDArray[Any]) -> None:
    extend(dataset, dataset[-1] + np.cumsum(np.asarray(lengths, dtype=np.int64)))


def _append_objects(group: h5py.Group, tables: Sequence[Table]) -> None:
    joined = Table.concat(tables)
    variables = group["variables"]
    pools = [variables[f"pool_{i}"]["values"] for i in range(len(variables))]
    rows, values = table_rows(joined, [len(pool) for pool in pools])
    for pool, flat in zip(pools, values, strict=True):
        extend(pool, flat)
    extend(group["fixed"], rows)
    _extend_offsets(group["event_offsets"], [len(table) for table in tables])


def product_rows(product: Product, value: Any, event: Event) -> NDArray[Any]:
    """Rows of one event as they lie on disk, or an error that names event and product."""
    stored = stored_type(product)
    if isinstance(value, Tensor):
        rows = np.concatenate([value.coords.astype(stored.dtype), value.features.astype(stored.dtype)], axis=1)
    elif product.kind == "text":
        rows = np.frombuffer(str(value).encode(), dtype=np.uint8)
    elif product.kind == "scalar":
        rows = np.atleast_1d(np.asarray(value, dtype=stored.dtype))
    else:
        rows = np.asarray(value, dtype=stored.dtype)
    width = rows.shape[1] if rows.ndim == 2 else 0
    if rows.ndim not in (1, 2) or (width != stored.width and not product.flexible):
        raise SchemaError(
            f"product {product.name!r} does not have its declared width",
            where=event.label,
            got=rows.shape,
            expected=f"{stored.width} values per row",
        )
    return rows


def _append_lists(group: h5py.Group, lists: Sequence[Ragged]) -> None:
    joined = Ragged.concat(lists)
    extend(group["values"], joined.values)
    _extend_offsets(group["element_offsets"], joined.lengths)
    _extend_offsets(group["event_offsets"], [len(one) for one in lists])


def _describe(group: h5py.Group, product: Product, width: int) -> None:
    """Say which features a tensor has beyond the declared ones."""
    if product.kind == "tensor":
        wide = replace(product, features=feature_names(product, width - 3 * len(product.points)))
        group.attrs["product_metadata"] = yaml.safe_dump(_metadata(wide))


def _fit(group: h5py.Group, product: Product, rows: Sequence[NDArray[Any]], events: Sequence[Event]) -> None:
    """Give a product of flexible width the one that its first rows have; later rows must agree."""
    if not product.flexible:
        return
    stored = group["values"]
    if len(stored) == 0 and rows[0].shape[1:] != stored.shape[1:]:
        del group["values"]
        _dataset(group, "values", product.numpy, rows[0].shape[1])
        stored = group["values"]
        _describe(group, product, rows[0].shape[1])
    for event, part in zip(events, rows, strict=True):
        if part.shape[1:] != stored.shape[1:]:
            raise SchemaError(
                f"product {product.name!r} does not have the width of the events before",
                where=event.label, got=part.shape, expected=f"{stored.shape[1]} values per row",
            )  # fmt: skip


def append_product(products: h5py.Group, product: Product, events: Sequence[Event]) -> None:
    """Append a product of several events.

    Parameters
    ----------
    products : h5py.Group
        The ``/products`` group.
    product : Product
        Declaration of the product, created before.
    events : sequence of Event
        Events which all have the product.

    Raises
    ------
    DataError, SchemaError
        When an event lacks the product or its rows do not have the declared shape.
    """
    group = products[product.name]
    values = [event[product.name] for event in events]
    if product.kind == "object":
        _append_objects(group, [value.table for value in values])
    elif product.kind == "objects":
        _append_objects(group, values)
    elif product.kind in ("index_list", "list"):
        _append_lists(group, values)
    elif product.kind == "array_list":
        for element, parts in zip(elements_of(product), list(zip(*values, strict=True)), strict=True):
            _append_arrays(group[element.name], element, parts, events)
    else:
        _append_arrays(group, product, values, events)
    if product.kind in ("edge_index", "index_list"):
        spans = [_span(value) for value in values]
        extend(group["spans"]["values"], np.array(spans, dtype=np.int64))
        _extend_offsets(group["spans"]["event_offsets"], np.ones(len(spans)))
    if product.kind == "cluster_label":
        _append_objects(
            group["particles"], [labels_of(value, event) for value, event in zip(values, events, strict=True)]
        )


def _append_arrays(group: h5py.Group, product: Product, values: Sequence[Any], events: Sequence[Event]) -> None:
    rows = [product_rows(product, value, event) for value, event in zip(values, events, strict=True)]
    _fit(group, product, rows, events)
    extend(group["values"], np.concatenate(rows))
    _extend_offsets(group["event_offsets"], [len(r) for r in rows])


def elements_of(product: Product) -> list[Product]:
    """The arrays of an ``array_list``, as products of their own."""
    return [
        replace(product, name=f"element_{i}", kind="array", width=width, widths=())
        for i, width in enumerate(product.widths)
    ]


def texts_of(group: h5py.Group, bounds: NDArray[np.int64]) -> NDArray[Any]:
    """(n,) strings of a range of events."""
    data = group["values"][int(bounds[0]) : int(bounds[-1])].tobytes()
    ends = (bounds - bounds[0]).tolist()
    return np.array([data[a:b].decode() for a, b in itertools.pairwise(ends)], dtype=object)


def labels_of(value: Tensor, event: Event) -> Table:
    """The table of labels of a cluster label, or an error that names the event."""
    if value.particles is None:
        raise DataError("a cluster label has no table of labels", where=event.label)
    return value.particles


def _span(value: Any) -> int:
    """Smallest number of rows to which the numbers of an index product can refer."""
    flat = value.values if isinstance(value, Ragged) else np.asarray(value)
    return int(flat.max()) + 1 if flat.size else 0


def event_bounds(group: h5py.Group, start: int, stop: int) -> NDArray[np.int64]:
    """(stop - start + 1,) positions at which the events of a range start and the last one ends."""
    bounds: NDArray[np.int64] = np.asarray(group["event_offsets"][start : stop + 1], dtype=np.int64)
    return bounds


def lists_of(group: h5py.Group, bounds: NDArray[np.int64]) -> Ragged:
    """The lists of a range of events, one after the other."""
    first, last = int(bounds[0]), int(bounds[-1])
    offsets = group["element_offsets"][first : last + 1]
    values = group["values"][int(offsets[0]) : int(offsets[-1])]
    return Ragged(values, offsets_of(np.diff(offsets)))
