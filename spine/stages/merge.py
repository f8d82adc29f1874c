"""Merge: the CSV files of a table for every input in, one CSV (and Parquet) per table out."""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from spine.config.model import Config
from spine.config.slices import stage_code, stage_slice
from spine.errors import DataError
from spine.stages.outcome import Progress, StageReport
from spine.store.atomic import atomic_directory
from spine.store.provenance import BESIDE, Record, first_input, read_lineage, versions, write_lineage
from spine.store.writer import NO_ENTRY

__all__ = ["run"]

NUMBERED = ["index", "file_index"]


def _rows(path: Path) -> Iterator[list[str]]:
    with path.open(newline="") as stream:
        yield from csv.reader(stream)


def _count(folder: Path) -> int:
    """Events of an input, those that failed included."""
    return sum(1 for _ in _rows(folder / "events.csv")) - 1 + _failed(folder / "failures.csv")


def _failed(path: Path) -> int:
    """Events that failed; a row about a file as a whole is none."""
    rows = _rows(path)
    entry = next(rows).index("entry")
    return sum(int(row[entry]) != NO_ENTRY for row in rows)


def _header(paths: Sequence[Path]) -> list[str]:
    """Columns of a table; an input without rows may have just the first of them."""
    heads = [next(_rows(path), []) for path in paths]
    header = max(heads, key=len)
    for head, path in zip(heads, paths, strict=True):
        empty = header[: len(head)] == head and sum(1 for _ in _rows(path)) == 1
        if head != header and not empty:
            raise DataError(
                "the tables do not have the same columns", where=path, got=head, expected=header,
                mend="analyse all inputs with one configuration",
            )  # fmt: skip
    return header


def _merged(paths: Sequence[Path], starts: Sequence[int]) -> Iterator[list[str]]:
    """Rows of a table over all inputs, ``index`` and ``file_index`` counted over all of them."""
    for number, (path, start) in enumerate(zip(paths, starts, strict=True)):
        rows = _rows(path)
        numbered = next(rows, [])[:2] == NUMBERED
        for row in rows:
            yield [str(start + int(row[0])), str(number), *row[2:]] if numbered else row


def _write(paths: Sequence[Path], starts: Sequence[int], output: Path) -> None:
    with output.open("w", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(_header(paths))
        writer.writerows(_merged(paths, starts))


def _write_parquet(path: Path) -> None:
    """The same table as Parquet, types read from the text."""
    from pyarrow import csv as arrow_csv
    from pyarrow import parquet

    parquet.write_table(arrow_csv.read_csv(path), path.with_suffix(".parquet"), compression="zstd")


def _lineage(sources: Sequence[Path], output: Path, config: Config) -> dict[str, Any]:
    """Records of the first input, what each input was, and how the tables were merged."""
    known = [read_lineage(source)["stages"] for source in sources if (source / BESIDE).exists()]
    record: Record = {
        "stage": "merge",
        "code": stage_code(config, "merge"),
        "config": json.loads(stage_slice(config, "merge")),
        "inputs": [first_input(stages) for stages in known],
        "versions": json.loads(versions()),
    }
    places = [os.path.relpath(source.resolve(), output.parent.resolve()) for source in sources]
    return {"lineage": [*(known[0] if known else []), record], "places": places}


def run(sources: Sequence[Path], output: Path, config: Config) -> StageReport:
    """Join the tables of all inputs.

    Parameters
    ----------
    sources : sequence of Path
        Directories written by ana, in the order of the inputs.
    output : Path
        Directory for the joined tables.
    config : Config
        Uses the block merge.

    Returns
    -------
    StageReport
        Events of all inputs.

    Raises
    ------
    DataError
        When an input lacks a table or has other columns.
    """
    progress = Progress("merge", 0)
    tables = sorted({path.stem for folder in sources for path in folder.glob("*.csv")})
    for folder in sources:
        missing = [table for table in tables if not (folder / f"{table}.csv").exists()]
        if missing:
            raise DataError(
                "an input lacks a table", where=folder, got=f"no {missing[0]}.csv", mend="rerun its analysis"
            )
    counts = [_count(folder) for folder in sources]
    starts = [sum(counts[:i]) for i in range(len(counts))]
    with atomic_directory(output) as folder:
        for table in tables:
            _write([source / f"{table}.csv" for source in sources], starts, folder / f"{table}.csv")
            if config.merge.parquet:
                _write_parquet(folder / f"{table}.csv")
        write_lineage(folder, **_lineage(sources, output, config))
    progress.advance(sum(counts))
    return progress.finish(output)
