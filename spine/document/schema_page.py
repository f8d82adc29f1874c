"""The page on what files hold: records, products, enums."""

from __future__ import annotations

from enum import IntEnum
from types import ModuleType

import numpy as np

from spine.document.markdown import NOTICE, anchor, code, table
from spine.document.parts import first_line
from spine.schema import PRODUCTS, Column, Product, Record, detector_records, enums, object_records, truth_records
from spine.schema.products import LABEL_TABLE

__all__ = ["flat_names", "records", "schema_page"]

INTRODUCTION = """# What files hold

An event is a set of [products](#products). A product is an array, a tensor (coordinates and features), or a table of
objects whose columns a [record](#records) declares. Files in HDF5 hold products under these names and with these
types; tables in CSV and Parquet hold the columns of objects.

- Units are in the tables. Positions of built objects are in cm, or in voxels (px) where the column `units` says so.
- *Missing* is what stands for "not measured" or "none": NaN, -1, or what the table says. A list has no missing value,
  it is empty.
- A vector is one column in HDF5 and several in flat tables: `start_point` becomes `start_point_x`, `start_point_y`,
  `start_point_z`. Lists are left out of flat tables unless a length is asked for (`ana.save.lengths`).
- *Derived* columns follow from others. They are stored, so that files can be read without this package.
- Columns marked *index* are long; reduced files (`build.lite`) leave them out."""

KINDS = {
    "tensor": "coordinates and features, one row per point",
    "cluster_label": "a tensor whose rows point to a table of particle labels ([ParticleLabel](#particlelabel))",
    "array": "one row per point or object",
    "scalar": "one number per event",
    "index_list": "a list of row numbers per object",
    "list": "arrays of one width",
    "array_list": "arrays of different widths",
    "text": "a string",
    "edge_index": "pairs of row numbers",
    "objects": "a table of objects, any number per event",
    "object": "one object per event",
}
MODULES = (detector_records, truth_records, object_records)


def _declared(module: ModuleType, kind: type) -> list[type]:
    found = [getattr(module, name) for name in module.__all__]
    return [thing for thing in found if isinstance(thing, type) and issubclass(thing, kind)]


def records() -> list[type[Record]]:
    """Every declared kind of object."""
    return [record for module in MODULES for record in _declared(module, Record)]


def flat_names(column: Column) -> list[str]:
    """Names of a column in flat tables, none for lists."""
    if column.kind == "ragged":
        return []
    return [f"{column.name}_{suffix}" for suffix in column.suffixes] or [column.name]


def _column_type(column: Column) -> str:
    if column.kind == "text":
        return "text"
    name = column.dtype.name
    if column.kind == "ragged":
        return f"list of {name}"
    return f"{name} × {column.shape[0]}" if column.shape else name


def _missing(column: Column) -> str:
    if column.kind == "ragged":
        return "empty"
    if isinstance(column.missing, float) and np.isnan(column.missing):
        return "NaN"
    if isinstance(column.missing, bool):
        return str(column.missing).lower()
    return repr(column.missing) if column.missing != "" else "empty"


def _marks(column: Column) -> str:
    marks = [word for word, holds in (("derived", column.stored_after), ("index", not column.lite)) if holds]
    return f"{column.doc} *({', '.join(marks)})*" if marks else column.doc


def _column_row(column: Column) -> tuple[str, ...]:
    names = flat_names(column) if column.suffixes else []
    values = anchor(column.enum.__name__) if column.enum is not None else ""
    flat = ", ".join(map(code, names))
    return code(column.name), _column_type(column), column.unit, values, _missing(column), flat, _marks(column)


def _record_section(record: type[Record]) -> str:
    uses = [p.name for p in PRODUCTS.values() if record is (LABEL_TABLE if p.kind == "cluster_label" else p.record)]
    where = f"\n\nIn {', '.join(map(code, uses))}." if uses else ""
    head = ("column", "type", "unit", "values", "missing", "flat columns", "meaning")
    rows = [_column_row(column) for column in record.columns.values()]
    return f"### {record.__name__}\n\n{first_line(record)}{where}\n\n{table(head, rows)}"


def _enum_section(enum: type[IntEnum]) -> str:
    rows = [(code(str(int(member))), member.name) for member in enum]
    return f"### {enum.__name__}\n\n{first_line(enum)}\n\n{table(('value', 'name'), rows)}"


def _product_type(product: Product) -> str:
    if product.record is not None:
        return anchor(product.record.__name__)
    name = product.numpy.name
    if product.kind in ("tensor", "cluster_label"):
        coords = "int32" if product.discrete else "float32"
        return f"{coords} (n, {3 * len(product.points)}), {name} (n, {len(product.features)})"
    if product.kind == "scalar":
        return name
    if product.kind == "index_list":
        return f"lists of {name}"
    return f"{name} (n, {product.width})" if product.width else f"{name} (n,)"


def _product_row(product: Product) -> tuple[str, ...]:
    features = ", ".join(map(code, product.features))
    return code(product.name), product.kind, _product_type(product), features, product.doc


def _products_section() -> str:
    kinds = "\n".join(f"- {code(kind)}: {meaning}." for kind, meaning in KINDS.items())
    head = ("product", "kind", "type", "features", "meaning")
    rows = table(head, map(_product_row, PRODUCTS.values()))
    return f"## Products\n\n{kinds}\n\n{rows}"


def schema_page() -> str:
    """The whole page."""
    parts = [NOTICE, INTRODUCTION, _products_section(), "## Records", *map(_record_section, records())]
    parts += ["## Enums", *map(_enum_section, _declared(enums, IntEnum))]
    return "\n\n".join(parts) + "\n"
