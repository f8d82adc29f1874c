"""Conda packages (.tar.bz2), written with the standard library."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

TIME = 1_700_000_000  # s


@dataclass(frozen=True)
class Package:
    """A conda package.

    Parameters
    ----------
    name, version : str
        As in its file name.
    subdir : str
        Platform, or ``noarch`` for pure Python.
    files : dict of str to bytes
        Content by path in the prefix; of noarch packages below ``site-packages/``.
    links : dict of str to str
        Targets of symbolic links by path.
    depends : tuple of str
        Packages needed.
    """

    name: str
    version: str
    subdir: str
    files: dict[str, bytes]
    links: dict[str, str] = field(default_factory=dict)
    depends: tuple[str, ...] = ()

    @property
    def noarch(self) -> dict[str, str]:
        """The key of a package of pure Python, else nothing."""
        return {"noarch": "python"} if self.subdir == "noarch" else {}


def _index(package: Package) -> dict[str, object]:
    return {
        "name": package.name,
        "version": package.version,
        "build": "host_0",
        "build_number": 0,
        "depends": list(package.depends),
        "subdir": package.subdir,
        "timestamp": TIME * 1000,
    } | package.noarch


def _paths(package: Package) -> dict[str, object]:
    files = [
        {"_path": p, "path_type": "hardlink", "sha256": hashlib.sha256(b).hexdigest(), "size_in_bytes": len(b)}
        for p, b in sorted(package.files.items())
    ]
    links = [{"_path": p, "path_type": "softlink"} for p in sorted(package.links)]
    return {"paths": files + links, "paths_version": 1}


def _metadata(package: Package) -> Iterator[tuple[str, bytes]]:
    yield "info/index.json", json.dumps(_index(package)).encode()
    yield "info/paths.json", json.dumps(_paths(package)).encode()
    yield "info/files", "".join(f"{p}\n" for p in sorted([*package.files, *package.links])).encode()
    if package.noarch:
        link = {"noarch": {"type": "python", "entry_points": []}, "package_metadata_version": 1}
        yield "info/link.json", json.dumps(link).encode()


def _member(path: str, size: int = 0, target: str = "") -> tarfile.TarInfo:
    member = tarfile.TarInfo(path)
    member.size, member.mtime, member.mode = size, TIME, 0o644
    if target:
        member.type, member.linkname = tarfile.SYMTYPE, target
    return member


def write_package(package: Package, channel: Path) -> None:
    """Write a package into its place in a channel."""
    folder = channel / package.subdir
    folder.mkdir(parents=True, exist_ok=True)
    archive = folder / f"{package.name}-{package.version}-host_0.tar.bz2"
    with tarfile.open(archive, "w:bz2", compresslevel=1) as stream:
        for path, content in (*_metadata(package), *package.files.items()):
            stream.addfile(_member(path, len(content)), io.BytesIO(content))
        for path, target in package.links.items():
            stream.addfile(_member(path, target=target))
