"""Training of SPICE, and of segmentations that say how sure they are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from torch import nn

from spine.errors import ConfigError
from spine.model.bayes import BayesianLossConfig, BayesianUResNet, build_bayesian_loss
from spine.model.evidential_loss import EvidentialLoss
from spine.model.grappa.truth import EventTruth
from spine.model.spice import Spice, SpiceLoss, SpiceLossConfig, build_spice_loss
from spine.model.uresnet_loss import Score
from spine.ops.arrays import IntArray
from spine.schema import Event
from spine.train.tasks import TaskRequest
from spine.train.voxel_losses import SegmentationLossConfig, checked_loss
from spine.train.voxel_tasks import SegmentationTask, VoxelSample, first_parameter, joined, voxel_classes, voxel_table

__all__ = ["BayesianTask", "SpiceSample", "SpiceTask", "bayesian_task", "spice_task"]


@dataclass(frozen=True)
class BayesianTask(SegmentationTask):
    """Segmentation that says how sure it is."""

    def at(self, step: int) -> None:
        """Tell the loss how far the training is."""
        if isinstance(self.loss.loss, EvidentialLoss):
            self.loss.loss.step = step


def bayesian_task(request: TaskRequest) -> BayesianTask:
    """Training of a segmentation that says how sure it is."""
    network: Any = request.network
    if not isinstance(network, BayesianUResNet):
        raise ConfigError("the network is no Bayesian U-ResNet", where=f"model.modules.{request.name}")
    try:
        loss = build_bayesian_loss(checked_loss(BayesianLossConfig, request), network)
    except ValueError as error:
        raise request.error(str(error)) from error
    return BayesianTask(loss, SegmentationLossConfig(), network.shape.num_input)


@dataclass(frozen=True)
class SpiceSample:
    """Voxels of an event, the classes that choose them, and their true clusters and classes."""

    voxels: VoxelSample
    shapes: IntArray


@dataclass(frozen=True)
class SpiceTask:
    """Embedding of voxels."""

    loss: SpiceLoss
    predicted: bool

    @property
    def required(self) -> tuple[str, ...]:
        """Products that it reads."""
        return ("data", "clust_label", "seg_pred" if self.predicted else "seg_label")

    optional: tuple[str, ...] = ()

    def prepare(self, event: Event) -> SpiceSample:
        """Voxels, classes and clusters of an event."""
        truth = EventTruth.of(event)
        clusters, shapes = (truth.label(name).astype(np.int64) for name in ("cluster", "shape"))
        return SpiceSample(VoxelSample(voxel_table(event, 1), voxel_classes(event, self.predicted), clusters), shapes)

    def vary(self, sample: SpiceSample, random: np.random.Generator) -> SpiceSample:
        """The sample: nothing is drawn."""
        del random
        return sample

    def score(self, network: nn.Module, samples: Sequence[SpiceSample]) -> Score:
        """Loss on a minibatch."""
        assert isinstance(network, Spice)
        like = first_parameter(network)
        voxels = [sample.voxels for sample in samples]
        table = joined([one.table for one in voxels], like, batch=True)
        out = network(table, joined([one.classes for one in voxels], like), batch_size=len(samples))
        clusters = joined([one.owners for one in voxels if one.owners is not None], like)
        score: Score = self.loss(out, clusters, joined([sample.shapes for sample in samples], like))
        return score


def spice_task(request: TaskRequest) -> SpiceTask:
    """Training of SPICE."""
    if not isinstance(request.network, Spice):
        raise ConfigError("the network is no SPICE", where=f"model.modules.{request.name}")
    return SpiceTask(build_spice_loss(checked_loss(SpiceLossConfig, request)), request.train.semantics == "predicted")
