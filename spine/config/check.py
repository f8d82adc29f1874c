"""From a tree of values to the typed configuration, with all problems at once."""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import BaseModel, ValidationError

from spine.config.model import AnaBlock, Config, SimulateBlock, StepBlock, StepEntry
from spine.config.source import Source
from spine.errors import ConfigError, did_you_mean
from spine.steps.order import order_of
from spine.steps.registry import load_step
from spine.steps.step import Step, StepConfig

__all__ = ["Problem", "check", "step_options", "steps_of", "table_names"]


@dataclass(frozen=True)
class Problem:
    """Something wrong in a configuration: which key, and what about it."""

    keys: tuple[str, ...]
    text: str

    def line(self, source: Source) -> str:
        """The problem as one line, with the file and line of the key where they are known."""
        place = source.place(self.keys)
        return f"{place + ': ' if place else ''}{'.'.join(self.keys)}: {self.text}"


def _fields(model: type[BaseModel], keys: tuple[str | int, ...]) -> list[str]:
    """Names that a mapping below the given keys may have, as far as the model tells."""
    current: Any = model
    for key in keys:
        field = current.model_fields.get(str(key))
        current = field.annotation if field is not None else None
        options = getattr(current, "__args__", ())
        nested = [a for a in options if isinstance(a, type) and issubclass(a, BaseModel)]
        current = nested[0] if nested else current
        if not (isinstance(current, type) and issubclass(current, BaseModel)):
            return []
    return [f.alias or name for name, f in current.model_fields.items()]


def _problems(model: type[BaseModel], error: ValidationError, prefix: tuple[str, ...]) -> Iterator[Problem]:
    for item in error.errors():
        keys = (*prefix, *map(str, item["loc"]))
        if item["type"] == "extra_forbidden":
            known = _fields(model, item["loc"][:-1])
            yield Problem(keys, f"unknown key; {did_you_mean(str(item['loc'][-1]), known)}")
        elif item["type"] == "missing":
            yield Problem(keys, "this key is required")
        else:
            yield Problem(keys, f"{item['msg']} (found {item['input']!r})")


def _validated(
    model: type[BaseModel], tree: Mapping[str, Any], prefix: tuple[str, ...], problems: list[Problem]
) -> BaseModel | None:
    try:
        return model.model_validate(tree)
    except ValidationError as error:
        problems += _problems(model, error, prefix)
        return None


def _message(error: ConfigError) -> str:
    return f"{error.what}; {error.mend}" if error.mend else error.what


def _checked_entry(kind: Literal["post", "ana"], entry: StepEntry, problems: list[Problem]) -> StepEntry:
    """The entry with all defaults of its step filled in."""
    keys = (kind, entry.name)
    try:
        step = load_step(kind, entry.provider)
    except ConfigError as error:
        problems.append(Problem(keys, _message(error)))
        return entry
    options = _validated(step.config, entry.config, keys, problems)
    if options is None:
        return entry
    return entry.model_copy(update={"config": options.model_dump(mode="json", by_alias=True)})


def _checked_steps(kind: Literal["post", "ana"], block: StepBlock, problems: list[Problem]) -> StepBlock:
    names = [entry.name for entry in block.steps]
    problems += [Problem((kind, n), "the name stands twice") for n in sorted({n for n in names if names.count(n) > 1})]
    entries = tuple(_checked_entry(kind, entry, problems) for entry in block.steps)
    checked = block.model_copy(update={"steps": entries})
    if not problems:
        try:
            steps_of(kind, checked)
        except ConfigError as error:
            problems.append(Problem((kind,), _message(error)))
    return checked


def steps_of(kind: Literal["post", "ana"], block: StepBlock) -> list[tuple[StepEntry, Step]]:
    """Steps of a block in the order in which they run.

    Raises
    ------
    ConfigError
        When a step is unknown or the order cannot be told.
    """
    pairs = [(entry, load_step(kind, entry.provider)) for entry in block.steps]
    if block.in_order:
        return pairs
    return [pairs[i] for i in order_of([step for _, step in pairs])]


def step_options(entry: StepEntry, step: Step) -> StepConfig:
    """The typed options of a step."""
    return step.config.model_validate(entry.config)


def table_names(ana: AnaBlock) -> tuple[str, ...]:
    """Tables that the configured steps write, besides those of events and failures."""
    names: list[str] = []
    for entry, step in steps_of("ana", ana):
        options = step_options(entry, step)
        names += step.tables(options) if step.tables is not None else (entry.name,)
    return tuple(dict.fromkeys(names))


def _section(module: str, name: str) -> type[BaseModel]:
    """Options of a part of the package which is only imported when it is configured."""
    model: type[BaseModel] = getattr(importlib.import_module(module), name)
    return model


def _checked_build(tree: dict[str, Any], problems: list[Problem]) -> dict[str, Any]:
    if not tree:
        return tree
    options = _validated(_section("spine.build", "BuildConfig"), tree, ("build",), problems)
    return options.model_dump(mode="json", by_alias=True) if options is not None else tree


def _checked_sim(block: SimulateBlock, problems: list[Problem]) -> SimulateBlock:
    extra = dict(block.model_extra or {})
    options = _validated(_section("spine.sim.config", "GeneratorConfig"), extra, ("sim",), problems)
    filled = options.model_dump(mode="json", by_alias=True) if options is not None else extra
    return SimulateBlock.model_validate({"files": block.files, "events_per_file": block.events_per_file, **filled})


def _look_at_steps(tree: Mapping[str, Any], problems: list[Problem]) -> None:
    """Problems of the steps of a configuration that is wrong elsewhere."""
    for kind, model in (("post", StepBlock), ("ana", AnaBlock)):
        try:
            block = model.model_validate(tree.get(kind))
        except ValidationError:
            continue  # reported with the rest of the configuration
        for entry in block.steps:
            _checked_entry("post" if kind == "post" else "ana", entry, problems)


def check(source: Source, found: Sequence[Problem] = ()) -> Config:
    """The typed configuration, all defaults filled in.

    Parameters
    ----------
    source : Source
        Composed and overridden.
    found : sequence of Problem
        Problems that are known already: they are reported with the others.

    Raises
    ------
    ConfigError
        Lists every problem with file, line, key, value and the nearest known name.
    """
    problems = list(found)
    config = _validated(Config, source.tree, (), problems)
    if not isinstance(config, Config):
        _look_at_steps(source.tree, problems)
    else:
        config = config.model_copy(
            update={
                "post": _checked_steps("post", config.post, problems),
                "ana": _checked_steps("ana", config.ana, problems),
                "build": _checked_build(config.build, problems),
                "sim": _checked_sim(config.sim, problems),
            }
        )
    if problems or not isinstance(config, Config):
        lines = [problem.line(source) for problem in problems]
        raise ConfigError("the configuration has problems:\n  " + "\n  ".join(lines))
    return config
