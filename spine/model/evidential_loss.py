"""Loss of classes given as evidence, from which the certainty of an answer follows.

After Sensoy et al., "Evidential deep learning to quantify classification uncertainty", NeurIPS 2018.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Literal, TypeAlias

import torch
from torch import Tensor, nn
from torch.nn import functional

__all__ = ["EvidentialLoss", "EvidentialName", "dirichlet_divergence"]

EvidentialName: TypeAlias = Literal["edl_sumsq", "edl_digamma", "edl_nll"]


def _squares(alpha: Tensor, targets: Tensor) -> Tensor:
    """Expected squared difference of probabilities and targets."""
    total = alpha.sum(dim=1, keepdim=True)
    variance = alpha * (total - alpha) / (total.square() * (total + 1.0))
    return ((targets - alpha / total).square() + variance).sum(dim=1)


def _expected_entropy(alpha: Tensor, targets: Tensor) -> Tensor:
    """Expected cross-entropy."""
    total = alpha.sum(dim=1, keepdim=True)
    return ((torch.digamma(total) - torch.digamma(alpha)) * targets).sum(dim=1)


def _likelihood(alpha: Tensor, targets: Tensor) -> Tensor:
    """Negative logarithm of the expected probability."""
    total = alpha.sum(dim=1, keepdim=True)
    return (targets * (total.log() - alpha.log())).sum(dim=1)


RISKS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "edl_sumsq": _squares,
    "edl_digamma": _expected_entropy,
    "edl_nll": _likelihood,
}


def dirichlet_divergence(alpha: Tensor) -> Tensor:
    """(N,) Kullback-Leibler divergence of Dirichlet distributions with (N, C) parameters from the uniform one."""
    total = alpha.sum(dim=1)
    normal = torch.lgamma(total) - math.lgamma(alpha.shape[1]) - torch.lgamma(alpha).sum(dim=1)
    gaps = torch.digamma(alpha) - torch.digamma(total)[:, None]
    return normal + ((alpha - 1.0) * gaps).sum(dim=1)


class EvidentialLoss(nn.Module):
    """Loss of each row from its evidence.

    Parameters
    ----------
    name : {'edl_sumsq', 'edl_digamma', 'edl_nll'}
        Risk under the Dirichlet distribution.
    annealing_steps : int
        Steps over which the penalty on evidence for wrong classes grows to its full weight.

    Attributes
    ----------
    step : int
        Step of the training, set by whoever trains.
    """

    def __init__(self, name: EvidentialName = "edl_sumsq", annealing_steps: int = 50_000) -> None:
        super().__init__()
        self.name, self.annealing_steps, self.step = name, annealing_steps, 0

    def forward(self, evidence: Tensor, labels: Tensor) -> Tensor:
        """(N,) losses of (N, C) evidence, none of it negative, and (N,) classes."""
        alpha = evidence + 1.0
        targets = functional.one_hot(labels, alpha.shape[1]).to(alpha.dtype)
        share = min(1.0, max(0.0, self.step / self.annealing_steps))
        wrong = targets + (1.0 - targets) * alpha
        return RISKS[self.name](alpha, targets) + share * dirichlet_divergence(wrong)
