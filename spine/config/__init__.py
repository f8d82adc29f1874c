"""The configuration: read, composed, overridden, checked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from spine.config.check import check
from spine.config.model import Config
from spine.config.source import Source, apply_overrides, compose, merge, read_source

__all__ = ["Config", "load_config", "resolve_config"]


def load_config(path: Path | str, overrides: str = "") -> Config:
    """Read a configuration file.

    Parameters
    ----------
    path : Path or str
        YAML file.
    overrides : str
        Assignments in the dotted language, separated by semicolons.

    Raises
    ------
    ConfigError
        Lists every problem.
    """
    return check(apply_overrides(read_source(Path(path)), overrides))


def resolve_config(tree: Mapping[str, Any], files: Sequence[Path] = (), overrides: str = "") -> Config:
    """The configuration of a tree of values that was read from files by someone else.

    Parameters
    ----------
    tree : mapping
        Values, presets not yet laid below them.
    files : sequence of Path
        Files they came from, to tell lines in messages and to find presets beside them.
    overrides : str
        Assignments in the dotted language.

    Raises
    ------
    ConfigError
        Lists every problem.
    """
    source = Source(dict(tree))
    for file in files:
        source.lines |= read_source(file).lines
    beside = files[-1].parent if files else Path()
    return check(apply_overrides(compose(source, beside), overrides))


def merged(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Values of one tree laid over those of another."""
    return merge(dict(below), above)
