"""Losses of predictions from images."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from spine.errors import ConfigError, DataError
from spine.model.grappa.loss_functions import good_nodes, regression_loss, selected
from spine.model.grappa.truth import EventTruth, GraphTruth, cluster_majority
from spine.model.image.network import ImageOutput
from spine.model.image.options import ClassTask, ImageLossOptions, RegressionTask, TaskOptions
from spine.model.uresnet_loss import Score, class_weights
from spine.ops.arrays import BoolArray, IntArray, NumberArray
from spine.schema import Ragged
from spine.schema.species import PID_MASSES

__all__ = ["ImageLoss", "ImageTruth", "build_image_loss"]


class ImageTruth(NamedTuple):
    """True labels of images, one row each.

    Parameters
    ----------
    values : (n,) or (n, k) array
        Label.
    good : (n,) bool, optional
        Whether the object agrees with a true instance as well as is asked for.
    """

    values: NumberArray
    good: BoolArray | None = None

    @classmethod
    def of(cls, truth: GraphTruth, task: TaskOptions) -> ImageTruth:
        """Labels of objects for a task."""
        values = _targets(truth, task)
        return cls(values, _good(truth, task, values) if task.active else None)


def _targets(truth: GraphTruth, task: TaskOptions) -> NumberArray:
    if task.target == "kinetic_energy":
        parts = zip(truth.events, truth.clusts, strict=True)
        found = [_kinetic_energy(e, c, task.target_reduction == "ancestor") for e, c in parts]
        return np.concatenate([np.empty(0), *found])
    if task.target_reduction == "ancestor":
        pids = [_ancestor_label(event, "pid") for event in truth.events]
        found = [cluster_majority(values, c) for values, c in zip(pids, truth.clusts, strict=True)]
        return np.concatenate([np.empty(0), *found])
    return truth.label(str(task.target))


def _ancestor_label(event: EventTruth, name: str) -> NumberArray:
    """(N,) label of the ancestor of the particle at each voxel, -1 where there is none."""
    table = event.clusters.particles
    if table is None:
        raise DataError("the true clusters have no table of particles", got=name)
    rows = event.label("ancestor").astype(np.int64)
    known = (rows >= 0) & (rows < len(table))
    column = np.asarray(table[name])
    values = np.full(len(rows), -1, dtype=column.dtype)
    values[known] = column[rows[known]]
    return values


def _kinetic_energy(event: EventTruth, clusts: Ragged, of_ancestor: bool) -> NumberArray:
    """(n,) initial kinetic energy of the particle of each object, in MeV; -1 where there is more than one."""
    momenta = _ancestor_label(event, "momentum") if of_ancestor else event.label("momentum")
    pids = (_ancestor_label(event, "pid") if of_ancestor else event.label("pid")).astype(np.int64)
    energies = np.full(len(clusts), -1.0)
    for i, rows in enumerate(clusts):
        species, momentum = np.unique(pids[rows]), np.unique(momenta[rows])
        known = len(species) == 1 and 0 <= species[0] < len(PID_MASSES)
        if known and len(momentum) == 1 and np.isfinite(momentum[0]) and momentum[0] >= 0:
            mass = float(PID_MASSES[species[0]])
            energies[i] = np.sqrt(float(momentum[0]) ** 2 + mass**2) - mass
    return energies


def _good(truth: GraphTruth, task: TaskOptions, values: NumberArray) -> BoolArray:
    classes: IntArray | None = None
    count = None
    if isinstance(task, ClassTask):
        classes = values.astype(np.int64)
    elif isinstance(task, RegressionTask) and task.by_class:
        wanted = task.model_copy(update={"target": task.quality_target})
        classes, count = _targets(truth, wanted).astype(np.int64), task.quality_num_classes
        if count is None:
            raise ConfigError("limits by class need quality_num_classes", where="image_loss")
    return good_nodes(truth.overlap(task.instances), task, classes, count)


class ImageLoss(nn.Module):
    """Sum of the weighted losses of the heads.

    Parameters
    ----------
    tasks : mapping of str to options
        Loss of each head.
    """

    def __init__(self, tasks: Mapping[str, TaskOptions]) -> None:
        super().__init__()
        self.tasks = dict(tasks)

    def forward(self, output: ImageOutput, truth: Mapping[str, ImageTruth]) -> Score:
        """Compare predictions with labels.

        Parameters
        ----------
        output : ImageOutput
            Predictions.
        truth : mapping of str to ImageTruth
            Labels of each task.

        Returns
        -------
        Score
            The accuracy is the mean of those of classifications, 1 without any. With the numbers of each task, its name
            in front.
        """
        scores = {name: _score(output.predictions[name], truth[name], task) for name, task in self.tasks.items()}
        weighted = {name: self.tasks[name].weight * score.loss for name, score in scores.items()}
        details = {key: value for name, score in scores.items() for key, value in _numbers(name, score).items()}
        right = [score.accuracy for name, score in scores.items() if isinstance(self.tasks[name], ClassTask)]
        loss = torch.stack(list(weighted.values())).sum()
        return Score(loss, sum(right) / len(right) if right else 1.0, details, weighted)


def _numbers(name: str, score: Score) -> dict[str, float]:
    return {
        f"{name}_{key}": value for key, value in score.flat().items() if key != "accuracy" or "mae" not in score.details
    }


def _score(values: Tensor, truth: ImageTruth, task: TaskOptions) -> Score:
    if len(values) != len(truth.values):
        raise DataError("images and labels have different rows", got=len(truth.values), expected=len(values))
    if isinstance(task, ClassTask):
        return _class_score(values, truth, task)
    assert isinstance(task, RegressionTask)
    return _regression_score(values, truth, task)


def _with_rejected(details: dict[str, float], valid: BoolArray, good: BoolArray | None) -> dict[str, float]:
    return details if good is None else {**details, "count_rejected": float((valid & ~good).sum())}


def _class_score(logits: Tensor, truth: ImageTruth, task: ClassTask) -> Score:
    labels, count = truth.values.astype(np.int64).reshape(-1), logits.shape[1]
    valid: BoolArray = np.asarray(labels != task.ignore_index)
    if (valid & ((labels < 0) | (labels >= count))).any():
        raise DataError("a label is no class", got=int(labels[valid].max()), expected=f"0 to {count - 1}")
    if task.class_weights is not None and len(task.class_weights) != count:
        raise ConfigError("class_weights needs one value per class", got=len(task.class_weights), expected=count)
    scores, wanted = selected(logits, labels, valid if truth.good is None else valid & truth.good)
    details = _with_rejected({"count": float(len(wanted))}, valid, truth.good)
    right = scores.detach().argmax(dim=1) == wanted
    for number in range(count):
        mine = right[wanted == number]
        details[f"accuracy_class_{number}"] = float(mine.double().mean()) if len(mine) else 1.0
    if len(wanted) == 0:
        return Score(logits.sum() * 0.0, 1.0, details)
    function = functional.cross_entropy if task.loss == "ce" else functional.multi_margin_loss
    losses = function(scores, wanted, reduction="none")
    weights = _weights(wanted, count, task, losses)
    loss = losses.mean() if weights is None else (losses * weights).sum() / weights.sum()
    return Score(loss, float(right.double().mean()), details)


def _weights(labels: Tensor, count: int, task: ClassTask, like: Tensor) -> Tensor | None:
    """(n,) weights of the images."""
    if task.balance_loss:
        return class_weights(labels, count).to(like.dtype)[labels]
    if task.class_weights is None:
        return None
    return torch.tensor(task.class_weights, dtype=like.dtype, device=like.device)[labels]


def _regression_score(values: Tensor, truth: ImageTruth, task: RegressionTask) -> Score:
    labels = truth.values.astype(np.float64).reshape(len(truth.values), -1)
    valid: BoolArray = np.asarray(np.isfinite(labels).all(axis=1))
    if task.ignore_value is not None:
        valid &= (labels != task.ignore_value).all(axis=1)
    found, wanted = selected(values, labels, valid if truth.good is None else valid & truth.good)
    details = _with_rejected({"count": float(len(wanted))}, valid, truth.good)
    wanted = wanted.to(found.dtype)
    mean = found if task.loss != "edl" else found[:, : wanted.shape[1]]
    if mean.shape != wanted.shape:
        raise DataError("labels and predictions differ", got=tuple(wanted.shape), expected=tuple(mean.shape))
    if len(wanted) == 0:
        return Score(values.sum() * 0.0, 1.0, {**details, "bias": 0.0, "mae": 0.0, "rmse": 0.0})
    loss = regression_loss(task.loss)(found, wanted) / wanted.numel()
    gaps = mean.detach() - wanted
    details |= {"bias": float(gaps.mean()), "mae": float(gaps.abs().mean())}
    details["rmse"] = float(gaps.square().mean().sqrt())
    return Score(loss, 1.0, details)


def build_image_loss(options: ImageLossOptions, tasks: tuple[str, ...]) -> ImageLoss:
    """The loss of a network with these heads.

    Raises
    ------
    ConfigError
        When losses and heads do not match.
    """
    if set(options.tasks) != set(tasks):
        raise ConfigError(
            "each head needs its loss", got=", ".join(sorted(options.tasks)), expected=", ".join(sorted(tasks))
        )
    return ImageLoss(options.tasks)
