"""Agreement of two partitions of the same rows, from one sparse contingency table."""

from __future__ import annotations

from math import lgamma
from typing import Literal, NamedTuple

import numba
import numpy as np

from spine.errors import DataError
from spine.ops.arrays import FloatArray, IntArray, NumberArray

__all__ = [
    "ClusterMetrics",
    "Contingency",
    "adjusted_mutual_information",
    "adjusted_rand_index",
    "cluster_metrics",
    "contingency",
    "efficiency",
    "purity",
    "symmetric_best_dice",
]


class Contingency(NamedTuple):
    """Filled cells of a table of truth against predicted clusters, all int64.

    Cell ``k`` says that ``counts[k]`` rows are in truth cluster ``truth[k]`` and predicted cluster ``pred[k]``;
    clusters are numbered from 0 and have the given total sizes.
    """

    truth: IntArray
    pred: IntArray
    counts: IntArray
    truth_sizes: IntArray
    pred_sizes: IntArray


class ClusterMetrics(NamedTuple):
    """Purity, efficiency, adjusted Rand index, adjusted mutual information and symmetric best Dice."""

    pur: float
    eff: float
    ari: float
    ami: float
    sbd: float


def contingency(truth: NumberArray, pred: NumberArray, groups: NumberArray | None = None) -> Contingency:
    """Cross-tabulate two (N,) int labellings; every value is a cluster, -1 too.

    Equal labels in different ``groups`` (events) are different clusters. DataError if the lengths differ.
    """
    if len(truth) != len(pred) or (groups is not None and len(groups) != len(truth)):
        raise DataError("the labels must have one length", got=(len(truth), len(pred)))
    truth, truth_sizes = _compact(truth, groups)
    pred, pred_sizes = _compact(pred, groups)
    width = max(len(pred_sizes), 1)
    cells, counts = np.unique(truth * width + pred, return_counts=True)
    rows, columns = np.divmod(cells, width)
    return Contingency(rows, columns, counts.astype(np.int64), truth_sizes, pred_sizes)


def _compact(labels: NumberArray, groups: NumberArray | None) -> tuple[IntArray, IntArray]:
    _, numbers = np.unique(np.asarray(labels, dtype=np.int64), return_inverse=True)
    if groups is not None:
        _, groups = np.unique(np.asarray(groups), return_inverse=True)
        _, numbers = np.unique(numbers * (len(numbers) + 1) + groups, return_inverse=True)
    return numbers.astype(np.int64), np.bincount(numbers).astype(np.int64)


def cluster_metrics(truth: NumberArray, pred: NumberArray, groups: NumberArray | None = None) -> ClusterMetrics:
    """Compute all five metrics of two labellings; see `contingency` for the parameters."""
    table = contingency(truth, pred, groups)
    return ClusterMetrics(
        purity(table),
        efficiency(table),
        adjusted_rand_index(table),
        adjusted_mutual_information(table),
        symmetric_best_dice(table),
    )


def purity(table: Contingency, per_cluster: bool = True) -> float:
    """Return the share of a predicted cluster that its main truth cluster fills, in [0, 1].

    Averaged over predicted clusters, or over rows if not ``per_cluster``; NaN for no rows.
    """
    return _main_share(table.pred, table.counts, table.pred_sizes, per_cluster)


def efficiency(table: Contingency, per_cluster: bool = True) -> float:
    """Return the share of a truth cluster that its main predicted cluster catches, in [0, 1].

    Averaged over truth clusters, or over rows if not ``per_cluster``; NaN for no rows.
    """
    return _main_share(table.truth, table.counts, table.truth_sizes, per_cluster)


def _main_share(cells: IntArray, counts: IntArray, sizes: IntArray, per_cluster: bool) -> float:
    if len(sizes) == 0:
        return float("nan")
    largest = np.zeros(len(sizes), dtype=np.int64)
    np.maximum.at(largest, cells, counts)
    return float(np.mean(largest / sizes)) if per_cluster else float(largest.sum() / sizes.sum())


