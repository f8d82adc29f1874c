"""What a Driver is given becomes a typed configuration."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, MutableMapping
from pathlib import Path
from typing import Any, Final

from spine.config import Config
from spine.config.model import BaseBlock
from spine.config.peer import load_any, translate_tree
from spine.errors import ConfigError

__all__ = ["DRIVER_KEYS", "RUNTIME_KEYS", "known_base_keys", "settle_seeds", "typed_config"]

logger = logging.getLogger("spine")

RUNTIME_KEYS: Final = frozenset({"gpus", "torch_sharing_strategy", "verbosity"})
"""Keys of ``base`` that only the start of a process needs."""
DRIVER_KEYS: Final = frozenset(BaseBlock.model_fields) - RUNTIME_KEYS
"""Keys of ``base`` that a Driver uses."""


def typed_config(cfg: Config | Mapping[str, Any] | Path | str) -> Config:
    """The typed configuration, in our spelling or SPINE's.

    Raises
    ------
    ConfigError
        When it has no ``io``, or with the list of everything that is wrong or not supported.
    """
    if isinstance(cfg, Config):
        return cfg
    found = translate_tree(_settled(cfg)) if isinstance(cfg, Mapping) else load_any(cfg, get=True)
    for note in found.notes:
        logger.debug("note: %s", note)
    logger.setLevel(found.config.base.verbosity.upper())
    if "io" not in found.config.model_fields_set:
        raise ConfigError("the configuration has no block io", where="io", mend="name the input in one")
    return found.config


def _settled(cfg: Mapping[str, Any]) -> dict[str, Any]:
    """The blocks, seeds settled; what the caller holds stays as it is."""
    blocks = {name: dict(value) if isinstance(value, Mapping) else value for name, value in cfg.items()}
    base, io = blocks.get("base") or {}, blocks.get("io")
    if isinstance(base, MutableMapping) and isinstance(io, MutableMapping):
        known_base_keys({key: value for key, value in base.items() if key != "train"})
        settle_seeds(base, io)
        blocks["base"] = base
    return blocks


def settle_seeds(base: MutableMapping[str, Any], io: MutableMapping[str, Any]) -> None:
    """Draw seeds that are negative from the clock, and give a sampler a block of its own; changes both in place.

    A missing seed is 0.

    Raises
    ------
    ConfigError
        When a seed is no integer, or a sampler neither a name nor a mapping.
    """
    drawn = int(time.time())
    seed = base.setdefault("seed", 0)
    if isinstance(seed, bool) or not isinstance(seed, int):
        raise ConfigError("the seed must be an integer", where="base.seed", got=seed)
    base["seed"] = seed if seed >= 0 else drawn
    loader = io.get("loader")
    if not isinstance(loader, Mapping) or loader.get("sampler") is None:
        return
    sampler = loader["sampler"]
    if not isinstance(sampler, str | Mapping):
        raise ConfigError("the sampler must be a name or a mapping", where="io.loader.sampler", got=sampler)
    block: dict[str, Any] = {"provider": sampler} if isinstance(sampler, str) else dict(sampler)
    if block.get("seed", -1) < 0:
        block["seed"] = drawn
    io["loader"] = {**loader, "sampler": block}


def known_base_keys(base: Mapping[str, Any]) -> None:
    """Refuse keys of ``base`` that nobody uses.

    Raises
    ------
    ConfigError
        Lists them.
    """
    unknown = sorted(set(base) - DRIVER_KEYS - RUNTIME_KEYS)
    if unknown:
        raise ConfigError(
            f"unrecognized keys in base: {', '.join(unknown)}", where="base",
            expected=", ".join(sorted(DRIVER_KEYS | RUNTIME_KEYS)),
        )  # fmt: skip
