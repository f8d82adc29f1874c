"""Everything that a training needs, from the configuration and the files."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from spine.config.inputs import expand_inputs
from spine.config.model import Config
from spine.config.slices import stage_slice
from spine.errors import ConfigError, did_you_mean
from spine.model.networks import fill_networks, make_networks, network_names
from spine.train.augment import make_augmentation
from spine.train.balancing import make_balancing
from spine.train.events import TrainingEvents
from spine.train.objective import Objective
from spine.train.samplers import MinibatchSize, Schedule
from spine.train.samples import Draw, Samples
from spine.train.tasks import Task, TaskRequest, make_task
from spine.train.validation import ValidationSet, set_apart

__all__ = ["TrainInputs", "Workplace", "identity", "prepare", "seed_of"]

log = logging.getLogger("spine")


@dataclass(frozen=True)
class TrainInputs:
    """Files of a training.

    Parameters
    ----------
    files : tuple of Path
        Events to train on.
    validation : tuple of Path
        Events to validate on, beside those that the configuration names.
    """

    files: tuple[Path, ...]
    validation: tuple[Path, ...] = ()


@dataclass(frozen=True)
class Workplace:
    """What the loop works with.

    Parameters
    ----------
    objective : Objective
        Networks and their losses.
    samples : Samples
        Events to train on.
    schedule : Schedule
        Minibatches.
    validation : ValidationSet, optional
        Events to validate on.
    identity : str
        What tells this training from another one.
    """

    objective: Objective
    samples: Samples
    schedule: Schedule
    validation: ValidationSet | None
    identity: str


def seed_of(seed: int, *what: object) -> int:
    """A seed for something, made from that of the training."""
    digest = hashlib.sha256(json.dumps([seed, *map(str, what)]).encode()).digest()
    return int.from_bytes(digest[:7], "big")


def _chosen(config: Config) -> tuple[str, ...]:
    """Names of the networks to train.

    Raises
    ------
    ConfigError
        When there is none, or none of that name.
    """
    known = network_names(_modules(config))
    for name in config.train.modules:
        if name not in known:
            raise ConfigError(f"no network is called {name!r}", where="train.modules", mend=did_you_mean(name, known))
    if not known:
        raise ConfigError("there is no network to train", where="model.modules")
    return tuple(sorted(set(config.train.modules))) or known


def _modules(config: Config) -> dict[str, Any]:
    """Networks and losses in the order of their names, whatever that of the configuration: weights depend on it."""
    found: dict[str, Any] = json.loads(json.dumps(config.model.modules.model_dump(mode="json"), sort_keys=True))
    return found


def _networks(config: Config, names: Sequence[str]) -> dict[str, nn.Module]:
    """Networks with the weights that the configuration names, those of the others at random but the same each time."""
    modules = _modules(config)
    networks: dict[str, nn.Module] = {}
    for name in names:
        torch.manual_seed(seed_of(config.base.seed, "network", name))
        networks |= make_networks({name: modules[name]})
    start = config.model.weight_path if config.train.restore_weights else None
    fill_networks(networks, {name: modules[name] for name in names}, start)
    return networks


def _tasks(config: Config, networks: Mapping[str, nn.Module]) -> dict[str, Task]:
    modules = _modules(config)
    stages = config.model.modules.chain.stages
    return {
        name: make_task(TaskRequest(name, network, modules.get(f"{name}_loss") or {}, config.train, stages))
        for name, network in networks.items()
    }


def _validation(
    config: Config, inputs: TrainInputs, training: Samples
) -> tuple[np.ndarray[Any, Any], ValidationSet | None]:
    """Events to train on, and those to validate on."""
    block, seed = config.validation, config.base.seed
    named = [block.file_keys] if isinstance(block.file_keys, str) else block.file_keys or []
    listed = [block.file_list] if block.file_list else []
    paths = [*map(str, inputs.validation), *expand_inputs([*named, *listed])]
    size = block.minibatch_size or config.train.loader.minibatch_size
    if paths:
        events = TrainingEvents(list(map(Path, paths)), *_products(training.tasks))
        samples = Samples(events, training.tasks, seed, cache_size=training.cache_size / 4)
        return np.arange(len(training)), ValidationSet(samples, np.arange(len(events))[: block.n_entry], size)
    entries, apart = set_apart(len(training), block.fraction, seed)
    if not len(apart):
        if block.early_stopping or block.best_checkpoint:
            raise ConfigError("there is nothing to validate on", where="validation", mend="give files or a fraction")
        return entries, None
    samples = Samples(training.events, training.tasks, seed, cache_size=training.cache_size / 4)
    return entries, ValidationSet(samples, apart[: block.n_entry], size)


def _products(tasks: Mapping[str, Task]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    required = [name for task in tasks.values() for name in task.required]
    optional = ["meta", *(name for task in tasks.values() for name in task.optional)]
    return tuple(dict.fromkeys(required)), tuple(dict.fromkeys(optional))


def _limits(config: Config, world: int) -> MinibatchSize:
    loader = config.train.loader
    if loader.batch_size is None:
        return MinibatchSize(loader.minibatch_size, loader.max_voxels, world)
    if loader.batch_size % world:
        raise ConfigError(
            "the processes cannot share the minibatch equally", where="train.loader.batch_size",
            got=loader.batch_size, expected=f"a multiple of {world}",
        )  # fmt: skip
    return MinibatchSize(loader.batch_size // world, loader.max_voxels, world)


def identity(config: Config, samples: Samples, validation: ValidationSet | None, limits: MinibatchSize) -> str:
    """Text that is equal for trainings that give equal weights after equally many steps."""
    tree = json.loads(stage_slice(config, "train"))
    for block, key in (("base", "iterations"), ("base", "epochs"), ("validation", "early_stopping")):
        tree[block].pop(key)
    others = validation.samples.events.identities if validation is not None else []
    return json.dumps([tree, samples.events.identities, others, limits.events * limits.processes], sort_keys=True)


def prepare(config: Config, inputs: TrainInputs, world: int) -> Workplace:
    """Networks, events and losses of a training.

    Raises
    ------
    ConfigError
        When the configuration cannot be used as written.
    DataError
        When files or weights are missing or broken.
    """
    if config.base.seed < 0:
        raise ConfigError(
            "training needs a seed that is not drawn", where="base.seed", got=config.base.seed, expected="0 or more"
        )
    networks = _networks(config, _chosen(config))
    tasks = _tasks(config, networks)
    events = TrainingEvents(inputs.files, *_products(tasks))
    augment = make_augmentation(config.train.augment)
    samples = Samples(events, tasks, config.base.seed, augment, config.train.loader.cache_size / world)
    entries, validation = _validation(config, inputs, samples)
    limits = _limits(config, world)
    schedule = Schedule(entries, events.sizes, config.train.loader.sampler, limits, config.base.seed)
    objective = Objective(networks, tasks)
    options = _modules(config).get("loss_balancing")
    if options is not None:
        parts = objective.parts([samples[Draw(int(entries[0]))]])
        objective = Objective(networks, tasks, make_balancing(options, parts))
    log.info(
        "train: %s, %d events of %d files, %d to validate on", ", ".join(networks), len(entries),
        len(events.paths), 0 if validation is None else len(validation.entries),
    )  # fmt: skip
    name = identity(config, samples, validation, limits)
    return Workplace(objective, samples, schedule, validation, name)
