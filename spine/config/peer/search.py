"""Where a file named in a SPINE configuration lies."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from spine.errors import ConfigError

__all__ = ["find_file"]

VARIABLE = "SPINE_CONFIG_PATH"
ENDINGS = (".yaml", ".yml")


def _search_path() -> list[Path]:
    """Directories of the search path."""
    return [Path(name.strip()) for name in os.environ.get(VARIABLE, "").split(":") if name.strip()]


def _candidates(name: str, folders: list[Path]) -> Iterator[Path]:
    for folder in folders:
        yield folder / name
        yield from (folder / f"{name}{ending}" for ending in ENDINGS if not name.endswith(ending))


def find_file(name: str, beside: Path, where: object = None) -> Path:
    """The file of that name: an absolute path, beside another file, or on ``SPINE_CONFIG_PATH``.

    Parameters
    ----------
    name : str
        Path; the ending ``.yaml`` or ``.yml`` may be left out.
    beside : Path
        Directory of the file that names it.
    where : object, optional
        File and line, for the message.

    Raises
    ------
    ConfigError
        When there is no such file; lists the places that were looked at.
    """
    if Path(name).is_absolute():
        if Path(name).exists():
            return Path(name)
        raise ConfigError("no such file", where=where, got=name)
    folders = [beside, *_search_path()]
    for path in _candidates(name, folders):
        if path.exists():
            return path.absolute()
    raise ConfigError(
        "the file is not found", where=where, got=name, expected=f"in {', '.join(map(str, folders))}",
        mend=f"add its directory to {VARIABLE}",
    )  # fmt: skip
