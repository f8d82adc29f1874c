"""What is kept while a SPINE configuration is turned into ours: problems, remarks, and where each key came from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from spine.config.check import Problem
from spine.config.source import Keys, Source, Tree

__all__ = ["Border", "mapping", "one_level"]

SELECTORS = ("provider", "name", "parser")
WRAPPERS = ("config", "args", "kwargs")


@dataclass
class Border:
    """A configuration on its way.

    Parameters
    ----------
    source : Source
        As composed; its lines follow the keys that move.
    problems : list of Problem
        What cannot be taken over.
    notes : list of str
        What is left out because it changes no result.
    renames : dict of str to str
        Our name of each product that the configuration calls otherwise.
    """

    source: Source
    problems: list[Problem] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    renames: dict[str, str] = field(default_factory=dict)

    def refuse(self, keys: Keys, text: str) -> None:
        """Report what cannot be taken over."""
        self.problems.append(Problem(keys, text))

    def note(self, keys: Keys, text: str) -> None:
        """Remark on what is left out."""
        self.notes.append(Problem(keys, text).line(self.source))

    def moved(self, old: Keys, new: Keys) -> None:
        """Let places of a key and those below it follow to its new name."""
        lines = self.source.lines
        below = {keys[len(old) :]: place for keys, place in lines.items() if keys[: len(old)] == old}
        lines.update({(*new, *rest): place for rest, place in below.items()})

    def without(self, block: Tree, keys: Keys, names: Iterable[str], why: str = "") -> Tree:
        """A block without keys that change no result; given a reason, those that are set are remarked on."""
        dropped = set(names)
        for name in block:
            if name in dropped and why and block[name]:
                self.note((*keys, name), why)
        return {name: value for name, value in block.items() if name not in dropped}

    def only_default(self, block: Tree, keys: Keys, names: Mapping[str, str]) -> Tree:
        """A block without keys that are refused, unless they are empty, ``null`` or ``false``."""
        for name, why in names.items():
            if block.get(name):
                self.refuse((*keys, name), f"is not supported: {why}")
        return {name: value for name, value in block.items() if name not in names}


def mapping(value: Any) -> Tree:
    """A block as a mapping of its own; a missing or malformed one is empty, for the check tells."""
    return dict(value) if isinstance(value, Mapping) else {}


def one_level(border: Border, value: Any, keys: Keys) -> Tree:
    """A component in one spelling: ``provider``, and its options beside it.

    Parameters
    ----------
    border : Border
        Gets the problems.
    value : str or mapping
        A name, or a mapping with ``provider``, ``name`` or ``parser``, and options beside it or under ``config``,
        ``args`` or ``kwargs``.
    keys : tuple of str
        Where it stands.
    """
    if isinstance(value, str):
        return {"provider": value}
    block = mapping(value)
    chosen = [name for name in SELECTORS if name in block]
    if len(chosen) > 1:
        border.refuse(keys, f"has {' and '.join(chosen)}: keep provider")
    options = {name: item for name, item in block.items() if name not in (*SELECTORS, *WRAPPERS)}
    for wrapper in WRAPPERS:
        nested = block.get(wrapper)
        if isinstance(nested, Mapping):
            if options:
                border.refuse((*keys, wrapper), f"stands beside other options {sorted(options)}: use one way")
            border.moved((*keys, wrapper), keys)
            options |= nested
        elif nested is not None:
            border.refuse((*keys, wrapper), f"must be a mapping, found {nested!r}")
    return {**({"provider": block[chosen[0]]} if chosen else {}), **options}
