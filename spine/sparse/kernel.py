"""Shape of a convolution kernel: size, stride, dilation and the order of its offsets."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

from spine.errors import ConfigError

__all__ = ["Kernel", "Spatial", "per_axis"]

Spatial = int | Sequence[int]


def per_axis(value: Spatial, dimension: int, name: str) -> tuple[int, ...]:
    """Spread one number over all axes.

    Returns ``dimension`` positive integers.
    Raises ConfigError when the length is wrong or a number is not positive.
    """
    values = (value,) * dimension if isinstance(value, int) else tuple(int(v) for v in value)
    if len(values) != dimension or min(values, default=0) < 1:
        raise ConfigError(f"{name} needs one positive integer per axis", got=value, expected=f"{dimension} axes")
    return values


@dataclass(frozen=True)
class Kernel:
    """Geometry of a convolution or pooling kernel.

    Parameters
    ----------
    size, stride, dilation : One number for all axes, or one per axis
    dimension : Number of spatial axes

    Offsets follow MinkowskiEngine 0.5 (``kernel_region.hpp``): the first axis varies fastest, odd sizes are
    centred, even sizes run from 0 to size - 1.
    """

    size: Spatial
    stride: Spatial = 1
    dilation: Spatial = 1
    dimension: int = 3

    def __post_init__(self) -> None:
        for name in ("size", "stride", "dilation"):
            object.__setattr__(self, name, per_axis(getattr(self, name), self.dimension, f"kernel {name}"))

    @property
    def sizes(self) -> tuple[int, ...]:
        """Size per axis."""
        return per_axis(self.size, self.dimension, "kernel size")

    @property
    def strides(self) -> tuple[int, ...]:
        """Stride per axis."""
        return per_axis(self.stride, self.dimension, "kernel stride")

    @property
    def dilations(self) -> tuple[int, ...]:
        """Dilation per axis."""
        return per_axis(self.dilation, self.dimension, "kernel dilation")

    @property
    def volume(self) -> int:
        """Number of offsets."""
        return math.prod(self.sizes)

    @property
    def pointwise(self) -> bool:
        """Whether the kernel only mixes channels (one offset, stride one)."""
        return self.volume == 1 and max(self.strides) == 1

    @property
    def symmetric(self) -> bool:
        """Whether offset ``volume - 1 - k`` is the negative of offset ``k``."""
        return all(size % 2 == 1 for size in self.sizes)

    def offsets(self, step: Sequence[int]) -> list[tuple[int, ...]]:
        """Spatial offsets in the order of the weights.

        Parameters
        ----------
        step : Tensor stride of the finer side, multiplied with the dilation

        Returns ``volume`` offsets in voxels.
        """
        starts = [-(size // 2) if size % 2 else 0 for size in self.sizes]
        scale = [d * s for d, s in zip(self.dilations, step, strict=True)]
        return _grid(starts, self.sizes, scale)

    def cell(self, step: Sequence[int]) -> list[tuple[int, ...]]:
        """Offsets of the members of a stride cell from its lower corner, in voxels."""
        return _grid([0] * self.dimension, self.sizes, step)


def _grid(starts: Sequence[int], sizes: Sequence[int], scale: Sequence[int]) -> list[tuple[int, ...]]:
    axes = [[(start + i) * s for i in range(n)] for start, n, s in zip(starts, sizes, scale, strict=True)]
    return [tuple(reversed(point)) for point in itertools.product(*reversed(axes))]
