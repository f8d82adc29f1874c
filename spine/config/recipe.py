"""The training recipe: simulated samples, one training after the other, and what each of them reads."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from spine.config.model import Config, RecipeBlock, SampleBlock
from spine.config.slices import stage_slice
from spine.config.source import merge
from spine.errors import ConfigError, did_you_mean

__all__ = [
    "chain_slice",
    "modules_until",
    "recipe_of",
    "sample_slice",
    "step_modules",
    "step_slice",
]


def modules_until(config: Config, stage: str | None = None) -> tuple[str, ...]:
    """Networks that the chain uses up to a stage, or in all stages.

    Raises
    ------
    ConfigError
        When the chain has no such stage.
    """
    names: dict[str, None] = {}
    for entry in config.model.modules.chain.stages:
        uses = entry.uses or ()
        names |= dict.fromkeys([uses] if isinstance(uses, str) else uses)
        if entry.name == stage:
            return tuple(names)
    if stage is None:
        return tuple(names)
    known = [entry.name for entry in config.model.modules.chain.stages]
    raise ConfigError("the chain has no such stage", where="recipe.inputs", got=stage, mend=did_you_mean(stage, known))


def recipe_of(config: Config) -> RecipeBlock:
    """The recipe of a configuration.

    Raises
    ------
    ConfigError
        When it has no steps.
    """
    if not config.recipe.steps:
        raise ConfigError("there is no recipe", where="recipe.steps", mend="extends: small, or steps of your own")
    return config.recipe


def step_modules(recipe: RecipeBlock, name: str) -> tuple[str, ...]:
    """Networks that a step trains."""
    return recipe.steps[name].modules or (name,)


def sample_slice(config: Config, sample: SampleBlock) -> str:
    """What the simulation of a sample sees of the configuration, as canonical JSON."""
    above = {"base": {"seed": sample.seed}, "sim": {"events_per_file": sample.events_per_file}}
    return stage_slice(_laid(config, above), "simulate")


def step_slice(config: Config, name: str) -> str:
    """What a training sees of the configuration, as canonical JSON."""
    recipe = recipe_of(config)
    ours = {"train": {"modules": list(step_modules(recipe, name))}, "model": {"weight_path": None}}
    above = merge(dict(recipe.steps[name].settings), ours)
    return stage_slice(_laid(config, above), "train")


def chain_slice(config: Config, weights: str, until: str | None = None) -> str:
    """What the chain up to a stage sees of the configuration when it runs with given weights, as canonical JSON.

    The digest of the weights is left out: they are an input of the rule, and do not exist yet when rules are made.
    """
    tree = config.model_dump(mode="json", by_alias=True)
    stages = tree["model"]["modules"]["chain"]["stages"]
    last = len(stages) if until is None else [stage["name"] for stage in stages].index(until) + 1
    used = modules_until(config, until)
    modules = {name: tree["model"]["modules"][name] for name in used}
    tree["model"] |= {"weight_path": weights, "modules": {"chain": {"stages": stages[:last]}, **modules}}
    sliced = json.loads(stage_slice(Config.model_validate(tree), "infer"))
    sliced["model"]["weight_digests"] = {}
    return json.dumps(sliced, sort_keys=True, separators=(",", ":"))


def _laid(config: Config, above: Mapping[str, Any]) -> Config:
    return Config.model_validate(merge(config.model_dump(mode="json", by_alias=True), above))
