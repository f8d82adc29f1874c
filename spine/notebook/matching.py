"""Best matches of the objects of many events at once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from spine.errors import DataError
from spine.schema import Table

if TYPE_CHECKING:
    import pandas as pd

    from spine.notebook.run import Run

__all__ = ["Way", "best_rows", "matched_pairs", "other_side"]

I8 = NDArray[np.int64]
Way = Literal["r2t", "t2r"]

SIDES = {"reco": "truth", "truth": "reco"}


def other_side(name: str) -> str:
    """Product of the same objects on the other side.

    Raises
    ------
    DataError
        When it has no other side.
    """
    side, _, kind = name.partition("_")
    if side not in SIDES:
        raise DataError(f"{name} have no matches", expected="objects of reconstruction or truth")
    return f"{SIDES[side]}_{kind}"


def best_rows(table: Table, rows: I8, others: Table, other_rows: I8) -> I8:
    """Row of the best match of each object.

    Parameters
    ----------
    table, others : Table
        Objects of many events, and those of the other side.
    rows, other_rows : (n,), (m,) int64
        Event of each object.

    Returns
    -------
    (n,) int64
        Rows of ``others``, -1 where an object has no match.
    """
    best, ids = np.asarray(table["best_match_id"], dtype=np.int64), np.asarray(others["id"], dtype=np.int64)
    if not len(ids):
        return np.full(len(best), -1, dtype=np.int64)
    span = int(max(ids.max(), best.max(initial=0))) + 1
    keys, wanted = other_rows * span + ids, rows * span + best
    order = np.argsort(keys, kind="stable")
    place = np.minimum(np.searchsorted(keys[order], wanted), len(keys) - 1)
    found: I8 = order[place]
    return np.where((best >= 0) & (keys[found] == wanted), found, -1)


def matched_pairs(run: Run, kind: str, min_overlap: float, way: Way, unmatched: bool) -> pd.DataFrame:
    """Objects beside their best matches; see `Run.matches`."""
    import pandas as pd

    mine, theirs = ("reco", "truth") if way == "r2t" else ("truth", "reco")
    objects, others = run.objects(f"{mine}_{kind}s"), run.objects(f"{theirs}_{kind}s")
    rows = best_rows(objects.table, objects.rows, others.table, others.rows)
    overlap = np.asarray(objects["best_match_overlap"], dtype=np.float64)
    good = (rows >= 0) & (overlap >= min_overlap)
    kept = np.arange(len(objects)) if unmatched else np.flatnonzero(good)
    left, partner = objects[kept], np.where(good[kept], rows[kept], -1)
    numbers = pd.DataFrame({name: values[left.rows] for name, values in run.numbers.items()})
    pairs = {
        mine: left.table.to_pandas().add_prefix(f"{mine}_"),
        theirs: _beside(others.table, partner).add_prefix(f"{theirs}_"),
    }
    shared = pd.DataFrame({"overlap": np.where(good, overlap, np.nan)[kept]})
    return pd.concat([numbers, shared, pairs["reco"], pairs["truth"]], axis=1)


def _beside(table: Table, rows: I8) -> pd.DataFrame:
    """The rows of a table, missing values where a number is -1."""
    import pandas as pd

    out = {}
    for name, column in table.record.columns.items():
        for key, values in table.flat((name,)).items():
            taken = np.full(len(rows), column.missing, dtype=values.dtype)
            taken[rows >= 0] = values[rows[rows >= 0]]
            out[key] = taken
    return pd.DataFrame(out)
