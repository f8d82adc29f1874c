"""Optimizers and schedulers of torch by their names."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import nn
from torch.optim import Optimizer, lr_scheduler

from spine.config.training import OptimizerBlock, SchedulerBlock
from spine.errors import ConfigError, did_you_mean

__all__ = ["make_optimizer", "make_scheduler"]


def _numbers(options: Mapping[str, Any]) -> dict[str, Any]:
    """Options with numbers that YAML reads as text, such as 1e-3, made numbers, and lists made tuples."""
    return {key: _number(value) for key, value in options.items()}


def _number(value: Any) -> Any:
    if isinstance(value, list):
        return tuple(_number(item) for item in value)
    if not isinstance(value, str):
        return value
    try:
        return float(value)
    except ValueError:
        return value


def _classes(module: Any, kind: type) -> dict[str, type]:
    named = inspect.getmembers(module, inspect.isclass)
    return {name: cls for name, cls in named if issubclass(cls, kind) and cls is not kind and not name.startswith("_")}


def _made(known: Mapping[str, type], name: str, where: str, argument: object, options: Mapping[str, Any]) -> Any:
    if name not in known:
        raise ConfigError(f"torch has no {name!r}", where=f"{where}.provider", mend=did_you_mean(name, known))
    try:
        return known[name](argument, **_numbers(options))
    except (TypeError, ValueError) as error:
        accepted = [key for key in inspect.signature(known[name]).parameters if key not in ("params", "optimizer")]
        raise ConfigError(
            f"options of {name}: {error}", where=where, got=dict(options), expected=", ".join(accepted)
        ) from error


def make_optimizer(block: OptimizerBlock, weights: Iterable[nn.Parameter], others: Iterable[nn.Parameter]) -> Optimizer:
    """The optimizer of a configuration.

    Parameters
    ----------
    block : OptimizerBlock
        Class and options.
    weights : iterable of torch.nn.Parameter
        Weights of networks; those that are frozen are left out.
    others : iterable of torch.nn.Parameter
        Weights of the loss; they do not decay.

    Raises
    ------
    ConfigError
        When there is no such class, it takes no such option, or nothing is to be trained.
    """
    groups: list[dict[str, Any]] = [{"params": [p for p in weights if p.requires_grad]}]
    if not groups[0]["params"]:
        raise ConfigError("all weights are frozen", where="train.modules", mend="remove freeze_weights of one network")
    learnt = list(others)
    if learnt:
        groups.append({"params": learnt, "weight_decay": 0.0})
    known = _classes(torch.optim, Optimizer)
    made: Optimizer = _made(known, block.provider, "train.optimizer", groups, block.options)
    return made


def make_scheduler(block: SchedulerBlock | None, optimizer: Optimizer) -> Any:
    """The scheduler of a configuration, None when there is none.

    Raises
    ------
    ConfigError
        When there is no such class, or it takes no such option.
    """
    if block is None:
        return None
    known = _classes(lr_scheduler, lr_scheduler.LRScheduler)
    return _made(known, block.provider, "train.lr_scheduler", optimizer, block.options)
