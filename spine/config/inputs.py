"""Inputs of a run: files, globs and lists become named units of work."""

from __future__ import annotations

import glob
from collections.abc import Sequence
from pathlib import Path

from spine.errors import ConfigError

__all__ = ["SHARD", "expand_inputs", "named_inputs"]

LISTS = (".txt", ".list")
SHARD = 1000
"""Inputs per directory when there are more than this."""


def _listed(path: Path) -> list[str]:
    try:
        lines = path.read_text().splitlines()
    except OSError as error:
        raise ConfigError("the list of inputs cannot be read", where=path, got=error.strerror) from error
    return [line.strip() for line in lines if line.strip() and not line.lstrip().startswith("#")]


def expand_inputs(patterns: str | Sequence[str]) -> list[str]:
    """Input files for patterns.

    Parameters
    ----------
    patterns : str or sequence of str
        Files, globs, or text files (``.txt``, ``.list``) with one of these per line; a string may hold several,
        separated by commas.

    Returns
    -------
    list of str
        Files, each pattern's sorted, repeated ones once.

    Raises
    ------
    ConfigError
        When a glob matches nothing or a list cannot be read.
    """
    parts = patterns.split(",") if isinstance(patterns, str) else list(patterns)
    found: dict[str, None] = {}
    for pattern in filter(None, (part.strip() for part in parts)):
        if Path(pattern).suffix in LISTS:
            found |= dict.fromkeys(expand_inputs(_listed(Path(pattern))))
        elif glob.has_magic(pattern):
            matches = sorted(glob.glob(pattern, recursive=True))  # noqa: PTH207
            if not matches:
                raise ConfigError("no file matches the input", where="workflow.input", got=pattern)
            found |= dict.fromkeys(matches)
        else:
            found[pattern] = None
    return list(found)


def named_inputs(files: Sequence[str], simulated: int = 0) -> dict[str, str]:
    """Name of every unit of work and its file.

    Parameters
    ----------
    files : sequence of str
        Input files.
    simulated : int
        Number of files that the run simulates itself; they are called ``simulated_0000`` and on.

    Returns
    -------
    dict of str to str
        File by name. Names are the stems of the files, below numbered directories when there are many.

    Raises
    ------
    ConfigError
        When two files have the same stem.
    """
    made = [f"results/simulate/simulated_{i:04d}.h5" for i in range(simulated)]
    everything = [*made, *files]
    stems: dict[str, str] = {}
    for file in everything:
        stem = Path(file).name.rsplit(".", 1)[0]
        if stem in stems:
            raise ConfigError(
                "two inputs have the same name", where="workflow.input", got=f"{stems[stem]} and {file}",
                mend="rename one: results are named after their input",
            )  # fmt: skip
        stems[stem] = file
    if len(everything) <= SHARD:
        return stems
    return {f"{i // SHARD:04d}/{stem}": file for i, (stem, file) in enumerate(stems.items())}
