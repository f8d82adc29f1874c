"""One YAML document in SPINE's language: its tags ``!include``, ``!path``, ``!download``, and the line of each key."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

import yaml

from spine.config.peer.search import find_file
from spine.config.source import Keys, Source, Tree
from spine.errors import ConfigError

__all__ = ["Document", "Download", "parse_document"]

Inline: TypeAlias = Callable[[Path, str], Source]
"""Composes a file that stands inline; takes its path and the place that names it."""


@dataclass(frozen=True)
class Download:
    """A file that is given by its URL.

    Parameters
    ----------
    url : str
        Where it is.
    sha256 : str, optional
        What it must be.
    """

    url: str
    sha256: str | None = None

    @property
    def text(self) -> str:
        """URL and digest in one word, as ``model.weight_path`` takes them."""
        return f"{self.url}#sha256={self.sha256}" if self.sha256 else self.url


@dataclass
class Document(Source):
    """A document as written: nothing merged, directives and metadata among its keys.

    Parameters
    ----------
    path : Path
        The file.
    twice : list of str
        Keys that stand twice, with their places; the later one holds.
    """

    path: Path = field(default_factory=Path)
    twice: list[str] = field(default_factory=list)

    def at(self, *keys: str) -> str:
        """File and line of a key, the file when unknown."""
        return self.place(keys) or str(self.path)


class _Loader(yaml.SafeLoader):
    """Safe loader that knows the tags; each instance belongs to one file."""

    folder: Path
    inline: Inline
    found: dict[int, Source]
    twice: list[str]

    def place(self, node: yaml.Node) -> str:
        """File and line of a node."""
        return f"{self.name}:{node.start_mark.line + 1}"


def _text(loader: _Loader, node: yaml.Node) -> str:
    if not isinstance(node, yaml.ScalarNode):
        raise ConfigError(f"{node.tag} takes the name of a file", where=loader.place(node))
    return str(loader.construct_scalar(node))


def _include(loader: _Loader, node: yaml.Node) -> Tree:
    path = find_file(_text(loader, node), loader.folder, loader.place(node))
    source = loader.inline(path, loader.place(node))
    loader.found[id(node)] = source
    return source.tree


def _path(loader: _Loader, node: yaml.Node) -> str:
    return str(find_file(_text(loader, node), loader.folder, loader.place(node)))


def _download(loader: _Loader, node: yaml.Node) -> Download:
    where = loader.place(node)
    if isinstance(node, yaml.ScalarNode):
        return Download(str(loader.construct_scalar(node)))
    value: Any = loader.construct_mapping(node, deep=True) if isinstance(node, yaml.MappingNode) else {}
    if not value.get("url"):
        raise ConfigError("!download needs a URL", where=where, expected="a URL, or a mapping of url and hash")
    return Download(str(value["url"]), str(value["hash"]) if value.get("hash") else None)


_Loader.add_constructor("!include", _include)
_Loader.add_constructor("!path", _path)
_Loader.add_constructor("!download", _download)


def _collect(node: yaml.Node, keys: Keys, loader: _Loader, lines: dict[Keys, str]) -> None:
    """Line of every key below a node; those of an inline file are where they stand in it."""
    inline = loader.found.get(id(node))
    if inline is not None:
        lines.update({(*keys, *below): place for below, place in inline.lines.items()})
    elif isinstance(node, yaml.MappingNode) and node.tag != "!download":
        for key_node, value in node.value:
            path = (*keys, str(key_node.value))
            if lines.get(path, "").rpartition(":")[0] == loader.name:
                loader.twice.append(f"{loader.place(key_node)}: {'.'.join(path)} stands twice, this one holds")
            lines[path] = loader.place(key_node)
            _collect(value, path, loader, lines)
    elif isinstance(node, yaml.SequenceNode):
        for i, value in enumerate(node.value):
            lines[(*keys, str(i))] = loader.place(value)
            _collect(value, (*keys, str(i)), loader, lines)


def parse_document(text: str, path: Path, inline: Inline) -> Document:
    """Parse one document.

    Parameters
    ----------
    text : str
        YAML.
    path : Path
        Its file: files that it names are looked for beside it.
    inline : callable
        Composes files named by ``!include``.

    Raises
    ------
    ConfigError
        When the text is not YAML or not a mapping, or a file that it names is missing.
    """
    loader = _Loader(text)
    loader.name, loader.folder, loader.inline, loader.found = str(path), path.parent, inline, {}
    loader.twice = []
    try:
        node = loader.get_single_node()
        tree = loader.construct_document(node) if node is not None else {}
    except yaml.YAMLError as error:
        raise ConfigError("the file is not valid YAML", where=path, got=str(error).replace("\n", " ")) from error
    finally:
        loader.dispose()
    if tree is None:
        tree = {}
    if not isinstance(tree, Mapping):
        raise ConfigError("the configuration must be a mapping of blocks", where=path, got=type(tree).__name__)
    document = Document(dict(tree), {}, path, loader.twice)
    if node is not None:
        _collect(node, (), loader, document.lines)
    return document
