"""Graph-SPICE as a whole: rows, batches, heads, options, and SPINE's numbers where they are at hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from spine.errors import DataError
from spine.model.graph_spice import GraphSpice, build_graph_spice
from spine.schema import Shape

from .nets import SIZE, image, network, options


def test_nodes_are_the_rows_of_the_wanted_classes() -> None:
    table, classes = image()
    out = network(shapes=("track", 0))(table, classes)
    assert out.shapes == (Shape.TRACK, Shape.SHOWER)
    assert torch.equal(out.rows, torch.nonzero((classes == 0) | (classes == 1)).squeeze(1))
    assert torch.equal(out.voxels[:, 0], table[out.rows, 0].long() * 2 + (classes[out.rows] == 0))
    assert torch.equal(out.voxels[:, 1:], table[out.rows, 1:4].long())
    assert torch.equal(out.voxels[out.edges[:, 0], 0], out.voxels[out.edges[:, 1], 0])


def test_the_backbone_sees_scaled_positions_and_the_charge() -> None:
    table, _ = image()
    net = network()
    features = net.embedder._image(torch.cat([table, torch.ones(len(table), 3)], 1), None).aligned_features()
    expected = torch.cat([(table[:, 1:4] - SIZE / 2) / (SIZE / 2), table[:, 4:]], 1)
    torch.testing.assert_close(features, expected)


def test_heads() -> None:
    net = network(
        use_raw_features=False,
        kernel={"provider": "default", "config": {"num_features": 16}},
        embedder={
            "uresnet": options().embedder.uresnet.model_dump(),
            "covariance_mode": "exp",
            "predict_semantics": True,
            "num_classes": 5,
        },
    )
    table, classes = image()
    out = net(table, classes)
    raw, hyper = out.embedding.features, out.embedding.hypergraph
    weights = net.embedder.state_dict()
    scaled = (table[out.rows, 1:4] - SIZE / 2) / (SIZE / 2)
    spatial = torch.tanh(raw @ weights["out_spatial.0.weight"].T + weights["out_spatial.0.bias"]) + scaled
    free = raw @ weights["out_feature.weight"].T + weights["out_feature.bias"]
    covariance = torch.exp(raw @ weights["out_cov.weight"].T + weights["out_cov.bias"])
    occupancy = torch.log1p(torch.exp(raw @ weights["out_occupancy.weight"].T + weights["out_occupancy.bias"]))
    torch.testing.assert_close(hyper, torch.cat([spatial, free, covariance, occupancy], 1))
    assert out.embedding.segmentation.shape == (len(out.rows), 5)
    assert out.logits.shape == (len(out.edges),)


def test_a_batch_equals_its_events_one_by_one() -> None:
    net = network()
    table, classes = image(3)
    whole = net(table, classes, 3)
    together = net.cluster(whole)
    lists = []
    for entry in range(3):
        rows = torch.nonzero(table[:, 0] == entry).squeeze(1)
        one = table[rows] * torch.tensor([0.0, 1, 1, 1, 1])
        out = net(one, classes[rows])
        alone = net.cluster(out)
        lists += [rows[out.rows[torch.from_numpy(c)]].tolist() for c in alone.clusts]
    assert [whole.rows[torch.from_numpy(c)].tolist() for c in together.clusts] == lists


def test_scores_do_not_depend_on_the_order_of_rows() -> None:
    net = network().float()
    table, classes = (t.float() for t in image(1))
    order = torch.randperm(len(table), generator=torch.Generator().manual_seed(1))
    found = []
    for rows in (torch.arange(len(table)), order):
        out = net(table[rows], classes[rows])
        ends = rows[out.rows[out.edges]]
        found.append(dict(zip(map(tuple, ends.tolist()), out.scores.tolist(), strict=True)))
    assert found[0] == found[1]


@pytest.mark.parametrize("rows", [0, 1, 3])
@pytest.mark.parametrize("training", [True, False])
def test_tiny_images(rows: int, training: bool) -> None:
    net = network().train(training)
    table, classes = image()
    out = net(table[:rows], classes[:rows].clamp(0, 3), batch_size=4)
    assert len(net.cluster(out).labels) == len(out.rows) == rows
    torch.autograd.backward(out.logits.sum() + out.embedding.features.sum())


def test_knn_graph_and_scores_that_join() -> None:
    constructor = {"graph": {"name": "knn", "k": 3}, "edge_threshold": 0.5}
    table, classes = image()
    nets = [network(constructor=constructor, invert=invert) for invert in (True, False)]
    out = nets[0](table, classes)
    counts = torch.bincount(out.edges[:, 1], minlength=len(out.rows))
    assert counts.max() == 3
    joined, parted = (len(net.cluster(out).clusts) for net in nets)
    edges = out.edges[out.scores <= 0.5]
    assert joined == _components(edges, len(out.rows))
    assert parted == _components(out.edges[out.scores >= 0.5], len(out.rows))


def _components(edges: torch.Tensor, count: int) -> int:
    """Number of clusters by the propagation of the lowest label."""
    labels = np.arange(count)
    for _ in range(count):
        before = labels.copy()
        np.minimum.at(labels, edges[:, 1].numpy(), labels[edges[:, 0].numpy()])
        if np.array_equal(before, labels):
            break
    return len(np.unique(labels))


def test_options_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValidationError, match="kernel takes 5 features"):
        options(kernel={"name": "bilinear", "num_features": 5})
    with pytest.raises(ValidationError, match="num_input is 1"):
        options(embedder={"uresnet": {"filters": 4, "depth": 2, "reps": 1, "spatial_size": 16}})
    with pytest.raises(ValidationError, match="spatial_size is needed"):
        options(embedder={"uresnet": {"filters": 4, "depth": 2, "reps": 1, "num_input": 4}})
    with pytest.raises(ValidationError, match="extra"):
        options(thershold=1)
    with pytest.raises(DataError, match="different rows"):
        network()(image()[0], torch.zeros(3))


def test_mlp_kernel_from_options() -> None:
    net = build_graph_spice(options(kernel={"name": "mlp", "num_features": 4, "mlp": {"depth": 2, "width": [8, 6]}}))
    assert isinstance(net, GraphSpice)
    assert net.state_dict()["kernel_fn.lin.weight"].shape == (1, 12)
