"""GrapPA: graph networks that group clusters and classify them."""

from __future__ import annotations

from spine.model.grappa.aggregate import EventGraph, GraphResult, aggregate, event_graph, graph_batch
from spine.model.grappa.assemble import build_from_options, grappa_network
from spine.model.grappa.clusters import Clusters
from spine.model.grappa.grouping import groups_by_score, groups_by_threshold, primary_nodes
from spine.model.grappa.loss import GrapPALoss, grappa_loss
from spine.model.grappa.loss_options import GrapPALossOptions
from spine.model.grappa.network import GraphBatch, GraphPredictions, GrapPA
from spine.model.grappa.objectives import Supervision
from spine.model.grappa.options import GrapPAOptions
from spine.model.grappa.true_nodes import true_ends, true_nodes
from spine.model.grappa.truth import EventTruth, GraphTruth

__all__ = [
    "Clusters",
    "EventGraph",
    "EventTruth",
    "GrapPA",
    "GrapPALoss",
    "GrapPALossOptions",
    "GrapPAOptions",
    "GraphBatch",
    "GraphPredictions",
    "GraphResult",
    "GraphTruth",
    "Supervision",
    "aggregate",
    "build_from_options",
    "event_graph",
    "graph_batch",
    "grappa_loss",
    "grappa_network",
    "groups_by_score",
    "groups_by_threshold",
    "primary_nodes",
    "true_ends",
    "true_nodes",
]
