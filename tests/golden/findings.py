"""What a comparison finds, and how numbers and assignments are compared."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "ABSOLUTE",
    "RELATIVE",
    "Finding",
    "by_coordinates",
    "compare_assignments",
    "compare_numbers",
    "compare_partitions",
    "near",
]

Array = NDArray[Any]
RELATIVE, ABSOLUTE = 1e-4, 1e-5
"""Numbers agree when they differ by at most ABSOLUTE + RELATIVE * |expected|."""


@dataclass(frozen=True)
class Finding:
    """Outcome of the comparison of one product of one case.

    Parameters
    ----------
    product : str
        Name of the product.
    rows : int
        Rows that were compared.
    largest : float
        Largest deviation; NaN where there are no numbers.
    excess : float
        Largest deviation over tolerance; agreement up to 1.
    differing : int
        Assignments that differ for no good reason, and rows that only one side has.
    ties : int
        Assignments that differ, or may differ, because a score lies within the tolerance of the threshold.
    note : str
        Anything else.
    """

    product: str
    rows: int
    largest: float = float("nan")
    excess: float = 0.0
    differing: int = 0
    ties: int = 0
    note: str = ""

    @property
    def good(self) -> bool:
        """Whether everything is within the tolerance."""
        return self.excess <= 1.0 and self.differing == 0


def near(values: Array, target: float | Array) -> NDArray[np.bool_]:
    """Which values lie within the tolerance of a target."""
    return np.asarray(np.abs(values - target) <= ABSOLUTE + RELATIVE * np.abs(target))


def compare_numbers(product: str, found: Array, expected: Array, differing: int = 0, note: str = "") -> Finding:
    """Compare arrays of one shape; what is not finite on one side only counts as infinitely far."""
    if found.shape != expected.shape:
        return Finding(product, len(expected), differing=1, note=f"shape {found.shape}, expected {expected.shape}")
    here, there = found.astype(np.float64), expected.astype(np.float64)
    same = (here == there) | (np.isnan(here) & np.isnan(there))
    with np.errstate(invalid="ignore"):
        gaps = np.where(same, 0.0, np.abs(here - there))
    gaps = np.where(np.isnan(gaps), np.inf, gaps)
    scale = ABSOLUTE + RELATIVE * np.abs(np.where(np.isfinite(there), there, 0.0))
    excess = float((gaps / scale).max(initial=0.0))
    return Finding(product, len(expected), float(gaps.max(initial=0.0)), excess, differing, note=note)


def compare_assignments(product: str, found: Array, expected: Array, tie: Array) -> Finding:
    """Compare one label per row; ``tie`` says where the scores leave the choice open."""
    if len(found) != len(expected):
        return Finding(product, len(expected), differing=abs(len(found) - len(expected)), note="other rows")
    wrong = np.asarray(found) != np.asarray(expected)
    return Finding(product, len(expected), differing=int((wrong & ~tie).sum()), ties=int((wrong & tie).sum()))


def compare_partitions(product: str, found: Array, expected: Array, ties: int = 0, note: str = "") -> Finding:
    """Compare how two labellings divide the rows, whatever their labels; -1 is no set.

    Rows outside the best partner of their set count as different. Where scores leave choices open (``ties``), they
    are not held against the case, but counted.
    """
    if len(found) != len(expected):
        return Finding(product, len(expected), differing=abs(len(found) - len(expected)), note="other rows")
    wrong = _outside(found, expected)
    return Finding(product, len(expected), differing=0 if ties else wrong, ties=wrong if ties else 0, note=note)


def _outside(found: Array, expected: Array) -> int:
    """Rows that are not in a set which both labellings have."""
    if len(found) == 0:
        return 0
    pairs, inverse, counts = np.unique(
        np.column_stack([found, expected]), axis=0, return_inverse=True, return_counts=True
    )
    whole = np.ones(len(pairs), dtype=np.bool_)
    for side in (0, 1):
        _, owner = np.unique(pairs[:, side], return_inverse=True)
        whole &= np.bincount(owner)[owner] == 1
    whole &= (pairs[:, 0] < 0) == (pairs[:, 1] < 0)
    return int(np.bincount(inverse.ravel(), minlength=len(pairs))[~whole].sum()) if len(counts) else 0


def by_coordinates(found: Array, expected: Array) -> tuple[Array, Array, int]:
    """Rows of two tables with equal coordinates.

    Returns
    -------
    found, expected : (M,) int64
        Rows with the same coordinates on both sides.
    single : int
        Rows that only one side has.
    """
    both = np.concatenate([np.asarray(found, np.int64), np.asarray(expected, np.int64)])
    _, inverse = np.unique(both, axis=0, return_inverse=True)
    keys = inverse.ravel()
    _, here, there = np.intersect1d(keys[: len(found)], keys[len(found) :], return_indices=True)
    return here, there, len(found) + len(expected) - 2 * len(here)
