"""Interpolation of positive quantities that span decades."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike

from spine.errors import DataError
from spine.ops.arrays import FloatArray

__all__ = ["LogSpline", "knot_slopes"]


def knot_slopes(x: FloatArray, y: FloatArray, start: float | None = None) -> FloatArray:
    """Slopes of a cubic spline through (N,) knots with continuous second derivative, and third next to both ends.

    ``start`` fixes the slope at the first knot instead of the third derivative at the second. The same as
    `scipy.interpolate.CubicSpline`, without the time that it takes to import.
    """
    width = np.diff(x)
    rise = np.diff(y) / width
    matrix, right = np.zeros((len(x), len(x))), np.zeros(len(x))
    inner = np.arange(1, len(x) - 1)
    matrix[inner, inner - 1], matrix[inner, inner + 1] = width[1:], width[:-1]
    matrix[inner, inner] = 2 * (width[1:] + width[:-1])
    right[inner] = 3 * (width[1:] * rise[:-1] + width[:-1] * rise[1:])
    _end_row(matrix[0], right[:1], width, rise)
    _end_row(matrix[-1, ::-1], right[-1:], width[::-1], rise[::-1])
    if start is not None:
        matrix[0], right[0] = 0.0, start
        matrix[0, 0] = 1.0
    return np.asarray(np.linalg.solve(matrix, right), dtype=np.float64)


def _end_row(row: FloatArray, right: FloatArray, width: FloatArray, rise: FloatArray) -> None:
    """Equation of the first knot, in place: the third derivative does not jump at the second."""
    both = width[0] + width[1]
    row[0], row[1] = width[1], both
    right[0] = ((width[0] + 2 * both) * width[1] * rise[0] + width[0] ** 2 * rise[1]) / both


@dataclass(frozen=True, eq=False)
class LogSpline:
    """Cubic spline of log y against log x, continued as a power law on both sides.

    (N,) positive ``x`` and ``y``, ``x`` rising, four points or more (else DataError); ``start_slope`` fixes
    d log y / d log x at the first point.
    """

    x: FloatArray
    y: FloatArray
    start_slope: float | None = None
    _logs: tuple[FloatArray, FloatArray, FloatArray] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        good = len(self.x) > 3 and self.x[0] > 0 and bool(np.all(np.diff(self.x) > 0) and np.all(self.y > 0))
        if not good:
            raise DataError("a spline in logarithms needs four rising, positive points", got=len(self.x))
        logs = np.log(self.x), np.log(self.y)
        object.__setattr__(self, "_logs", (*logs, knot_slopes(*logs, self.start_slope)))

    def _spline(self, place: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Value and slope at places between the knots."""
        x, y, d = self._logs
        row = np.clip(np.searchsorted(x, place, side="right") - 1, 0, len(x) - 2)
        width = x[row + 1] - x[row]
        t = (place - x[row]) / width
        rise = (y[row + 1] - y[row]) / width
        bend, twist = 3 * rise - 2 * d[row] - d[row + 1], d[row] + d[row + 1] - 2 * rise
        value = y[row] + width * t * (d[row] + t * (bend + t * twist))
        return value, d[row] + t * (2 * bend + 3 * t * twist)

    def inverse(self) -> LogSpline:
        """Return the spline of x against y, with the same power law under the first point."""
        return LogSpline(self.y, self.x, 1.0 / float(self._logs[2][0]))

    def __call__(self, x: ArrayLike) -> FloatArray:
        """Return y at x; NaN where x is negative or missing, and the limit of the power law at 0."""
        values = np.asarray(x, dtype=np.float64)
        positive = np.where(values > 0, values, 1.0)
        inside = np.log(np.clip(positive, self.x[0], self.x[-1]))
        height, slope = self._spline(inside)
        logs = height + slope * (np.log(positive) - inside)
        at_zero = 0.0 if self._logs[2][0] > 0 else np.inf
        result: FloatArray = np.where(values > 0, np.exp(logs), np.where(values == 0, at_zero, np.nan))
        return result
