"""What each stage sees of the configuration, and the code it depends on."""

from __future__ import annotations

import importlib
import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

from spine.config.fingerprint import code_fingerprint, file_fingerprint
from spine.config.model import Config
from spine.config.shipped import weights_file
from spine.steps.registry import step_module

__all__ = ["STAGES", "from_slice", "stage_code", "stage_slice"]

STAGES: Final = ("simulate", "infer", "build", "post", "ana", "merge", "report")
"""Stages in the order of the chain."""

RUN_KEYS: Final = {"on_error", "seed"}
"""Settings of every run that can change what a stage writes."""

BLOCKS: Final = {
    "simulate": ("sim",),
    "infer": ("io", "model"),
    "build": ("build", "geo"),
    "post": ("post", "geo"),
    "ana": ("ana", "geo"),
    "merge": ("merge",),
    "report": ("report",),
}
"""Blocks that each stage reads."""


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
    tree: dict[str, Any] = config.model_dump(mode="json", by_alias=True, include=set(BLOCKS[stage]))
    if stage == "simulate":
        tree["sim"].pop("files")
    if stage == "infer":
        tree["io"].pop("writer"), tree["io"].pop("reader")
        tree["model"]["weight_digests"] |= _digests(tree["model"])
    keys = RUN_KEYS if stage in ("simulate", "infer") else {"on_error"}
    tree["base"] = config.base.model_dump(mode="json", include=keys)
    return json.dumps(tree, sort_keys=True, separators=(",", ":"))


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


def from_slice(text: str) -> Config:
    """The configuration that a slice stands for; blocks of other stages hold their defaults."""
    return Config.model_validate_json(text)


def _plugins(config: Config, stage: str) -> list[str]:
    """Modules of the steps that the configuration names."""
    if stage == "post":
        return [step_module("post", entry.provider) for entry in config.post.steps]
    if stage == "ana":
        return [step_module("ana", entry.provider) for entry in config.ana.steps]
    if stage == "infer":
        find: Any = importlib.import_module("spine.model.chain.families").provider_modules
        return list(find(config.model.modules.chain.stages))
    return []


def stage_code(config: Config, stage: str) -> str:
    """Fingerprint of the code of a stage and of the steps that the configuration names."""
    return code_fingerprint(f"spine.stages.{stage}", *_plugins(config, stage))
