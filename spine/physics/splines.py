"""Interpolation of positive quantities that span decades."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike
from scipy.interpolate import CubicSpline

from spine.errors import DataError
from spine.ops.arrays import FloatArray

__all__ = ["LogSpline"]


@dataclass(frozen=True, eq=False)
class LogSpline:
    """Cubic spline of log y against log x, continued as a power law on both sides.

    (N,) positive ``x`` and ``y``, ``x`` rising, four points or more (else DataError); ``start_slope`` fixes
    d log y / d log x at the first point.
    """

    x: FloatArray
    y: FloatArray
    start_slope: float | None = None
    _spline: CubicSpline = field(init=False, repr=False)

    def __post_init__(self) -> None:
        good = len(self.x) > 3 and self.x[0] > 0 and bool(np.all(np.diff(self.x) > 0) and np.all(self.y > 0))
        if not good:
            raise DataError("a spline in logarithms needs four rising, positive points", got=len(self.x))
        logs = np.log(self.x), np.log(self.y)
        if self.start_slope is None:
            spline = CubicSpline(*logs)
        else:
            spline = CubicSpline(*logs, bc_type=((1, np.array(self.start_slope)), "not-a-knot"))
        object.__setattr__(self, "_spline", spline)

    def inverse(self) -> LogSpline:
        """Return the spline of x against y, with the same power law under the first point."""
        return LogSpline(self.y, self.x, 1.0 / float(self._spline(np.log(self.x[0]), 1)))

    def __call__(self, x: ArrayLike) -> FloatArray:
        """Return y at x; NaN where x is negative or missing, and the limit of the power law at 0."""
        values = np.asarray(x, dtype=np.float64)
        positive = np.where(values > 0, values, 1.0)
        inside = np.log(np.clip(positive, self.x[0], self.x[-1]))
        slope = self._spline(inside, 1)
        logs = self._spline(inside) + slope * (np.log(positive) - inside)
        at_zero = 0.0 if self._spline(np.log(self.x[0]), 1) > 0 else np.inf
        result: FloatArray = np.where(values > 0, np.exp(logs), np.where(values == 0, at_zero, np.nan))
        return result
