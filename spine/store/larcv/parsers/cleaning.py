"""One cluster per voxel: choice by precedence of classes, sum of the values."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["Cleaned", "class_ranks", "one_per_voxel"]

Ints = NDArray[np.int64]


class Cleaned(NamedTuple):
    """Voxels without duplicates, in rising order.

    ``ids`` (m,) int64 are the voxels, ``rows`` (m,) int64 the row chosen for each, ``values`` (m,) float32 the sums
    over all rows of the voxel.
    """

    ids: Ints
    rows: Ints
    values: NDArray[np.float32]


def class_ranks(classes: Ints, precedence: Sequence[int]) -> Ints:
    """(n,) place of each class in the order of precedence; classes that it leaves out come last, together."""
    ranks = np.full(len(classes), len(precedence), dtype=np.int64)
    for place, value in reversed(list(enumerate(precedence))):
        ranks[classes == value] = place
    return ranks


def one_per_voxel(ids: Ints, values: NDArray[np.float32], ranks: Ints) -> Cleaned:
    """Choose one row per voxel: lowest rank first, then the last row.

    Parameters
    ----------
    ids : (n,) int64
        Voxel of each row.
    values : (n,) float32
        Summed over the rows of a voxel, in single precision and in the order of the rows.
    ranks : (n,) int64
        Precedence of each row.
    """
    found, inverse = np.unique(ids, return_inverse=True)
    sums = np.zeros(len(found), dtype=np.float32)
    np.add.at(sums, inverse, values)
    backwards = np.arange(len(ids))[::-1]
    order = backwards[np.lexsort((ranks[::-1], ids[::-1]))]
    first = np.ones(len(ids), dtype=bool)
    first[1:] = ids[order[1:]] != ids[order[:-1]]
    return Cleaned(found, order[first], sums)
