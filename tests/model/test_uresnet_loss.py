"""Segmentation loss against closed formulas."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy.special import log_softmax
from torch import Tensor

from spine.errors import ConfigError, DataError
from spine.model.uresnet_loss import GHOST, SegmentationLoss, class_weights, nearness_weights


@pytest.fixture
def logits() -> Tensor:
    return torch.randn(60, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


@pytest.fixture
def labels() -> Tensor:
    return torch.arange(60) % 7 % 3  # classes 0 to 2 of 4, not equally many


def negative_log_likelihood(logits: Tensor, labels: Tensor) -> NDArray[np.float64]:
    chances: NDArray[np.float64] = log_softmax(logits.numpy(), 1)
    chosen: NDArray[np.float64] = -chances[np.arange(len(labels)), labels.numpy()]
    return chosen


def test_plain_loss_is_the_mean_cross_entropy(logits: Tensor, labels: Tensor) -> None:
    score = SegmentationLoss(4)(logits, labels)
    assert score.loss.item() == pytest.approx(negative_log_likelihood(logits, labels).mean())
    right = logits.argmax(1) == labels
    assert score.accuracy == pytest.approx(right.double().mean().item())
    for c in range(3):
        assert score.details[f"accuracy_class_{c}"] == pytest.approx(right[labels == c].double().mean().item())
    assert score.details["accuracy_class_3"] == 1.0


def test_balanced_loss_is_the_mean_over_classes(logits: Tensor, labels: Tensor) -> None:
    losses = negative_log_likelihood(logits, labels)
    expected = np.mean([losses[labels.numpy() == c].mean() for c in range(3)])
    assert SegmentationLoss(4, balance_loss=True)(logits, labels).loss.item() == pytest.approx(expected)


def test_balance_by_the_root_lies_between(logits: Tensor, labels: Tensor) -> None:
    share = np.bincount(labels.numpy()) / len(labels)
    weights = np.sqrt(1 / (4 * share))[labels.numpy()]
    losses = negative_log_likelihood(logits, labels)
    loss = SegmentationLoss(4, balance_loss=True, weighting="sqrt")(logits, labels).loss
    np.testing.assert_allclose(float(loss), (weights * losses).sum() / weights.sum(), rtol=1e-6)


def test_weights_are_normalised(logits: Tensor, labels: Tensor) -> None:
    weights = torch.rand(60, dtype=torch.float64)
    losses = negative_log_likelihood(logits, labels)
    expected = np.average(losses, weights=weights.numpy())
    assert SegmentationLoss(4)(logits, labels, weights=weights).loss.item() == pytest.approx(expected)
    with pytest.raises(DataError, match="nothing"):
        SegmentationLoss(4)(logits, labels, weights=0 * weights)


def test_ghosts_leave_the_classes_to_true_voxels(logits: Tensor, labels: Tensor) -> None:
    ghost = torch.randn(60, 2, dtype=torch.float64)
    is_ghost = torch.arange(60) % 4 == 0
    labels = torch.where(is_ghost, GHOST, labels)
    score = SegmentationLoss(4, alpha=2.0, beta=0.5)(logits, labels, ghost)
    classes = negative_log_likelihood(logits[~is_ghost], labels[~is_ghost]).mean()
    ghosts = negative_log_likelihood(ghost, is_ghost.long()).mean()
    assert score.loss.item() == pytest.approx(2.0 * classes + 0.5 * ghosts)
    assert score.details["seg_loss"] == pytest.approx(classes)
    assert score.details["ghost_loss"] == pytest.approx(ghosts)
    parts = score.details["seg_accuracy"], score.details["ghost_accuracy"]
    assert score.accuracy == pytest.approx(sum(parts) / 2)
    with pytest.raises(ConfigError, match="ghost_label"):
        SegmentationLoss(4, ghost_label=GHOST)(logits, labels, ghost)


def test_ghost_label_makes_two_classes(logits: Tensor, labels: Tensor) -> None:
    score = SegmentationLoss(2, ghost_label=1)(logits[:, :2], labels)
    expected = negative_log_likelihood(logits[:, :2], (labels == 1).long()).mean()
    assert score.loss.item() == pytest.approx(expected)


def test_no_voxels_give_a_loss_of_zero_with_a_gradient() -> None:
    logits = torch.zeros(0, 4, requires_grad=True)
    score = SegmentationLoss(4, balance_loss=True)(logits, torch.zeros(0, dtype=torch.int64))
    assert (score.loss.item(), score.accuracy) == (0.0, 1.0)
    torch.autograd.backward(score.loss)


def test_wrong_labels_are_refused(logits: Tensor, labels: Tensor) -> None:
    with pytest.raises(DataError, match="no classes"):
        SegmentationLoss(4)(logits, labels + 2)
    with pytest.raises(DataError, match="different rows"):
        SegmentationLoss(4)(logits, labels[:-1])


def test_class_weights() -> None:
    labels = torch.tensor([0, 0, 0, 2])
    expected = torch.tensor([4 / 9, 4 / 3, 4 / 3])
    torch.testing.assert_close(class_weights(labels, 3), expected)
    torch.testing.assert_close(class_weights(labels, 3, "sqrt"), expected.sqrt())
    torch.testing.assert_close(class_weights(labels, 3, "log"), expected.log())


def test_nearness_weights_give_both_sides_half() -> None:
    near = torch.tensor([True, False, False, False])
    weights = nearness_weights(near)
    assert weights.tolist() == pytest.approx([2.0, 2 / 3, 2 / 3, 2 / 3])
    assert nearness_weights(torch.zeros(0, dtype=torch.bool)).shape == (0,)
