"""The network: repeated updates of edges, nodes and graphs."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from spine.errors import ConfigError
from spine.model.grappa.inference import can_stream, stream
from spine.model.grappa.layers import GraphState

__all__ = ["MetaLayer", "MetaLayerGNN"]


class MetaLayer(nn.Module):
    """One update of edges, then nodes, then graphs, each of which may be left out."""

    def __init__(self, edge: nn.Module | None, node: nn.Module | None, glob: nn.Module | None) -> None:
        super().__init__()
        self.edge_model, self.node_model, self.global_model = edge, node, glob

    def forward(self, state: GraphState, reuse: bool = False) -> GraphState:
        """Update the features; ``reuse`` allows those of edges to be overwritten in evaluation."""
        streaming = not self.training and not torch.is_grad_enabled() and can_stream(self.edge_model, self.node_model)
        if streaming:
            state = stream(self.edge_model, self.node_model, state, reuse)  # type: ignore[arg-type]
        else:
            if self.edge_model is not None:
                state = state._replace(edges=self.edge_model(state))
            if self.node_model is not None:
                state = state._replace(nodes=self.node_model(state))
        if self.global_model is not None:
            state = state._replace(graphs=self.global_model(state))
        return state


class MetaLayerGNN(nn.Module):
    """Normalisation of the input and a number of updates.

    Parameters
    ----------
    layers : list of MetaLayer
        Updates, in order.
    node_bn, edge_bn, global_bn : nn.Module, optional
        Normalisation of the features.
    """

    def __init__(
        self,
        layers: list[MetaLayer],
        node_bn: nn.Module | None = None,
        edge_bn: nn.Module | None = None,
        global_bn: nn.Module | None = None,
    ) -> None:
        super().__init__()
        if not layers:
            raise ConfigError("a graph network needs at least one update", where="num_mp", got=0)
        self.node_bn, self.edge_bn, self.global_bn = node_bn, edge_bn, global_bn
        self.mp_layers = nn.ModuleList(layers)

    def forward(self, state: GraphState) -> GraphState:
        """Features after all updates."""
        graphs = None if state.graphs is None else _normalised(self.global_bn, state.graphs)
        nodes, edges = _normalised(self.node_bn, state.nodes), _normalised(self.edge_bn, state.edges)
        state = state._replace(nodes=nodes, edges=edges, graphs=graphs)
        for number, layer in enumerate(self.mp_layers):
            state = layer(state, reuse=number > 0)
        return state


def _normalised(norm: nn.Module | None, features: Tensor) -> Tensor:
    """Normalised features; a single row has no spread, and none at all nothing to normalise."""
    if norm is None or len(features) == 0:
        return features
    result: Tensor = norm(features)
    return result
