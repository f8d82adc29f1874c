"""Inventory: input files in, a table of how many events each holds, and the jobs that follow from it."""

from __future__ import annotations

import csv
import logging
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import astuple, dataclass, fields
from pathlib import Path

from spine.config.fingerprint import file_fingerprint
from spine.config.inputs import named_inputs
from spine.config.jobs import plan_jobs, tables_places, write_jobs
from spine.config.model import Config
from spine.errors import DataError, SpineError
from spine.store.atomic import atomic_file
from spine.store.source import open_source

__all__ = ["Counted", "known_sha256", "read_inventory", "run", "write_plan"]

log = logging.getLogger("spine")

UNREADABLE = -1


@dataclass(frozen=True)
class Counted:
    """An input as it was found.

    Parameters
    ----------
    file : str
        The file.
    events : int
        Number of events, -1 when the file cannot be read.
    sha256 : str
        Of its bytes.
    size : int
        Bytes.
    modified : int
        Time of the last change (ns since 1970).
    error : str
        Why it cannot be read.
    """

    file: str
    events: int
    sha256: str
    size: int
    modified: int
    error: str = ""


def read_inventory(path: Path) -> dict[str, Counted]:
    """Rows of an inventory by file; nothing when there is none yet.

    Raises
    ------
    DataError
        When it is another table.
    """
    if not path.exists():
        return {}
    names = [field.name for field in fields(Counted)]
    with path.open(newline="") as stream:
        rows = csv.reader(stream)
        if next(rows, []) != names:
            raise DataError("not an inventory", where=path, expected=",".join(names), mend="remove the file")
        return {
            file: Counted(file, int(events), sha, int(size), int(modified), error)
            for file, events, sha, size, modified, error in rows
        }


def _stamp(file: str) -> tuple[int, int]:
    try:
        status = Path(file).stat()
    except OSError as error:
        raise DataError("the input cannot be read", where=file, got=error.strerror) from error
    return status.st_size, status.st_mtime_ns


def _count(file: str, config: Config) -> Counted:
    """Look into a file."""
    size, modified = _stamp(file)
    sha256 = file_fingerprint(Path(file))
    dataset = config.io.dataset
    try:
        with open_source(Path(file), dataset.provider, dataset.parsers, dataset.has_truth) as source:
            return Counted(file, len(source), sha256, size, modified)
    except SpineError as error:
        log.warning("inventory: %s cannot be read: %s", file, error.what)
        return Counted(file, UNREADABLE, sha256, size, modified, error.what)


def _is_current(row: Counted | None, file: str) -> bool:
    return row is not None and row.events >= 0 and (row.size, row.modified) == _stamp(file)


def known_sha256(path: Path, file: Path) -> str:
    """sha256 of a file from an inventory; empty when it is not listed or has changed since."""
    row = read_inventory(path).get(str(file))
    return row.sha256 if row is not None and _is_current(row, str(file)) else ""


def run(files: Sequence[str], output: Path, config: Config) -> list[Counted]:
    """Count the events of files, of those alone that the inventory does not know yet or that have changed.

    Parameters
    ----------
    files : sequence of str
        Input files.
    output : Path
        The inventory, CSV; rows of files that are still asked for keep their order, new ones follow.
    config : Config
        Uses the block io.

    Returns
    -------
    list of Counted
        All rows.

    Raises
    ------
    DataError
        When a file is missing, or the output is another table.
    """
    known = read_inventory(output)
    wanted = set(files)
    order = [*(file for file in known if file in wanted), *(file for file in files if file not in known)]
    new = [file for file in order if not _is_current(known.get(file), file)]
    with ThreadPoolExecutor(config.base.threads) as pool:
        found = dict(zip(new, pool.map(lambda file: _count(file, config), new), strict=True))
    rows = [found[file] if file in found else known[file] for file in order]
    with atomic_file(output) as temporary, temporary.open("w", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow([field.name for field in fields(Counted)])
        writer.writerows(map(astuple, rows))
    total = sum(row.events for row in rows if row.events > 0)
    log.info("inventory: %d files, %d of them looked into, %d events -> %s", len(rows), len(new), total, output)
    return rows


def write_plan(files: Iterable[str], rows: Iterable[Counted], size: int, output: Path) -> Mapping[str, list[str]]:
    """Write the jobs of so many events each, and beside them the list of directories with tables.

    Parameters
    ----------
    files : iterable of str
        Input files in the order in which results list them.
    rows : iterable of Counted
        Inventory, in the order in which inputs join to jobs.
    size : int
        Events per job.
    output : Path
        ``jobs.csv``; ``inputs.txt`` is written beside it, and ``ana/`` there is where tables are looked for.

    Returns
    -------
    mapping of str to list of str
        Directories with the tables of each input.
    """
    inputs = named_inputs(list(files))
    stems = {file: stem for stem, file in inputs.items()}
    listed = list(rows)
    events = {stems[row.file]: row.events for row in listed}
    spans = plan_jobs(inputs, events, size, [stems[row.file] for row in listed])
    folder = output.parent / "ana"
    places = tables_places(spans, inputs, str(folder))
    joined = [f"{folder}/{stem}" if len(found) > 1 else found[0] for stem, found in places.items()]
    with atomic_file(output.parent / "inputs.txt") as temporary:
        temporary.write_text("".join(f"{place}\n" for place in joined))
    with atomic_file(output) as temporary:
        write_jobs(temporary, spans)
    log.info("inventory: %d jobs -> %s", len({span.job for span in spans}), output)
    return places
