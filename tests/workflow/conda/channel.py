"""A conda channel in a directory, made of what is installed here."""

from __future__ import annotations

import asyncio
import platform
import sys
from collections.abc import Iterable
from importlib.metadata import distribution
from pathlib import Path

from rattler.index import index_fs
from rattler.platform import Subdir

from tests.workflow.conda.archive import Package, write_package


def python_package() -> Package:
    """The interpreter at hand, as a conda package: a virtual environment that sees nothing of what is installed."""
    host = Path(getattr(sys, "_base_executable", sys.executable)).resolve()
    name = f"python{sys.version_info.major}.{sys.version_info.minor}"
    config = f"home = {host.parent}\ninclude-system-site-packages = false\n"
    files = {"pyvenv.cfg": config.encode(), f"lib/{name}/site-packages/README.txt": b""}
    links = {f"bin/{name}": str(host), "bin/python": name, "bin/python3": name}
    return Package("python", platform.python_version(), str(Subdir.current()), files, links)


def pure_package(name: str) -> Package:
    """An installed distribution of pure Python, as a conda package."""
    found = distribution(name)
    kept = [p for p in found.files or () if ".." not in p.parts and p.suffix != ".pyc"]
    files = {f"site-packages/{p.as_posix()}": p.read_binary() for p in kept}
    return Package(name, found.version, "noarch", files, depends=("python",))


def make_channel(place: Path, names: Iterable[str]) -> None:
    """Make a channel.

    Parameters
    ----------
    place : Path
        Directory of the channel.
    names : iterable of str
        Packages that it shall hold: python, and distributions of pure Python that are installed here.
    """
    for name in sorted(names):
        write_package(python_package() if name == "python" else pure_package(name), place)
    (place / "noarch").mkdir(exist_ok=True)
    asyncio.run(index_fs(place, write_zst=False, write_shards=False))
