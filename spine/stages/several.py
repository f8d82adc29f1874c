"""Several files in one process: a directory takes the place of a file."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from spine.errors import ConfigError, DataError
from spine.stages.outcome import StageReport
from spine.store.atomic import atomic_directory

__all__ = ["FileStage", "each_file", "event_files", "named_ranges"]

FileStage = Callable[[Path, Path], StageReport]
"""A stage with its configuration: from an input and an output to the outcome."""


def event_files(path: Path) -> list[Path]:
    """Files of events of a directory, by name.

    Raises
    ------
    DataError
        When there is none.
    """
    found = sorted(file for file in path.glob("*.h5") if not file.name.startswith("."))
    if not found:
        raise DataError("the directory holds no files of events", where=path, expected="*.h5")
    return found


def each_file(source: Path, output: Path, stage: FileStage, suffix: str = ".h5") -> None:
    """Run a stage on a file, or on every file of a directory.

    Parameters
    ----------
    source, output : Path
        Both files, or both directories; an output directory appears complete or not at all.
    stage : FileStage
        What to do.
    suffix : str
        End of the names of outputs in a directory.
    """
    if not source.is_dir():
        stage(source, output)
        return
    with atomic_directory(output) as folder:
        for file in event_files(source):
            stage(file, folder / f"{file.stem}{suffix}")


def named_ranges(
    sources: Sequence[Path], ranges: Sequence[tuple[int, int | None]], job: str
) -> list[tuple[Path, tuple[int, int | None], str]]:
    """Each input with its range of entries and the name of its output in the directory of a job.

    Raises
    ------
    ConfigError
        When there are not as many ranges as inputs.
    """
    if len(ranges) != len(sources):
        raise ConfigError("each input needs a range", where="--entries", got=len(ranges), expected=len(sources))
    whole = job.endswith("+")
    names = [f"{source.name.rsplit('.', 1)[0] if whole else job}.h5" for source in sources]
    return list(zip(sources, ranges, names, strict=True))
