"""Overlaps between two collections of index sets or point clouds, and the best pairs both ways."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias

import numpy as np

from spine.errors import DataError
from spine.ops.arrays import BoolArray, FloatArray, IntArray, NumberArray, RealArray
from spine.ops.segments import check_offsets, offsets_to_owners, segment_mean

if TYPE_CHECKING:
    from scipy.sparse import csr_array

__all__ = [
    "Matches",
    "OverlapMode",
    "best_matches",
    "chamfer_distances",
    "match_both_ways",
    "overlap_counts",
    "overlap_matrix",
]

OverlapMode: TypeAlias = Literal["count", "iou", "dice"]


class Matches(NamedTuple):
    """Best partner of each object and the ragged lists of all its partners, best first.

    ``best`` (n,) int64 is -1 and ``best_overlap`` (n,) float64 NaN where nothing matches; object ``i`` has the
    partners ``ids[offsets[i]:offsets[i + 1]]`` with ``overlaps`` in the same place.
    """

    best: IntArray
    best_overlap: FloatArray
    ids: IntArray
    overlaps: FloatArray
    offsets: IntArray


def overlap_counts(
    values_x: NumberArray, offsets_x: NumberArray, values_y: NumberArray, offsets_y: NumberArray
) -> tuple[IntArray, IntArray, IntArray]:
    """Count the indexes shared by each pair of index sets (ragged, not negative, in any order, repeated or not).

    Returns
    -------
    counts : (n, m) int64 array
    sizes_x, sizes_y : (n,), (m,) int64 arrays
        Numbers of different indexes.
    """
    values_x, values_y = np.asarray(values_x, dtype=np.int64), np.asarray(values_y, dtype=np.int64)
    if _apart(values_x) and _apart(values_y):
        return _counts_apart(values_x, np.asarray(offsets_x), values_y, np.asarray(offsets_y))
    _, columns = np.unique(np.concatenate([values_x, values_y]), return_inverse=True)
    width = int(columns.max()) + 1 if len(columns) else 1
    x = _incidence(columns[: len(values_x)], check_offsets(offsets_x, len(values_x)), width)
    y = _incidence(columns[len(values_x) :], check_offsets(offsets_y, len(values_y)), width)
    counts: IntArray = (x @ y.T).toarray()
    return counts, np.asarray(x.sum(axis=1)), np.asarray(y.sum(axis=1))


def _apart(values: IntArray) -> bool:
    """Whether indexes are all different, and small enough to count each of them."""
    most = int(values.max(initial=-1))
    return most < 16 * len(values) + 1024 and int(np.bincount(values, minlength=1).max()) <= 1


def _counts_apart(
    values_x: IntArray, offsets_x: NumberArray, values_y: IntArray, offsets_y: NumberArray
) -> tuple[IntArray, IntArray, IntArray]:
    """Counts where no index stands in two sets of one side."""
    ends_x, ends_y = check_offsets(offsets_x, len(values_x)), check_offsets(offsets_y, len(values_y))
    owner = np.full(max(values_x.max(initial=0), values_y.max(initial=0)) + 1, -1, dtype=np.int64)
    owner[values_y] = offsets_to_owners(ends_y)
    found = owner[values_x]
    common, width = found >= 0, len(ends_y) - 1
    cells = offsets_to_owners(ends_x)[common] * width + found[common]
    counts = np.bincount(cells, minlength=(len(ends_x) - 1) * width).reshape(len(ends_x) - 1, width)
    return counts.astype(np.int64), np.diff(ends_x), np.diff(ends_y)


def _incidence(columns: IntArray, offsets: IntArray, width: int) -> csr_array:
    from scipy.sparse import csr_array

    cells = np.unique(offsets_to_owners(offsets) * width + columns)
    rows, columns = np.divmod(cells, width)
    return csr_array((np.ones(len(cells), np.int64), (rows, columns)), shape=(len(offsets) - 1, width))


def overlap_matrix(
    values_x: NumberArray,
    offsets_x: NumberArray,
    values_y: NumberArray,
    offsets_y: NumberArray,
    mode: OverlapMode = "iou",
    weighted: bool = False,
) -> FloatArray:
    """Compute a set overlap for each pair of index sets, (n, m) float64; 0 where nothing is shared.

    Parameters
    ----------
    values_x, offsets_x, values_y, offsets_y
        See `overlap_counts`.
    mode : {'count', 'iou', 'dice'}
        Size of the intersection; its ratio to the union; twice its ratio to the sum of sizes.
    weighted : bool
        Multiply iou or dice by (n + m) / (1 + abs(n - m)), n and m being the sizes: favours large equal sets.
    """
    if mode not in ("count", "iou", "dice") or (weighted and mode == "count"):
        raise DataError("no such overlap", got=(mode, weighted), expected="count, or (weighted) iou or dice")
    counts, sizes_x, sizes_y = overlap_counts(values_x, offsets_x, values_y, offsets_y)
    if mode == "count":
        return counts.astype(np.float64)
    sums = sizes_x[:, None] + sizes_y[None, :]
    tops, bottoms = (counts, sums - counts) if mode == "iou" else (2 * counts, sums)
    overlaps: FloatArray = tops / np.maximum(bottoms, 1)
    if weighted:
        overlaps *= sums / (1 + np.abs(sizes_x[:, None] - sizes_y[None, :]))
    return overlaps


def chamfer_distances(
    points_x: RealArray, offsets_x: NumberArray, points_y: RealArray, offsets_y: NumberArray
) -> FloatArray:
    """Compute the Chamfer distance of each pair of ragged clouds of (N, D) and (M, D) points, (n, m) float64.

    It is the mean distance from the points of the one to the nearest point of the other, plus the reverse, in the
    unit of the points; infinite where either cloud is empty. Smaller is better.
    """
    forward = _mean_gaps(points_x, offsets_x, points_y, offsets_y)
    return forward + _mean_gaps(points_y, offsets_y, points_x, offsets_x).T


def _mean_gaps(points: RealArray, offsets: NumberArray, others: RealArray, ends: NumberArray) -> FloatArray:
    from scipy.spatial import cKDTree

    gaps = np.full((len(ends) - 1, len(points)), np.inf)
    for row in np.flatnonzero(np.diff(ends)):
        gaps[row], _ = cKDTree(others[ends[row] : ends[row + 1]]).query(points)
    means = segment_mean(gaps.T, offsets)
    return np.where(np.isnan(means), np.inf, means)


def best_matches(overlaps: RealArray, valid: BoolArray | None = None, minimize: bool = False) -> Matches:
    """List the partners of each row of an (n, m) overlap matrix, best first; of equal ones the later column.

    ``valid`` says which pairs may match, by default those with an overlap over 0 (below infinity when minimizing,
    that is when smaller is better, as for distances).
    """
    values: FloatArray = np.asarray(overlaps, dtype=np.float64)
    if valid is None:
        valid = np.isfinite(values) if minimize else values > 0
    rows, columns = np.nonzero(valid)
    chosen = values[rows, columns]
    order = np.lexsort((-columns, chosen if minimize else -chosen, rows))
    ids, chosen = columns[order].astype(np.int64), chosen[order]
    offsets = np.concatenate([[0], np.cumsum(valid.sum(axis=1))]).astype(np.int64)
    filled = offsets[1:] > offsets[:-1]
    best, best_overlap = np.full(len(values), -1, dtype=np.int64), np.full(len(values), np.nan)
    best[filled], best_overlap[filled] = ids[offsets[:-1][filled]], chosen[offsets[:-1][filled]]
    return Matches(best, best_overlap, ids, chosen, offsets)


def match_both_ways(
    overlaps: RealArray, threshold: float | None = None, minimize: bool = False
) -> tuple[Matches, Matches]:
    """Match the rows of an (n, m) matrix to its columns, and its columns to its rows; see `best_matches`.

    A pair matches when its overlap is above the threshold (0 by default), or below it (infinity by default) when
    minimizing.
    """
    if threshold is None:
        threshold = np.inf if minimize else 0.0
    valid = overlaps < threshold if minimize else overlaps > threshold
    return best_matches(overlaps, valid, minimize), best_matches(overlaps.T, valid.T, minimize)
