"""Who made a file, from what, how: the record of a stage, and those of the stages before it."""

from __future__ import annotations

import json
import platform
import sys
from collections.abc import Iterable, Mapping
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import spine
from spine.errors import DataError
from spine.store.atomic import atomic_file

if TYPE_CHECKING:
    from spine.store.reader import EventFile

__all__ = [
    "BESIDE",
    "Record",
    "first_input",
    "lineage_of",
    "read_lineage",
    "source_of",
    "times_path",
    "versions",
    "write_lineage",
    "write_times",
]

Record = dict[str, Any]
"""What one stage says about itself: stage, config, code, inputs, origin, arguments, seed, weights, versions."""

BESIDE: Final = "provenance.json"
"""Name of the record in a directory of tables."""

PLAIN: Final = ("stage", "code", "origin", "arguments", "weights")
LIBRARIES: Final = ("numpy", "scipy", "h5py", "numba")


@cache
def _versions(names: tuple[str, ...]) -> str:
    found = {"spine": spine.__version__, "python": platform.python_version(), "byteorder": sys.byteorder}
    for name in names:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return json.dumps(found)


def versions(networks: bool = False) -> str:
    """JSON of the versions that may decide about results.

    Parameters
    ----------
    networks : bool
        Count torch among them.
    """
    return _versions((*LIBRARIES, "torch") if networks else LIBRARIES)


def _loaded(text: str, fallback: Any) -> Any:
    return json.loads(text) if text else fallback


def _record(file: EventFile) -> Record:
    record: Record = {name: file.attribute(name) for name in PLAIN}
    record |= {"config": _loaded(file.attribute("config"), {}), "inputs": _loaded(file.attribute("inputs"), [])}
    record |= {"seed": int(file.attribute("seed", "-1")), "versions": _loaded(file.attribute("versions"), {})}
    return record


def lineage_of(file: EventFile) -> list[Record]:
    """Records of all stages up to a file, the first stage first."""
    return [*_loaded(file.attribute("history"), []), _record(file)]


def first_input(lineage: Iterable[Mapping[str, Any]]) -> tuple[str, str]:
    """Name and sha256 of the file that the last inference read; empty when no stage says so."""
    found = ("", "")
    for record in lineage:
        if record["stage"] == "infer" and record["inputs"]:
            name, digest = record["inputs"][0]
            found = (str(name), str(digest))
    return found


def source_of(lineage: Iterable[Mapping[str, Any]]) -> str:
    """Name of the file that the last inference read; empty when no stage says so."""
    return first_input(lineage)[0]


def write_lineage(folder: Path, lineage: Iterable[Record], **more: Any) -> None:
    """Put records into a directory of tables."""
    text = json.dumps({"stages": list(lineage), **more}, indent=1)
    (folder / BESIDE).write_text(text + "\n")


def read_lineage(path: Path) -> dict[str, Any]:
    """Records of a directory of tables.

    Raises
    ------
    DataError
        When there are none.
    """
    try:
        found: dict[str, Any] = json.loads((path / BESIDE).read_text())
    except OSError as error:
        raise DataError(
            "the tables do not say how they were made", where=path, got=error.strerror, expected=BESIDE,
            mend="make them again with spine ana or spine merge",
        ) from error  # fmt: skip
    return found


def times_path(output: Path) -> Path:
    """File that says when an output was made: beside it, so that the same work gives the same bytes."""
    return output.parent / f".{output.name}.made.json"


def write_times(output: Path, made: Mapping[str, Any]) -> None:
    """Say when an output was made and how long it took."""
    with atomic_file(times_path(output)) as temporary:
        temporary.write_text(json.dumps(made) + "\n")
