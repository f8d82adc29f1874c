"""Positions in voxel units and in cm."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from spine.build.config import Units
from spine.errors import DataError
from spine.schema import Event, Row, Table

__all__ = ["LENGTHS", "frame", "positions", "table_in"]

LENGTHS = ("length", "vertex_distance")
"""Columns which are lengths in the unit of the object's positions."""


def frame(event: Event) -> Row:
    """The frame of the image, which conversions need.

    Raises
    ------
    DataError
        When the event has none.
    """
    if "meta" not in event:
        raise DataError(
            "positions in cm need the frame of the image", where=event.label, expected="the product meta",
            mend="add meta to the input, or set build.units: px",
        )  # fmt: skip
    meta: Row = event["meta"]
    return meta


def positions(event: Event, voxels: NDArray[Any], units: Units) -> NDArray[np.float32]:
    """Bring voxel positions into the wanted unit: lower + (voxel + 1/2) * size in cm.

    Parameters
    ----------
    event : Event
        Gives the frame of the image.
    voxels : (n, 3) ndarray
        Voxel numbers, or positions relative to the centres of voxels.
    units : {'cm', 'px'}

    Returns
    -------
    (n, 3) float32
    """
    if units == "px":
        return np.asarray(voxels, dtype=np.float32)
    meta = frame(event)
    lower, size = meta.lower.astype(np.float64), meta.size.astype(np.float64)
    return np.asarray(lower + (voxels.astype(np.float64) + 0.5) * size, dtype=np.float32)


def table_in(event: Event, table: Table, units: Units) -> Table:
    """A table with all positions in the wanted unit; rows that have it already stay as they are.

    Parameters
    ----------
    event : Event
        Gives the frame of the image where something must change.
    table : Table
        Objects with a column ``units``.
    units : {'cm', 'px'}

    Returns
    -------
    Table
        The same table when nothing changes, else a copy.
    """
    other = table["units"] != units
    if not other.any():
        return table
    meta = frame(event)
    lower, size = meta.lower.astype(np.float64), meta.size.astype(np.float64)
    result = table.copy()
    for name, column in table.record.columns.items():
        if not table.has(name) or not (column.position or name in LENGTHS):
            continue
        values = np.array(table[name])
        old = values[other].astype(np.float64)
        if column.position:
            values[other] = lower + old * size if units == "cm" else (old - lower) / size
        else:
            values[other] = old * size[0] if units == "cm" else old / size[0]
        result[name] = values
    result["units"] = units
    return result
