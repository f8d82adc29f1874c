"""Training of networks that look at voxels: segmentation, point proposal, clustering of voxels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from spine.errors import ConfigError
from spine.model.bayes import BayesianUResNet
from spine.model.chain.rows import image_of, rows_of
from spine.model.graph_spice import GraphSpice, build_graph_spice_loss
from spine.model.graph_spice.config import GraphSpiceLossConfig
from spine.model.graph_spice.loss import GraphSpiceLoss
from spine.model.grappa.truth import EventTruth
from spine.model.ppn import UResNetPPN
from spine.model.ppn_loss import PointLabels, UResNetPPNLoss, nearest_points
from spine.model.uresnet import UResNetSegmentation, image_tensor
from spine.model.uresnet_loss import GHOST, Score, SegmentationLoss, nearness_weights
from spine.ops.arrays import IntArray, NumberArray, RealArray
from spine.schema import Event
from spine.schema import Tensor as VoxelTensor
from spine.train.tasks import TaskRequest
from spine.train.voxel_losses import SegmentationLossConfig, UResNetPPNLossConfig, checked_loss

__all__ = [
    "GraphSpiceTask",
    "PointTask",
    "SegmentationTask",
    "VoxelSample",
    "first_parameter",
    "graph_spice_task",
    "joined",
    "point_task",
    "segmentation_task",
    "voxel_classes",
    "voxel_table",
]


@dataclass(frozen=True)
class VoxelSample:
    """Voxels of an event with their labels.

    Parameters
    ----------
    table : (N, 3 + F) float32
        Coordinates and features.
    classes : (N,) int64
        Semantic class.
    owners : (N,) int64, optional
        Particle or cluster.
    points, vertices : (P, 5) float32, optional
        Position, type and particle of true points.
    """

    table: RealArray
    classes: IntArray
    owners: IntArray | None = None
    points: RealArray | None = None
    vertices: RealArray | None = None


def voxel_table(event: Event, features: int, whole: bool = False) -> RealArray:
    """(N, 3 + F) float32 coordinates and features of the image, with ghosts that were taken out if wanted."""
    image = event["data"] if whole else image_of(event)
    return np.concatenate([image.coords, image.features[:, :features]], axis=1, dtype=np.float32)


def _label_at(image: VoxelTensor, labels: VoxelTensor, values: NumberArray) -> IntArray:
    """(N,) value at each voxel of an image, -1 where there is none."""
    rows = rows_of(labels.coords, image.coords)
    found = np.full(len(rows), -1, dtype=np.int64)
    found[rows >= 0] = values[rows[rows >= 0]].astype(np.int64)
    return found


def voxel_classes(event: Event, predicted: bool = False, whole: bool = False) -> IntArray:
    """(N,) semantic class of each voxel, true or predicted; rows as in `voxel_table`."""
    if predicted:
        return np.asarray(event["seg_pred"], dtype=np.int64)
    image = event["data"] if whole else image_of(event)
    return _label_at(image, event["seg_label"], event["seg_label"].feature("value"))


def _points(event: Event, name: str, features: tuple[str, ...]) -> RealArray:
    labels: VoxelTensor = event[name]
    columns = [labels.feature(feature)[:, None] for feature in features]
    return np.concatenate([labels.coords, *columns], axis=1, dtype=np.float32)


def joined(parts: Sequence[NumberArray], like: Tensor, batch: bool = False) -> Tensor:
    """Rows of all samples, with the number of the sample in front if wanted, where the network is."""
    rows = np.concatenate(list(parts))
    if batch:
        numbers = np.repeat(np.arange(len(parts)), [len(part) for part in parts])
        rows = np.concatenate([numbers[:, None].astype(rows.dtype), rows], axis=1)
    return torch.from_numpy(rows).to(like.device)


def _labels(parts: Sequence[RealArray | None], like: Tensor) -> PointLabels:
    """True points of all samples."""
    rows = joined([part for part in parts if part is not None], like, batch=True)
    return PointLabels(rows[:, 1:4], rows[:, 0].long(), rows[:, 4].long(), rows[:, 5].long())


def first_parameter(network: nn.Module) -> Tensor:
    """A tensor that is where the network is."""
    return next(network.parameters())


@dataclass(frozen=True)
class SegmentationTask:
    """Semantic segmentation alone."""

    loss: SegmentationLoss
    config: SegmentationLossConfig
    features: int
    whole: bool = False

    @property
    def required(self) -> tuple[str, ...]:
        """Products that it reads."""
        return ("data", "seg_label", *(("ppn_label",) if self.config.upweight_points else ()))

    optional: tuple[str, ...] = ()

    def prepare(self, event: Event) -> VoxelSample:
        """Voxels, classes and points of an event."""
        points = _points(event, "ppn_label", ("shape", "particle")) if self.config.upweight_points else None
        table, classes = voxel_table(event, self.features, self.whole), voxel_classes(event, whole=self.whole)
        return VoxelSample(table, classes, points=points)

    def vary(self, sample: VoxelSample, random: np.random.Generator) -> VoxelSample:
        """The sample: nothing is drawn."""
        del random
        return sample

    def score(self, network: nn.Module, samples: Sequence[VoxelSample]) -> Score:
        """Loss on a minibatch."""
        like = first_parameter(network)
        table = joined([sample.table for sample in samples], like, batch=True)
        assert isinstance(network, (UResNetSegmentation, UResNetPPN, BayesianUResNet))
        out = network(image_tensor(table, network.shape, batch_size=len(samples)))
        weights = None
        if self.config.upweight_points:
            labels = _labels([sample.points for sample in samples], like)
            near = nearest_points(out.logits, labels, self.config.upweight_radius) >= 0
            aligned = out.logits.replace_features(near[:, None].to(table.dtype)).aligned_features()
            weights = nearness_weights(aligned[:, 0] > 0)
        ghost = None if out.ghost is None else out.ghost.aligned_features()
        classes = joined([sample.classes for sample in samples], like)
        score: Score = self.loss(out.logits.aligned_features(), classes, ghost, weights)
        return score


def segmentation_task(request: TaskRequest) -> SegmentationTask:
    """Training of a U-ResNet; one that takes ghosts out tells them from all other classes."""
    config = checked_loss(SegmentationLossConfig, request)
    network: Any = request.network
    if not isinstance(network, UResNetSegmentation):
        raise ConfigError("the network is no U-ResNet", where=f"model.modules.{request.name}")
    deghost = request.name.startswith("uresnet_deghost")
    if deghost and config.ghost_label < 0:
        config = config.model_copy(update={"ghost_label": GHOST})
    return SegmentationTask(config.build(network.num_classes), config, network.shape.num_input, deghost)


@dataclass(frozen=True)
class PointTask:
    """Segmentation with point proposal."""

    loss: UResNetPPNLoss
    features: int
    restricted: bool

    @property
    def required(self) -> tuple[str, ...]:
        """Products that it reads."""
        points = ("ppn_label",) if self.loss.ppn is not None else ()
        vertices = ("vertex_label",) if self.loss.vertex is not None else ()
        return ("data", "seg_label", *points, *vertices, *(("clust_label",) if self.restricted else ()))

    optional: tuple[str, ...] = ()

    def prepare(self, event: Event) -> VoxelSample:
        """Voxels, classes and points of an event."""
        owners = EventTruth.of(event).label("particle").astype(np.int64) if self.restricted else None
        points = _points(event, "ppn_label", ("shape", "particle")) if self.loss.ppn is not None else None
        vertices = None
        if self.loss.vertex is not None:
            vertices = _points(event, "vertex_label", ("interaction", "interaction"))
        return VoxelSample(voxel_table(event, self.features), voxel_classes(event), owners, points, vertices)

    def vary(self, sample: VoxelSample, random: np.random.Generator) -> VoxelSample:
        """The sample: nothing is drawn."""
        del random
        return sample

    def score(self, network: nn.Module, samples: Sequence[VoxelSample]) -> Score:
        """Loss on a minibatch."""
        like = first_parameter(network)
        table = joined([sample.table for sample in samples], like, batch=True)
        assert isinstance(network, UResNetPPN)
        out = network(image_tensor(table, network.shape, batch_size=len(samples)))
        classes = joined([sample.classes for sample in samples], like)
        points = _labels([sample.points for sample in samples], like) if self.loss.ppn is not None else None
        vertices = _labels([sample.vertices for sample in samples], like) if self.loss.vertex is not None else None
        owners = None
        if self.restricted:
            owners = joined([sample.owners for sample in samples if sample.owners is not None], like)
        score: Score = self.loss(out, classes, points, vertices, owners)
        return score


def point_task(request: TaskRequest) -> PointTask:
    """Training of a U-ResNet with point proposal."""
    config = checked_loss(UResNetPPNLossConfig, request)
    network = request.network
    assert isinstance(network, UResNetPPN)
    if config.uresnet_loss.upweight_points:
        raise request.error("upweight_points is for a U-ResNet alone")
    classes = network.uresnet.num_classes
    loss = config.build(classes, network.ppn is not None, network.proposes_vertices)
    return PointTask(loss, network.shape.num_input, config.ppn_loss.restrict_to_clusters)


@dataclass(frozen=True)
class GraphSpiceTask:
    """Clustering of voxels."""

    loss: GraphSpiceLoss
    target: str
    predicted: bool

    @property
    def required(self) -> tuple[str, ...]:
        """Products that it reads."""
        return ("data", "clust_label", "seg_pred" if self.predicted else "seg_label")

    optional: tuple[str, ...] = ()

    def prepare(self, event: Event) -> VoxelSample:
        """Voxels, classes and clusters of an event."""
        truth = EventTruth.of(event)
        return VoxelSample(
            voxel_table(event, 1), voxel_classes(event, self.predicted), truth.label(self.target).astype(np.int64)
        )

    def vary(self, sample: VoxelSample, random: np.random.Generator) -> VoxelSample:
        """The sample: nothing is drawn."""
        del random
        return sample

    def score(self, network: nn.Module, samples: Sequence[VoxelSample]) -> Score:
        """Loss on a minibatch; clusters are compared with the truth in evaluation only."""
        assert isinstance(network, GraphSpice)
        like = first_parameter(network)
        table = joined([sample.table for sample in samples], like, batch=True)
        classes = joined([sample.classes for sample in samples], like)
        out = network(table, classes, batch_size=len(samples))
        found = None if network.training else network.cluster(out)
        clusters = joined([sample.owners for sample in samples if sample.owners is not None], like)
        score: Score = self.loss(out, clusters, found)
        return score


def graph_spice_task(request: TaskRequest) -> GraphSpiceTask:
    """Training of Graph-SPICE."""
    network: Any = request.network
    if not isinstance(network, GraphSpice):
        raise ConfigError("the network is no Graph-SPICE", where=f"model.modules.{request.name}")
    loss = build_graph_spice_loss(checked_loss(GraphSpiceLossConfig, request))
    return GraphSpiceTask(loss, network.constructor.target_col, request.train.semantics == "predicted")
