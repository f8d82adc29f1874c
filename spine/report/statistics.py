"""Fractions with their intervals, spreads, and both in bins."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["ONE_SIGMA", "Metric", "Spread", "clopper_pearson", "fraction", "in_bins", "roc", "spread", "typical"]

ONE_SIGMA: Final = 0.6826894921370859
"""Probability within one standard deviation of a normal distribution."""

F8 = NDArray[np.float64]


@dataclass(frozen=True)
class Metric:
    """A number of the report.

    Parameters
    ----------
    label : str
        What it is.
    value : float
        The number, NaN when there is nothing to compute it from.
    n : int
        Entries it was computed from.
    unit : str
        Unit, empty for fractions and other pure numbers.
    low, high : float
        Ends of its 68.3 % interval, NaN when there is none.
    """

    label: str
    value: float
    n: int
    unit: str = ""
    low: float = np.nan
    high: float = np.nan


def clopper_pearson(passed: ArrayLike, total: ArrayLike, level: float = ONE_SIGMA) -> tuple[F8, F8]:
    """Central interval of a binomial fraction, which covers at least the stated probability.

    Parameters
    ----------
    passed, total : (n,) int
        Entries that passed, and all entries.
    level : float
        Probability to cover.

    Returns
    -------
    low, high : (n,) float64
        Ends of the interval, NaN where there are no entries.

    Notes
    -----
    C. J. Clopper, E. S. Pearson, Biometrika 26, 404 (1934), by quantiles of the beta distribution.
    """
    from scipy.special import betaincinv

    k, n = np.asarray(passed, dtype=np.float64), np.asarray(total, dtype=np.float64)
    tail = (1.0 - level) / 2.0
    rest = n - k
    low = np.where(k > 0, betaincinv(np.maximum(k, 1), rest + 1, tail), 0.0)
    high = np.where(rest > 0, betaincinv(k + 1, np.maximum(rest, 1), 1.0 - tail), 1.0)
    return np.where(n > 0, low, np.nan), np.where(n > 0, high, np.nan)


def fraction(label: str, passed: NDArray[np.bool_]) -> Metric:
    """Share of entries that passed, with its Clopper-Pearson interval."""
    k, n = int(passed.sum()), len(passed)
    low, high = clopper_pearson(k, n)
    return Metric(label, k / n if n else np.nan, n, "", float(low), float(high))


@dataclass(frozen=True)
class Spread:
    """Centre and width of a set of values.

    Parameters
    ----------
    n : int
        Number of finite values.
    mean, median : float
        Centre.
    width : float
        Half the distance between the 15.87 % and 84.13 % quantiles: one standard deviation of a normal distribution.
    """

    n: int
    mean: float
    median: float
    width: float

    @property
    def error(self) -> float:
        """Standard error of the median, as of a normal distribution of this width: sqrt(pi / 2) width / sqrt(n)."""
        return float(np.sqrt(np.pi / 2.0) * self.width / np.sqrt(self.n)) if self.n > 1 else np.nan


def spread(values: NDArray[Any]) -> Spread:
    """Centre and width of the finite values."""
    finite = values[np.isfinite(values)]
    if not len(finite):
        return Spread(0, np.nan, np.nan, np.nan)
    tail = (1.0 - ONE_SIGMA) / 2.0
    low, median, high = np.quantile(finite, [tail, 0.5, 1.0 - tail])
    return Spread(len(finite), float(finite.mean()), float(median), float(high - low) / 2.0)


def typical(label: str, values: NDArray[Any], unit: str = "") -> dict[str, Metric]:
    """Metrics ``median`` (with interval) and ``width`` of a set of values."""
    s = spread(values)
    center = Metric(f"{label}, median", s.median, s.n, unit, s.median - s.error, s.median + s.error)
    return {"median": center, "width": Metric(f"{label}, half width of the central 68 %", s.width, s.n, unit)}


def in_bins(values: NDArray[Any], edges: F8) -> NDArray[np.int64]:
    """(n,) bin of each value, -1 for values outside of the edges and NaN; the last edge belongs to the last bin."""
    bins = np.searchsorted(edges, values, side="right") - 1
    bins[values == edges[-1]] = len(edges) - 2
    bins[~((values >= edges[0]) & (values <= edges[-1]))] = -1
    return np.asarray(bins, dtype=np.int64)


def roc(scores: F8, positive: NDArray[np.bool_]) -> tuple[F8, F8, float]:
    """Share of positives and of negatives kept at each threshold on the score, and the area under their curve.

    Parameters
    ----------
    scores : (n,) float64
        Score of each entry, high for positives.
    positive : (n,) bool
        True class.

    Returns
    -------
    kept, wrong : (m,) float64
        Kept share of positives and of negatives, from the highest threshold to the lowest.
    area : float
        Probability that a positive scores above a negative (ties count half), NaN when one kind is missing.
    """
    order = np.argsort(-scores, kind="stable")
    last = np.append(np.flatnonzero(np.diff(scores[order])), len(scores) - 1) if len(scores) else np.zeros(0, np.int64)
    hits, misses = np.cumsum(positive[order])[last], np.cumsum(~positive[order])[last]
    n, m = int(positive.sum()), int((~positive).sum())
    if n == 0 or m == 0:
        return np.zeros(0), np.zeros(0), np.nan
    kept, wrong = np.append(0.0, hits / n), np.append(0.0, misses / m)
    return kept, wrong, float(np.trapezoid(kept, wrong))
