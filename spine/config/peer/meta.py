"""What a SPINE configuration says about itself under ``__meta__``: kind, version, strictness, what it goes with."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from spine.config.peer.document import Document
from spine.errors import ConfigError

__all__ = ["Meta", "Modifier", "check_compatible", "check_conflicts", "meta_of"]

KEY: Final = "__meta__"
KINDS: Final = ("bundle", "fragment", "mod")
STRICT: Final = ("error", "warn")
APPEND: Final = ("append", "unique")
COMPARE: Final[Mapping[str, Callable[[int, int], bool]]] = {
    ">=": operator.ge, "<=": operator.le, "==": operator.eq, "!=": operator.ne, ">": operator.gt, "<": operator.lt,
}  # fmt: skip


@dataclass(frozen=True)
class Modifier:
    """A named configuration of kind ``mod``, and the names of those it does not go with."""

    name: str
    conflicts: frozenset[str]
    path: Path


@dataclass
class Meta:
    """Metadata of one file; ``components`` and ``modifiers`` grow with what the file includes.

    Parameters
    ----------
    path : Path
        The file.
    kind : {'bundle', 'fragment', 'mod'}
        What it is.
    strict : {'error', 'warn'}
        What happens when a directive finds nothing to act on.
    append : {'append', 'unique'}
        Whether ``+`` adds what a list has already.
    version, description : str, optional
        As given.
    optional : tuple of str
        Paths of directives that may find nothing.
    extends, compatible : object
        As given, see `check_compatible`.
    components : dict of str to str
        Version of each component by name.
    modifiers : list of Modifier
        Modifiers that are part of it.
    """

    path: Path
    kind: str = "bundle"
    strict: str = "error"
    append: str = "append"
    version: str | None = None
    description: str | None = None
    optional: tuple[str, ...] = ()
    extends: Any = None
    compatible: Any = None
    components: dict[str, str] = field(default_factory=dict)
    has_components: bool = False
    modifiers: list[Modifier] = field(default_factory=list)


def _chosen(document: Document, key: str, allowed: tuple[str, ...], default: str, notes: list[str]) -> str:
    """A value out of a few; another one is noted, and the default taken."""
    value = document.tree[KEY].get(key)
    if value is None or value in allowed:
        return default if value is None else str(value)
    notes.append(f"{document.at(KEY, key)}: __meta__.{key} is {value!r}, not one of {', '.join(allowed)}")
    return default


def _optional(document: Document) -> tuple[str, ...]:
    paths = document.tree[KEY].get("optional_paths", [])
    if not isinstance(paths, list) or not all(isinstance(p, str) and all(p.split(".")) for p in paths):
        raise ConfigError(
            "__meta__.optional_paths must be a list of dotted paths", where=document.at(KEY, "optional_paths"),
            got=paths,
        )  # fmt: skip
    return tuple(paths)


def _names(value: Any) -> frozenset[str]:
    return frozenset([value] if isinstance(value, str) else value if isinstance(value, list) else ())


def meta_of(document: Document, notes: list[str]) -> Meta:
    """Take the metadata out of a document.

    Parameters
    ----------
    document : Document
        Loses its key ``__meta__``.
    notes : list of str
        Gets a line for every value that is not understood.

    Raises
    ------
    ConfigError
        When ``optional_paths`` is not a list of dotted paths.
    """
    given = document.tree.setdefault(KEY, {}) or {}
    document.tree[KEY] = given
    kind = _chosen(document, "kind", KINDS, "bundle", notes)
    meta = Meta(
        document.path, kind, _chosen(document, "strict", STRICT, "warn" if kind == "mod" else "error", notes),
        _chosen(document, "list_append", APPEND, "append", notes), given.get("version"), given.get("description"),
        _optional(document), given.get("extends"), given.get("compatible_with"), dict(given.get("components") or {}),
        "components" in given,
    )  # fmt: skip
    if kind == "mod" and given.get("name"):
        meta.modifiers.append(Modifier(given["name"], _names(given.get("conflicts_with")), document.path))
    del document.tree[KEY]
    return meta


def check_conflicts(present: list[Modifier], added: list[Modifier]) -> None:
    """Refuse modifiers of which one says that it does not go with the other.

    Raises
    ------
    ConfigError
        Names both, with their files.
    """
    for one in present:
        for other in added:
            if other.name in one.conflicts or one.name in other.conflicts:
                raise ConfigError(
                    f"modifier {one.name!r} does not go with {other.name!r}", where=other.path, got=f"also {one.path}"
                )


def _version(text: Any, where: object) -> int:
    if not re.fullmatch(r"\d{6}", str(text)):
        raise ConfigError("a version has six digits (YYMMDD)", where=where, got=text)
    return int(text)


def _fulfils(found: Any, constraint: str, where: object) -> bool:
    sign = next((s for s in COMPARE if constraint.strip().startswith(s)), "")
    wanted = constraint.strip().removeprefix(sign).strip()
    return COMPARE[sign or "=="](_version(found, where), _version(wanted, where))


def check_compatible(parent: Meta, included: Meta) -> None:
    """Make sure that a file goes with the one that includes it, as its ``compatible_with`` says.

    Parameters
    ----------
    parent, included : Meta
        Metadata of both files, once everything is loaded.

    Raises
    ------
    ConfigError
        When a version is missing or out of range, or the parent is none of those named.
    """
    wanted = included.compatible
    if not wanted:
        return
    if not isinstance(wanted, Mapping):
        _check_identity(parent, included, _names(wanted))
        return
    for component, constraint in wanted.items():
        found = parent.components.get(component, parent.version)
        if found is None or not _fulfils(found, str(constraint), included.path):
            raise ConfigError(
                f"the file needs {component} {constraint}", where=included.path, got=found or "no version",
                mend=f"include another version of one of them in {parent.path}",
            )  # fmt: skip


def _check_identity(parent: Meta, included: Meta, wanted: frozenset[str]) -> None:
    names = {parent.kind, *_names(parent.extends)}
    if parent.version:
        names |= {f"{name}_{parent.version}" for name in names}
    if not names & wanted:
        raise ConfigError(
            "the file does not go with the one that includes it", where=included.path,
            got=f"{', '.join(sorted(names))} ({parent.path})", expected=", ".join(sorted(wanted)),
        )  # fmt: skip
