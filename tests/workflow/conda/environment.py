"""Environment files: what conda and what pip is to install."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import yaml


@dataclass(frozen=True)
class Environment:
    """Content of an environment file.

    Parameters
    ----------
    channels : tuple of str
        Names or URLs, first wins.
    conda : tuple of str
        Specifications of conda packages.
    pip : tuple of str
        Requirements of pip.
    """

    channels: tuple[str, ...]
    conda: tuple[str, ...]
    pip: tuple[str, ...]

    @property
    def conda_names(self) -> set[str]:
        """Names of the conda packages."""
        return {spec.split()[0] for spec in self.conda}


def read_environment(path: Path) -> Environment:
    """Read an environment file."""
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    entries = content.get("dependencies", [])
    return Environment(
        tuple(content.get("channels", [])),
        tuple(entry for entry in entries if isinstance(entry, str)),
        tuple(spec for entry in entries if isinstance(entry, dict) for spec in entry["pip"]),
    )
