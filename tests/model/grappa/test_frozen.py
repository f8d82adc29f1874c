"""Graphs, features, scores, groups and losses as SPINE has them.

Features agree to 1e-4 relative, scores to 1e-4 relative and 1e-5 absolute (float32, other order of additions), groups
exactly.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from spine.model.chain.plan import Stage, compose
from spine.model.grappa import (
    Clusters,
    EventTruth,
    GraphTruth,
    Supervision,
    aggregate,
    event_graph,
    graph_batch,
    grappa_loss,
    groups_by_score,
)
from spine.model.grappa.ends import EndOptions, network_ends
from spine.model.grappa.providers import joined_clusters
from spine.model.grappa.true_nodes import true_ends, true_nodes
from tests.model.grappa import frozen
from tests.model.grappa.frozen import FROZEN


def close(found: NDArray[Any], expected: NDArray[Any]) -> None:
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", frozen.NETWORKS)
def test_graphs_have_spines_edges_and_features(name: str) -> None:
    graph = event_graph(frozen.clusters(name), frozen.options(name))
    np.testing.assert_array_equal(graph.index, FROZEN[f"1/{name}/index"])
    close(graph.nodes, FROZEN[f"1/{name}/nodes"])
    np.testing.assert_array_equal(graph.edges[::2, :10], FROZEN[f"1/{name}/edges"])


@pytest.mark.parametrize("name", frozen.NETWORKS)
def test_the_way_back_has_the_mirrored_features(name: str) -> None:
    edges = event_graph(frozen.clusters(name), frozen.options(name)).edges
    there, back = edges[::2], edges[1::2]
    np.testing.assert_array_equal(back[:, [3, 4, 5, 0, 1, 2, 9]], there[:, [0, 1, 2, 3, 4, 5, 9]])
    np.testing.assert_array_equal(back[:, 6:9], -there[:, 6:9])
    outer = there[:, 6:9, None] * there[:, None, 6:9]
    for way in (there, back):
        close(way[:, 10:].reshape(-1, 3, 3), outer)


@pytest.mark.parametrize("name", ["shower", "track"])
def test_ends_are_where_spine_finds_them(name: str) -> None:
    clusts, shapes = frozen.nodes_of(name)
    ends = network_ends(FROZEN["1/coords"], frozen.event(1)["ppn_points"], clusts, shapes, EndOptions())
    np.testing.assert_array_equal(ends, FROZEN[f"1/{name}/ends"])


def test_the_network_scores_nodes_and_edges_as_spine_does() -> None:
    (result,) = aggregate(frozen.network(), [frozen.clusters("shower")])
    close(result.predictions["node_pred"], FROZEN["1/shower/node_pred"])
    close(result.predictions["edge_pred"], FROZEN["1/shower/edge_pred"])
    assert result.groups is not None
    assert frozen.same_partition(result.groups, FROZEN["1/shower/groups"])


@pytest.mark.parametrize("name", frozen.NETWORKS)
def test_groups_are_spines(name: str) -> None:
    index, scores = FROZEN[f"1/{name}/index"].astype(np.int64), FROZEN[f"1/{name}/edge_pred"]
    groups = groups_by_score(index, scores, len(FROZEN[f"1/{name}/nodes"]))
    assert frozen.same_partition(groups, FROZEN[f"1/{name}/groups"])
    assert len(np.unique(groups)) > 1


def test_events_together_give_what_they_give_apart() -> None:
    clusters, net = frozen.clusters("shower"), frozen.network()
    empty = Clusters.select(
        FROZEN["1/coords"], FROZEN["1/value"], frozen.nodes_of("shower")[0][:0], np.empty(0), np.empty((0, 6))
    )
    alone = aggregate(net, [clusters])[0]
    several = aggregate(net, [clusters, empty, clusters])
    for result in (several[0], several[2]):
        np.testing.assert_array_equal(result.groups, alone.groups)
        close(result.predictions["edge_pred"], alone.predictions["edge_pred"])
    assert several[1].predictions["node_pred"].shape == (0, 2)
    assert several[1].predictions["edge_pred"].shape == (0, 2)


def test_the_chain_joins_fragments_into_spines_showers() -> None:
    stages = [Stage("particle_aggregation", config={"shower_aggregation": "grappa", "track_aggregation": "skip"},
                    uses="grappa_shower")]  # fmt: skip
    inputs = ("data", "fragment_clusts", "fragment_shapes", "ppn_points")
    event = frozen.event(1)
    compose(stages, {"grappa_shower": frozen.network()}, inputs).run_events([event])
    shower = np.isin(event["fragment_shapes"], (0, 2, 3))
    assert frozen.same_partition(event["fragment_group_pred"][shower], FROZEN["1/shower/groups"])
    close(event["fragment_node_pred"][shower], FROZEN["1/shower/node_pred"])
    joined, count = joined_clusters(event), len(event["particle_clusts"])
    assert [sorted(rows) for rows in joined] == event["particle_clusts"].tolist()
    assert count == len(joined)


def _shower_batch(swap: bool = False) -> tuple[list[Clusters], Supervision]:
    """True fragments of showers of both events."""
    inputs, nodes, events = [], [], [frozen.event(0), frozen.event(1)]
    for event in events:
        truth = EventTruth.of(event)
        clusts, shapes = true_nodes(truth, frozen.options().nodes)
        ends = true_ends(truth, clusts, np.ones(len(shapes), dtype=np.bool_) if swap else None)
        image = event["data"]
        inputs.append(Clusters.select(image.coords, image.feature("value"), clusts, shapes, ends))
        nodes.append(clusts)
    return inputs, Supervision(GraphTruth([EventTruth.of(e) for e in events], nodes), np.empty((0, 2), dtype=np.int64))


@pytest.mark.parametrize("mode", ["train", "eval"])
def test_losses_and_gradients_are_spines(mode: str) -> None:
    net = frozen.network().train(mode == "train")
    inputs, supervision = _shower_batch()
    batch = graph_batch([event_graph(clusters, net.options) for clusters in inputs])
    out = net(batch)
    logits = np.split(out["edge_pred"].detach().numpy(), np.cumsum(batch.edge_counts)[:-1])
    first, second = (
        groups_by_score(event_graph(c, net.options).index, one, len(c)) for c, one in zip(inputs, logits, strict=True)
    )
    groups = np.concatenate([first, second + len(first)])
    score = grappa_loss(frozen.loss_options())(out, Supervision(supervision.truth, batch.index.numpy(), None, groups))
    numbers = score.flat()
    for name in ("node_loss", "node_accuracy", "node_count", "edge_loss", "edge_accuracy", "edge_count"):
        assert numbers[name] == pytest.approx(float(FROZEN[f"{mode}/{name}"]), rel=1e-5), name
    assert numbers["loss"] == pytest.approx((numbers["node_loss"] + numbers["edge_loss"]) / 2)
    if mode == "train":
        score.loss.backward()
        for name, parameter in net.named_parameters():
            assert parameter.grad is not None
            size = float(torch.linalg.vector_norm(parameter.grad.double()))
            assert size == pytest.approx(float(FROZEN[f"grad/{name}"][0]), rel=1e-3, abs=1e-6), name


def test_true_ends_change_places() -> None:
    straight, _ = _shower_batch()
    turned, _ = _shower_batch(swap=True)
    for one, other in zip(straight, turned, strict=True):
        assert one.ends is not None
        np.testing.assert_array_equal(one.ends[:, [3, 4, 5, 0, 1, 2]], other.ends)
