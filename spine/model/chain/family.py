"""Families of providers: the modes there are, and how the configuration of a stage names them."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib.metadata import entry_points
from typing import Any, NamedTuple, TypeAlias

from spine.errors import ConfigError, did_you_mean
from spine.model.chain.provider import Provider, Result
from spine.schema import Event

__all__ = ["GROUP", "Family", "Part", "by_mode", "find_provider", "provider_place", "single"]

GROUP = "spine.providers"
"""Entry-point group of other packages; names are ``FAMILY.MODE``, values ``module:attribute``."""

Options: TypeAlias = Mapping[str, Any]


class Part(NamedTuple):
    """One provider of a stage: its mode, its options, and the key under which the options stand."""

    mode: str
    options: Options
    key: str = ""


def single(event: Event, results: Sequence[Any]) -> Result:
    """The products of the only part."""
    del event
    result: Result = results[0]
    return result


@dataclass(frozen=True)
class Family:
    """What kinds of providers can do for the chain.

    Parameters
    ----------
    name : str
        Name used as ``provider`` in a stage.
    products : tuple of str
        What members of the family may provide.
    modes : mapping
        Where the provider of each mode is defined, ``module:attribute``; imported when used. Further modes come
        from the entry-point group `GROUP` or by assignment.
    parts : callable
        The parts that the configuration of a stage asks for.
    combine : callable
        Makes the products of an event from the results of the parts.
    """

    name: str
    products: tuple[str, ...]
    modes: dict[str, str]
    parts: Callable[[Family, Options, str], list[Part]]
    combine: Callable[[Event, Sequence[Any]], Result] = field(default=single)


def provider_place(family: Family, mode: str, where: str) -> tuple[str, str]:
    """Module and attribute that define the provider of a mode.

    Raises
    ------
    ConfigError
        When the family has no such mode.
    """
    known = _modes(family)
    if mode not in known:
        listed = ", ".join(sorted(known))
        raise ConfigError(
            f"{family.name} has no mode {mode!r}", where=where, expected=listed, mend=did_you_mean(mode, known)
        )
    module, _, attribute = known[mode].partition(":")
    return module, attribute


def find_provider(family: Family, mode: str, where: str) -> Provider:
    """The provider of a mode.

    Raises
    ------
    ConfigError
        When the family has no such mode, or its place holds no provider.
    """
    module, attribute = provider_place(family, mode, where)
    found = getattr(importlib.import_module(module), attribute, None)
    if not isinstance(found, Provider):
        raise ConfigError("no provider is defined there", where=where, got=f"{module}:{attribute}")
    return found


@cache
def _others() -> dict[str, str]:
    """Modes of other packages, looked for once."""
    return {point.name: point.value for point in entry_points(group=GROUP)}


def _modes(family: Family) -> dict[str, str]:
    prefix = f"{family.name}."
    others = {n.removeprefix(prefix): v for n, v in _others().items() if n.startswith(prefix)}
    return {**others, **family.modes}


def by_mode(family: Family, options: Options, where: str, default: str | None = None) -> list[Part]:
    """Parts of a stage whose options have a ``mode``.

    Several modes are joined by ``_`` (``dbscan_graph_spice``); the options of each then stand in a block of its
    name. The options of a single mode may stand in such a block or beside ``mode``.

    Raises
    ------
    ConfigError
        When there is no mode, or a key belongs to no mode.
    """
    mode = options.get("mode", default)
    known = _modes(family)
    if not isinstance(mode, str):
        raise ConfigError("the stage has no mode", where=where, got=mode, expected=", ".join(sorted(known)))
    rest = {key: value for key, value in options.items() if key != "mode"}
    if mode in known or (joined := _split(mode, known)) is None:
        own = rest[mode] if set(rest) == {mode} and isinstance(rest[mode], Mapping) else rest
        return [Part(mode, own, mode if own is not rest else "")]
    stray = sorted(set(rest) - set(joined))
    if stray:
        raise ConfigError(
            f"unknown key {stray[0]!r} beside several modes", where=where, mend=did_you_mean(stray[0], joined)
        )
    return [Part(one, rest.get(one) or {}, one) for one in joined]


def _split(mode: str, known: Mapping[str, str]) -> list[str] | None:
    """The known modes of which the name is made, None when it is not."""
    if mode in known:
        return [mode]
    for head in sorted(known):
        if mode.startswith(f"{head}_"):
            tail = _split(mode[len(head) + 1 :], known)
            if tail is not None:
                return [head, *tail]
    return None
