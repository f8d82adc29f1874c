"""Training of graph networks, on true clusters or on those that earlier networks made."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from torch import nn

from spine.errors import ConfigError
from spine.model.chain.families import FAMILIES
from spine.model.chain.family import find_provider
from spine.model.chain.paths import PATHS
from spine.model.chain.provider import Provider
from spine.model.chain.rows import image_of
from spine.model.grappa import (
    Clusters,
    EventGraph,
    EventTruth,
    GraphBatch,
    GraphPredictions,
    GraphTruth,
    GrapPA,
    GrapPALoss,
    GrapPALossOptions,
    Supervision,
    event_graph,
    graph_batch,
    grappa_loss,
    true_ends,
    true_nodes,
)
from spine.model.grappa.aggregate import group_nodes
from spine.model.grappa.options import GrapPAOptions, NodeEncoderOptions
from spine.model.grappa.providers import (
    GrapPAInteractions,
    GrapPAParticles,
    fragment_nodes,
    interactions,
    particle_nodes,
    particles,
)
from spine.model.uresnet_loss import Score
from spine.ops.arrays import BoolArray, IntArray, NumberArray
from spine.schema import Event, Ragged
from spine.steps.step import StepConfig
from spine.train.joined_truth import JoinedTruth
from spine.train.shared_norm import shares_statistics
from spine.train.tasks import TaskRequest
from spine.train.voxel_losses import checked_loss

__all__ = ["GraphSample", "GraphTask", "NodeSource", "grappa_task"]


@dataclass(frozen=True)
class GraphSample:
    """Graph of an event with its truth.

    Parameters
    ----------
    graph : EventGraph
        Features and edges.
    truth : GraphTruth
        Truth of the nodes.
    shapes : (n,) int64
        Semantic class of each node.
    ends : (n, 6) float32, optional
        Start and end of each node.
    """

    graph: EventGraph
    truth: GraphTruth
    shapes: IntArray
    ends: NumberArray | None = None


@dataclass(frozen=True)
class NodeSource:
    """Where nodes come from.

    Parameters
    ----------
    required : tuple of str
        Products that it reads.
    find : callable
        Clusters of an event as rows of its image, and as the network takes them.
    swaps : bool
        Whether start and end change places at random, so that networks do not learn their order.
    """

    required: tuple[str, ...]
    find: Callable[[Event, EventTruth], tuple[Ragged, Clusters]]
    swaps: bool = False


@dataclass(frozen=True)
class GraphTask:
    """Training of a graph network."""

    options: GrapPAOptions
    loss: GrapPALoss
    source: NodeSource
    needs_groups: bool

    @property
    def required(self) -> tuple[str, ...]:
        """Products that it reads."""
        return ("data", "clust_label", *self.source.required)

    optional: tuple[str, ...] = ("coord_label", "graph_label", "meta", "data_adapt", "clust_label_adapt")

    def prepare(self, event: Event) -> GraphSample:
        """Graph and truth of an event."""
        truth = EventTruth.of(event)
        clusts, clusters = self.source.find(event, truth)
        graph = event_graph(clusters, self.options)
        return GraphSample(graph, GraphTruth([truth], [clusts]), clusters.shapes, clusters.ends)

    def vary(self, sample: GraphSample, random: np.random.Generator) -> GraphSample:
        """The sample with start and end of some nodes swapped."""
        if not self.source.swaps or sample.ends is None:
            return sample
        return _swapped(sample, self.options.node_encoder, random.random(len(sample.shapes)) < 0.5)

    def score(self, network: nn.Module, samples: Sequence[GraphSample]) -> Score:
        """Loss on a minibatch."""
        assert isinstance(network, GrapPA)
        device = next(network.parameters()).device
        batch = graph_batch([sample.graph for sample in samples], device)
        out = _predictions(network, batch)
        ends = [sample.ends for sample in samples if sample.ends is not None]
        supervision = Supervision(
            JoinedTruth([sample.truth for sample in samples]),
            batch.index.cpu().numpy(),
            np.concatenate(ends) if ends else None,
            self._groups(samples, batch, out) if self.needs_groups else None,
        )
        score: Score = self.loss(out, supervision)
        return score

    def _groups(self, samples: Sequence[GraphSample], batch: GraphBatch, out: GraphPredictions) -> IntArray:
        """(C,) predicted groups, different in different events."""
        bounds = np.cumsum(batch.edge_counts)[:-1]
        edges = {k: v.detach().float().cpu().numpy() for k, v in out.predictions.items() if k.startswith("edge")}
        parts = {name: np.split(values, bounds) for name, values in edges.items()}
        groups, first = [], 0
        for i, sample in enumerate(samples):
            found = group_nodes(sample.graph, {k: part[i] for k, part in parts.items()}, sample.shapes, self.options)
            assert found is not None
            groups.append(found + first)
            first += len(found)
        return np.concatenate(groups)


def _predictions(network: GrapPA, batch: GraphBatch) -> GraphPredictions:
    """Predictions; where there are too few rows for statistics of the batch, with those of earlier batches."""
    few = len(batch.nodes) < 2 or len(batch.edges) < 2
    alone = network.training and few and not shares_statistics(network)
    if alone:
        network.eval()
    out: GraphPredictions = network(batch)
    if alone:
        network.train()
    return out


def _swapped(sample: GraphSample, encoder: NodeEncoderOptions, swap: BoolArray) -> GraphSample:
    """The sample with start and end of some nodes exchanged, in their features too."""
    assert sample.ends is not None
    ends = np.where(swap[:, None], np.roll(sample.ends, 3, axis=1), sample.ends)
    nodes = sample.graph.nodes.copy()
    first = 16 + 2 * encoder.add_value + encoder.add_shape
    for wanted, width in ((encoder.add_points, 3), (encoder.add_local_dirs, 3), (encoder.add_local_dedxs, 1)):
        if wanted:
            columns = slice(first, first + 2 * width)
            nodes[swap, columns] = np.roll(nodes[swap, columns], width, axis=1)
            first += 2 * width
    return replace(sample, graph=replace(sample.graph, nodes=nodes), ends=ends)


def grappa_task(request: TaskRequest) -> GraphTask:
    """Training of a graph network.

    Raises
    ------
    ConfigError
        When options of the loss are wrong, or there is none.
    """
    network: Any = request.network
    if not isinstance(network, GrapPA):
        raise ConfigError("the network is no GrapPA", where=f"model.modules.{request.name}")
    options = checked_loss(GrapPALossOptions, request)
    groups = any(getattr(node, "use_group_pred", False) for node in options.node_loss.values())
    if groups and not network.options.nodes.make_groups:
        raise request.error("use_group_pred needs a network that makes groups (nodes.make_groups)")
    source = _true_source(network.options) if request.train.nodes == "label" else _predicted_source(request)
    return GraphTask(network.options, grappa_loss(options), source, groups)


def _true_source(options: GrapPAOptions) -> NodeSource:
    points = options.node_encoder.add_points

    def find(event: Event, truth: EventTruth) -> tuple[Ragged, Clusters]:
        clusts, shapes = true_nodes(truth, options.nodes)
        ends = true_ends(truth, clusts) if points else None
        image = image_of(event)
        return clusts, Clusters.select(image.coords, image.feature("value"), clusts, shapes, ends)

    return NodeSource(("coord_label",) if points else (), find, points and options.node_encoder.random_order)


def _predicted_source(request: TaskRequest) -> NodeSource:
    """Nodes as the chain gives them to the network."""
    assert isinstance(request.network, GrapPA)
    shapes = request.network.options.nodes.shapes
    maker, options = _stage_of(request)
    required = tuple(maker.requires(options) if callable(maker.requires) else maker.requires)
    if isinstance(options, GrapPAInteractions):
        return NodeSource(required, lambda event, _: particle_nodes(event, options, shapes)[1:])
    assert isinstance(options, GrapPAParticles)
    return NodeSource(required, lambda event, _: fragment_nodes(event, options)[1:])


def _stage_of(request: TaskRequest) -> tuple[Provider, StepConfig]:
    """What uses the network in the chain, with its options; by the name of the network where nothing does."""
    for stage in request.stages:
        used = [stage.uses] if isinstance(stage.uses, str) else stage.uses or []
        family = FAMILIES.get(stage.provider or stage.name)
        if family is None or request.name not in used:
            continue
        for part in family.parts(family, stage.config, f"chain.{stage.name}"):
            alone = len(used) == 1 or request.name == f"grappa_{part.options.get('path', 'inter')}"
            if part.mode == "grappa" and alone:
                found = find_provider(family, part.mode, f"chain.{stage.name}")
                return found, found.config.model_validate(dict(part.options))
    path = request.name.rpartition("_")[2]
    if path not in PATHS:
        return interactions, GrapPAInteractions()
    return particles, GrapPAParticles.model_validate({"path": path, "shapes": PATHS[path]})
