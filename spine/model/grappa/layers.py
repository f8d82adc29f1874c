"""Updates of edges, nodes and whole graphs by dense layers.

After Battaglia et al., "Relational inductive biases, deep learning, and graph networks", arXiv:1806.01261.
"""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor, nn

from spine.model.grappa.mlp import MLP, DenseStyle, Gathered
from spine.model.grappa.scatter import Reduction, scatter, scatter_softmax

__all__ = ["FeatureSizes", "GraphState", "MLPEdgeLayer", "MLPGlobalLayer", "MLPNodeLayer"]


class FeatureSizes(NamedTuple):
    """Features of nodes, edges and graphs."""

    node: int
    edge: int
    glob: int


class GraphState(NamedTuple):
    """A batch of graphs between two updates.

    Parameters
    ----------
    nodes : torch.Tensor
        (C, n) features of nodes.
    edges : torch.Tensor
        (E, e) features of edges.
    graphs : torch.Tensor, optional
        (B, g) features of graphs.
    source, target : torch.Tensor
        (E,) int64 nodes that an edge connects.
    batch : torch.Tensor
        (C,) int64 graph of each node.
    size : int
        Number of graphs B.
    """

    nodes: Tensor
    edges: Tensor
    graphs: Tensor | None
    source: Tensor
    target: Tensor
    batch: Tensor
    size: int


class MLPEdgeLayer(nn.Module):
    """New features of an edge from its own, those of its nodes and those of the graph."""

    def __init__(self, sizes: FeatureSizes, style: DenseStyle) -> None:
        super().__init__()
        self.mlp = MLP(2 * sizes.node + sizes.edge + sizes.glob, style)
        self.feature_size = self.mlp.width

    def parts(self, state: GraphState) -> list[Gathered]:
        """Columns of the input."""
        parts = [Gathered(state.nodes, state.source), Gathered(state.nodes, state.target), Gathered(state.edges)]
        if state.graphs is not None:
            parts.append(Gathered(state.graphs, state.batch[state.source]))
        return parts

    def forward(self, state: GraphState) -> Tensor:
        """(E, width) features."""
        return self.mlp.on_parts(self.parts(state))


class MLPNodeLayer(nn.Module):
    """New features of a node from its own, messages along the edges that lead to it, and those of the graph.

    Parameters
    ----------
    sizes : FeatureSizes
        Features of the input.
    message, aggregate : DenseStyle
        Layers that make messages and that combine them with the node.
    reduction : {'sum', 'mean', 'max'}
        How the messages of a node are put together.
    attention : bool
        Weight messages by a softmax, among those to the same node, of a score learnt from them.
    """

    def __init__(
        self,
        sizes: FeatureSizes,
        message: DenseStyle,
        aggregate: DenseStyle,
        reduction: Reduction = "mean",
        attention: bool = False,
    ) -> None:
        super().__init__()
        self.message_mlp = MLP(sizes.node + sizes.edge, message)
        self.aggr_mlp = MLP(sizes.node + self.message_mlp.width + sizes.glob, aggregate)
        self.gate = nn.Linear(self.message_mlp.width, 1) if attention else None
        self.reduction: Reduction = reduction
        self.feature_size = self.aggr_mlp.width

    def parts(self, state: GraphState) -> list[Gathered]:
        """Columns of the input of the messages."""
        return [Gathered(state.nodes, state.source), Gathered(state.edges)]

    def combine(self, state: GraphState, received: Tensor) -> Tensor:
        """(C, width) features from the (C, m) messages that nodes received."""
        parts = [Gathered(state.nodes), Gathered(received)]
        if state.graphs is not None:
            parts.append(Gathered(state.graphs, state.batch))
        return self.aggr_mlp.on_parts(parts)

    def forward(self, state: GraphState) -> Tensor:
        """(C, width) features."""
        messages = self.message_mlp.on_parts(self.parts(state))
        count = len(state.nodes)
        if self.gate is not None:
            messages = scatter_softmax(self.gate(messages), state.target, count) * messages
        return self.combine(state, scatter(messages, state.target, count, self.reduction))


class MLPGlobalLayer(nn.Module):
    """New features of a graph from its own and those of its nodes together."""

    def __init__(self, sizes: FeatureSizes, style: DenseStyle, reduction: Reduction = "mean") -> None:
        super().__init__()
        self.mlp = MLP(sizes.node + sizes.glob, style)
        self.reduction: Reduction = reduction
        self.feature_size = self.mlp.width

    def forward(self, state: GraphState) -> Tensor:
        """(B, width) features."""
        parts = [Gathered(scatter(state.nodes, state.batch, state.size, self.reduction))]
        if state.graphs is not None:
            parts.append(Gathered(state.graphs))
        return self.mlp.on_parts(parts)
