"""Where a result comes from, and the commands that make it again."""

from __future__ import annotations

import json
import os
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from spine.errors import DataError
from spine.store.provenance import Record, lineage_of, read_lineage, times_path
from spine.store.source import open_events

__all__ = ["Result", "commands", "described", "result_of"]

FIRST = ("simulate", "infer")
"""Stages that read nothing from the chain before them; infer may follow simulate."""

SHORT = 160
"""Characters of a configuration that are shown on its line."""


@dataclass(frozen=True)
class Result:
    """A result and the records of all stages that led to it.

    Parameters
    ----------
    path : Path
        File of events, or directory of tables.
    stages : sequence of Record
        Records, the first stage first.
    places : tuple of str
        Directories of tables that were joined or merged, relative to the directory that holds ``path``.
    """

    path: Path
    stages: Sequence[Record]
    places: tuple[str, ...] = ()

    @property
    def stage(self) -> str:
        """Stage that made it."""
        return str(self.stages[-1]["stage"]) if self.stages else ""

    def home(self) -> tuple[Path, Path]:
        """Directory of all results, and the place of this one below the directory of its stage."""
        folder = "tables" if self.stage == "merge" else self.stage
        parts = self.path.absolute().parts
        if folder not in parts[:-1]:
            return self.path.absolute().parent, Path(self.path.name)
        at = len(parts) - 2 - parts[-2::-1].index(folder)
        return Path(*parts[:at]), Path(*parts[at + 1 :])


def result_of(path: Path) -> Result:
    """The result at a path.

    Parameters
    ----------
    path : Path
        File of events, a table, or a directory of tables.

    Raises
    ------
    DataError
        When there is nothing, or it does not say how it was made.
    """
    if not path.exists():
        raise DataError("no such file", where=path)
    if path.suffix in (".csv", ".parquet", ".json"):
        path = path.parent
    if path.is_dir():
        found = read_lineage(path)
        return Result(path, found["stages"], tuple(found.get("places", ())))
    with open_events(path) as file:
        stages = lineage_of(file)
    if not stages[-1]["stage"]:
        raise DataError("the file does not say how it was made", where=path)
    return Result(path, stages)


def _times(path: Path) -> str:
    """When and how long; empty when nobody wrote it down or the result was moved."""
    beside = times_path(path)
    if not beside.exists():
        return ""
    made = json.loads(beside.read_text())
    return "{finished} on {host}, {seconds} s, {peak_mb} MB, {events} events, {skipped} skipped".format(**made)


def _lines(record: Mapping[str, Any]) -> Iterator[str]:
    used = ", ".join(f"{name} {number}" for name, number in record.get("versions", {}).items())
    yield f"{record['stage']}: code {record['code']}; {used}"
    for name, digest in record.get("inputs", []):
        yield f"  input {name}" + (f" sha256 {digest}" if digest else "")
    if record.get("arguments"):
        yield f"  arguments {record['arguments']}"
    if int(record.get("seed", -1)) >= 0:
        yield f"  seed {record['seed']}"
    if record.get("weights") not in (None, "", "{}"):
        yield f"  weights {record['weights']}"
    text = _canonical(record["config"])
    yield f"  config {text if len(text) <= SHORT else text[:SHORT] + ' ... (--json shows all)'}"


def described(result: Result) -> str:
    """What is known about a result, stage by stage."""
    times = _times(result.path)
    head = [str(result.path) + (f", made {times}" if times else "")]
    if result.places:
        head.append(f"from {len(result.places)} directories of tables; the stages of the first one:")
    return "\n".join([*head, *(line for record in result.stages for line in _lines(record))])


def _canonical(config: Mapping[str, Any]) -> str:
    return json.dumps(config, sort_keys=True, separators=(",", ":"))


def _note(record: Mapping[str, Any]) -> Iterator[str]:
    """A comment when the code of a stage is no longer what it was."""
    from spine.config.slices import from_slice, stage_code

    now = stage_code(from_slice(_canonical(record["config"])), record["stage"])
    if now != record["code"]:
        version = record.get("versions", {}).get("spine", "?")
        yield f"# {record['stage']} was made by version {version}, code {record['code']}; the code here is {now}"


def _command(record: Mapping[str, Any], sources: Sequence[Path | str], output: Path) -> Iterator[str]:
    yield from _note(record)
    words = ["spine", str(record["stage"]), *map(str, sources), "--output", str(output)]
    words += ["--config", _canonical(record["config"]), *str(record.get("arguments", "")).split()]
    yield shlex.join(words)


def _chain(stages: Sequence[Record], home: Path, rest: Path, into: Path) -> Iterator[str]:
    """Commands of the stages of one file, from the first that reads a file from outside."""
    start = max(i for i, record in enumerate(stages) if record["stage"] in FIRST)
    infer = stages[start]
    simulated = infer["stage"] == "infer" and start > 0 and stages[start - 1]["stage"] == "simulate"
    source: Path | str = ""
    if infer["stage"] == "infer":
        source = Path(os.path.normpath(home / "infer" / rest.parent / infer["origin"]))
    if simulated:
        name = Path(infer["inputs"][0][0])
        source = into / "simulate" / name
        yield from _command(stages[start - 1], [], source)
    for record in stages[start:]:
        stage = record["stage"]
        output = into / stage / (rest.with_suffix("") if stage == "ana" else rest)
        yield from _command(record, [source] if source else [], output)
        source = output


def commands(result: Result, into: Path | None = None) -> list[str]:
    """Shell commands that make a result again, with the same bytes.

    Parameters
    ----------
    result : Result
        What to make.
    into : Path, optional
        Directory in the place of that of all results; by default beside it, so that relative paths stay the same.

    Returns
    -------
    list of str
        Commands, and comments where the code is no longer the one that made the result.
    """
    home, rest = result.home()
    target = into if into is not None else home.with_name(f"{home.name}.again")
    if not result.places:
        events = rest.with_name(f"{rest.name}.h5") if result.stage == "ana" else rest
        return list(_chain(result.stages, home, events, target))
    places = [Path(os.path.normpath(result.path.absolute().parent / place)) for place in result.places]
    lines = [line for place in places for line in commands(result_of(place), target)]
    made = [target / place.relative_to(home) for place in places]
    if result.stage == "merge":
        return [*lines, *_command(result.stages[-1], made, target / "tables")]
    return [*lines, shlex.join(["spine", "join", *map(str, made), "--output", str(target / "ana" / rest)])]
