"""Join: the tables of ranges of one file in, the tables of the file out."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from spine.errors import DataError
from spine.stages.outcome import Progress, StageReport
from spine.store.atomic import atomic_directory
from spine.store.provenance import read_lineage, write_lineage

__all__ = ["run"]


def _longest_header(paths: Sequence[Path]) -> bytes:
    """Columns of a table; a range without rows may have just the first of them."""
    heads = []
    for path in paths:
        with path.open("rb") as stream:
            heads.append(stream.readline())
    return max(heads, key=len)


def _join(paths: Sequence[Path], output: Path) -> int:
    """Write rows one range after the other; returns their number."""
    header = _longest_header(paths)
    rows = 0
    with output.open("wb") as stream:
        stream.write(header)
        for path in paths:
            head, _, body = path.read_bytes().partition(b"\n")
            if body and head != header.rstrip(b"\n"):
                raise DataError("the ranges of a file do not have the same columns", where=path, mend="rerun ana")
            stream.write(body)
            rows += body.count(b"\n")
    return rows


def run(sources: Sequence[Path], output: Path) -> StageReport:
    """Join the tables of the ranges of one file.

    Parameters
    ----------
    sources : sequence of Path
        Directories written by ana, in the order of the ranges.
    output : Path
        Directory for the joined tables, the same as analysis of the whole file at once gives.

    Returns
    -------
    StageReport
        Events of the file.

    Raises
    ------
    DataError
        When ranges have different tables or columns.
    """
    progress = Progress("join", 0)
    tables = sorted({path.name for folder in sources for path in folder.glob("*.csv")})
    with atomic_directory(output) as folder:
        for table in tables:
            rows = _join([source / table for source in sources], folder / table)
            progress.advance(rows if table == "events.csv" else 0)
        stages = read_lineage(sources[0])["stages"]
        places = [os.path.relpath(source.resolve(), output.parent.resolve()) for source in sources]
        write_lineage(folder, stages, places=places)
    return progress.finish(output)
