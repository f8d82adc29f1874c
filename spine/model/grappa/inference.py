"""Updates of edges and nodes without gradients, some thousand edges at a time, in memory that does not grow."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from spine.model.grappa.layers import GraphState, MLPEdgeLayer, MLPNodeLayer
from spine.model.grappa.mlp import MLP, Gathered

__all__ = ["CHUNK", "can_stream", "folded_layers", "stream"]

CHUNK = 2048
"""Edges at a time: their features stay in the cache of a CPU core."""


class FoldedLayer(NamedTuple):
    """A linear map, batch normalisation included, and what follows it."""

    weight: Tensor
    bias: Tensor
    after: tuple[nn.Module, ...]

    def finish(self, values: Tensor) -> Tensor:
        """Apply what follows, in place where that is known to be safe."""
        for module in self.after:
            if isinstance(module, nn.LeakyReLU):
                values = functional.leaky_relu_(values, module.negative_slope)
            elif isinstance(module, nn.ReLU):
                values = functional.relu_(values)
            else:
                values = module(values)
        return values

    def __call__(self, values: Tensor) -> Tensor:
        return self.finish(functional.linear(values, self.weight, self.bias))


def folded_layers(mlp: MLP) -> list[FoldedLayer]:
    """Layers in evaluation, with batch normalisation as part of the linear maps."""
    modules = list(mlp.model)
    layers = []
    for linear, norm, activation in zip(modules[::3], modules[1::3], modules[2::3], strict=True):
        assert isinstance(linear, nn.Linear)
        if isinstance(norm, nn.BatchNorm1d) and norm.running_mean is not None and norm.running_var is not None:
            layers.append(_fold(linear, norm, activation))
        else:
            layers.append(FoldedLayer(linear.weight, linear.bias, (norm, activation)))
    return layers


def _fold(linear: nn.Linear, norm: nn.BatchNorm1d, activation: nn.Module) -> FoldedLayer:
    assert norm.running_mean is not None
    assert norm.running_var is not None
    scale = (norm.running_var.double() + norm.eps).rsqrt()
    shift = -norm.running_mean.double() * scale
    if norm.affine:
        scale, shift = scale * norm.weight.double(), shift * norm.weight.double() + norm.bias.double()
    dtype = linear.weight.dtype
    weight, bias = linear.weight.double() * scale[:, None], linear.bias.double() * scale + shift
    return FoldedLayer(weight.to(dtype), bias.to(dtype), (activation,))


def can_stream(edge: nn.Module | None, node: nn.Module | None) -> bool:
    """Whether both updates can be done some edges at a time: dense layers, each row for itself."""
    if not isinstance(edge, MLPEdgeLayer) or not (node is None or isinstance(node, MLPNodeLayer)):
        return False
    if node is not None and node.gate is not None:
        return False
    modules = [*edge.mlp.model, *(node.message_mlp.model if node is not None else ())]
    return not any(isinstance(m, nn.BatchNorm1d) and m.running_mean is None for m in modules)


class _Rows:
    """Input of layers, the linear map of gathered parts done beforehand."""

    def __init__(self, layers: list[FoldedLayer], parts: list[Gathered]) -> None:
        self.layers = layers
        self.gathered: list[tuple[Tensor, Tensor]] = []
        self.own = layers[0].weight[:, :0]
        column = 0
        for values, rows in parts:
            weight = layers[0].weight[:, column : column + values.shape[1]]
            column += values.shape[1]
            if rows is None:
                self.own = weight.contiguous()
            else:
                self.gathered.append((functional.linear(values, weight), rows))

    def __call__(self, values: Tensor, rows: slice) -> Tensor:
        """Apply the layers to some rows, whose ungathered columns are given."""
        hidden = functional.linear(values, self.own, self.layers[0].bias)
        for table, index in self.gathered:
            hidden += table.index_select(0, index[rows])
        hidden = self.layers[0].finish(hidden)
        for layer in self.layers[1:]:
            hidden = layer(hidden)
        return hidden


def stream(edge: MLPEdgeLayer, node: MLPNodeLayer | None, state: GraphState, reuse: bool) -> GraphState:
    """Update edges, and nodes if wanted.

    Parameters
    ----------
    edge, node : layers
        Updates, in evaluation; see `can_stream`.
    state : GraphState
        Features before.
    reuse : bool
        Whether the features of edges may be overwritten.
    """
    count, width = len(state.edges), edge.feature_size
    update = _Rows(folded_layers(edge.mlp), edge.parts(state))
    messages = None if node is None else _Rows(folded_layers(node.message_mlp), _message_parts(node, state, width))
    fits = reuse and state.edges.shape[1] == width
    edges = state.edges if fits else state.edges.new_empty(count, width)
    received = None if node is None else _Received(node, state)
    for start in range(0, count, CHUNK):
        rows = slice(start, min(start + CHUNK, count))
        edges[rows] = new = update(state.edges[rows], rows)
        if messages is not None and received is not None:
            received.add(messages(new, rows), state.target[rows])
    state = state._replace(edges=edges)
    if node is None or received is None:
        return state
    return state._replace(nodes=node.combine(state, received.result()))


def _message_parts(node: MLPNodeLayer, state: GraphState, width: int) -> list[Gathered]:
    return node.parts(state._replace(edges=state.edges.new_empty(0, width)))


class _Received:
    """Messages of each node, put together as they come."""

    def __init__(self, node: MLPNodeLayer, state: GraphState) -> None:
        self.reduction = node.reduction
        start = -torch.inf if self.reduction == "max" else 0.0
        self.total = state.nodes.new_full((len(state.nodes), node.message_mlp.width), start)
        self.counts = torch.bincount(state.target, minlength=len(state.nodes))[:, None]

    def add(self, messages: Tensor, target: Tensor) -> None:
        """Take some messages."""
        if self.reduction == "max":
            self.total.scatter_reduce_(0, target[:, None].expand_as(messages), messages, "amax")
        elif messages.is_cuda:
            self.total.index_put_((target,), messages, accumulate=True)
        else:
            self.total.index_add_(0, target, messages)

    def result(self) -> Tensor:
        """(C, m) messages; 0 where a node received none."""
        if self.reduction == "mean":
            return self.total / self.counts.clamp(min=1)
        return self.total.masked_fill(self.counts == 0, 0.0)
