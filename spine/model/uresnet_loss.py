"""Loss of the semantic segmentation."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from spine.errors import ConfigError, DataError

__all__ = ["GHOST", "Score", "SegmentationLoss", "Weighting", "class_weights", "nearness_weights"]

Weighting = Literal["const", "log", "sqrt"]
GHOST = 5
"""Label of ghost voxels."""


@dataclass(frozen=True)
class Score:
    """A loss with what is logged beside it.

    Parameters
    ----------
    loss : Scalar with gradient
    accuracy : Fraction of right answers; 1 where there was nothing to answer
    details : Further numbers by name
    terms : Parts of the loss that a balancing policy may weight anew
    """

    loss: Tensor
    accuracy: float
    details: dict[str, float] = field(default_factory=dict)
    terms: dict[str, Tensor] = field(default_factory=dict)

    def flat(self, prefix: str = "") -> dict[str, float]:
        """All numbers by name."""
        numbers = {"loss": float(self.loss.detach()), "accuracy": self.accuracy, **self.details}
        return {prefix + name: value for name, value in numbers.items()}


class SegmentationLoss(nn.Module):
    """Cross-entropy of the voxel classes, with a part for ghosts where the network has one.

    Parameters
    ----------
    num_classes : Number of classes
    loss : Loss per voxel from (N, C) logits and (N,) labels
    balance_loss : Weight voxels by the number of voxels of their class, see `class_weights`
    ghost_label : Only tell this label from the others (two classes); -1 for all classes
    alpha, beta : Weights of the classes and of the ghosts, for networks that have both
    weighting : How classes are balanced: const makes all equally important, sqrt half so on a logarithmic scale
    """

    def __init__(
        self,
        num_classes: int,
        loss: Callable[[Tensor, Tensor], Tensor] | None = None,
        balance_loss: bool = False,
        ghost_label: int = -1,
        alpha: float = 1.0,
        beta: float = 1.0,
        weighting: Weighting = "const",
    ) -> None:
        super().__init__()
        self.num_classes = num_classes
        self.loss = loss or partial(functional.cross_entropy, reduction="none")
        self.balance_loss = balance_loss
        self.ghost_label = ghost_label
        self.alpha, self.beta = alpha, beta
        self.weighting = weighting

    def forward(
        self, logits: Tensor, labels: Tensor, ghost: Tensor | None = None, weights: Tensor | None = None
    ) -> Score:
        """Compare logits with labels.

        Parameters
        ----------
        logits : (N, C) logits
        labels : (N,) classes
        ghost : (N, 2) logits of true voxel and ghost; classes are then asked of true voxels alone (optional)
        weights : (N,) weights of the voxels (optional)

        Returns with ``accuracy_class_<c>``; with ghosts also the parts ``seg_*`` and ``ghost_*``.
        Raises DataError when rows do not match or a label is no class.
        Raises ConfigError when ghosts are both a layer and the only class.
        """
        _check_rows(logits, labels)
        if ghost is None:
            wanted = (labels == self.ghost_label) if self.ghost_label > -1 else labels
            return self._classes(logits, wanted.long(), weights)
        if self.ghost_label > -1 or weights is not None:
            raise ConfigError("a network with a ghost layer takes neither ghost_label nor weights")
        _check_rows(ghost, labels)
        real = labels != GHOST
        of_ghosts = self._classes(ghost, (~real).long(), None)
        of_classes = self._classes(logits[real], labels[real].long(), None)
        parts = {**of_classes.flat("seg_"), **of_ghosts.flat("ghost_")}
        loss = self.alpha * of_classes.loss + self.beta * of_ghosts.loss
        return Score(loss, (of_classes.accuracy + of_ghosts.accuracy) / 2, parts, {"segmentation": loss})

    def _classes(self, logits: Tensor, labels: Tensor, weights: Tensor | None) -> Score:
        count = logits.shape[1]
        if len(labels) == 0:
            empty = logits.sum() * 0.0
            return Score(empty, 1.0, _by_class([1.0] * count), {"segmentation": empty})
        if int(labels.min()) < 0 or int(labels.max()) >= count:
            found = (int(labels.min()), int(labels.max()))
            raise DataError("segmentation labels are no classes", got=found, expected=f"0 to {count - 1}")
        numbers = torch.bincount(labels, minlength=count)
        if self.balance_loss:
            of_class = class_weights(labels, count, self.weighting).to(logits.dtype)[labels]
            weights = of_class if weights is None else weights * of_class
        losses = self.loss(logits, labels)
        loss = losses.mean() if weights is None else (weights * losses).sum() / _positive(weights.sum())
        right = labels[logits.argmax(dim=1) == labels]
        shares = torch.where(numbers > 0, torch.bincount(right, minlength=count) / numbers, 1.0)
        return Score(loss, len(right) / len(labels), _by_class(shares.tolist()), {"segmentation": loss})


def class_weights(labels: Tensor, num_classes: int, mode: Weighting = "const") -> Tensor:
    """Weights that make classes equally important.

    Parameters
    ----------
    labels : (N,) classes
    num_classes : Number of classes C
    mode : {"const", "log", "sqrt"}: the weight N / (C * count), its logarithm or its root; absent classes count once

    Returns (C,) weights.
    """
    counts = torch.bincount(labels, minlength=num_classes).clamp(min=1)
    weights: Tensor = len(labels) / num_classes / counts
    if mode == "const":
        return weights
    return weights.log() if mode == "log" else weights.sqrt()


def nearness_weights(near: Tensor) -> Tensor:
    """Weights that make voxels near points of interest as important as all others together.

    Parameters
    ----------
    near : (N,) whether a point lies within the radius (see `spine.model.ppn_loss.nearest_points`)

    Returns (N,) weights.
    """
    counts = torch.bincount(near.long(), minlength=2).clamp(min=1)
    return (len(near) / 2 / counts)[near.long()]


def _by_class(shares: list[float]) -> dict[str, float]:
    return {f"accuracy_class_{c}": share for c, share in enumerate(shares)}


def _positive(total: Tensor) -> Tensor:
    if float(total.detach()) <= 0:
        raise DataError("the weights of the voxels add up to nothing", got=float(total.detach()))
    return total


def _check_rows(logits: Tensor, labels: Tensor) -> None:
    if len(logits) != len(labels):
        raise DataError("logits and labels have different rows", got=len(labels), expected=len(logits))
