"""Declarations of products that nothing here knows: read off the way in which a file stores them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import IntEnum
from functools import cache
from typing import Any

import h5py
import numpy as np
import yaml

from spine.schema import Column, Product, Record, detector_records, object_records, truth_records
from spine.schema.columns import col, ragged, text

__all__ = ["product_of_dataset", "product_of_group"]

DOC = "Product of another producer"
VERBATIM = ("tensor", "cluster_label")
"""Types of products whose description is handed on as it is."""


def _string(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


@cache
def _records() -> dict[str, type[Record]]:
    """Records of this package by name."""
    modules = (detector_records, truth_records, object_records)
    found = [getattr(module, name) for module in modules for name in module.__all__]
    return {thing.__name__: thing for thing in found if isinstance(thing, type) and issubclass(thing, Record)}


def _fixed(name: str, dtype: np.dtype[Any]) -> Column | None:
    """A column of plain values; None for a type that no column has."""
    base, shape = dtype.subdtype or (dtype, ())
    if base.kind not in "fiub" or len(shape) > 1:
        return None
    names = h5py.check_enum_dtype(base)
    enum = IntEnum("Values", names) if names and base.kind != "b" else None
    return col(name, np.dtype(base.str).str, shape=shape, enum=enum)


def _varying(name: str, base: Any) -> Column:
    """A column of lists or strings."""
    return text(name) if base is str or base is bytes else ragged(name, np.dtype(base).str)


def _record(class_name: str, columns: Iterable[tuple[str, Column | None]]) -> type[Record]:
    """The record of that name when it has all the columns, otherwise one made of them."""
    found = {name: column for name, column in columns if column is not None}
    known = _records().get(class_name)
    if known is not None and set(found) <= set(known.columns):
        return known
    return type(class_name, (Record,), {"__doc__": DOC, "__module__": __name__, **found})


def _class_name(attributes: Mapping[str, Any]) -> str:
    name = _string(attributes.get("class_name", ""))
    return name if name.isidentifier() else "Object"


def _rows(name: str, kind: Any, dataset: h5py.Dataset) -> Product:
    """A product of plain rows."""
    width = dataset.shape[1] if dataset.ndim == 2 else 0
    return Product(name, kind, DOC, np.dtype(dataset.dtype).str, width)


def _plain(dataset: Any) -> bool:
    return isinstance(dataset, h5py.Dataset) and dataset.ndim <= 2 and dataset.dtype.kind in "fiub"


def _by_column(groups: Mapping[str, list[int]]) -> list[tuple[str, list[int]]]:
    return sorted(groups.items(), key=lambda group: group[1])


def _described(name: str, dataset: h5py.Dataset, about: Mapping[str, Any]) -> Product | None:
    """A tensor by its description; None when it is of another form than ours."""
    kind = about.get("product_type")
    schema = about if kind == "cluster_label" else about.get("schema") or {}
    groups = _by_column(schema.get("coordinate_groups") or {})
    fields = _by_column(schema.get("feature_fields") or {})
    columns = [[place for _, places in part for place in places] for part in (groups, fields)]
    width = dataset.shape[1] if dataset.ndim == 2 else 0
    regular = all(len(places) == 3 for _, places in groups) and all(c == list(range(len(c))) for c in columns)
    if kind not in VERBATIM or not regular or sum(map(len, columns)) != width:
        return None
    features = tuple(f"{n}_{i}" if len(places) > 1 else n for n, places in fields for i in range(len(places)))
    modes = set((schema.get("coordinate_modes") or {}).values())
    return Product(
        name, kind, DOC, np.dtype(dataset.dtype).str, points=tuple(n for n, _ in groups), features=features,
        discrete=modes <= {"discrete", "voxel"}, metadata=yaml.safe_dump({**about, "has_meta": False}),
    )  # fmt: skip


def product_of_group(name: str, group: Any) -> Product | None:
    """Declaration of a product from its group in the columnar layout.

    Parameters
    ----------
    name : str
        What the file calls it.
    group : h5py.Group
        How the file stores it.

    Returns
    -------
    Product or None
        None when the group is of a form that the layout does not have.
    """
    if not isinstance(group, h5py.Group):
        return None
    kind, scalar = _string(group.attrs.get("kind", "")), bool(group.attrs.get("scalar", False))
    if kind == "objects":
        return Product(name, "object" if scalar else "objects", DOC, record=_record_of_group(group))
    if kind == "multi_list":
        parts = [group[f"element_{i}"]["values"] for i in range(len(group))]
        widths = tuple(part.shape[1] if part.ndim == 2 else 0 for part in parts)
        return Product(name, "array_list", DOC, np.dtype(parts[0].dtype).str, widths=widths) if parts else None
    if not _plain(group.get("values")):
        return None
    about = yaml.safe_load(_string(group.attrs.get("product_metadata", "{}"))) or {}
    return _of_values(name, group["values"], about, kind, scalar)


def _of_values(name: str, values: h5py.Dataset, about: Mapping[str, Any], kind: str, scalar: bool) -> Product | None:
    if kind == "string":
        return Product(name, "text", DOC, "u1")
    if kind == "list":
        return _rows(name, "index_list" if about.get("product_type") == "index_list" else "list", values)
    if about.get("product_type") == "edge_index":
        return _rows(name, "edge_index", values)
    return _described(name, values, about) or _rows(name, "scalar" if scalar else "array", values)


def _record_of_group(group: h5py.Group) -> type[Record]:
    fixed = group["fixed"].dtype
    columns = [(name, _fixed(name, fixed[name])) for name in fixed.names or () if not name.startswith("_var_offsets_")]
    for number in range(len(group["variables"])):
        pool = group["variables"][f"pool_{number}"]
        base = str if _string(pool.attrs["kind"]) == "string" else pool["values"].dtype
        columns += [(name, _varying(name, base)) for name in yaml.safe_load(_string(pool.attrs["fields"]))]
    return _record(_class_name(group.attrs), columns)


def product_of_dataset(name: str, stored: Any) -> Product | None:
    """Declaration of a product from its dataset or group in the layout of region references.

    Parameters
    ----------
    name : str
        What the file calls it.
    stored : h5py.Dataset or h5py.Group
        How the file stores it.

    Returns
    -------
    Product or None
        None when it is of a form that the layout does not have.
    """
    if isinstance(stored, h5py.Group):
        return _lists_of_group(name, stored)
    scalar = bool(stored.attrs.get("scalar", False))
    if stored.dtype.names is not None:
        record = _record(_class_name(stored.attrs), [(n, _member(n, stored.dtype[n])) for n in stored.dtype.names])
        return Product(name, "object" if scalar else "objects", DOC, record=record)
    if h5py.check_string_dtype(stored.dtype) is not None:
        return Product(name, "text", DOC, "u1")
    return _rows(name, "scalar" if scalar else "array", stored) if _plain(stored) else None


def _member(name: str, dtype: np.dtype[Any]) -> Column | None:
    if h5py.check_string_dtype(dtype) is not None:
        return _varying(name, str)
    base = h5py.check_vlen_dtype(dtype)
    return _varying(name, base) if base is not None else _fixed(name, dtype)


def _lists_of_group(name: str, group: h5py.Group) -> Product | None:
    if "elements" in group:
        return _rows(name, "list", group["elements"]) if _plain(group["elements"]) else None
    parts = [group[f"element_{i}"] for i in range(len(group) - 1) if f"element_{i}" in group]
    if not parts or not all(map(_plain, parts)):
        return None
    widths = tuple(part.shape[1] if part.ndim == 2 else 0 for part in parts)
    return Product(name, "array_list", DOC, np.dtype(parts[0].dtype).str, widths=widths)
