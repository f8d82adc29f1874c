"""Updates of nodes by convolutions and attentions of the literature, with parameters named as in SPINE."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from spine.errors import ConfigError
from spine.model.grappa.layers import FeatureSizes, GraphState
from spine.model.grappa.mlp import MLP, DenseStyle
from spine.model.grappa.scatter import Reduction, scatter, scatter_softmax

__all__ = ["AGNNConvNodeLayer", "EConvNodeLayer", "GATConvNodeLayer", "NNConvNodeLayer"]


def _with_loops(state: GraphState, loops: bool) -> tuple[Tensor, Tensor]:
    """Sources and targets of the edges, with one loop per node instead of those there are, if wanted."""
    if not loops:
        return state.source, state.target
    kept = state.source != state.target
    nodes = torch.arange(len(state.nodes), device=state.source.device)
    return torch.cat([state.source[kept], nodes]), torch.cat([state.target[kept], nodes])


class _Similarity(nn.Module):
    """Neighbours weighted by a softmax of their cosine similarity times a learnt factor."""

    def __init__(self, loops: bool) -> None:
        super().__init__()
        self.beta = nn.Parameter(torch.ones(1))
        self.loops = loops

    def forward(self, state: GraphState) -> Tensor:
        source, target = _with_loops(state, self.loops)
        unit = functional.normalize(state.nodes, dim=1)
        cosine = (unit[source] * unit[target]).sum(dim=1, keepdim=True)
        weights = scatter_softmax(self.beta * cosine, target, len(unit))
        return scatter(weights * state.nodes[source], target, len(unit))


class AGNNConvNodeLayer(nn.Module):
    """Attention by similarity (Thekumparampil et al., arXiv:1803.03735), normalised and activated.

    Parameters
    ----------
    sizes : FeatureSizes
        Features of the input; those of nodes keep their number.
    style : DenseStyle
        Operators.
    loops : bool
        Let nodes attend to themselves.
    """

    def __init__(self, sizes: FeatureSizes, style: DenseStyle, loops: bool = True) -> None:
        super().__init__()
        self.agnnconv = _Similarity(loops)
        self.bn, self.act = style.norm(sizes.node), style.activation()
        self.feature_size = sizes.node

    def forward(self, state: GraphState) -> Tensor:
        """(C, n) features."""
        result: Tensor = self.act(self.bn(self.agnnconv(state)))
        return result


class _Attention(nn.Module):
    """Mapped neighbours weighted by a softmax of a learnt score of both ends."""

    def __init__(self, channels: int, out_channels: int, heads: int, slope: float, loops: bool) -> None:
        super().__init__()
        self.lin = nn.Linear(channels, heads * out_channels, bias=False)
        self.att_src = nn.Parameter(torch.empty(1, heads, out_channels))
        self.att_dst = nn.Parameter(torch.empty(1, heads, out_channels))
        self.bias = nn.Parameter(torch.zeros(out_channels))
        for weight in (self.lin.weight, self.att_src, self.att_dst):
            bound = math.sqrt(6.0 / (weight.shape[-2] + weight.shape[-1]))
            nn.init.uniform_(weight, -bound, bound)
        self.heads, self.slope, self.loops = heads, slope, loops

    def forward(self, state: GraphState) -> Tensor:
        source, target = _with_loops(state, self.loops)
        count = len(state.nodes)
        mapped = self.lin(state.nodes).view(count, self.heads, -1)
        sent, wanted = ((mapped * weight).sum(dim=2) for weight in (self.att_src, self.att_dst))
        score = functional.leaky_relu(sent[source] + wanted[target], self.slope)
        weights = scatter_softmax(score, target, count)
        received = scatter((weights[:, :, None] * mapped[source]).flatten(1), target, count)
        return received.view(count, self.heads, -1).mean(dim=1) + self.bias


class GATConvNodeLayer(nn.Module):
    """Graph attention (Velickovic et al., arXiv:1710.10903), averaged over heads, normalised and activated.

    Parameters
    ----------
    sizes : FeatureSizes
        Features of the input.
    out_channels : int
        Features of the result.
    style : DenseStyle
        Operators.
    heads : int
        Number of attentions.
    slope : float
        Slope of the leaky rectifier of the scores.
    loops : bool
        Let nodes attend to themselves.
    """

    def __init__(
        self,
        sizes: FeatureSizes,
        out_channels: int,
        style: DenseStyle,
        heads: int = 1,
        slope: float = 0.2,
        loops: bool = True,
    ) -> None:
        super().__init__()
        self.gatconv = _Attention(sizes.node, out_channels, heads, slope, loops)
        self.bn, self.act = style.norm(out_channels), style.activation()
        self.feature_size = out_channels

    def forward(self, state: GraphState) -> Tensor:
        """(C, out) features."""
        result: Tensor = self.act(self.bn(self.gatconv(state)))
        return result


class _EdgeConvolution(nn.Module):
    """Layers on a node and its difference to each neighbour, put together."""

    def __init__(self, network: MLP, reduction: Reduction) -> None:
        super().__init__()
        self.nn = network
        self.reduction: Reduction = reduction

    def forward(self, state: GraphState) -> Tensor:
        here, there = state.nodes[state.target], state.nodes[state.source]
        messages = self.nn(torch.cat([here, there - here], dim=1))
        return scatter(messages, state.target, len(state.nodes), self.reduction)


class EConvNodeLayer(nn.Module):
    """Edge convolution (Wang et al., arXiv:1801.07829).

    Parameters
    ----------
    sizes : FeatureSizes
        Features of the input.
    style : DenseStyle
        Layers.
    reduction : {'sum', 'mean', 'max'}
        How neighbours are put together.
    """

    def __init__(self, sizes: FeatureSizes, style: DenseStyle, reduction: Reduction = "max") -> None:
        super().__init__()
        self.edgeconv = _EdgeConvolution(MLP(2 * sizes.node, style), reduction)
        self.feature_size = style.widths[-1]

    def forward(self, state: GraphState) -> Tensor:
        """(C, width) features."""
        result: Tensor = self.edgeconv(state)
        return result


class _EdgeConditioned(nn.Module):
    """Neighbours mapped by a matrix that layers make from the features of the edge."""

    def __init__(self, sizes: FeatureSizes, out_channels: int, network: MLP, reduction: Reduction) -> None:
        super().__init__()
        self.nn = nn.Sequential(network, nn.Linear(network.width, sizes.node * out_channels))
        self.lin = nn.Linear(sizes.node, out_channels, bias=False)
        self.bias = nn.Parameter(torch.zeros(out_channels))
        self.reduction: Reduction = reduction

    def forward(self, state: GraphState) -> Tensor:
        matrices = self.nn(state.edges).view(len(state.edges), state.nodes.shape[1], -1)
        messages = torch.bmm(state.nodes[state.source][:, None], matrices)[:, 0]
        received = scatter(messages, state.target, len(state.nodes), self.reduction)
        result: Tensor = received + self.lin(state.nodes) + self.bias
        return result


class NNConvNodeLayer(nn.Module):
    """Edge-conditioned convolution (Gilmer et al., arXiv:1704.01212; Simonovsky and Komodakis, arXiv:1704.02901).

    Parameters
    ----------
    sizes : FeatureSizes
        Features of the input.
    out_channels : int
        Features of the result.
    style : DenseStyle
        Layers.
    reduction : {'sum', 'mean', 'max'}
        How neighbours are put together.
    """

    def __init__(self, sizes: FeatureSizes, out_channels: int, style: DenseStyle, reduction: Reduction = "max") -> None:
        super().__init__()
        if sizes.edge < 1:
            raise ConfigError("this convolution needs features of edges", where="node_layer", got=sizes.edge)
        self.nnconv = _EdgeConditioned(sizes, out_channels, MLP(sizes.edge, style), reduction)
        self.feature_size = out_channels

    def forward(self, state: GraphState) -> Tensor:
        """(C, out) features."""
        result: Tensor = self.nnconv(state)
        return result
