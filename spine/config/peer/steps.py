"""The blocks ``base``, ``geo``, ``build``, ``post``, ``ana``, ``train`` and ``validation`` of a SPINE configuration."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Literal

from pydantic import ValidationError

from spine.config.check import steps_of
from spine.config.model import AnaBlock, StepBlock
from spine.config.peer.border import Border, mapping, one_level
from spine.config.source import Keys, Tree
from spine.errors import ConfigError
from spine.steps.registry import load_step

__all__ = ["base_block", "build_block", "geo_block", "step_block", "train_block", "validation_block"]

SETTINGS: Final = {"post": (), "ana": ("overwrite", "prefix_output", "buffer_size")}
"""Keys of a block of steps that are no steps."""


def base_block(border: Border, tree: Tree) -> Tree:
    """The block ``base``; training that stands in it moves to the top."""
    base = mapping(tree.get("base"))
    if "train" in base:
        if tree.get("train") is not None:
            border.refuse(("base", "train"), "stands beside 'train': keep that one")
        border.moved(("base", "train"), ("train",))
        tree["train"] = base.pop("train")
    return base


def geo_block(border: Border, tree: Tree) -> Tree:
    """The block ``geo``; a version is part of the shipped detector."""
    return border.without(mapping(tree.get("geo")), ("geo",), ("version",), "the tag tells the version")


def build_block(border: Border, tree: Tree) -> Tree:
    """The block ``build``, its sources by our names."""
    build = mapping(tree.get("build"))
    sources = build.get("sources")
    if isinstance(sources, Mapping):
        build["sources"] = {role: _renamed(border, names) for role, names in sources.items()}
    return build


def _renamed(border: Border, names: Any) -> Any:
    if isinstance(names, str):
        return border.renames.get(names, names)
    return [border.renames.get(name, name) for name in names] if isinstance(names, list) else names


def step_block(border: Border, tree: Tree, kind: Literal["post", "ana"]) -> Tree:
    """A block of steps, each with ``provider`` and options under ``config``, in the order in which SPINE runs them.

    A mapping without priorities runs in the order of what its steps read and write, which is that of the mapping
    when SPINE accepts it; where it does not settle the order, the mapping does.
    """
    block = mapping(tree.get(kind))
    settings = {name: block[name] for name in SETTINGS[kind] if name in block}
    rest = {name: value for name, value in block.items() if name not in settings}
    if set(rest) == {"stages"}:
        stages = rest["stages"] if isinstance(rest["stages"], list) else []
        entries = [_stage(border, entry, kind, i) for i, entry in enumerate(stages)]
        return {**settings, "stages": entries}
    steps = {label: value for label, value in rest.items() if value is not None and value is not False}
    found = {label: _step(border, label, value, (kind, label)) for label, value in steps.items()}
    ranks = {label: mapping(value).get("priority") for label, value in steps.items()}
    if any(rank is not None for rank in ranks.values()):
        order = sorted(found, key=lambda label: (ranks[label] is None, -(ranks[label] or 0)))
        return {**settings, "stages": [{"name": label, **found[label]} for label in order]}
    whole = {**settings, **found}
    if _is_settled(kind, whole):
        return whole
    return {**settings, "stages": [{"name": label, **step} for label, step in found.items()]}


def _stage(border: Border, entry: Any, kind: str, number: int) -> Tree:
    block = mapping(entry)
    keys: Keys = (kind, "stages", str(number))
    if "priority" in block:
        border.refuse((*keys, "priority"), "has no place in a list: its order counts")
    label = str(block.pop("name", block.get("provider", number)))
    border.moved(keys, (kind, label))
    return {"name": label, **_step(border, label, block, keys)}


def _step(border: Border, label: str, value: Any, keys: Keys) -> Tree:
    """Provider and options of a step."""
    options = {} if value is True else one_level(border, value, keys)
    options.pop("priority", None)
    return {"provider": options.pop("provider", label), "config": options}


def _is_settled(kind: Literal["post", "ana"], tree: Tree) -> bool:
    """Whether what the steps read and write tells their order; unknown steps are reported by the check."""
    model = StepBlock if kind == "post" else AnaBlock
    try:
        block = model.model_validate(tree)
        for entry in block.steps:
            load_step(kind, entry.provider)
    except (ConfigError, ValidationError):
        return True
    try:
        steps_of(kind, block)
    except ConfigError:
        return False
    return True


def train_block(border: Border, tree: Tree) -> Tree | None:
    """The block ``train``, its optimizer and scheduler in one spelling."""
    if tree.get("train") is None:
        return None
    keys: Keys = ("train",)
    train = border.only_default(mapping(tree["train"]), keys, {"gradient_tracking": "see the log for the norm"})
    for name in ("optimizer", "lr_scheduler"):
        if train.get(name) is not None:
            train[name] = one_level(border, train[name], (*keys, name))
    return train


def validation_block(border: Border, tree: Tree) -> Tree | None:
    """The block ``validation``."""
    if tree.get("validation") is None:
        return None
    refused = {
        "path": "name the files under file_keys", "sources": "name the files under file_keys",
        "entry_filter": "choose other files",
    }  # fmt: skip
    return border.only_default(mapping(tree["validation"]), ("validation",), refused)