def adjusted_rand_index(table: Contingency) -> float:
    """Return the Rand index corrected for chance (Hubert and Arabie, J. Classif. 2, 1985).

    1 for equal partitions, 0 on average for random ones; NaN under two rows.
    """
    rows = int(table.truth_sizes.sum())
    if rows < 2:
        return float("nan")
    truth, pred = _pairs(table.truth_sizes), _pairs(table.pred_sizes)
    expected = truth * pred / (rows * (rows - 1) / 2)
    largest = (truth + pred) / 2
    return 1.0 if largest == expected else (_pairs(table.counts) - expected) / (largest - expected)


def _pairs(sizes: IntArray) -> float:
    return float((sizes * (sizes - 1) // 2).sum())


def adjusted_mutual_information(table: Contingency, expected: Literal["exact", "entropy"] = "exact") -> float:
    """Return the mutual information corrected for chance (Vinh, Epps, Bailey, JMLR 11, 2010); NaN for no rows.

    Chance is the hypergeometric model (``exact``) or a fast stand-in, far too large for small clusters: the product
    of the entropies over the logarithm of the number of rows (``entropy``). Normalised by the mean entropy.
    """
    rows = int(table.truth_sizes.sum())
    if rows == 0:
        return float("nan")
    kinds = {len(table.truth_sizes), len(table.pred_sizes)}
    if 1 in kinds:
        return 1.0 if kinds == {1} else 0.0
    truth, pred = _entropy(table.truth_sizes), _entropy(table.pred_sizes)
    chance = truth * pred / float(np.log(rows))
    if expected == "exact":
        chance = _expected_information(table.truth_sizes, table.pred_sizes)
    room = (truth + pred) / 2 - chance
    return (_information(table) - chance) / room if abs(room) > 1e-12 else 1.0


def _entropy(sizes: IntArray) -> float:
    shares: FloatArray = sizes / sizes.sum()
    return float(-(shares * np.log(shares)).sum())


def _information(table: Contingency) -> float:
    rows = table.truth_sizes.sum()
    products = table.truth_sizes[table.truth] * table.pred_sizes[table.pred].astype(np.float64)
    return float((table.counts / rows * np.log(rows * table.counts / products)).sum())


def _expected_information(truth_sizes: IntArray, pred_sizes: IntArray) -> float:
    """Sum over different pairs of sizes, each as often as it occurs."""
    a, a_times = np.unique(truth_sizes, return_counts=True)
    b, b_times = np.unique(pred_sizes, return_counts=True)
    return float(_expected_sum(a, a_times, b, b_times, int(truth_sizes.sum())))


@numba.njit(cache=True)
def _expected_sum(a: IntArray, a_times: IntArray, b: IntArray, b_times: IntArray, rows: int) -> float:
    total = 0.0
    for i in range(len(a)):
        for j in range(len(b)):
            x, y = a[i], b[j]
            fixed = lgamma(x + 1) + lgamma(y + 1) + lgamma(rows - x + 1) + lgamma(rows - y + 1)
            fixed -= lgamma(rows + 1)
            part = 0.0
            for n in range(max(1, x + y - rows), min(x, y) + 1):
                free = lgamma(n + 1) + lgamma(x - n + 1) + lgamma(y - n + 1) + lgamma(rows - x - y + n + 1)
                part += n / rows * np.log(rows * n / (x * y)) * np.exp(fixed - free)
            total += part * a_times[i] * b_times[j]
    return total


def symmetric_best_dice(table: Contingency) -> float:
    """Return the smaller of the two means of best Dice scores, truth on pred and pred on truth, in [0, 1].

    After Scharr et al., Mach. Vis. Appl. 27, 2016. NaN for no rows.
    """
    if len(table.counts) == 0:
        return float("nan")
    dice = 2.0 * table.counts / (table.truth_sizes[table.truth] + table.pred_sizes[table.pred])
    by_truth, by_pred = np.zeros(len(table.truth_sizes)), np.zeros(len(table.pred_sizes))
    np.maximum.at(by_truth, table.truth, dice)
    np.maximum.at(by_pred, table.pred, dice)
    return float(min(by_truth.mean(), by_pred.mean()))
