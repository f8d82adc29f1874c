"""What an event holds: columns, tables, products, declared once."""

from __future__ import annotations

from spine.schema.block import Block
from spine.schema.columns import Column, Record
from spine.schema.enums import NuCurrentType, NuInteractionScheme, Pid, Shape
from spine.schema.event import Event, Tensor, row_of
from spine.schema.products import PRODUCTS, Product, product
from spine.schema.ragged import Ragged, offsets_of
from spine.schema.table import Row, Table, TableSlice

__all__ = [
    "PRODUCTS",
    "Block",
    "Column",
    "Event",
    "NuCurrentType",
    "NuInteractionScheme",
    "Pid",
    "Product",
    "Ragged",
    "Record",
    "Row",
    "Shape",
    "Table",
    "TableSlice",
    "Tensor",
    "offsets_of",
    "product",
    "row_of",
]
