"""Composition of a SPINE configuration: files that include each other become one tree of values."""

from __future__ import annotations

import os
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from spine.config.peer.directives import Directive, apply_directives, directives_of
from spine.config.peer.document import Document, parse_document
from spine.config.peer.meta import Meta, check_compatible, check_conflicts, meta_of
from spine.config.peer.search import find_file
from spine.config.source import Source, Tree, merge
from spine.errors import ConfigError

__all__ = ["Composed", "compose_file", "compose_text"]


@dataclass
class Composed(Source):
    """One tree out of all files, with the place of every key and what was left out on the way.

    Parameters
    ----------
    notes : list of str
        What SPINE would warn about.
    files : list of Path
        Files in the order in which they were read.
    """

    notes: list[str] = field(default_factory=list)
    files: list[Path] = field(default_factory=list)


@dataclass
class _Part(Source):
    """A file with what it includes; its own directives still wait."""

    meta: Meta = field(default_factory=lambda: Meta(Path()))
    waiting: list[Directive] = field(default_factory=list)


class _Reader:
    """Reads files, and keeps what belongs to the whole."""

    def __init__(self) -> None:
        self.notes: list[str] = []
        self.files: list[Path] = []
        self._chain: list[Path] = []
        self._pairs: list[tuple[Meta, Meta]] = []

    def file(self, path: Path, where: str = "") -> _Part:
        """A file and what it includes."""
        path = path.absolute()
        if path in self._chain:
            cycle = " -> ".join(str(p) for p in (*self._chain, path))
            raise ConfigError("a configuration includes itself", where=where or path, got=cycle)
        try:
            text = path.read_text(encoding="utf-8")
        except OSError as error:
            raise ConfigError("the configuration cannot be read", where=path, got=error.strerror) from error
        self._chain.append(path)
        self.files.append(path)
        part = self.text(text, path)
        self._chain.pop()
        return part

    def text(self, text: str, path: Path) -> _Part:
        """A document and what it includes."""
        document = parse_document(text, path, self.inline)
        self.notes += document.twice
        meta = meta_of(document, self.notes)
        names = _includes(document)
        own = directives_of(document, meta)
        part = _Part(meta=meta)
        for name in names:
            where = document.at("include")
            included = self.file(find_file(name, path.parent, where), where)
            self._join(part, included)
        part.tree = merge(part.tree, document.tree)
        part.lines |= document.lines
        part.waiting += own
        return part

    def _join(self, part: _Part, included: _Part) -> None:
        meta, other = part.meta, included.meta
        self._pairs.append((meta, other))
        if other.kind != "fragment" and not other.version and not other.description:
            self.notes.append(f"{other.path}: the file says nothing about itself under __meta__")
        check_conflicts(meta.modifiers, other.modifiers)
        meta.modifiers += other.modifiers
        if other.has_components or other.components:
            meta.components |= other.components
        elif other.kind != "fragment" and other.version and other.path.parent.name:
            meta.components[other.path.parent.name] = str(other.version)
        part.tree = merge(deepcopy(part.tree), included.tree)
        part.lines |= included.lines
        part.waiting = apply_directives(part, [*part.waiting, *included.waiting], self.notes)

    def check(self) -> None:
        """Compare versions, once everything is loaded."""
        for parent, included in self._pairs:
            check_compatible(parent, included)

    def inline(self, path: Path, where: str) -> Source:
        """A file that stands inline: complete in itself, its versions compared with nothing."""
        pairs = len(self._pairs)
        part = self.file(path, where)
        del self._pairs[pairs:]
        return self.finished(part)

    def finished(self, part: _Part) -> Source:
        """A part with all of its directives applied."""
        apply_directives(part, part.waiting, self.notes, final=True)
        return Source(part.tree, part.lines)


def _includes(document: Document) -> list[str]:
    value = document.tree.pop("include", [])
    names = [value] if isinstance(value, str) else value
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise ConfigError("'include' must be a file or a list of files", where=document.at("include"), got=value)
    return names


def _expanded(value: Any) -> Any:
    """Values in which variables of the environment are replaced."""
    if isinstance(value, str):
        return os.path.expandvars(value)
    if isinstance(value, list):
        return [_expanded(item) for item in value]
    if isinstance(value, Mapping):
        return {key: _expanded(item) for key, item in value.items()}
    return value


def _composed(reader: _Reader, part: _Part) -> Composed:
    reader.check()
    source = reader.finished(part)
    tree: Tree = _expanded(source.tree)
    return Composed(tree, source.lines, reader.notes, reader.files)


def compose_file(path: Path | str) -> Composed:
    """Compose a configuration from a file and what it includes.

    Parameters
    ----------
    path : Path or str
        YAML file in SPINE's language.

    Raises
    ------
    ConfigError
        When a file is missing, is not YAML, or includes itself; when a directive is malformed or has nothing to act
        on; when versions or modifiers do not go together.
    """
    reader = _Reader()
    return _composed(reader, reader.file(Path(path)))


def compose_text(text: str, folder: Path | str = ".") -> Composed:
    """Compose a configuration from text.

    Parameters
    ----------
    text : str
        YAML in SPINE's language.
    folder : Path or str
        Where the files that it names are looked for.

    Raises
    ------
    ConfigError
        As `compose_file`.
    """
    reader = _Reader()
    return _composed(reader, reader.text(text, Path(folder).absolute() / "<text>"))
