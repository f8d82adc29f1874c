"""Edits of a list by the names of its entries, as in ``override: {post.stages~: [{insert: ...}, {remove: ...}]}``."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from typing import Any, TypeAlias

from spine.config.source import Tree, merge
from spine.errors import ConfigError

__all__ = ["edited"]

Entries: TypeAlias = list[Tree]


def _is_name(value: Any) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _checked(entries: Any, where: object) -> Entries:
    """Entries of which each has a name of its own."""
    if not isinstance(entries, list):
        raise ConfigError("edits by name need a list", where=where, got=type(entries).__name__)
    names = [entry.get("name") if isinstance(entry, Mapping) else None for entry in entries]
    if not all(map(_is_name, names)):
        raise ConfigError("edits by name need a list whose entries have names", where=where)
    for name in names:
        if names.count(name) > 1:
            raise ConfigError("two entries of the list have one name", where=where, got=name)
    return deepcopy(entries)


def _place(entries: Entries, name: Any, where: object) -> int:
    if not _is_name(name):
        raise ConfigError("an edit names no entry", where=where, got=name)
    for i, entry in enumerate(entries):
        if entry["name"] == name:
            return i
    raise ConfigError(f"the list has no entry {name!r}", where=where, got=", ".join(e["name"] for e in entries))


def _insert(entries: Entries, options: Tree, where: object) -> None:
    anchors = set(options) & {"before", "after"}
    if len(anchors) != 1 or set(options) != {*anchors, "value"}:
        raise ConfigError("insert takes value and one of before and after", where=where, got=sorted(options))
    value = options["value"]
    if not isinstance(value, Mapping) or not _is_name(value.get("name")):
        raise ConfigError("the entry to insert needs a name", where=where, got=value)
    if any(entry["name"] == value["name"] for entry in entries):
        raise ConfigError("the list has an entry of that name", where=where, got=value["name"])
    anchor = anchors.pop()
    entries.insert(_place(entries, options[anchor], where) + (anchor == "after"), deepcopy(dict(value)))


def _update(entries: Entries, options: Tree, where: object) -> None:
    if set(options) != {"name", "changes"}:
        raise ConfigError("update takes name and changes", where=where, got=sorted(options))
    changes = options["changes"]
    if not isinstance(changes, Mapping) or "name" in changes:
        raise ConfigError("changes are a mapping without a name", where=where, got=changes)
    place = _place(entries, options["name"], where)
    entries[place] = merge(entries[place], deepcopy(dict(changes)))


def _remove(entries: Entries, options: Tree, where: object) -> None:
    if set(options) != {"name"}:
        raise ConfigError("remove takes name", where=where, got=sorted(options))
    entries.pop(_place(entries, options["name"], where))


EDITS = {"insert": _insert, "update": _update, "remove": _remove}


def edited(entries: Any, edits: Any, where: object) -> Entries:
    """A list after edits, in order; all of them or, after an error, none.

    Parameters
    ----------
    entries : list of mapping
        Each with a name of its own.
    edits : mapping or list of mapping
        Each has one key: ``insert: {before or after: NAME, value: {name: ...}}``, ``update: {name, changes}`` or
        ``remove: {name}``.
    where : object
        File and line, for messages.

    Raises
    ------
    ConfigError
        When an edit is malformed, or an entry does not exist, or exists already.
    """
    found = _checked(entries, where)
    todo = [edits] if isinstance(edits, Mapping) else edits
    if not isinstance(todo, list) or not todo:
        raise ConfigError("edits are a mapping or a list of mappings", where=where, got=edits)
    for edit in todo:
        if not isinstance(edit, Mapping) or len(edit) != 1 or next(iter(edit)) not in EDITS:
            raise ConfigError("an edit is one of insert, update and remove", where=where, got=edit)
        kind, options = next(iter(edit.items()))
        if not isinstance(options, Mapping):
            raise ConfigError(f"{kind} takes a mapping", where=where, got=options)
        EDITS[kind](found, dict(options), where)
    return found
