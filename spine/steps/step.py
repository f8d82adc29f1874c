"""Steps: functions on events that state what they read, what they write and how they are configured."""

from __future__ import annotations

import inspect
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from spine.errors import ConfigError

__all__ = ["Columns", "Step", "StepConfig", "step"]

Columns = Mapping[str, NDArray[Any]]
"""Columns of one table of results, by name."""


class StepConfig(BaseModel):
    """Options of a step: frozen, unknown keys refused, every field described with its unit."""

    model_config = ConfigDict(frozen=True, extra="forbid")


@dataclass(frozen=True)
class Step:
    """A named function on events.

    Parameters
    ----------
    name : str
        Name used in the configuration.
    run : callable
        ``run(event, cfg)`` or ``run(event, cfg, detector)``; with ``per="block"`` the first argument is a `Block`.
    reads, writes : tuple of str
        Products (``points``) or columns (``reco_particles.start_dir``).
    config : StepConfig subclass
        Options, taken from the annotation of ``cfg``.
    per : {'event', 'block'}
        Whether it takes one event or the tables of many events at once.
    tables : callable, optional
        Names of the result tables for given options (analysis steps only).
    takes_detector : bool
        Whether ``run`` takes the detector.
    after : tuple of str
        Steps that run before it where both are configured, whatever they read and write.
    """

    name: str
    run: Callable[..., Any]
    reads: tuple[str, ...]
    writes: tuple[str, ...]
    config: type[StepConfig]
    per: Literal["event", "block"] = "event"
    tables: Callable[[Any], tuple[str, ...]] | None = None
    takes_detector: bool = False
    after: tuple[str, ...] = ()

    @property
    def module(self) -> str:
        """Name of the module that defines the step."""
        return self.run.__module__

    @property
    def doc(self) -> str:
        """First line of the documentation."""
        return (inspect.getdoc(self.run) or "").partition("\n")[0]

    def __call__(self, *args: Any) -> Any:
        return self.run(*args)


def _config_type(function: Callable[..., Any]) -> tuple[type[StepConfig], bool]:
    """Options type and whether the function takes a detector, from its annotations."""
    names = list(inspect.signature(function).parameters)
    hints = typing.get_type_hints(function)
    config = hints.get(names[1]) if len(names) > 1 else None
    if not (isinstance(config, type) and issubclass(config, StepConfig)):
        raise ConfigError(
            f"step {function.__name__!r} must take (event, cfg) with cfg annotated by its StepConfig",
            where=function.__module__,
            got=", ".join(names),
            mend="write def name(event: Event, cfg: NameConfig) -> None",
        )
    return config, "detector" in names


def step(
    *,
    reads: tuple[str, ...] = (),
    writes: tuple[str, ...] = (),
    name: str = "",
    per: Literal["event", "block"] = "event",
    tables: Callable[[Any], tuple[str, ...]] | None = None,
    after: tuple[str, ...] = (),
) -> Callable[[Callable[..., Any]], Step]:
    """Turn a function into a step.

    Parameters
    ----------
    reads, writes : tuple of str
        Products or columns (``reco_particles.start_dir``) that the step needs and fills.
    name : str
        Name in the configuration, by default that of the function.
    per : {'event', 'block'}
        See `Step`.
    tables : callable, optional
        For analysis steps: result tables for given options.
    after : tuple of str
        Names of steps that run first where both are configured: where what is read and written does not tell.

    Returns
    -------
    callable
        Decorator which gives a `Step`.

    Raises
    ------
    ConfigError
        When the function does not annotate its options.
    """

    def decorate(function: Callable[..., Any]) -> Step:
        config, detector = _config_type(function)
        return Step(name or function.__name__, function, reads, writes, config, per, tables, detector, after)

    return decorate
