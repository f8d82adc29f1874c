"""Graph-SPICE: fragments from a scored graph of voxels."""

from __future__ import annotations

from spine.model.graph_spice.clustering import NodeClusters
from spine.model.graph_spice.config import GraphSpiceConfig, GraphSpiceLossConfig
from spine.model.graph_spice.loss import GraphSpiceLoss, build_graph_spice_loss
from spine.model.graph_spice.network import GraphSpice, GraphSpiceOutput, build_graph_spice

__all__ = [
    "GraphSpice",
    "GraphSpiceConfig",
    "GraphSpiceLoss",
    "GraphSpiceLossConfig",
    "GraphSpiceOutput",
    "NodeClusters",
    "build_graph_spice",
    "build_graph_spice_loss",
]
