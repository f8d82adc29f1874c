"""What changes while networks are trained, and how a snapshot keeps it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from spine.config.training import TrainBlock
from spine.model.checkpoint import Checkpoint
from spine.model.weights import state_of
from spine.train.objective import Objective
from spine.train.optimizers import make_optimizer, make_scheduler
from spine.train.validation import Judge, Verdict

__all__ = ["TrainState"]


@dataclass
class TrainState:
    """Networks on their way.

    Parameters
    ----------
    objective : Objective
        Networks and their losses.
    optimizer : torch.optim.Optimizer
        Changes their weights.
    scheduler : object, optional
        Changes the learning rate.
    scaler : torch.amp.GradScaler
        Keeps gradients of half precision in range; off for other types.
    judge : Judge
        Knows the validations.
    step : int
        Steps that are done.
    epoch : float
        Epochs that are done.
    """

    objective: Objective
    optimizer: Optimizer
    scheduler: Any
    scaler: torch.amp.GradScaler
    judge: Judge
    step: int = 0
    epoch: float = 0.0

    @classmethod
    def begin(cls, objective: Objective, block: TrainBlock, judge: Judge, device: torch.device) -> TrainState:
        """The state before the first step."""
        objective.to(device)
        learnt = [] if objective.balancing is None else list(objective.balancing.parameters())
        optimizer = make_optimizer(block.optimizer, objective.networks.parameters(), learnt)
        scheduler = make_scheduler(block.lr_scheduler, optimizer)
        scaler = torch.amp.GradScaler(device.type, enabled=block.precision == "float16" and device.type == "cuda")
        return cls(objective.train(), optimizer, scheduler, scaler, judge)

    @property
    def networks(self) -> dict[str, nn.Module]:
        """Networks by name."""
        return dict(self.objective.networks.items())

    @property
    def learning_rate(self) -> float:
        """Rate of the first group of weights."""
        return float(self.optimizer.param_groups[0]["lr"])

    def weights(self) -> dict[str, Tensor]:
        """Weights of the networks, ``MODULE.NAME``."""
        return state_of(self.networks)

    def parts(self) -> dict[str, object]:
        """Everything else that a snapshot keeps."""
        found: dict[str, object] = {
            "global_epoch": self.epoch,
            "optimizer": self.optimizer.state_dict(),
            "validation": self.judge.verdict.state(),
        }
        if self.scheduler is not None:
            found["lr_scheduler"] = self.scheduler.state_dict()
        if self.scaler.is_enabled():
            found["scaler"] = self.scaler.state_dict()
        if self.objective.balancing is not None:
            found["loss_state_dict"] = self.objective.balancing.state_dict()
        return found

    def restore(self, snapshot: Checkpoint, block: TrainBlock) -> None:
        """Go back to a snapshot."""
        for name, network in self.networks.items():
            prefix = f"{name}."
            own = {key[len(prefix) :]: value for key, value in snapshot.state.items() if key.startswith(prefix)}
            network.load_state_dict(own)
        parts: dict[str, Any] = dict(snapshot.parts)
        if block.restore_optimizer:
            self.optimizer.load_state_dict(parts["optimizer"])
        if self.scheduler is not None and block.scheduler_resume == "restore" and "lr_scheduler" in parts:
            self.scheduler.load_state_dict(parts["lr_scheduler"])
        if self.scaler.is_enabled() and "scaler" in parts:
            self.scaler.load_state_dict(parts["scaler"])
        if self.objective.balancing is not None and "loss_state_dict" in parts:
            self.objective.balancing.load_state_dict(parts["loss_state_dict"])
        self.judge.verdict = Verdict(**parts["validation"])
        self.step, self.epoch = int(parts["global_step"]) + 1, float(parts["global_epoch"])
