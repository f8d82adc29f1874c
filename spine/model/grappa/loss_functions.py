"""Losses of single nodes and edges, and the score made from them."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from spine.errors import ConfigError, DataError
from spine.model.grappa.loss_options import ClassLossName, QualityOptions, RegressionLossName
from spine.model.grappa.truth import Overlap
from spine.model.uresnet_loss import Score, class_weights
from spine.ops.arrays import BoolArray, IntArray, NumberArray

__all__ = ["class_score", "classification_loss", "good_nodes", "regression_loss", "selected"]


def classification_loss(name: ClassLossName) -> Callable[[Tensor, Tensor, Tensor | None], Tensor]:
    """Sum over rows of a loss of (n, k) scores and (n,) classes with (k,) weights."""
    functions: dict[str, Callable[..., Tensor]] = {
        "ce": functional.cross_entropy,
        "mm": functional.multi_margin_loss,
    }
    function = functions[name]
    return lambda scores, labels, weights: function(scores, labels, weight=weights, reduction="sum")


def regression_loss(name: RegressionLossName) -> Callable[[Tensor, Tensor], Tensor]:
    """Sum over rows of a loss of predicted and true values of the same shape."""
    functions: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
        "mse": lambda a, b: functional.mse_loss(a, b, reduction="sum"),
        "l2": lambda a, b: functional.mse_loss(a, b, reduction="sum"),
        "l1": lambda a, b: functional.l1_loss(a, b, reduction="sum"),
        "huber": lambda a, b: functional.huber_loss(a, b, reduction="sum"),
        "log_rmse": _log_rmse,
        "berhu": _berhu,
        "edl": _evidential,
    }
    return functions[name]


def _log_rmse(values: Tensor, targets: Tensor, eps: float = 1e-7) -> Tensor:
    """Root of the squared difference of logarithms."""
    if bool((values + eps <= 0).any()) or bool((targets + eps <= 0).any()):
        raise DataError("a logarithm needs positive values", expected=f"above {-eps}")
    return (((values + eps).log() - (targets + eps).log()).square() + eps).sqrt().sum()


def _berhu(values: Tensor, targets: Tensor, share: float = 0.2) -> Tensor:
    """Absolute difference up to a share of the largest, quadratic beyond (Owen, Contemp. Math. 443, 2007)."""
    gap = (values - targets).abs()
    bound = gap.max() * share if gap.numel() else gap.sum()
    if float(bound) == 0:
        return gap.sum()
    return torch.where(gap <= bound, gap, (gap.square() + bound.square()) / (2 * bound)).sum()


def _evidential(evidence: Tensor, targets: Tensor, eps: float = 1e-6) -> Tensor:
    """Negative log-likelihood of (n, 4) normal-inverse-gamma parameters (Amini et al., NeurIPS 2020), 0 at least."""
    mean, nu, alpha, beta = evidence.unbind(1)
    scale = 2.0 * beta * (1.0 + nu)
    likelihood = (
        0.5 * (math.log(math.pi) - (nu + eps).log())
        - alpha * scale.log()
        + (alpha + 0.5) * (nu * (targets.reshape(-1) - mean).square() + scale).log()
        + torch.lgamma(alpha)
        - torch.lgamma(alpha + 0.5)
    )
    return likelihood.clamp(min=0.0).sum()


def selected(scores: Tensor, labels: NumberArray, valid: BoolArray) -> tuple[Tensor, Tensor]:
    """Scores and labels of the valid rows, on the device of the scores."""
    rows = torch.from_numpy(np.flatnonzero(valid)).to(scores.device)
    return scores[rows], torch.from_numpy(np.ascontiguousarray(labels[valid])).to(scores.device)


def class_score(
    scores: Tensor,
    labels: IntArray,
    valid: BoolArray,
    name: ClassLossName = "ce",
    balance: bool = False,
    weights: tuple[float, ...] | None = None,
) -> Score:
    """Loss and accuracy of a classification.

    Parameters
    ----------
    scores : torch.Tensor
        (n, k) scores.
    labels : (n,) int64
        Classes.
    valid : (n,) bool
        Rows that count.
    name : str
        Loss function.
    balance : bool
        Weight a class with n / (k * number of its rows).
    weights : tuple of float, optional
        Weights of the classes instead.

    Returns
    -------
    Score
        Loss: weighted sum over the number of rows. With ``count`` and ``accuracy_class_<k>``.
    """
    picked, wanted = selected(scores, labels, valid)
    count, classes = len(picked), scores.shape[1]
    factors = None
    if balance and count:
        factors = class_weights(wanted, classes).to(picked.dtype)
    elif weights is not None:
        factors = torch.tensor(weights, dtype=picked.dtype, device=picked.device)
    loss = classification_loss(name)(picked, wanted, factors) / count if count else picked.sum() * 0.0
    right = picked.detach().argmax(dim=1) == wanted if count else wanted.bool()
    details = {"count": float(count)}
    for number in range(classes):
        of_class = right[wanted == number]
        details[f"accuracy_class_{number}"] = float(of_class.double().mean()) if len(of_class) else 1.0
    return Score(loss, float(right.double().mean()) if count else 1.0, details)


def good_nodes(
    overlap: Overlap, options: QualityOptions, classes: IntArray | None = None, count: int | None = None
) -> BoolArray:
    """Which nodes agree with a true instance as well as is asked for.

    Parameters
    ----------
    overlap : Overlap
        Matches of the nodes.
    options : QualityOptions
        Limits.
    classes : (n,) int64, optional
        Class of each node, for limits that depend on it; nodes of a class without limit are not good.
    count : int, optional
        Number of classes.

    Raises
    ------
    ConfigError
        When limits are not one per class, or classes are not known.
    """
    good = overlap.matches >= 0
    limits = ((overlap.iou, options.min_iou), (overlap.purity, options.min_purity))
    for values, limit in (*limits, (overlap.efficiency, options.min_efficiency)):
        if isinstance(limit, tuple):
            if classes is None or (count is not None and len(limit) != count):
                raise ConfigError("limits by class need one value per class", got=len(limit), expected=count)
            known = (classes >= 0) & (classes < len(limit))
            bounds = np.array(limit, dtype=np.float32)[np.where(known, classes, 0)]
            good = good & known & (values.astype(np.float32) >= bounds)
        elif limit is not None:
            good = good & (values >= limit)
    return np.asarray(good)
