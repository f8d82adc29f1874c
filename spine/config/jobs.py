"""Units of work of a fixed number of events: large files are cut into ranges, small ones share a job."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import astuple, dataclass, fields
from pathlib import Path

from spine.config.inputs import SHARD
from spine.errors import ConfigError, DataError

__all__ = ["JOB_PATTERN", "Span", "parse_entries", "plan_jobs", "read_jobs", "tables_places", "write_jobs"]

JOB_PATTERN = r"(\d{4}/)?[^/]+(\+|\.\d{6}\d*-\d{6}\d*)"
"""What names of jobs look like, and names of inputs do not."""


@dataclass(frozen=True)
class Span:
    """Events of one input that one job treats.

    Parameters
    ----------
    job : str
        Name of the job.
    stem : str
        Name of the input.
    file : str
        The input.
    first, last : int
        Range of entries, ``last`` not included; -1 where the number of events is unknown.
    """

    job: str
    stem: str
    file: str
    first: int
    last: int

    @property
    def entries(self) -> str:
        """The range as text: ``0:40``, or ``0:`` to the end."""
        return f"{self.first}:{self.last if self.last >= 0 else ''}"

    @property
    def name(self) -> str:
        """Name of the results: that of the input, with the range where it is cut."""
        return self.job.rpartition("/")[2] if not self.job.endswith("+") else self.stem.rpartition("/")[2]


def parse_entries(text: str) -> list[tuple[int, int | None]]:
    """Ranges of entries from their text, such as ``0:40,0:`` for two files.

    Raises
    ------
    ConfigError
        When the text is something else.
    """
    ranges: list[tuple[int, int | None]] = []
    for part in text.split(","):
        first, colon, last = part.partition(":")
        if not (colon and first.isdigit() and (last.isdigit() or not last)):
            raise ConfigError("a range of entries cannot be read", where="--entries", got=part, expected="FIRST:LAST")
        ranges.append((int(first), int(last) if last else None))
    return ranges


def _units(stems: Sequence[str], events: Mapping[str, int], size: int) -> Iterator[list[tuple[str, int, int]]]:
    """Ranges of inputs that form one job each; a cut or unreadable input never shares its job."""
    shared: list[tuple[str, int, int]] = []
    room = size
    for stem in stems:
        count = events[stem]
        if shared and (count > room or count < 0):
            yield shared
            shared, room = [], size
        if count < 0:
            yield [(stem, 0, -1)]
        elif count > size:
            yield from ([(stem, first, min(first + size, count))] for first in range(0, count, size))
        else:
            shared.append((stem, 0, count))
            room -= count
    if shared:
        yield shared


def _name(unit: Sequence[tuple[str, int, int]], events: Mapping[str, int]) -> str:
    stem, first, last = unit[0]
    base = stem.rpartition("/")[2]
    return f"{base}.{first:06d}-{last:06d}" if last - first < events[stem] else f"{base}+"


def plan_jobs(inputs: Mapping[str, str], events: Mapping[str, int], size: int, order: Sequence[str]) -> list[Span]:
    """Jobs of about equal numbers of events.

    Parameters
    ----------
    inputs : mapping of str to str
        File of each input by its name.
    events : mapping of str to int
        Number of events of each input, -1 where it cannot be read.
    size : int
        Events per job.
    order : sequence of str
        Names in the order in which small inputs join to jobs. An order that only grows at its end keeps the jobs
        there are, so that an input more does not move the others.

    Returns
    -------
    list of Span
        In that order. ``NAME.000000-000100`` is a range of an input, ``NAME+`` an input and those after it.
    """
    units = list(_units(order, events, size))
    shard = len(units) > SHARD
    return [
        Span(f"{i // SHARD:04d}/{_name(unit, events)}" if shard else _name(unit, events), stem, inputs[stem], a, b)
        for i, unit in enumerate(units)
        for stem, a, b in unit
    ]


def tables_places(spans: Iterable[Span], inputs: Iterable[str], folder: str) -> dict[str, list[str]]:
    """Directories with the tables of each input, in the order of the inputs.

    Parameters
    ----------
    spans : iterable of Span
        The jobs.
    inputs : iterable of str
        Names of the inputs.
    folder : str
        Directory of the tables of all jobs.
    """
    places: dict[str, list[Span]] = {stem: [] for stem in inputs}
    for span in spans:
        places[span.stem].append(span)
    return {
        stem: [f"{folder}/{span.job}/{span.name}" for span in sorted(found, key=lambda span: span.first)]
        for stem, found in places.items()
    }


def write_jobs(path: Path, spans: Iterable[Span]) -> None:
    """Write a table of jobs."""
    with path.open("w", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow([field.name for field in fields(Span)])
        writer.writerows(map(astuple, spans))


def read_jobs(path: Path) -> list[Span]:
    """Read a table of jobs.

    Raises
    ------
    DataError
        When it is another table.
    """
    names = [field.name for field in fields(Span)]
    with path.open(newline="") as stream:
        rows = csv.reader(stream)
        if next(rows, []) != names:
            raise DataError("not a table of jobs", where=path, expected=",".join(names))
        return [Span(job, stem, file, int(first), int(last)) for job, stem, file, first, last in rows]
