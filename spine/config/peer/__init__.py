"""SPINE configurations at the border: its language composed, its spellings and blocks turned into ours."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from spine.config.check import check
from spine.config.peer.assign import assigned
from spine.config.peer.compose import Composed, compose_file, compose_text
from spine.config.peer.search import find_file
from spine.config.peer.translate import Translated, translate
from spine.config.source import Source, apply_overrides, compose, read_source
from spine.errors import ConfigError

__all__ = [
    "Composed",
    "Translated",
    "assigned",
    "compose_file",
    "compose_text",
    "composed_any",
    "composed_source",
    "find_file",
    "load_any",
    "load_peer",
    "translate",
    "translate_tree",
]


def load_any(path: Path | str, overrides: str = "", get: bool = False) -> Translated:
    """Read a configuration in our language or SPINE's.

    Parameters
    ----------
    path : Path or str
        YAML file.
    overrides : str
        Assignments in the dotted language, separated by semicolons.
    get : bool
        Whether files that it gives by URL are downloaded.

    Raises
    ------
    ConfigError
        With the list of everything that is wrong or, in SPINE's language, not supported.
    """
    path = Path(path)
    try:
        source = apply_overrides(read_source(path), overrides)
        return Translated(check(source), source.tree, (), (path,), source.lines)
    except ConfigError as error:
        if _is_ours(path):
            raise
        try:
            return load_peer(path, [text for text in overrides.split(";") if text.strip()], get)
        except ConfigError as other:
            raise other from error


def _is_ours(path: Path) -> bool:
    """Whether a file can only be in our language: it cannot be read otherwise, or lies on presets."""
    try:
        return "extends" in compose_file(path).tree
    except ConfigError:
        return not path.is_file()


def composed_any(path: Path | str) -> Composed:
    """The values of a configuration in either language as they are composed, unchecked and in its own words.

    Raises
    ------
    ConfigError
        When it cannot be composed.
    """
    composed = compose_file(path)
    if "extends" in composed.tree:
        whole = compose(Source(composed.tree, composed.lines), Path(path).parent)
        return Composed(whole.tree, whole.lines, composed.notes, composed.files)
    return composed


def composed_source(path: Path | str, overrides: str = "") -> Source:
    """The values of a configuration in either language after overrides, see `composed_any`.

    Raises
    ------
    ConfigError
        When it cannot be composed, or an override does not fit.
    """
    return assigned(composed_any(path), [text for text in overrides.split(";") if text.strip()])


def load_peer(path: Path | str, overrides: Sequence[str] = (), get: bool = True) -> Translated:
    """Read a SPINE configuration.

    Parameters
    ----------
    path : Path or str
        YAML file in SPINE's language, or ours.
    overrides : sequence of str
        Assignments ``key.path=value``; the key may end in ``+``, ``-`` or ``~``.
    get : bool
        Whether files that it gives by URL are downloaded.

    Returns
    -------
    Translated
        Our configuration, and remarks.

    Raises
    ------
    ConfigError
        When it cannot be composed, or with the list of everything that is wrong or not supported.

    Examples
    --------
    >>> load_peer("full_chain.yaml", ["io.loader.batch_size=4"]).config.model  # doctest: +SKIP
    """
    return translate(assigned(compose_file(path), overrides), get)


def translate_tree(tree: Mapping[str, Any]) -> Translated:
    """Turn the values of a SPINE configuration, or of ours, into our types.

    Parameters
    ----------
    tree : mapping
        Values as `load_peer` would compose them.

    Raises
    ------
    ConfigError
        With the list of everything that is wrong or not supported.
    """
    return translate(Composed(dict(tree)))
