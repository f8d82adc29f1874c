"""Wheels that stand for the installed distributions.

A wheel has the name, version and requirements of a distribution and one line, which puts the modules of this
distribution, and of no other, on the path. So pip resolves and installs as ever, and what an environment's file forgets
is missing in the environment, although nothing is downloaded or copied.
"""

from __future__ import annotations

import base64
import hashlib
import re
import zipfile
from importlib.metadata import Distribution, distributions
from pathlib import Path

WHEEL = "Wheel-Version: 1.0\nGenerator: host\nRoot-Is-Purelib: true\nTag: py3-none-any\n"


def module_names(found: Distribution) -> set[str]:
    """Files and directories directly in site-packages that a distribution owns."""
    tops = {path.parts[0] for path in found.files or ()}
    return {top for top in tops if top not in ("..", "__pycache__") and not top.endswith((".dist-info", ".pth"))}


def link_modules(found: Distribution, view: Path) -> None:
    """Fill a directory with links to the modules of a distribution."""
    view.mkdir(parents=True)
    for name in module_names(found):
        (view / name).symlink_to(str(found.locate_file(name)))


def _record(files: dict[str, str], info: str) -> str:
    lines = []
    for path, text in files.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).decode().rstrip("=")
        lines.append(f"{path},sha256={digest},{len(text.encode())}\n")
    return "".join([*lines, f"{info}/RECORD,,\n"])


def write_wheel(found: Distribution, metadata: str, place: Path) -> None:
    """Write the wheel that stands for a distribution, and the directory that it puts on the path."""
    name = re.sub(r"[-_.]+", "_", found.name).lower()
    view = place / "modules" / name
    link_modules(found, view)
    info = f"{name}-{found.version}.dist-info"
    files = {f"{name}.pth": f"{view}\n", f"{info}/METADATA": metadata, f"{info}/WHEEL": WHEEL}
    with zipfile.ZipFile(place / f"{name}-{found.version}-py3-none-any.whl", "w") as wheel:
        for path, text in files.items():
            wheel.writestr(path, text)
        wheel.writestr(f"{info}/RECORD", _record(files, info))


def make_wheels(place: Path) -> None:
    """Make wheels for all distributions that are installed here, other than editable ones.

    Parameters
    ----------
    place : Path
        Directory for them; absolute.
    """
    installed = {found.name.lower(): found for found in reversed(list(distributions()))}
    for found in installed.values():
        metadata = found.read_text("METADATA")
        if metadata and module_names(found):
            write_wheel(found, metadata, place)
