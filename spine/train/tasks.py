"""What each kind of network is trained on: how an event becomes a sample, and samples a loss."""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

import numpy as np
from torch import nn

from spine.config.model import ChainStage
from spine.config.training import TrainBlock
from spine.errors import ConfigError
from spine.model.uresnet_loss import Score
from spine.schema import Event

__all__ = ["LOSSES", "TASKS", "Paced", "Task", "TaskRequest", "make_task"]


class Task(Protocol):
    """Training of one network."""

    @property
    def required(self) -> tuple[str, ...]:
        """Products that it reads."""

    @property
    def optional(self) -> tuple[str, ...]:
        """Products that it reads where there are any."""

    def prepare(self, event: Event) -> Any:
        """The sample of an event; it can be kept and used again."""

    def vary(self, sample: Any, random: np.random.Generator) -> Any:
        """The sample with what is drawn anew each time."""

    def score(self, network: nn.Module, samples: Sequence[Any]) -> Score:
        """Loss of a network on a minibatch."""


@runtime_checkable
class Paced(Protocol):
    """Training whose loss depends on how far it is."""

    def at(self, step: int) -> None:
        """Tell it the step."""


@dataclass(frozen=True)
class TaskRequest:
    """What a task is made from.

    Parameters
    ----------
    name : str
        Name of the network.
    network : torch.nn.Module
        The network.
    loss : mapping
        Options of its loss.
    train : TrainBlock
        Options of the training.
    stages : sequence of ChainStage
        The chain, which says how the network gets its input.
    """

    name: str
    network: nn.Module
    loss: Mapping[str, Any]
    train: TrainBlock = field(default_factory=TrainBlock)
    stages: Sequence[ChainStage] = ()

    def error(self, what: str) -> ConfigError:
        """An error about the options of the loss."""
        return ConfigError(what, where=f"model.modules.{self.name}_loss")


TASKS: dict[str, str] = {
    "uresnet": "spine.train.voxel_tasks:segmentation_task",
    "uresnet_ppn": "spine.train.voxel_tasks:point_task",
    "uresnet_bayes": "spine.train.embedding_tasks:bayesian_task",
    "spice": "spine.train.embedding_tasks:spice_task",
    "image": "spine.train.image_tasks:image_task",
    "graph_spice": "spine.train.voxel_tasks:graph_spice_task",
    "grappa": "spine.train.graph_tasks:grappa_task",
}
"""What makes the task of networks whose names start so, ``module:attribute``; takes a `TaskRequest`."""


LOSSES: dict[str, str] = {
    "uresnet": "spine.train.voxel_losses:SegmentationLossConfig",
    "uresnet_ppn": "spine.train.voxel_losses:UResNetPPNLossConfig",
    "uresnet_bayes": "spine.model.bayes:BayesianLossConfig",
    "graph_spice": "spine.model.graph_spice:GraphSpiceLossConfig",
    "spice": "spine.model.spice:SpiceLossConfig",
    "grappa": "spine.model.grappa:GrapPALossOptions",
    "image": "spine.model.image:ImageLossOptions",
}
"""Options of the losses of these networks, ``module:attribute``."""


def make_task(request: TaskRequest) -> Task:
    """The task of a network.

    Raises
    ------
    ConfigError
        When networks of that name cannot be trained, or options of the loss are wrong.
    """
    prefixes = [prefix for prefix in TASKS if request.name.startswith(prefix)]
    if not prefixes:
        raise ConfigError(
            f"the network {request.name!r} cannot be trained", where="train.modules", expected=list(TASKS)
        )
    module, _, attribute = TASKS[max(prefixes, key=len)].partition(":")
    task: Task = getattr(importlib.import_module(module), attribute)(request)
    return task
