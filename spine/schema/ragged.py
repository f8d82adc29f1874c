"""Ragged columns: one flat array of values and the offsets at which each row starts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, overload

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from spine.errors import SchemaError

__all__ = ["Ragged", "offsets_of"]

Array = NDArray[Any]


def offsets_of(lengths: ArrayLike) -> NDArray[np.int64]:
    """Offsets of consecutive rows.

    Parameters
    ----------
    lengths : (n,) int
        Length of each row.

    Returns
    -------
    (n + 1,) int64
        ``offsets[i]:offsets[i + 1]`` is row i; the first is 0.
    """
    lengths = np.asarray(lengths, dtype=np.int64)
    offsets = np.zeros(len(lengths) + 1, dtype=np.int64)
    np.cumsum(lengths, out=offsets[1:])
    return offsets


@dataclass(frozen=True, eq=False)
class Ragged:
    """Rows of different lengths.

    Parameters
    ----------
    values : (m, ...) ndarray
        The rows, one after the other.
    offsets : (n + 1,) int64
        Where each row starts; the last is m.

    Raises
    ------
    SchemaError
        When offsets do not span the values or decrease.
    """

    values: Array
    offsets: NDArray[np.int64]

    def __post_init__(self) -> None:
        offsets = np.asarray(self.offsets, dtype=np.int64)
        object.__setattr__(self, "offsets", offsets)
        spans = len(offsets) > 0 and offsets[0] == 0 and offsets[-1] == len(self.values)
        if not spans or (np.diff(offsets) < 0).any():
            raise SchemaError(
                "offsets of a ragged column must rise from 0 to the number of values",
                got=f"{len(offsets)} offsets for {len(self.values)} values",
            )

    @classmethod
    def from_list(cls, rows: Sequence[ArrayLike], dtype: DTypeLike, width: tuple[int, ...] = ()) -> Ragged:
        """Ragged array of the given rows; ``width`` is the shape of one value when there are none."""
        arrays = [np.asarray(row, dtype=dtype).reshape(-1, *width) for row in rows]
        values = np.concatenate(arrays) if arrays else np.empty((0, *width), dtype=dtype)
        return cls(values, offsets_of([len(a) for a in arrays]))

    @classmethod
    def empty(cls, n: int, dtype: DTypeLike, width: tuple[int, ...] = ()) -> Ragged:
        """``n`` rows of length zero."""
        return cls(np.empty((0, *width), dtype=dtype), np.zeros(n + 1, dtype=np.int64))

    @classmethod
    def by_label(cls, labels: ArrayLike, n: int) -> Ragged:
        """Positions of each label 0..n-1, in rising order; other labels are left out.

        Parameters
        ----------
        labels : (m,) int
            Label of each position.
        n : int
            Number of rows of the result.
        """
        labels = np.asarray(labels, dtype=np.int64)
        kept = np.flatnonzero((labels >= 0) & (labels < n))
        order = np.argsort(labels[kept], kind="stable")
        counts = np.bincount(labels[kept], minlength=n)
        return cls(kept[order].astype(np.int32), offsets_of(counts))

    @classmethod
    def concat(cls, parts: Sequence[Ragged]) -> Ragged:
        """Rows of all parts, in order (at least one part)."""
        values = np.concatenate([p.values for p in parts])
        return cls(values, offsets_of(np.concatenate([p.lengths for p in parts])))

    @property
    def lengths(self) -> NDArray[np.int64]:
        """(n,) int64 length of each row."""
        return np.diff(self.offsets)

    @property
    def rows(self) -> NDArray[np.int64]:
        """(m,) int64 row to which each value belongs."""
        return np.repeat(np.arange(len(self), dtype=np.int64), self.lengths)

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the values."""
        return self.values.dtype

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def __iter__(self) -> Iterator[Array]:
        return (self.values[a:b] for a, b in zip(self.offsets[:-1], self.offsets[1:], strict=True))

    @overload
    def __getitem__(self, item: int | np.integer[Any]) -> Array: ...
    @overload
    def __getitem__(self, item: slice | Array | list[int]) -> Ragged: ...
    def __getitem__(self, item: int | np.integer[Any] | slice | Array | list[int]) -> Array | Ragged:
        if isinstance(item, int | np.integer):
            i = range(len(self))[int(item)]
            return self.values[self.offsets[i] : self.offsets[i + 1]]
        if isinstance(item, slice) and item.step in (None, 1):
            start, stop, _ = item.indices(len(self))
            stop = max(start, stop)
            bounds = self.offsets[start : stop + 1]
            return Ragged(self.values[bounds[0] : bounds[-1]], bounds - bounds[0])
        return self._take(np.arange(len(self))[item])

    def _take(self, picked: NDArray[np.int64]) -> Ragged:
        lengths = self.lengths[picked]
        offsets = offsets_of(lengths)
        where = np.arange(offsets[-1]) + np.repeat(self.offsets[:-1][picked] - offsets[:-1], lengths)
        return Ragged(self.values[where], offsets)

    def tolist(self) -> list[list[Any]]:
        """Nested lists."""
        return [row.tolist() for row in self]

    def __repr__(self) -> str:
        return f"Ragged({len(self)} rows, {len(self.values)} values, {self.dtype})"
