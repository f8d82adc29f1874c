"""What each stage sees of the configuration, and the code it depends on."""

from __future__ import annotations

import importlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final, Literal

from spine.config.fingerprint import code_fingerprint, file_fingerprint
from spine.config.model import Config, StepBlock
from spine.config.shipped import weights_file
from spine.config.source import Source, apply_overrides
from spine.steps.registry import is_file, step_module

__all__ = ["STAGES", "from_slice", "stage_code", "stage_slice"]

STAGES: Final = ("simulate", "train", "infer", "build", "post", "ana", "merge", "report")
"""Stages in the order of the chain."""

KEYS_OF_STAGE: Final = {
    "simulate": {"on_error", "seed"},
    "infer": {"on_error", "seed"},
    "train": {"seed", "iterations", "epochs"},
}
"""Settings of every run that can change what a stage writes; ``on_error`` for stages that are not named."""

WITHOUT_EFFECT: Final = ("device", "keep", "resume", "weight_prefix")
"""Options of the training that do not change the weights."""

OTHER_MODULES: Final = ("chain", "loss_balancing")
"""Blocks of modules that are neither networks nor losses."""

BLOCKS: Final = {
    "inventory": ("io",),
    "simulate": ("sim",),
    "infer": ("io", "model"),
    "train": ("model", "train", "validation"),
    "build": ("build", "geo"),
    "post": ("post", "geo"),
    "ana": ("ana", "geo"),
    "merge": ("merge",),
    "report": ("report",),
}
"""Blocks that each stage reads."""


def _blocks(config: Config, stage: str) -> set[str]:
    """Blocks that a stage reads; the simulation reads that of the detector only where its image follows it."""
    image = (config.sim.model_extra or {}).get("image") or {}
    framed = stage == "simulate" and image.get("frame") == "detector"
    return {*BLOCKS[stage], "geo"} if framed else set(BLOCKS[stage])


def stage_slice(config: Config, stage: str) -> str:
    """Canonical JSON of the part of the configuration that a stage uses.

    Parameters
    ----------
    config : Config
        Checked configuration.
    stage : str
        One of `STAGES`.

    Returns
    -------
    str
        Keys sorted, so that equal configurations give equal text.
    """
    tree: dict[str, Any] = config.model_dump(mode="json", by_alias=True, include=_blocks(config, stage))
    if stage == "simulate":
        tree["sim"].pop("files")
    if stage == "infer":
        tree["io"].pop("writer"), tree["io"].pop("reader")
        tree["model"]["weight_digests"] |= _digests(tree["model"])
    if stage == "train":
        _only_training(tree)
    keys = KEYS_OF_STAGE.get(stage, {"on_error"})
    tree["base"] = config.base.model_dump(mode="json", include=keys)
    return json.dumps(tree, sort_keys=True, separators=(",", ":"))


def _only_training(tree: dict[str, Any]) -> None:
    """Leave the networks that are trained, and what has an effect on their weights."""
    train, modules = tree["train"], tree["model"]["modules"]
    names = train["modules"] or [n for n in modules if n not in OTHER_MODULES and not n.endswith("_loss")]
    wanted = {*names, *(f"{name}_loss" for name in names), "loss_balancing"}
    stages = modules["chain"]["stages"] if train["nodes"] == "predicted" else []
    used = [stage for stage in stages if set(names) & set(_listed(stage["uses"]))]
    tree["model"]["modules"] = {"chain": {"stages": used}, **{k: v for k, v in modules.items() if k in wanted}}
    if not train["restore_weights"]:
        tree["model"]["weight_path"] = None
    for key in WITHOUT_EFFECT:
        train.pop(key)
    for key in ("num_workers", "prefetch", "cache_size"):
        train["loader"].pop(key)
    files, given = set(_weights(tree["model"])), tree["model"]["weight_digests"]
    tree["model"]["weight_digests"] = {k: v for k, v in given.items() if k in files} | _digests(tree["model"])


def _listed(value: Any) -> list[str]:
    return [value] if isinstance(value, str) else list(value or [])


def _weights(block: Mapping[str, Any]) -> Iterator[str]:
    """Files of weights that a block and those below it name."""
    for key, value in block.items():
        if key == "weight_path" and isinstance(value, str):
            yield value
        elif isinstance(value, Mapping):
            yield from _weights(value)


def _digests(model: Mapping[str, Any]) -> dict[str, str]:
    """sha256 of every local file of weights; a missing one is reported when it is read."""
    files = {name: weights_file(name) for name in _weights(model)}
    return {name: file_fingerprint(path) for name, path in files.items() if path.is_file()}


def from_slice(text: str, overrides: str = "") -> Config:
    """The configuration that a slice stands for; blocks of other stages hold their defaults.

    Parameters
    ----------
    text : str
        Slice.
    overrides : str
        Assignments in the dotted language, for what slices leave out.
    """
    tree = apply_overrides(Source(json.loads(text)), overrides).tree
    return Config.model_validate(tree)


def _code_of(kind: Literal["post", "ana"], block: StepBlock) -> list[str]:
    """Modules of the steps of a block, and files of code that their options name."""
    modules = [step_module(kind, entry.provider) for entry in block.steps]
    return [*modules, *(name for entry in block.steps for name in _code_files(entry.config))]


def _code_files(value: Any) -> Iterator[str]:
    """Python files that a value names, as ``file.py`` or ``file.py:name``, and that exist."""
    if isinstance(value, Mapping):
        for item in value.values():
            yield from _code_files(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _code_files(item)
    elif isinstance(value, str) and is_file(value):
        path = value.partition(":")[0]
        if Path(path).is_file():
            yield path


def _plugins(config: Config, stage: str) -> list[str]:
    """Modules of the steps that the configuration names."""
    if stage == "post":
        return _code_of("post", config.post)
    if stage == "ana":
        return _code_of("ana", config.ana)
    if stage == "infer":
        find: Any = importlib.import_module("spine.model.chain.families").provider_modules
        return list(find(config.model.modules.chain.stages))
    return []


def stage_code(config: Config, stage: str) -> str:
    """Fingerprint of the code of a stage and of the steps that the configuration names."""
    return code_fingerprint(f"spine.stages.{stage}", *_plugins(config, stage))
