"""Outputs that appear complete or not at all."""

from __future__ import annotations

import os
import platform
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from glob import escape
from pathlib import Path

from spine.errors import StageError
from spine.store.sink import NO_SPACE, no_space

__all__ = ["PART", "atomic_directory", "atomic_file"]

PART = ".part"
"""End of temporary names."""


def _prepare(path: Path) -> Path:
    """The directory of an output, made when missing."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StageError(
            "the output directory cannot be made", where=path.parent, got=error.strerror, mend="choose another place"
        ) from error
    if not os.access(path.parent, os.W_OK):
        raise StageError("the output directory is not writable", where=path.parent, mend="change its permissions")
    return path.parent


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _prefix(path: Path) -> str:
    """Begin of temporary names: of which output they are, and which process on which machine writes them."""
    return f".{path.name}.{platform.node()}-{os.getpid()}."


def _forget(path: Path) -> None:
    """Remove what processes of this machine that are gone left of an output."""
    mine = f".{path.name}.{platform.node()}-"
    for left in path.parent.glob(f"{escape(mine)}*{PART}"):
        number = left.name.removeprefix(mine).split(".")[0]
        if number.isdigit() and not Path("/proc", number).exists() and Path("/proc/self").exists():
            shutil.rmtree(left) if left.is_dir() else left.unlink(missing_ok=True)


@contextmanager
def atomic_file(path: Path) -> Iterator[Path]:
    """A temporary name beside the output, renamed to it when the block ends without an error.

    Parameters
    ----------
    path : Path
        The output.

    Yields
    ------
    Path
        Where to write; gone after an error.

    Raises
    ------
    StageError
        When the directory cannot be written.
    """
    folder = _prepare(path)
    try:
        _forget(path)
        handle, name = tempfile.mkstemp(prefix=_prefix(path), suffix=PART, dir=folder)
    except OSError as error:
        raise StageError("the output cannot be written", where=path, got=error.strerror) from error
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        _sync(temporary)
        temporary.chmod(0o666 & ~_umask())
        temporary.replace(path)
        _sync(folder)
    except OSError as error:
        if error.errno in NO_SPACE:
            raise no_space(path, error) from error
        raise
    finally:
        temporary.unlink(missing_ok=True)


def _umask() -> int:
    """The process's mask for new files (reading it means setting it)."""
    mask = os.umask(0)
    os.umask(mask)
    return mask


@contextmanager
def atomic_directory(path: Path) -> Iterator[Path]:
    """A temporary directory beside the output, which takes its place when the block ends without an error.

    Parameters
    ----------
    path : Path
        The output directory; an older one is replaced.
    """
    folder = _prepare(path)
    _forget(path)
    temporary = Path(tempfile.mkdtemp(prefix=_prefix(path), suffix=PART, dir=folder))
    try:
        yield temporary
        for file in temporary.iterdir():
            _sync(file)
        temporary.chmod(0o777 & ~_umask())
        if path.exists():
            shutil.rmtree(path)
        temporary.replace(path)
        _sync(folder)
    except OSError as error:
        if error.errno in NO_SPACE:
            raise no_space(path, error) from error
        raise
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
