"""Directives of SPINE's language: assignments, additions and removals by dotted path, applied to a merged tree."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import yaml

from spine.config.peer.document import Document
from spine.config.peer.edits import edited
from spine.config.peer.meta import Meta
from spine.config.source import Source, Tree
from spine.errors import ConfigError

__all__ = ["Directive", "apply_directives", "directives_of", "plain"]

OPERATORS = ("+", "-", "~")


class _MissingError(ConfigError):
    """A directive has nothing to act on: another file may still bring it."""


@dataclass(frozen=True)
class Directive:
    """One operation.

    Parameters
    ----------
    path : str
        Dotted path, without the operator.
    operation : {'=', '+', '-', '~', 'remove'}
        Assign; add to a list; take from a list or mapping; edit a list by names; delete.
    value : object
        What is assigned, added or taken.
    where : str
        File and line.
    strict, append : str
        Policies of its file, see `Meta`.
    optional : bool
        Whether it may find nothing to act on.
    """

    path: str
    operation: str
    value: Any
    where: str
    strict: str = "error"
    append: str = "append"
    optional: bool = False

    @property
    def keys(self) -> tuple[str, ...]:
        """Parts of the path."""
        return tuple(self.path.split("."))

    def overlaps(self, other: Directive) -> bool:
        """Whether one of two directives acts on what the other may change."""
        n = min(len(self.keys), len(other.keys))
        return self.keys[:n] == other.keys[:n]


def _listed(document: Document, key: str) -> list[str]:
    value = document.tree.pop(key, None)
    names = [value] if isinstance(value, str) else value
    if names is None:
        return []
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise ConfigError(f"{key!r} must be a name or a list of names", where=document.at(key), got=value)
    return names


def directives_of(document: Document, meta: Meta) -> list[Directive]:
    """Take the directives out of a document: its overrides in order, then its removals.

    Raises
    ------
    ConfigError
        When one is malformed, or an optional path belongs to none of them.
    """
    overrides = document.tree.pop("override", None)
    if overrides is not None and not isinstance(overrides, dict):
        raise ConfigError("'override' must be a mapping", where=document.at("override"), got=type(overrides).__name__)
    found = []
    for key, value in (overrides or {}).items():
        operation = key[-1] if key.endswith(OPERATORS) else "="
        path = key if operation == "=" else key[:-1]
        found.append(_directive(path, operation, value, document.at("override", key), meta))
    for path in _listed(document, "remove"):
        found.append(_directive(path, "remove", None, document.at("remove"), meta))
    unused = sorted(set(meta.optional) - {directive.path for directive in found})
    if unused:
        raise ConfigError("optional paths that no directive has", where=document.at("__meta__"), got=", ".join(unused))
    return found


def _directive(path: str, operation: str, value: Any, where: str, meta: Meta) -> Directive:
    optional = path in meta.optional
    if optional and operation == "~":
        raise ConfigError("edits by name cannot be optional", where=where, got=path)
    return Directive(path, operation, value, where, meta.strict, meta.append, optional)


def plain(value: Any) -> Any:
    """A value; text is read as YAML, so that ``"5"`` is a number."""
    if not isinstance(value, str) or not value.strip():
        return value
    try:
        return yaml.safe_load(value)
    except yaml.YAMLError:
        return value


def apply_directives(
    source: Source, directives: Sequence[Directive], notes: list[str], final: bool = False
) -> list[Directive]:
    """Apply directives in order; those that find nothing wait, and so do later ones that overlap with them.

    Parameters
    ----------
    source : Source
        Changed in place.
    directives : sequence of Directive
        In order.
    notes : list of str
        Gets a line for each one that is left out.
    final : bool
        Nothing more will be merged: none may wait.

    Returns
    -------
    list of Directive
        Those that wait.

    Raises
    ------
    ConfigError
        When one acts on a value of the wrong kind or, in a strict file, on nothing.
    """
    waiting: list[Directive] = []
    for one in directives:
        if any(one.overlaps(other) for other in waiting):
            if one.operation == "~":
                raise ConfigError("an earlier directive on the list waits for a file", where=one.where, got=one.path)
            waiting.append(one)
            continue
        try:
            _apply(source, one)
        except _MissingError as error:
            if final or one.operation in ("~", "remove"):
                _left_out(one, error, notes)
            else:
                waiting.append(one)
    return waiting


def _left_out(one: Directive, error: ConfigError, notes: list[str]) -> None:
    """Note a directive that finds nothing, or raise."""
    if one.optional:
        return
    lenient = one.operation == "=" or (one.strict == "warn" and one.operation != "~")
    if not lenient:
        raise ConfigError(error.what, where=one.where, got=one.path) from error
    notes.append(f"{one.where}: {one.path} is left out: {error.what}")


def _parent(source: Source, one: Directive) -> Tree:
    """The mapping that holds what the directive acts on."""
    if not all(one.keys):
        raise ConfigError("a path has an empty part", where=one.where, got=one.path)
    tree: Any = source.tree
    for i, key in enumerate(one.keys[:-1]):
        if key not in tree:
            raise _MissingError(f"there is no {'.'.join(one.keys[: i + 1])!r}", where=one.where)
        tree = tree[key]
        if not isinstance(tree, dict):
            raise ConfigError(f"{key!r} is no mapping", where=one.where, got=one.path)
    parent: Tree = tree
    return parent


def _apply(source: Source, one: Directive) -> None:
    parent, key = _parent(source, one), one.keys[-1]
    if one.operation == "=":
        parent[key] = plain(one.value)
    elif one.operation == "remove":
        if key not in parent:
            raise _MissingError("there is no such key", where=one.where)
        del parent[key]
    else:
        parent[key] = _changed(parent, key, one)
    source.lines[one.keys] = one.where


def _changed(parent: Tree, key: str, one: Directive) -> Any:
    """The list or mapping after something was added, taken or edited."""
    if key not in parent:
        if one.operation != "+":
            raise _MissingError("there is no such key", where=one.where)
        parent[key] = []
    target, value = parent[key], plain(one.value)
    if one.operation == "~":
        return edited(target, value, one.where)
    values = value if isinstance(value, list) else [value]
    if isinstance(target, list):
        if one.operation == "-":
            return [item for item in target if item not in values]
        return _extended(target, values, one.append)
    if isinstance(target, dict) and one.operation == "-":
        return {name: item for name, item in target.items() if name not in values}
    what = "a mapping" if isinstance(target, dict) else f"a {type(target).__name__}"
    raise ConfigError(f"{one.operation!r} cannot act on {what}", where=one.where, got=one.path)


def _extended(target: list[Any], values: list[Any], append: str) -> list[Any]:
    if append != "unique":
        return [*target, *values]
    out = list(target)
    for value in values:
        if value not in out:
            out.append(value)
    return out
