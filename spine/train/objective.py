"""The loss of all networks that are trained together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from spine.model.uresnet_loss import Score
from spine.train.balancing import Balancing
from spine.train.samples import Sample
from spine.train.tasks import Paced, Task

__all__ = ["Objective"]


class Objective(nn.Module):
    """Scores networks on minibatches and puts their losses together.

    Parameters
    ----------
    networks : mapping of str to torch.nn.Module
        Networks.
    tasks : mapping of str to Task
        What each of them is trained on.
    balancing : Balancing, optional
        How parts of the losses are weighted; all count once without it.
    """

    def __init__(
        self, networks: Mapping[str, nn.Module], tasks: Mapping[str, Task], balancing: Balancing | None = None
    ) -> None:
        super().__init__()
        self.networks, self.tasks = nn.ModuleDict(dict(networks)), dict(tasks)
        self.balancing = balancing

    def at(self, step: int) -> None:
        """Tell losses how far the training is."""
        for task in self.tasks.values():
            if isinstance(task, Paced):
                task.at(step)

    def parts(self, samples: Sequence[Sample]) -> tuple[str, ...]:
        """Names of the parts of the loss."""
        self.eval()
        with torch.no_grad():
            found = tuple(self._terms(self._scores(samples)))
        self.train()
        return found

    def _scores(self, samples: Sequence[Sample]) -> dict[str, Score]:
        chosen = {name: [sample[name] for sample in samples] for name in self.tasks}
        return {name: task.score(self.networks[name], chosen[name]) for name, task in self.tasks.items()}

    def _terms(self, scores: Mapping[str, Score]) -> dict[str, Tensor]:
        """Parts of the losses; those of several networks have the name of theirs in front."""
        several = len(scores) > 1
        return {
            f"{key}_{name}" if several else name: term
            for key, score in scores.items()
            for name, term in (score.terms or {"loss": score.loss}).items()
        }

    def forward(self, samples: Sequence[Sample]) -> Score:
        """Loss on a minibatch; with several networks, numbers have the name of theirs in front."""
        scores = self._scores(samples)
        first = next(iter(scores.values()))
        terms = self._terms(scores)
        loss = torch.stack([score.loss for score in scores.values()]).sum()
        accuracy, details = first.accuracy, first.details
        if len(scores) > 1:
            accuracy = sum(score.accuracy for score in scores.values()) / len(scores)
            details = {name: value for key, score in scores.items() for name, value in score.flat(f"{key}_").items()}
        if self.balancing is not None:
            balanced = self.balancing(terms)
            loss, details = balanced.loss, details | balanced.details
        return Score(loss, accuracy, details, terms)
