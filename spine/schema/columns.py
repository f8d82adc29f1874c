"""How a column is declared: once, with its meaning, unit and on-disk type."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import IntEnum
from typing import Any, ClassVar, Literal

import numpy as np

from spine.errors import SchemaError, did_you_mean

__all__ = ["Column", "Record", "col", "derived", "point", "ragged", "text", "vector"]

Kind = Literal["fixed", "ragged", "text"]


@dataclass(frozen=True)
class Column:
    """Declaration of one column of a table.

    Parameters
    ----------
    doc : str
        What the column means.
    dtype : numpy dtype
        Type of one value, in memory and on disk.
    shape : tuple of int
        Shape of one value of a fixed column, ``()`` or ``(k,)``.
    kind : {'fixed', 'ragged', 'text'}
        One value per object, an array of any length per object, or a string per object.
    unit : str
        Unit, empty when there is none.
    axes : str
        One letter per component of a vector, used as suffixes in flat tables (``_x``).
    enum : IntEnum class, optional
        Names of the values of an integer column.
    missing : value
        What stands for "not measured".
    position : bool
        True for points in space, which change between voxel and cm coordinates.
    lite : bool
        False for the long index columns which reduced files leave out.
    of : callable, optional
        Function of the table which gives a derived column.
    needs : tuple of str
        Columns without which a derived column cannot be computed; where they are left out, its stored values count.
    name : str
        Filled in by the class that owns the column.
    """

    doc: str
    dtype: np.dtype[Any]
    shape: tuple[int, ...] = ()
    kind: Kind = "fixed"
    unit: str = ""
    axes: str = ""
    enum: type[IntEnum] | None = None
    missing: Any = None
    position: bool = False
    lite: bool = True
    stored_after: bool = False
    of: Callable[[Any], Any] | None = None
    needs: tuple[str, ...] = ()
    name: str = ""

    @property
    def suffixes(self) -> list[str]:
        """Suffixes of the flat columns of a vector, empty for a scalar."""
        return list(self.axes) if self.axes else [str(i) for i in range(self.shape[0])] if self.shape else []


def _missing(dtype: np.dtype[Any]) -> Any:
    return {"f": np.nan, "i": -1, "b": False, "u": 0}[dtype.kind]


def col(doc: str, dtype: str = "f8", **options: Any) -> Column:
    """Declare a column with one value (or fixed-length vector) per object; see `Column` for the options."""
    kind = np.dtype(dtype)
    options.setdefault("missing", _missing(kind))
    return Column(doc, kind, **options)


def point(doc: str) -> Column:
    """Declare a point in space, in cm."""
    return col(doc, "f4", shape=(3,), axes="xyz", unit="cm", position=True)


def vector(doc: str, unit: str = "") -> Column:
    """Declare a vector with three components."""
    return col(doc, "f4", shape=(3,), axes="xyz", unit=unit)


def ragged(doc: str, dtype: str = "i4", **options: Any) -> Column:
    """Declare a column with an array of any length per object."""
    return Column(doc, np.dtype(dtype), kind="ragged", **options)


def text(doc: str, missing: str = "", **options: Any) -> Column:
    """Declare a column with one string per object."""
    return Column(doc, np.dtype(object), kind="text", missing=missing, **options)


def derived(column: Column, of: Callable[[Any], Any] | None = None, needs: tuple[str, ...] = ()) -> Column:
    """Mark a column as following from others: stored after them, computed by ``of`` where it is given."""
    return replace(column, stored_after=True, of=of, needs=needs)


class Record:
    """A kind of object: the columns that describe it.

    Subclasses declare columns as class attributes. Columns of the bases come first (the last base first, as in
    dataclasses); derived columns come last.
    """

    columns: ClassVar[dict[str, Column]] = {}

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        fields: dict[str, Column] = {}
        after: dict[str, Column] = {}
        for base in reversed(cls.__mro__):
            for name, value in vars(base).items():
                if isinstance(value, Column) and not value.stored_after:
                    fields[name] = replace(value, name=name)
        for base in cls.__mro__:
            for name, value in vars(base).items():
                if isinstance(value, Column) and value.stored_after:
                    after.setdefault(name, replace(value, name=name))
        for name in after:
            fields.pop(name, None)
        cls.columns = fields | after

    @classmethod
    def column(cls, name: str) -> Column:
        """The declaration of a column.

        Raises
        ------
        SchemaError
            When the record has no column of that name; the nearest names are suggested.
        """
        try:
            return cls.columns[name]
        except KeyError:
            raise SchemaError(f"{cls.__name__} has no column {name!r}", mend=did_you_mean(name, cls.columns)) from None
