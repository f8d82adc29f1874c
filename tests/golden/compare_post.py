"""Compare post-processing and analysis with what SPINE made: ``python -m tests.golden.compare_post DIRECTORY``.

The directory holds files with reconstructed and true objects (``reco/*.h5``, either layout), the configuration that
made them (``reco/*.yaml``), and tables which SPINE's analysis wrote of one of these files (``csv/*.csv``). Columns that
our steps write are emptied, the steps run with the same configuration, and every stored column and every column of the
tables is compared. Exit status 1 means that something is outside the tolerance, 2 that there was nothing to compare.
Where SPINE is wrong, `tests.golden.exceptions` says so, with the reason. Where a change of all points by less than
their precision gives SPINE's value, the choice was open: such rows are counted as ties.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spine.schema import Ragged
from tests.golden.exceptions import Exempt, exception_of
from tests.golden.findings import ABSOLUTE, RELATIVE, Finding
from tests.golden.post_cases import Case, Expected, cases

__all__ = ["Outcome", "compare", "main", "outcome_of"]

Array = NDArray[Any]
FloatArray = NDArray[np.float64]

ATTEMPTS = 24
"""How often points are changed at most to tell open choices."""

IDLE = 8
"""After how many attempts that change nothing the rest counts as wrong."""

MOST_OPEN = 0.05
"""Share of rows up to which deviations may be open choices; more are errors."""

HEADER = f"{'column':52} {'rows':>7} {'deviation':>10} {'of allowed':>10} {'differing':>9} {'ties':>5}"


@dataclass(frozen=True)
class Outcome:
    """What is known of one column.

    Parameters
    ----------
    finding : Finding
        Deviations; ``differing`` counts the rows outside the tolerance, or outside what an exception allows.
    exempt : Exempt, optional
        The exception for it.
    good : bool
        Whether it agrees as far as it must.
    plain : bool
        Whether it agrees without the exception.
    """

    finding: Finding
    exempt: Exempt | None
    good: bool
    plain: bool

    @property
    def line(self) -> str:
        """One line for people."""
        found = self.finding
        note = f"  {self.exempt.reason}" if self.exempt is not None and self.good and not self.plain else found.note
        numbers = f"{found.rows:7d} {found.largest:10.2e} {found.excess:10.3f} {found.differing:9d} {found.ties:5d}"
        return f"{found.product:52} {numbers} {'' if self.good else ' OUTSIDE'} {note}".rstrip()


def _gaps(found: Array | Ragged, expected: Array | Ragged) -> tuple[FloatArray, FloatArray]:
    """(n,) largest deviation in each row, and the same over the tolerance; infinite where values are no numbers."""
    if isinstance(found, Ragged) and isinstance(expected, Ragged):
        return _ragged_gaps(found, expected)
    here, there = np.asarray(found), np.asarray(expected)
    if {here.dtype.kind, there.dtype.kind} - set("fiub"):
        gap = scale = np.where(np.equal(here.astype(str), there.astype(str)), 0.0, np.inf)
        return gap, scale
    exact = "f" not in here.dtype.kind + there.dtype.kind
    here, there = here.astype(np.float64), there.astype(np.float64)
    with np.errstate(invalid="ignore"):
        gap = np.where((here == there) | (np.isnan(here) & np.isnan(there)), 0.0, np.abs(here - there))
    gap = np.where(np.isnan(gap) | (exact & (gap > 0)), np.inf, gap)
    scale = gap / (ABSOLUTE + RELATIVE * np.abs(np.where(np.isfinite(there), there, 0.0)))
    return _worst(gap), _worst(scale)


def _worst(values: FloatArray) -> FloatArray:
    """(n,) largest value of each row."""
    return np.asarray(values if values.ndim == 1 else values.max(axis=1, initial=0.0))


def _ragged_gaps(found: Ragged, expected: Ragged) -> tuple[FloatArray, FloatArray]:
    same = found.lengths == expected.lengths
    values = _gaps(found[same].values, expected[same].values)
    out = []
    for value in values:
        rows = np.where(same, 0.0, np.inf)
        largest = np.zeros(int(same.sum()))
        np.maximum.at(largest, found[same].rows, value)
        rows[same] = largest
        out.append(rows)
    return out[0], out[1]


def _signed(values: Array | Ragged, factor: int) -> Array | Ragged:
    return factor * values if factor != 1 and not isinstance(values, Ragged) else values


def outcome_of(name: str, column: Expected) -> Outcome:
    """Compare a column: floats within the tolerance, everything else exactly, as far as no exception says otherwise."""
    found, expected = column.found, column.expected
    if found is None or expected is None:
        side = "missing" if found is None else "not expected"
        return Outcome(Finding(name, 0, differing=1, note=f"the column is {side}"), None, False, False)
    if len(found) != len(expected):
        note = f"{len(found)} rows, expected {len(expected)}"
        return Outcome(Finding(name, len(expected), differing=1, note=note), None, False, False)
    exempt = exception_of(name, expected)
    gap, excess = _gaps(found, _signed(expected, exempt.factor if exempt is not None else 1))
    plain = bool((excess <= 1).all()) and (exempt is None or exempt.factor == 1)
    outside = int(_open_rows(name, column).sum())
    good = outside == 0 if exempt is None else exempt.blank or outside <= exempt.share * len(gap)
    finite = np.isfinite(gap)
    largest, most = (float(v[finite].max(initial=0.0)) for v in (gap, excess))
    return Outcome(Finding(name, len(gap), largest, most, outside, column.ties), exempt, good, plain)


def _left_out(found: Array | Ragged, exempt: Exempt | None) -> NDArray[np.bool_]:
    """Rows without a value, where an exception allows it."""
    if exempt is None or not exempt.unmeasured or isinstance(found, Ragged):
        return np.zeros(len(found), dtype=np.bool_)
    missing = np.isnan(found.astype(np.float64))
    return np.asarray(missing if missing.ndim == 1 else missing.any(axis=1), dtype=np.bool_)


def _open_rows(name: str, column: Expected) -> NDArray[np.bool_]:
    """Rows of a column that are outside what it may deviate by."""
    found, expected = column.found, column.expected
    if found is None or expected is None or len(found) != len(expected):
        return np.zeros(0, dtype=np.bool_)
    exempt = exception_of(name, expected)
    factor, limit = (1, 1.0) if exempt is None else (exempt.factor, exempt.relative / RELATIVE)
    gap, excess = _gaps(found, _signed(expected, factor))
    outside = (excess > limit) & ~_left_out(found, exempt)
    if exempt is not None:
        outside &= ~(gap <= exempt.absolute)
    if exempt is not None and exempt.ruled and column.ruled is not None:
        outside &= _gaps(column.ruled, expected)[1] > limit
    return np.asarray(outside)


def _settled(name: str, column: Expected, other: Expected, chosen: Collection[int]) -> Expected:
    """The column with those rows of another attempt at some events that agree where ours do not."""
    if not isinstance(column.found, np.ndarray) or not isinstance(other.found, np.ndarray):
        return column
    places = np.flatnonzero(np.isin(column.events, list(chosen)))
    if len(places) != len(other.found):
        return column
    was, still = _open_rows(name, column)[places], _open_rows(name, other) & ~_whole(other)
    found = column.found.copy()
    found[places[was & ~still]] = other.found[was & ~still]
    return column._replace(found=found, ties=column.ties + int((was & ~still).sum()))


def _whole(column: Expected) -> NDArray[np.bool_]:
    """Rows whose vectors agree relative to their size: moved points leave no exact zeros in their components."""
    found, expected = column.found, column.expected
    if not isinstance(found, np.ndarray) or not isinstance(expected, np.ndarray) or found.ndim != 2:
        return np.zeros(0 if found is None else len(found), dtype=np.bool_)
    gap, size = (np.linalg.norm(values.astype(np.float64), axis=1) for values in (found - expected, expected))
    return np.asarray(gap <= ABSOLUTE + RELATIVE * size)


def _compared(case: Case) -> list[Outcome]:
    """Outcomes of all columns; events in which some disagree are tried again with points moved a little."""
    columns = dict(case.columns())
    idle = 0
    for attempt in range(1, ATTEMPTS + 1):
        rows = {name: _open_rows(name, column) for name, column in columns.items()}
        few = [name for name, outside in rows.items() if 0 < outside.sum() <= max(2, MOST_OPEN * len(outside))]
        names = [name for name in few if not outcome_of(name, columns[name]).good]
        chosen = {int(event) for name in names for event in columns[name].events[rows[name]]}
        if not chosen:
            break
        other = dict(case.columns(attempt, chosen))
        settled = {name: _settled(name, columns[name], other[name], chosen) for name in names}
        idle = 0 if any(settled[name].ties > columns[name].ties for name in names) else idle + 1
        columns |= settled
        if idle == IDLE:
            break
    return [outcome_of(name, column) for name, column in columns.items()]


def compare(directory: Path) -> Iterator[tuple[Case, list[Outcome]]]:
    """Outcomes of every file of a directory."""
    for case in cases(directory):
        yield case, _compared(case)


def _print(case: Case, outcomes: Sequence[Outcome], full: bool) -> None:
    shown = [o for o in outcomes if full or not (o.good and o.plain and o.finding.largest == 0 and o.finding.ties == 0)]
    lines = [f"\n{case.label}", *(f"not available: {name}" for name in case.missing), HEADER]
    lines += [outcome.line for outcome in shown]
    lines.append(f"{len(outcomes) - len(shown)} further columns are equal")
    sys.stdout.write("\n".join(lines) + "\n")
    sys.stdout.flush()


def main(arguments: Sequence[str] | None = None) -> int:
    """Print what deviates in each file; 0 when all is within the tolerance, else 1, and 2 when there was nothing."""
    what = (__doc__ or "").split("\n")[0]
    parser = argparse.ArgumentParser(prog="python -m tests.golden.compare_post", description=what)
    parser.add_argument("directory", type=Path)
    parser.add_argument("--strict", action="store_true", help="steps that are not available are failures")
    parser.add_argument("--all", action="store_true", help="print also columns that are equal to the last digit")
    options = parser.parse_args(arguments)
    outcomes: list[Outcome] = []
    missing: set[str] = set()
    for case, found in compare(options.directory):
        _print(case, found, options.all)
        outcomes += found
        missing |= set(case.missing)
    bad = sum(not outcome.good for outcome in outcomes)
    excused = sum(outcome.good and not outcome.plain for outcome in outcomes)
    sys.stdout.write(
        f"\n{len(outcomes)} columns, {bad} outside the tolerance ({RELATIVE:g} relative, {ABSOLUTE:g} absolute), "
        f"{excused} which differ for reasons in docs/differences.md, {len(missing)} steps not available\n"
    )
    if not outcomes:
        return 2
    return 1 if bad or (options.strict and missing) else 0


if __name__ == "__main__":
    sys.exit(main())
