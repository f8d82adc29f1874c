"""From the clusters of events to their graphs, to what the network says of them, and to groups."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch

from spine.errors import DataError
from spine.model.grappa.clusters import Clusters
from spine.model.grappa.encoders import SpreadKind, edge_features, node_features
from spine.model.grappa.graphs import build_graph, take_pairs
from spine.model.grappa.grouping import groups_by_score, groups_by_threshold
from spine.model.grappa.network import GraphBatch, GrapPA
from spine.model.grappa.options import GrapPAOptions
from spine.ops.arrays import IntArray, NumberArray, RealArray
from spine.schema import Shape

__all__ = ["EventGraph", "GraphResult", "aggregate", "event_graph", "graph_batch", "group_nodes"]

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class EventGraph:
    """Graph of an event as the network takes it.

    Parameters
    ----------
    nodes : (n, f) float32
        Features of nodes.
    edges : (E, g) float32
        Features of edges.
    index : (E, 2) int64
        Source and target of each edge.
    """

    nodes: RealArray
    edges: RealArray
    index: IntArray


@dataclass(frozen=True)
class GraphResult:
    """What the network says of the graph of an event.

    Parameters
    ----------
    graph : EventGraph
        The graph.
    predictions : dict of str to array
        (n, k) or (E, k) float32 scores by name, such as ``node_type_pred`` and ``edge_pred``.
    groups : (n,) int64, optional
        Groups of nodes, numbered by their first node.
    """

    graph: EventGraph
    predictions: dict[str, NumberArray] = field(default_factory=dict)
    groups: IntArray | None = None


def event_graph(clusters: Clusters, options: GrapPAOptions, spread: SpreadKind = "sample") -> EventGraph:
    """Connect and describe the clusters of an event.

    Parameters
    ----------
    clusters : Clusters
        Clusters, none of which is empty.
    options : GrapPAOptions
        Graph and features.
    spread : {'sample', 'population'}
        See `node_features`.

    Raises
    ------
    DataError
        See `build_graph` and `node_features`; also when groups are needed and not known.
    """
    if options.graph.group_by is not None and clusters.groups is None:
        raise DataError("the graph is divided by groups that are not given", got=options.graph.group_by)
    graph = build_graph(clusters, options.graph, options.nodes.shapes)
    limit, count = options.edge_limit, len(graph.pairs) * (1 if graph.directed else 2)
    if limit is not None and count > limit:
        logger.warning("a graph of %d edges is above the limit of %d and loses all of them", count, limit)
        graph = take_pairs(graph, np.zeros(len(graph.pairs), dtype=np.bool_))
    nodes = node_features(clusters, options.node_encoder, spread)
    empty = options.edge_encoder.name == "empty"
    edges = np.empty((len(graph.edges), 0), dtype=np.float32) if empty else edge_features(clusters, graph)
    return EventGraph(nodes, edges, graph.edges)


def graph_batch(graphs: Sequence[EventGraph], device: torch.device | str = "cpu") -> GraphBatch:
    """Graphs of several events together."""
    columns = ([g.nodes for g in graphs], [g.edges for g in graphs], [g.index for g in graphs])
    return GraphBatch.of_events(*columns, device=device)


def aggregate(network: GrapPA, events: Sequence[Clusters], spread: SpreadKind = "sample") -> list[GraphResult]:
    """Graphs, predictions and groups of events.

    Parameters
    ----------
    network : GrapPA
        Network, in evaluation.
    events : sequence of Clusters
        Clusters of each event.
    spread : {'sample', 'population'}
        See `node_features`.

    Returns
    -------
    list of GraphResult
        One per event; groups where the options of the network ask for them.
    """
    if not events:
        return []
    graphs = [event_graph(clusters, network.options, spread) for clusters in events]
    with torch.no_grad():
        out = network(graph_batch(graphs, next(network.parameters()).device))
    made = {name: values.float().cpu().numpy() for name, values in out.predictions.items()}
    bounds = {
        "node": np.cumsum([len(g.nodes) for g in graphs])[:-1],
        "edge": np.cumsum([len(g.index) for g in graphs])[:-1],
        "global": np.arange(1, len(graphs)),
    }
    parts = {name: np.split(values, bounds[name.split("_")[0]]) for name, values in made.items()}
    results = []
    for i, (graph, clusters) in enumerate(zip(graphs, events, strict=True)):
        found = {name: part[i] for name, part in parts.items()}
        results.append(GraphResult(graph, found, group_nodes(graph, found, clusters.shapes, network.options)))
    return results


def group_nodes(
    graph: EventGraph, predictions: dict[str, NumberArray], shapes: IntArray, options: GrapPAOptions
) -> IntArray | None:
    """(n,) groups from ``edge_pred`` (the first of several), None where none are asked for."""
    if not options.nodes.make_groups:
        return None
    logits = next(values for name, values in predictions.items() if name.startswith("edge"))
    count = len(graph.nodes)
    if options.nodes.grouping_method == "threshold":
        return groups_by_threshold(graph.index, logits, count)
    tracks = shapes == Shape.TRACK if options.nodes.grouping_through_track else None
    return groups_by_score(graph.index, logits, count, tracks)
