"""Frame of a 3D image, in the full precision of the file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spine.schema import Row, row_of

__all__ = ["Frame"]

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Frame:
    """Box of voxels.

    Parameters
    ----------
    lower, upper : (3,) float64
        Corners in cm.
    size : (3,) float64
        Size of a voxel in cm.
    count : (3,) int64
        Number of voxels along each axis.
    """

    lower: Floats
    upper: Floats
    size: Floats
    count: NDArray[np.int64]

    def same(self, other: Frame) -> bool:
        """True when both are the same box of the same voxels."""
        pairs = ((self.lower, other.lower), (self.upper, other.upper), (self.count, other.count))
        return all(np.array_equal(a, b) for a, b in pairs)

    def cells(self, ids: NDArray[np.int64]) -> NDArray[np.int32]:
        """(n, 3) int32 voxel along each axis; the first axis runs fastest in a voxel id."""
        nx, ny = int(self.count[0]), int(self.count[1])
        return np.stack([ids % nx, ids // nx % ny, ids // (nx * ny)], axis=1).astype(np.int32)

    def in_voxels(self, points: Floats) -> Floats:
        """(n, 3) points, given in cm, in units of voxels from the lower corner."""
        scaled: Floats = (points - self.lower) / self.size
        return scaled

    def contains(self, points: Floats) -> NDArray[np.bool_]:
        """(n,) true for points, given in cm, in the box or on its faces."""
        inside: NDArray[np.bool_] = (points >= self.lower) & (points <= self.upper)
        return np.asarray(inside.all(axis=1))

    def meta(self) -> Row:
        """The frame as the ``meta`` product."""
        single: dict[str, Any] = {name: getattr(self, name).astype(np.float32) for name in ("lower", "upper", "size")}
        return row_of("meta", **single, count=self.count)
