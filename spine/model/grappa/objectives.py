"""Losses of nodes and edges against the truth."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from torch import Tensor

from spine.errors import ConfigError, DataError
from spine.model.grappa.edge_targets import parent_edges, pure_edges, pure_nodes, tree_edges
from spine.model.grappa.loss_functions import class_score, good_nodes, regression_loss, selected
from spine.model.grappa.loss_options import (
    ChannelOptions,
    ClassOptions,
    OrientOptions,
    QualityOptions,
    RegressionOptions,
    ShowerPrimaryOptions,
)
from spine.model.grappa.truth import GraphTruth
from spine.model.uresnet_loss import Score
from spine.ops.arrays import BoolArray, IntArray, NumberArray
from spine.schema import Shape

__all__ = ["ChannelLoss", "ClassLoss", "Objective", "OrientLoss", "RegressionLoss", "ShowerPrimaryLoss", "Supervision"]


@dataclass(frozen=True)
class Supervision:
    """What predictions are compared with.

    Parameters
    ----------
    truth : GraphTruth
        Truth of the nodes.
    index : (E, 2) int64
        Nodes that each edge connects, counted through all events.
    ends : (C, 6) float, optional
        Start and end point of each node, as given to the network.
    groups : (C,) int64, optional
        Predicted groups, different in different events.
    """

    truth: GraphTruth
    index: IntArray
    ends: NumberArray | None = None
    groups: IntArray | None = None


class Objective(Protocol):
    """Compares one prediction with the truth."""

    def __call__(self, scores: Tensor, supervision: Supervision) -> Score: ...


def _quality(
    truth: GraphTruth, options: QualityOptions, default: str, classes: IntArray | None, count: int | None
) -> BoolArray | None:
    """Which nodes are good enough, None when nothing is asked for."""
    if not options.active:
        return None
    return good_nodes(truth.overlap(options.match_target or default), options, classes, count)


def _with_rejected(score: Score, valid: BoolArray, good: BoolArray | None) -> Score:
    if good is not None:
        score.details["count_rejected"] = float((valid & ~good).sum())
    return score


def _and(valid: BoolArray, good: BoolArray | None) -> BoolArray:
    return valid if good is None else valid & good


@dataclass(frozen=True)
class ClassLoss:
    """Classification of nodes by a label."""

    options: ClassOptions

    def __post_init__(self) -> None:
        if self.options.weights is not None and self.options.balance_loss:
            raise ConfigError("weights are given or found, not both", where="balance_loss")

    def __call__(self, scores: Tensor, supervision: Supervision) -> Score:
        """Score of (C, k) logits; nodes whose label is no class do not count."""
        options, count = self.options, scores.shape[1]
        labels = supervision.truth.integers(options.target)
        if options.use_closest:
            labels = self._closest(labels, supervision.truth, count)
        valid = np.asarray((labels >= 0) & (labels < count))
        good = _quality(supervision.truth, options, "group", labels, count)
        score = class_score(
            scores, labels, _and(valid, good), options.loss, options.balance_loss, options.weights
        )  # fmt: skip
        return _with_rejected(score, valid, good)

    def _closest(self, labels: IntArray, truth: GraphTruth, count: int) -> IntArray:
        """Labels of the nodes nearest to the start of their group; that of secondaries for the others."""
        second = self.options.secondary_label
        of_class = np.full(count, second) if isinstance(second, int) else np.array(second)
        if len(of_class) != count:
            raise ConfigError("secondary_label needs one value per class", got=len(of_class), expected=count)
        nodes, winners = truth.nearest_to_start(np.ones(len(labels), dtype=np.bool_))
        result, winning = labels.copy(), labels[winners]
        known = (winning >= 0) & (winning < count)
        result[nodes] = np.where(known, of_class[np.where(known, winning, 0)], -1)
        result[winners] = winning
        return result


@dataclass(frozen=True)
class ShowerPrimaryLoss:
    """Which node of a shower is its first."""

    options: ShowerPrimaryOptions

    def __call__(self, scores: Tensor, supervision: Supervision) -> Score:
        """Score of (C, 2) logits."""
        options, truth = self.options, supervision.truth
        labels = truth.integers("group_primary")
        valid = labels > -1
        if options.use_closest:
            nodes, winners = truth.nearest_to_start(labels == 1)
            labels = labels.copy()
            labels[nodes], labels[winners] = 0, 1
        if options.high_purity:
            valid = valid & pure_nodes(self._groups(supervision), labels)
        good = _quality(truth, options, "group", labels, 2)
        score = class_score(scores, labels, _and(valid, good), options.loss, options.balance_loss)
        return _with_rejected(_without_classes(score), valid, good)

    def _groups(self, supervision: Supervision) -> IntArray:
        if not self.options.use_group_pred:
            return supervision.truth.instances(supervision.truth.integers("group"))
        if supervision.groups is None:
            raise DataError("the loss of primaries needs predicted groups", mend="set 'use_group_pred: false'")
        return supervision.groups


def _without_classes(score: Score) -> Score:
    details = {name: value for name, value in score.details.items() if not name.startswith("accuracy_class")}
    return Score(score.loss, score.accuracy, details, score.terms)


@dataclass(frozen=True)
class OrientLoss:
    """Whether the start of a track comes before its end."""

    options: OrientOptions

    def __call__(self, scores: Tensor, supervision: Supervision) -> Score:
        """Score of (C, 2) logits of backward and forward; nodes that are not tracks do not count."""
        labels = self._labels(supervision)
        good = _quality(supervision.truth, self.options, "particle", labels, 2)
        score = class_score(scores, labels, _and(labels > -1, good), self.options.loss)
        return _with_rejected(_without_classes(score), labels > -1, good)

    def _labels(self, supervision: Supervision) -> IntArray:
        """(C,) 1 where the ends of a node are in the order of the truth, 0 where not, -1 where it is no track."""
        if supervision.ends is None:
            raise DataError("the loss of the orientation needs the ends of the nodes")
        truth = supervision.truth
        particles = truth.integers("particle")
        tracks = (particles > -1) & (truth.integers("shape") == Shape.TRACK)
        labels = np.full(len(particles), -1, dtype=np.int64)
        for number, event in enumerate(truth.events):
            nodes = np.flatnonzero(tracks & (truth.owners == number) & (particles < len(event.starts)))
            true = (event.ends - event.starts)[particles[nodes]]
            found = supervision.ends[nodes, 3:] - supervision.ends[nodes, :3]
            labels[nodes] = (np.sign((true * found).sum(axis=1)).astype(np.int64) + 1) // 2
        return labels


@dataclass(frozen=True)
class RegressionLoss:
    """Regression of a label of nodes."""

    options: RegressionOptions

    def __call__(self, scores: Tensor, supervision: Supervision) -> Score:
        """Score of (C, k) values; the accuracy is the spread of the relative residuals."""
        truth, options = supervision.truth, self.options
        labels = truth.label(options.target)
        valid: BoolArray = np.asarray((labels > -1).reshape(len(labels), -1).all(axis=1))
        classes = truth.integers(options.quality_target) if options.by_class else None
        good = _quality(truth, options, "group", classes, options.quality_num_classes)
        values, targets = selected(scores, labels, _and(valid, good))
        targets = targets.to(values.dtype)
        if options.loss != "edl":
            targets = _as_shaped(targets, values)
        loss = regression_loss(options.loss)(values, targets) / max(len(values), 1)
        score = Score(loss, _relative_spread(values, targets), {"count": float(len(values))})
        return _with_rejected(score, valid, good)


def _as_shaped(targets: Tensor, values: Tensor) -> Tensor:
    if targets.numel() != values.numel():
        raise DataError("labels and predictions differ", got=tuple(targets.shape), expected=tuple(values.shape))
    return targets.view_as(values)


def _relative_spread(values: Tensor, targets: Tensor) -> float:
    if len(values) == 0:
        return 1.0
    mean = values.detach()[:, : max(targets.numel() // len(values), 1)].reshape(targets.shape)
    return float(((mean - targets) / targets.abs().clamp(min=1e-12)).std(correction=0))


@dataclass(frozen=True)
class ChannelLoss:
    """Which edges connect nodes of one instance."""

    options: ChannelOptions

    def __post_init__(self) -> None:
        if self.options.high_purity and self.options.target != "group":
            raise ConfigError("high_purity is for groups of showers", where="high_purity", got=self.options.target)
        if self.options.mode == "forest" and self.options.by_class:
            raise ConfigError("classes of edges are not known beforehand in a forest", where="mode")

    def __call__(self, scores: Tensor, supervision: Supervision) -> Score:
        """Score of (E, 2) logits of off and on."""
        options, truth, index = self.options, supervision.truth, supervision.index
        ids = truth.integers(options.target)
        valid: BoolArray = np.asarray((ids[index] > -1).all(axis=1))
        if options.high_purity:
            groups, primary = truth.instances(ids), truth.integers("group_primary")
            valid &= pure_edges(index, truth.integers("particle"), groups, primary)
        nodes = self._good_nodes(truth, None) if options.active and not options.by_class else None
        labels, supervised = self._labels(scores, supervision, ids, nodes)
        good = self._good_edges(truth, index, labels, nodes)
        score = class_score(scores, labels, _and(valid & supervised, good), options.loss, options.balance_loss)
        return _with_rejected(_without_classes(score), valid, good)

    def _good_nodes(self, truth: GraphTruth, classes: IntArray | None) -> BoolArray:
        overlap = truth.overlap(self.options.match_target or self.options.target)
        return good_nodes(overlap, self.options, classes, 2)

    def _labels(
        self, scores: Tensor, supervision: Supervision, ids: IntArray, good: BoolArray | None
    ) -> tuple[IntArray, BoolArray]:
        """(E,) whether each edge is to be on, and whether that is asked of it."""
        truth, index = supervision.truth, supervision.index
        everywhere = np.ones(len(index), dtype=np.bool_)
        if self.options.mode == "particle_forest":
            return parent_edges(index, truth), everywhere
        if self.options.mode == "group":
            return (ids[index[:, 0]] == ids[index[:, 1]]).astype(np.int64), everywhere
        groups = truth.instances(ids)
        if good is not None:
            alone = np.flatnonzero(~good)
            groups[alone] = groups.max(initial=-1) + 1 + np.arange(len(alone))
        return tree_edges(index, scores.detach().cpu().numpy(), groups)

    def _good_edges(
        self, truth: GraphTruth, index: IntArray, labels: IntArray, nodes: BoolArray | None
    ) -> BoolArray | None:
        """Which edges have two good ends, None when nothing is asked for."""
        if not self.options.active:
            return None
        if nodes is not None:
            return np.asarray(nodes[index].all(axis=1))
        of_class = [self._good_nodes(truth, np.full(len(truth.owners), value)) for value in (0, 1)]
        ends = np.where(labels[:, None] == 1, of_class[1][index], of_class[0][index])
        return np.asarray(ends.all(axis=1))
