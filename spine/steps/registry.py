"""Finding steps by name: shipped ones, those of other packages, and files of users."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from functools import cache
from importlib.metadata import entry_points
from pathlib import Path
from types import ModuleType
from typing import Literal

from spine.errors import ConfigError, did_you_mean
from spine.steps.step import Step

__all__ = ["GROUP", "file_module", "is_file", "known_steps", "load_step", "step_module"]

GROUP = "spine.steps"
"""Entry-point group of other packages; names are ``post.NAME`` or ``ana.NAME``."""

Kind = Literal["post", "ana"]


@cache
def known_steps(kind: Kind) -> dict[str, str]:
    """Module of every registered step of a kind, by name; modules are not imported."""
    shipped: dict[str, str] = dict(importlib.import_module(f"spine.{kind}").STEPS)
    for point in entry_points(group=GROUP):
        block, _, name = point.name.partition(".")
        if block == kind and name:
            shipped[name] = point.module
    return shipped


def _current(kind: Kind, provider: str) -> str:
    """The name of the step that an older name stands for; any other name as it is."""
    aliases: dict[str, str] = getattr(importlib.import_module(f"spine.{kind}"), "ALIASES", {})
    return aliases.get(provider, provider)


def is_file(provider: str) -> bool:
    """True when a provider names a Python file rather than a registered step."""
    return provider.partition(":")[0].endswith(".py")


def step_module(kind: Kind, provider: str) -> str:
    """Module name, or path of the file, that defines a step.

    Raises
    ------
    ConfigError
        When there is no such step or file.
    """
    if is_file(provider):
        path = Path(provider.partition(":")[0])
        if not path.is_file():
            raise ConfigError("no such file for a step", where=f"{kind}.{provider}", got=path.absolute())
        return str(path)
    known = known_steps(kind)
    provider = _current(kind, provider)
    if provider not in known:
        raise ConfigError(f"no {kind} step is called {provider!r}", mend=did_you_mean(provider, known))
    return known[provider]


def file_module(provider: str) -> ModuleType:
    """The module of a file of a user, loaded once.

    Parameters
    ----------
    provider : str
        ``file.py`` or ``file.py:name``.

    Raises
    ------
    ConfigError
        When there is no such file, or it is no module.
    """
    path = Path(provider.partition(":")[0])
    if not path.is_file():
        raise ConfigError("no such file of code", got=path.absolute())
    name = f"spine_user_{path.resolve().as_posix().replace('/', '_').removesuffix('.py')}"
    if name in sys.modules:
        return sys.modules[name]
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ConfigError("the file cannot be loaded as a Python module", where=path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def load_step(kind: Kind, provider: str) -> Step:
    """The step that a provider names.

    Parameters
    ----------
    kind : {'post', 'ana'}
        Block in which it stands.
    provider : str
        Registered name or an older one of it, ``file.py`` with one step in it, or ``file.py:name``.

    Raises
    ------
    ConfigError
        When there is no such step, or a file has none or several.
    """
    where = step_module(kind, provider)
    module = file_module(where) if is_file(provider) else importlib.import_module(where)
    name = provider.partition(":")[2] if is_file(provider) else _current(kind, provider)
    steps = {s.name: s for s in vars(module).values() if isinstance(s, Step) and s.module == module.__name__}
    if not name and len(steps) == 1:
        return next(iter(steps.values()))
    if name in steps:
        return steps[name]
    mend = "decorate one function with @step" if not steps else f"write file.py:NAME; {did_you_mean(name, steps)}"
    raise ConfigError("the step cannot be told from the file", where=where, got=sorted(steps), mend=mend)
