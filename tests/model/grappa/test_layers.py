"""Layers against direct formulas and numerical gradients in double precision."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from spine.errors import ConfigError
from spine.model.grappa.convolutions import AGNNConvNodeLayer, EConvNodeLayer, GATConvNodeLayer, NNConvNodeLayer
from spine.model.grappa.layers import FeatureSizes, GraphState, MLPEdgeLayer, MLPGlobalLayer, MLPNodeLayer
from spine.model.grappa.meta import MetaLayer, MetaLayerGNN
from spine.model.grappa.mlp import MLP, DenseStyle, EvidentialHead, Gathered, LinearHead, MLPHead
from spine.model.grappa.scatter import Reduction, scatter, scatter_softmax

SIZES = FeatureSizes(3, 2, 0)
STYLE = DenseStyle((4, 5), nn.Tanh, nn.BatchNorm1d)
REDUCTIONS: tuple[Reduction, ...] = ("sum", "mean", "max")
LAYERS: dict[str, Callable[[FeatureSizes], nn.Module]] = {
    "edge": lambda sizes: MLPEdgeLayer(sizes, STYLE),
    "message": lambda sizes: MLPNodeLayer(sizes, STYLE, STYLE, "max"),
    "attention": lambda sizes: MLPNodeLayer(sizes, STYLE, STYLE, "mean", attention=True),
    "global": lambda sizes: MLPGlobalLayer(sizes, STYLE),
    "agnn": lambda sizes: AGNNConvNodeLayer(sizes, STYLE),
    "gat": lambda sizes: GATConvNodeLayer(sizes, 4, STYLE, heads=2),
    "econv": lambda sizes: EConvNodeLayer(sizes, STYLE),
    "nnconv": lambda sizes: NNConvNodeLayer(sizes, 4, STYLE),
}


def state(seed: int = 0, nodes: int = 5, edges: int = 9, glob: int = 0) -> GraphState:
    """A batch of two graphs in double precision, the edges of which stay in their graph; one node has none."""
    gen = torch.Generator().manual_seed(seed)
    half = max(nodes // 2, 1)
    source, target = (torch.randint(0, max(half, 1), (edges,), generator=gen) for _ in range(2))
    graphs = torch.randn(2, glob, generator=gen, dtype=torch.float64) if glob else None
    batch = (torch.arange(nodes) >= half).long()
    features = torch.randn(nodes, 3, generator=gen, dtype=torch.float64)
    links = torch.randn(edges, 2, generator=gen, dtype=torch.float64)
    return GraphState(features, links, graphs, source, target, batch, 2)


@pytest.mark.parametrize("glob", [0, 2])
@pytest.mark.parametrize("name", LAYERS)
def test_gradients_are_numerical_ones(name: str, glob: int) -> None:
    torch.manual_seed(1)
    layer = LAYERS[name](SIZES._replace(glob=glob)).double()
    before = state(glob=glob)

    def run(nodes: Tensor, edges: Tensor, *weights: Tensor) -> Tensor:
        names = [key for key, _ in layer.named_parameters()]
        moved = before._replace(nodes=nodes, edges=edges)
        call: Callable[..., Tensor] = torch.func.functional_call
        return call(layer, dict(zip(names, weights, strict=True)), (moved,))

    inputs = [t.detach().requires_grad_() for t in (before.nodes, before.edges, *layer.parameters())]
    assert torch.autograd.gradcheck(run, inputs)


@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_scatter_is_a_reduction_per_index(reduction: Reduction) -> None:
    values, index = torch.randn(20, 3, dtype=torch.float64), torch.randint(0, 6, (20,))
    found = scatter(values, index, 8, reduction)
    kinds: dict[str, Callable[..., NDArray[np.float64]]] = {"sum": np.sum, "mean": np.mean, "max": np.max}
    for row in range(8):
        rows = values[index == row].numpy()
        expected = kinds[reduction](rows, axis=0) if len(rows) else np.zeros(3)
        np.testing.assert_allclose(found[row].numpy(), expected)
    assert scatter(values[:0], index[:0], 2, reduction).shape == (2, 3)


def test_softmax_adds_up_to_one() -> None:
    index = torch.tensor([0, 0, 2, 2, 2])
    found = scatter_softmax(torch.randn(5, 2), index, 3)
    np.testing.assert_allclose(scatter(found, index, 3), [[1, 1], [0, 0], [1, 1]], atol=1e-6)
    with pytest.raises(ConfigError, match="unknown reduction"):
        scatter(found, index, 3, "median")  # type: ignore[arg-type]


def test_parts_are_columns_side_by_side() -> None:
    torch.manual_seed(2)
    mlp = MLP(7, STYLE).double().eval()
    table, rows, own = (
        torch.randn(4, 3, dtype=torch.float64), torch.tensor([0, 3, 1]), torch.randn(3, 4, dtype=torch.float64)
    )  # fmt: skip
    parts = [Gathered(table, rows), Gathered(own)]
    torch.testing.assert_close(mlp.on_parts(parts), mlp(torch.cat([p.columns() for p in parts], dim=1)))


def test_messages_go_along_edges() -> None:
    """Node update of an identity network: its features beside the largest of what arrives."""
    layer = MLPNodeLayer(SIZES, DenseStyle((5,), nn.Identity, lambda _n: nn.Identity()), STYLE, "max").double()
    linear = layer.message_mlp.model[0]
    assert isinstance(linear, nn.Linear)
    with torch.no_grad():
        linear.weight.copy_(torch.eye(5))
        linear.bias.zero_()
    before, seen = state(edges=4), dict[str, Tensor]()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(layer, "combine", lambda _state, received: seen.setdefault("received", received))
        layer(before)
    arrived = torch.cat([before.nodes[before.source], before.edges], dim=1)
    for node in range(5):
        rows = arrived[before.target == node]
        torch.testing.assert_close(seen["received"][node], rows.amax(0) if len(rows) else torch.zeros(5).double())


def _neighbours(before: GraphState, node: int, loops: bool) -> list[int]:
    found = [
        int(s) for s, t in zip(before.source, before.target, strict=True) if int(t) == node and (s != t or not loops)
    ]
    return [*found, node] if loops else found


def test_similarity_attention_is_its_formula() -> None:
    layer, before = AGNNConvNodeLayer(SIZES, STYLE).double(), state(4)
    layer.agnnconv.beta.data.fill_(1.7)
    found = layer.agnnconv(before)
    for node in range(5):
        near = before.nodes[_neighbours(before, node, True)]
        weights = torch.softmax(1.7 * functional.cosine_similarity(near, before.nodes[node][None], dim=1), dim=0)
        torch.testing.assert_close(found[node], weights @ near)


def test_graph_attention_is_its_formula() -> None:
    torch.manual_seed(3)
    layer, before = GATConvNodeLayer(SIZES, 4, STYLE, heads=2).double(), state(5)
    conv, found = layer.gatconv, layer.gatconv(before)
    mapped = (before.nodes @ conv.lin.weight.T).view(5, 2, 4)
    for node in range(5):
        near, total = _neighbours(before, node, True), torch.zeros(4).double()
        for head in range(2):
            sent, wanted = mapped[near, head] @ conv.att_src[0, head], mapped[node, head] @ conv.att_dst[0, head]
            total += torch.softmax(functional.leaky_relu(sent + wanted, 0.2), dim=0) @ mapped[near, head] / 2
        torch.testing.assert_close(found[node], total + conv.bias)


def test_edge_convolutions_are_their_formulas() -> None:
    torch.manual_seed(4)
    econv, nnconv = EConvNodeLayer(SIZES, STYLE).double().eval(), NNConvNodeLayer(SIZES, 4, STYLE).double().eval()
    before = state(6)
    first, second = econv(before), nnconv(before)
    for node in range(5):
        rows = torch.nonzero(before.target == node)[:, 0]
        here, there = before.nodes[node].expand(len(rows), 3), before.nodes[before.source[rows]]
        maps = nnconv.nnconv.nn(before.edges[rows]).view(-1, 3, 4)
        expected = [torch.zeros(5).double(), torch.zeros(4).double()]
        if len(rows):
            expected[0] = econv.edgeconv.nn(torch.cat([here, there - here], dim=1)).amax(0)
            expected[1] = torch.einsum("ei,eio->eo", there, maps).amax(0)
        torch.testing.assert_close(first[node], expected[0])
        own = nnconv.nnconv.lin(before.nodes[node]) + nnconv.nnconv.bias
        torch.testing.assert_close(second[node], expected[1] + own)
    with pytest.raises(ConfigError, match="features of edges"):
        NNConvNodeLayer(FeatureSizes(3, 0, 0), 4, STYLE)


def _network(reduction: Reduction, glob: int, norm: Callable[[int], nn.Module]) -> MetaLayerGNN:
    style = DenseStyle((6, 6), nn.LeakyReLU, norm)
    layers, sizes = [], SIZES._replace(glob=glob)
    for _ in range(3):
        edge = MLPEdgeLayer(sizes, style)
        sizes = sizes._replace(edge=6)
        node = MLPNodeLayer(sizes, style, style, reduction)
        sizes = sizes._replace(node=6)
        layers.append(MetaLayer(edge, node, MLPGlobalLayer(sizes, style) if glob else None))
        sizes = sizes._replace(glob=6 if glob else 0)
    return MetaLayerGNN(layers, nn.BatchNorm1d(3), nn.BatchNorm1d(2))


@settings(deadline=None, max_examples=25)
@given(st.sampled_from(REDUCTIONS), st.sampled_from([0, 2]), st.integers(0, 60), st.booleans(), st.integers(1, 13))
def test_edges_some_at_a_time_give_the_same(
    reduction: Reduction, glob: int, edges: int, batch_norm: bool, chunk: int
) -> None:
    torch.manual_seed(edges)
    net = _network(reduction, glob, nn.BatchNorm1d if batch_norm else nn.LayerNorm).double()
    net(state(1, 12, 40, glob))  # statistics of the normalisation
    net.eval()
    before = state(2, 12, edges, glob)
    whole = net(before)
    with pytest.MonkeyPatch.context() as patch, torch.no_grad():
        patch.setattr("spine.model.grappa.inference.CHUNK", chunk)
        apart = net(before)
    torch.testing.assert_close(apart.nodes, whole.nodes)
    torch.testing.assert_close(apart.edges, whole.edges)
    assert (apart.graphs is None) == (glob == 0)


def test_nodes_in_another_order_give_the_same() -> None:
    net, before = _network("max", 0, nn.BatchNorm1d).double().eval(), state(3, 8, 20)
    order = torch.randperm(8)
    place = torch.empty_like(order).scatter_(0, order, torch.arange(8))
    moved = before._replace(
        nodes=before.nodes[order], batch=before.batch[order], source=place[before.source], target=place[before.target]
    )
    torch.testing.assert_close(net(moved).nodes, net(before).nodes[order])
    torch.testing.assert_close(net(moved).edges, net(before).edges)


def test_heads_predict_within_their_bounds() -> None:
    features = torch.randn(6, 5)
    assert LinearHead(5, 3)(features).shape == (6, 3)
    assert (MLPHead(5, 3, STYLE, positive=True)(features) >= 0).all()
    evidence = EvidentialHead(5, STYLE, eps=1e-3, logspace=True)(features)
    assert evidence.shape == (6, 4)
    assert ((evidence[:, 0] > 0) & (evidence[:, 0] < 2)).all()
    assert (evidence[:, 1:] > 0).all()
    assert (evidence[:, 2] >= 1).all()
    with pytest.raises(ConfigError, match="channels"):
        MLP(0, STYLE)
    with pytest.raises(ConfigError, match="at least one update"):
        MetaLayerGNN([])
