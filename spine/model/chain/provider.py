"""Providers: functions that make products of one event, with what they need stated beforehand."""

from __future__ import annotations

import inspect
import typing
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from spine.errors import ConfigError
from spine.steps.step import StepConfig

__all__ = ["Further", "Names", "Networks", "Provider", "Result", "provider"]

Result: TypeAlias = Mapping[str, Any]
"""Products made for one event, by name."""

Networks: TypeAlias = Mapping[str, Any]
"""Networks by the names under which stages use them."""

Names: TypeAlias = Sequence[str] | Callable[[Any], Sequence[str]]
"""Names of products, or a function that tells them from the options."""

Further: TypeAlias = Callable[[Any, Networks], Sequence[str]]
"""Tells names of products from the options and the networks."""


def _nothing(cfg: object, networks: Networks) -> tuple[str, ...]:
    del cfg, networks
    return ()


@dataclass(frozen=True)
class Provider:
    """A way of making products.

    Parameters
    ----------
    family, mode : str
        What it makes (``fragmentation``) and how (``dbscan``).
    run : callable
        ``run(event, cfg)`` or ``run(event, cfg, networks)``; returns the products by name, or what the family
        combines into them. With ``per="block"`` it takes a `Block` and returns one result per event.
    config : StepConfig subclass
        Options, taken from the annotation of ``cfg``.
    requires, provides : sequence of str, or callable
        Products that must be there before and are there afterwards; a function of the options when they decide.
    replaces : sequence of str
        Products of earlier stages that it may put others in the place of.
    per : {'event', 'block'}
        Whether it takes one event or several at once.
    takes_networks : bool
        Whether ``run`` has the third parameter.
    further : callable
        Further products that are there afterwards with some networks. It may refuse networks.
    """

    family: str
    mode: str
    run: Callable[..., Any]
    config: type[StepConfig]
    requires: Names
    provides: Names
    replaces: Names = ()
    per: Literal["event", "block"] = "event"
    takes_networks: bool = False
    further: Further = _nothing


def _options_of(function: Callable[..., Any]) -> tuple[type[StepConfig], bool]:
    """Type of the options and whether the function takes networks, from its annotations."""
    parameters = list(inspect.signature(function).parameters)
    hints = typing.get_type_hints(function)
    config = hints.get(parameters[1]) if len(parameters) > 1 else None
    if not (isinstance(config, type) and issubclass(config, StepConfig)):
        raise ConfigError(
            f"provider {function.__name__!r} must take (event, cfg) with cfg annotated by its StepConfig",
            where=function.__module__,
            got=", ".join(parameters),
            mend="write def name(event: Event, cfg: NameConfig) -> Result",
        )
    return config, "networks" in parameters


def provider(
    family: str,
    mode: str,
    *,
    requires: Names,
    provides: Names,
    replaces: Names = (),
    per: Literal["event", "block"] = "event",
    further: Further = _nothing,
) -> Callable[[Callable[..., Any]], Provider]:
    """Turn a function into a provider; see `Provider` for the parameters.

    Returns
    -------
    callable
        Decorator which gives a `Provider`.

    Raises
    ------
    ConfigError
        When the function does not annotate its options.
    """

    def decorate(function: Callable[..., Any]) -> Provider:
        config, networks = _options_of(function)
        return Provider(family, mode, function, config, requires, provides, replaces, per, networks, further)

    return decorate
