"""Losses of yes-or-no questions, from logits."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional

__all__ = ["BINARY_LOSSES", "LogDiceCE", "dice_loss", "focal_loss", "log_dice_loss", "mincut_loss"]


def dice_loss(logits: Tensor, targets: Tensor, eps: float = 1e-6, squared_pred: bool = True) -> Tensor:
    """One minus the Dice coefficient (Milletari et al., V-Net, arXiv:1606.04797).

    Scalar from (N,) logits and truths, 0 or 1; ``eps`` is added to both parts of the ratio, and probabilities and
    truths are squared in the denominator where ``squared_pred``.
    """
    chances = torch.sigmoid(logits)
    overlap = (chances * targets).sum()
    power = 2 if squared_pred else 1
    total = (chances**power).sum() + (targets**power).sum()
    return 1.0 - (2 * overlap + eps) / (total + eps)


def log_dice_loss(logits: Tensor, targets: Tensor, eps: float = 1e-6, squared_pred: bool = True) -> Tensor:
    """Minus the logarithm of the Dice coefficient; parameters as in `dice_loss`."""
    return -torch.log(1.0 - dice_loss(logits, targets, eps, squared_pred).clamp(eps, 1.0 - eps))


def mincut_loss(logits: Tensor, targets: Tensor) -> Tensor:
    """One minus the sum of the probabilities where the truth is 1; scalar."""
    return 1.0 - (torch.sigmoid(logits) * targets).sum()


def focal_loss(logits: Tensor, targets: Tensor, alpha: float = 1.0, gamma: float = 2.0) -> Tensor:
    """Cross-entropy weighted with alpha (1 - p)^gamma, p the probability of the truth (Lin et al., arXiv:1708.02002).

    Returns (N,).
    """
    entropy = functional.binary_cross_entropy_with_logits(logits, targets, reduction="none")
    return alpha * (1 - torch.exp(-entropy)) ** gamma * entropy


class LogDiceCE(nn.Module):
    """Weighted sum of the logarithmic Dice loss, cross-entropy, and the minimum cut; ``eps`` as in `dice_loss`."""

    def __init__(self, w_dice: float = 0.8, w_ce: float = 0.2, w_mincut: float = 0.0, eps: float = 1e-6) -> None:
        super().__init__()
        self.w_dice, self.w_ce, self.w_mincut, self.eps = w_dice, w_ce, w_mincut, eps

    def forward(self, logits: Tensor, targets: Tensor) -> Tensor:
        """(N,) losses; the parts that belong to all rows together are added to each."""
        entropy = functional.binary_cross_entropy_with_logits(logits, targets, reduction="none")
        loss = self.w_ce * entropy + self.w_dice * log_dice_loss(logits, targets, self.eps)
        return loss + self.w_mincut * mincut_loss(logits, targets) if self.w_mincut else loss


def _plain(function: Callable[..., Tensor]) -> Callable[..., Callable[[Tensor, Tensor], Tensor]]:
    return lambda **options: partial(function, **options)


BINARY_LOSSES: Mapping[str, Callable[..., Callable[[Tensor, Tensor], Tensor]]] = {
    "bce_logits": _plain(partial(functional.binary_cross_entropy_with_logits, reduction="none")),
    "binary_dice": _plain(dice_loss),
    "binary_log_dice": _plain(log_dice_loss),
    "binary_mincut": _plain(mincut_loss),
    "binary_focal": _plain(focal_loss),
    "binary_log_dice_ce": LogDiceCE,
    "binary_log_dice_ce_mincut": partial(LogDiceCE, w_mincut=1.0),
}
"""What makes each loss from its options."""
