"""The Geant4 data directory: the user's own, or the one computed for argon, cached and checked."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Literal

from spine.errors import ConfigError, StageError
from spine.sim import argon

__all__ = ["Geant4Data", "computed_data", "download_data", "export_environment", "find_data", "write_data"]

_MANIFEST = "manifest.json"
_VARIABLE = "GEANT4_DATA_DIR"


@dataclass(frozen=True)
class Geant4Data:
    """A data directory and where it comes from.

    Attributes
    ----------
    path : Path
        Directory that holds one folder per data set.
    origin : {"option", "environment", "computed"}
        Who named it.
    digest : str
        SHA-256 over all files of computed data; empty for the user's data.
    """

    path: Path
    origin: Literal["option", "environment", "computed"]
    digest: str = ""

    def provenance(self) -> dict[str, str]:
        """What files of events say about the data: where they come from, their path and digest, Geant4's package.

        The digest of the user's data is that of the names and sizes of their files.
        """
        return {
            "geant4_data": "computed for argon" if self.origin == "computed" else f"official ({self.origin})",
            "geant4_data_path": str(self.path),
            "geant4_data_digest": self.digest or _listing(self.path),
            "geant4_package": f"calzone {_version('calzone')}",
        }


def find_data(option: Path | None = None) -> Geant4Data:
    """Choose the data directory: the option, else ``GEANT4_DATA_DIR``, else computed data.

    Parameters
    ----------
    option : Path, optional
        Directory of the official data.

    Returns
    -------
    Geant4Data
        The directory in use.

    Raises
    ------
    ConfigError
        The directory named by the option or the environment lacks data sets.
    """
    if option is not None:
        return Geant4Data(_complete(option, "transport.geant4_data"), "option")
    named = os.environ.get(_VARIABLE)
    if not named:
        return computed_data()
    if (Path(named) / _MANIFEST).is_file():
        return _checked(Path(named))
    return Geant4Data(_complete(Path(named), _VARIABLE), "environment")


def _complete(path: Path, where: str) -> Path:
    needed = ("G4LEDATA", "G4PARTICLEXSDATA", "G4LEVELGAMMADATA", "G4ENSDFSTATEDATA")
    missing = [argon.DATA_SETS[v] for v in needed if not (path / argon.DATA_SETS[v]).is_dir()]
    if missing:
        raise ConfigError(
            "the directory is not a complete set of Geant4 11.4 data",
            where=where,
            got=str(path),
            expected="the folders " + ", ".join(missing),
            mend="fetch them with 'spine sim data DIRECTORY --download', or name no directory",
        )
    return path.resolve()


def computed_data(parent: Path | None = None) -> Geant4Data:
    """Return the data computed for argon, from the cache where it is sound.

    Parameters
    ----------
    parent : Path, optional
        Parent directory; by default ``$XDG_CACHE_HOME/spine-flow`` or ``~/.cache/spine-flow``.

    Returns
    -------
    Geant4Data
        Directory named after the hash of what computes it.
    """
    root = parent if parent is not None else _user_cache()
    target = root / f"geant4-argon-{_recipe()}"
    if not (target / _MANIFEST).is_file():
        _publish(root, target)
    return _checked(target)


def _checked(target: Path) -> Geant4Data:
    expected = json.loads((target / _MANIFEST).read_text())["sha256"]
    if _digest(target) != expected:
        raise StageError(
            "the computed Geant4 data were changed after they were written",
            where=target,
            mend="delete this directory; it is written again at the next start",
        )
    return Geant4Data(target, "computed", expected)


def download_data(directory: Path | None) -> None:
    """Fetch the official data sets with calzone, which needs a network.

    Raises
    ------
    ConfigError
        No directory is given.
    StageError
        The download failed.
    """
    if directory is None:
        raise ConfigError("there is no directory to download to", mend="spine sim data DIRECTORY --download")
    directory.mkdir(parents=True, exist_ok=True)
    result = subprocess.run([sys.executable, "-m", "calzone", "download", str(directory)], check=False)
    if result.returncode:
        raise StageError(
            "the official Geant4 data could not be fetched",
            where=directory,
            mend="without them, data for argon are computed",
        )


def write_data(directory: Path) -> str:
    """Write the data computed for argon into a directory; returns the SHA-256 over names and contents."""
    for folder in argon.DATA_SETS.values():
        (directory / folder).mkdir(parents=True, exist_ok=True)
    made: set[Path] = set()
    for name, text in argon.argon_files():
        path = directory / name
        if path.parent not in made:
            path.parent.mkdir(parents=True, exist_ok=True)
            made.add(path.parent)
        path.write_text(text)
    digest = _digest(directory)
    (directory / _MANIFEST).write_text(json.dumps({"recipe": _recipe(), "sha256": digest}) + "\n")
    return digest


def export_environment(data: Geant4Data) -> None:
    """Set the environment variables that Geant4 reads; has to happen before calzone is imported."""
    os.environ[_VARIABLE] = str(data.path)
    for variable, folder in argon.DATA_SETS.items():
        os.environ[variable] = str(data.path / folder)


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "missing"


@cache
def _listing(directory: Path) -> str:
    """SHA-256 over names and sizes of the files of the data sets."""
    total = hashlib.sha256()
    for folder in sorted(argon.DATA_SETS.values()):
        for path in sorted(p for p in (directory / folder).rglob("*") if p.is_file()):
            total.update(f"{path.relative_to(directory).as_posix()} {path.stat().st_size}\n".encode())
    return total.hexdigest()


def _user_cache() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "spine-flow"


def _recipe() -> str:
    """Hash of the code and of the photo-absorption tables that the data are computed from."""
    try:
        tables = version("xraydb")
    except PackageNotFoundError as error:
        raise StageError(
            "the argon data for Geant4 need the package xraydb",
            mend="install the extra 'sim' of this package, or name the official Geant4 data",
        ) from error
    return hashlib.sha256(Path(argon.__file__).read_bytes() + tables.encode()).hexdigest()[:16]


def _digest(directory: Path) -> str:
    total = hashlib.sha256()
    for path in sorted(p for p in directory.rglob("*") if p.is_file() and p.name != _MANIFEST):
        total.update(path.relative_to(directory).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return total.hexdigest()


def _publish(root: Path, target: Path) -> None:
    """Write under another name and rename, so that processes that start together never see half of it."""
    root.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix="writing-", dir=root))
    try:
        write_data(scratch)
        scratch.chmod(0o755)
        try:
            scratch.rename(target)
        except OSError:
            if not (target / _MANIFEST).is_file():
                raise
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
