"""Reading larcv2 ROOT files without ROOT."""

from __future__ import annotations

from spine.store.larcv.raw import list_products
from spine.store.larcv.reader import LArCVReader
from spine.store.larcv.schema import DEFAULT_SCHEMA, Schema, data_schema

__all__ = ["DEFAULT_SCHEMA", "LArCVReader", "Schema", "data_schema", "list_products"]
