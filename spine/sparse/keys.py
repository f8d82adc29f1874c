"""Coordinates packed into sortable 64-bit keys.

A row ``(batch, x1, .., xD)`` becomes one int64 whose order is the lexicographic order of the row. Every axis has
one spare bit, so that adding the key difference of an offset can never run into the next axis: a search for
``key + delta(offset)`` finds the neighbour or nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from spine.errors import DataError

__all__ = ["KeyLayout"]

AXIS_BITS = {1: 24, 2: 24, 3: 17, 4: 13}


@dataclass(frozen=True)
class KeyLayout:
    """Bit layout of the keys of ``dimension``-dimensional coordinates."""

    dimension: int

    def __post_init__(self) -> None:
        if self.dimension not in AXIS_BITS:
            raise DataError("coordinates must have one batch column and 1 to 4 spatial columns", got=self.dimension + 1)

    @property
    def bits(self) -> int:
        """Bits of one axis, the spare bit included."""
        return AXIS_BITS[self.dimension]

    @property
    def bias(self) -> int:
        """Number added to a coordinate before packing."""
        return 1 << (self.bits - 1)

    @property
    def limit(self) -> int:
        """Coordinates lie in ``[-limit, limit)`` and offsets in ``[-limit, limit]``."""
        return 1 << (self.bits - 2)

    @property
    def batch_limit(self) -> int:
        """Batch indices lie in ``[0, batch_limit)``."""
        return 1 << (63 - self.bits * self.dimension)

    def pack(self, coordinates: Tensor) -> Tensor:
        """Pack coordinates into keys.

        Parameters
        ----------
        coordinates : (N, 1 + D) integers, batch index first. Real numbers are rounded down.

        Returns (N,) int64 keys.
        Raises DataError when a coordinate is not finite or does not fit into its bits.
        """
        rows = _as_integers(coordinates, self.dimension)
        self._check(rows)
        key: Tensor = rows[:, 0]
        for axis in range(1, self.dimension + 1):
            key = (key << self.bits) | (rows[:, axis] + self.bias)
        return key

    def unpack(self, keys: Tensor) -> Tensor:
        """Coordinates of keys.

        Parameters
        ----------
        keys : (N,) int64 keys

        Returns (N, 1 + D) int32 coordinates, batch index first.
        """
        return torch.stack([self.batch(keys), *self._axes(keys)], dim=1).int()

    def batch(self, keys: Tensor) -> Tensor:
        """(N,) int64 batch indices of (N,) keys."""
        return keys >> (self.bits * self.dimension)

    def batch_start(self, batch: int) -> int:
        """Return the smallest key that a row of this batch entry can have."""
        return batch << (self.bits * self.dimension)

    def delta(self, offset: Sequence[int]) -> int:
        """Key difference of a spatial offset.

        Returns ``key(c + offset) - key(c)`` for every coordinate ``c``.
        Raises DataError when the offset is so long that it could leave the spare bit.
        """
        if max(abs(value) for value in offset) > self.limit:
            raise DataError("kernel reaches too far", got=tuple(offset), expected=f"at most {self.limit}")
        total = 0
        for value in offset:
            total = (total << self.bits) + value
        return total

    def floor(self, keys: Tensor, stride: Sequence[int]) -> Tensor:
        """Keys of the coordinates rounded down to multiples of a stride, row by row."""
        key: Tensor = self.batch(keys)
        for value, step in zip(self._axes(keys), stride, strict=True):
            floored = torch.div(value, step, rounding_mode="floor") * step
            key = (key << self.bits) | (floored + self.bias)
        return key

    def shift(self, keys: Tensor, deltas: Sequence[int]) -> Tensor:
        """Sorted unique keys of all coordinates moved by all offsets (given as key differences).

        Raises DataError when a generated coordinate does not fit into its bits.
        """
        steps = torch.tensor(deltas, dtype=torch.int64, device=keys.device)
        moved: Tensor = torch.unique((keys[:, None] + steps[None, :]).reshape(-1))
        self._check(torch.stack([self.batch(moved), *self._axes(moved)], dim=1))
        return moved

    def _axes(self, keys: Tensor) -> list[Tensor]:
        mask = (1 << self.bits) - 1
        shifts = [self.bits * (self.dimension - 1 - axis) for axis in range(self.dimension)]
        return [((keys >> shift) & mask) - self.bias for shift in shifts]

    def _check(self, rows: Tensor) -> None:
        if rows.shape[0] == 0:
            return
        low, high = rows.amin(dim=0).tolist(), rows.amax(dim=0).tolist()
        if low[0] < 0 or high[0] >= self.batch_limit:
            raise DataError("batch index out of range", got=(low[0], high[0]), expected=f"0 to {self.batch_limit - 1}")
        if min(low[1:]) < -self.limit or max(high[1:]) >= self.limit:
            raise DataError(
                "coordinate out of range",
                got=(min(low[1:]), max(high[1:])),
                expected=f"{-self.limit} to {self.limit - 1}",
                mend="give voxel indices, not positions in cm, and crop the image",
            )


def _as_integers(coordinates: Tensor, dimension: int) -> Tensor:
    if coordinates.ndim != 2 or coordinates.shape[1] != dimension + 1:
        raise DataError("coordinates have the wrong shape", got=tuple(coordinates.shape), expected=("N", dimension + 1))
    if coordinates.is_floating_point():
        if not bool(torch.isfinite(coordinates).all()):
            raise DataError("coordinates are not finite")
        coordinates = torch.floor(coordinates).clamp(-(2.0**60), 2.0**60)
    return coordinates.long()
