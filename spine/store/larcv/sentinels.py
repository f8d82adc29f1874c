"""Numbers by which larcv says "none", and their replacement by -1."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "INVALID_ID",
    "INVALID_INDEX",
    "INVALID_INT",
    "INVALID_TRACK",
    "without_any",
    "without_huge",
    "without_ids",
    "without_interactions",
]

Ints = NDArray[np.int64]

INVALID_INDEX: Final = 65535
"""Largest unsigned short: "no index" in files of the first years, still used for generator indices."""

INVALID_TRACK: Final = 2**32 - 1
"""Largest unsigned int: "no Geant4 track"."""

INVALID_ID: Final = 2**63 - 1
"""Largest signed long long: "no object" since ids are 64 bits wide."""

INVALID_INT: Final = 2**31 - 1
"""Largest int: "no trigger type"."""


def without_any(values: Ints, *sentinels: int) -> Ints:
    """(n,) values with each of the given sentinels, and every negative number, replaced by -1."""
    return np.where(np.isin(values, sentinels) | (values < 0), -1, values)


def without_huge(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """(n,) numbers, NaN where the file holds the largest float or double, which says that a number was not filled."""
    return np.where(np.abs(values) >= np.finfo(np.float32).max, np.nan, values)


def without_ids(ids: Ints) -> Ints:
    """(n,) row numbers of a list of n objects, -1 where they point to none.

    The 64-bit sentinel marks a file of the present convention, in which 65535 is an ordinary row; otherwise 65535
    means none, unless the list is so long that such a row exists.
    """
    wide = bool((ids == INVALID_ID).any())
    if wide or len(ids) > INVALID_INDEX:
        return without_any(ids, INVALID_ID)
    return without_any(ids, INVALID_ID, INVALID_INDEX)


def without_interactions(ids: Ints) -> Ints:
    """(n,) interaction numbers, -1 where there is none: 65535, unless one of the event is larger than that."""
    if np.max(ids, initial=-1) > INVALID_INDEX:
        return without_any(ids, INVALID_ID)
    return without_any(ids, INVALID_INDEX)
