"""What there is to document: the parts of the package that declare options."""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

from pydantic import BaseModel, ValidationError

from spine.steps.registry import load_step
from spine.steps.step import Step

__all__ = [
    "SECTIONS",
    "Mode",
    "chain_modes",
    "first_line",
    "found",
    "kinds_of",
    "networks",
    "optional_model",
    "parsers",
    "step_tables",
    "steps",
]

SECTIONS = {"build": ("spine.build", "BuildConfig"), "sim": ("spine.sim.config", "GeneratorConfig")}
"""Where the options of blocks are declared that belong to one part of the package."""
log = logging.getLogger(__name__)


@cache
def found(module: str) -> bool:
    """True when a module of the package exists; says so when it does not."""
    parent = module.rpartition(".")[0]
    if (not parent or found(parent)) and importlib.util.find_spec(module) is not None:
        return True
    log.warning("not documented, there is no module %s", module)
    return False


def first_line(thing: object) -> str:
    """First paragraph of the documentation of a function or class, on one line."""
    return " ".join((inspect.getdoc(thing) or "").partition("\n\n")[0].split()).replace("``", "`")


def steps(kind: Literal["post", "ana"]) -> list[Step]:
    """Steps of the package, in the order in which they are registered."""
    if not found(f"spine.{kind}"):
        return []
    known: dict[str, str] = importlib.import_module(f"spine.{kind}").STEPS
    return [load_step(kind, name) for name, module in known.items() if found(module)]


def kinds_of(step: Step) -> list[tuple[str, type[BaseModel]]]:
    """Blocks whose keys depend on their name: name and options of each, as the options of the step declare them."""
    kinds: dict[str, type[BaseModel]] = getattr(step.config, "blocks", {})
    return list(kinds.items())


def _defaults(model: type[BaseModel]) -> BaseModel | None:
    try:
        return model()
    except ValidationError:
        return None


def step_tables(step: Step) -> str:
    """Tables that an analysis step writes with its defaults, in words."""
    defaults = _defaults(step.config)
    if step.tables is None:
        return f"`{step.name}`"
    if defaults is None:
        return "as the options say"
    return ", ".join(f"`{name}`" for name in step.tables(defaults))


@dataclass(frozen=True)
class Mode:
    """One way in which a family of providers of the chain works.

    Parameters
    ----------
    name : str
        Name under ``mode``.
    doc : str
        What it does.
    requires, provides : str
        Products, in words.
    config : BaseModel subclass
        Options.
    """

    name: str
    doc: str
    requires: str
    provides: str
    config: type[BaseModel]


def chain_modes() -> Iterator[tuple[str, tuple[str, ...], list[Mode]]]:
    """Families of providers: name, products that members may make, modes."""
    if not found("spine.model.chain.families"):
        return
    from spine.model.chain.families import FAMILIES

    for family in FAMILIES.values():
        places = {name: place.partition(":") for name, place in family.modes.items()}
        modes = [_mode(name, at, attribute) for name, (at, _, attribute) in places.items() if found(at)]
        yield family.name, family.products, modes


def networks() -> Iterator[tuple[str, type[BaseModel], type[BaseModel] | None]]:
    """Networks by the start of their names: their options, and those of their losses."""
    if not found("spine.model.networks") or not found("spine.train.tasks"):
        return
    from spine.model.networks import OPTIONS
    from spine.train.tasks import LOSSES

    for name, place in OPTIONS.items():
        loss = LOSSES.get(name)
        yield name, _attribute(place), None if loss is None else _attribute(loss)


def _attribute(place: str) -> Any:
    module, _, name = place.partition(":")
    return getattr(importlib.import_module(module), name)


def _mode(name: str, module: str, attribute: str) -> Mode:
    provider = getattr(importlib.import_module(module), attribute)
    needs, makes = (_products(names, provider.config) for names in (provider.requires, provider.provides))
    return Mode(name, first_line(provider.run), needs, makes, provider.config)


def _products(names: Any, config: type[BaseModel]) -> str:
    """Names of products, with default options where these decide."""
    if callable(names):
        defaults = _defaults(config)
        if defaults is None:
            return "as the options say"
        listed = ", ".join(dict.fromkeys(f"`{name}`" for name in names(defaults)))
        return f"{listed} (with default options)"
    return ", ".join(f"`{name}`" for name in names) or "nothing"


def parsers() -> dict[str, tuple[Callable[..., object], type[BaseModel], str]]:
    """Parsers of larcv files by name: the function, its options, the kind of product."""
    if not found("spine.store.larcv.parsers"):
        return {}
    from spine.store.larcv.parsers import PARSERS

    return {name: (parser.run, parser.options, parser.kind) for name, parser in PARSERS.items()}


def optional_model(module: str, name: str) -> type[BaseModel] | None:
    """Options of a part of the package, None where it is missing."""
    if not found(module):
        return None
    model: type[BaseModel] = getattr(importlib.import_module(module), name)
    return model
