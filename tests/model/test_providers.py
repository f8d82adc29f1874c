"""The chain with networks."""

from __future__ import annotations

import os
from typing import Any

import h5py
import numpy as np
import pytest
import torch
import yaml

from spine.errors import ConfigError
from spine.model.chain import Plan, Stage, compose
from spine.model.graph_spice import GraphSpice
from spine.model.networks import build_networks, make_networks
from spine.model.uresnet import UResNetShape, image_tensor
from spine.schema import PRODUCTS, Event, Shape, Tensor

from .golden import GOLDEN, needs_golden

UNIT = {"reps": 1, "depth": 2, "filters": 2}
MODULES: dict[str, Any] = {
    "uresnet_ppn": {"uresnet": {**UNIT, "num_classes": 5}, "ppn": {"classify_endpoints": True}},
    "uresnet_plain": {**UNIT, "num_classes": 5, "ghost": True},
    "uresnet_ppn_ghost": {
        "uresnet": {**UNIT, "num_classes": 5, "ghost": True},
        "ppn": {},
        "vertex": {},
        "proposal_decoder": {"shared": True},
    },
    "uresnet_deghost": {**UNIT, "num_classes": 2},
    "graph_spice": {
        "embedder": {"uresnet": {**UNIT, "num_input": 4, "spatial_size": 32}},
        "kernel": {"name": "bilinear", "num_features": 2},
        "constructor": {"graph": {"name": "radius", "r": 1.9}, "edge_threshold": 0.5, "min_size": 2},
        "use_raw_features": True,
    },
}
POINTS = Stage("segmentation", config={"mode": "uresnet", "point_proposal": "ppn"}, uses="uresnet_ppn")
FRAGMENTS = Stage("fragmentation", config={"mode": "graph_spice"}, uses=["graph_spice"])


def event(seed: int = 0, count: int = 200) -> Event:
    rng = np.random.default_rng(seed)
    coords = rng.permutation(np.unique(rng.integers(0, 9, (count, 3)), axis=0)).astype(np.int32)
    return Event({"data": Tensor(coords, rng.random((len(coords), 1)).astype(np.float32))})


def _centre(network: torch.nn.Module, out: Any) -> None:
    """Shift the ghost scores so that about half of the voxels are ghosts."""
    for name, layer in network.named_modules():
        if name.endswith("linear_ghost"):
            segmentation = getattr(out, "segmentation", out)
            layer.linear.bias -= segmentation.ghost.features.median(dim=0).values


def plan(*stages: Stage) -> Plan:
    """A chain whose normalisation layers know the statistics of an event, so that classes and scores vary."""
    torch.manual_seed(3)
    networks = make_networks(MODULES)
    one = event(9)
    table = torch.from_numpy(np.column_stack([np.zeros(len(one["data"])), one["data"].coords, one["data"].features]))
    for network in networks.values():
        for layer in network.modules():
            if isinstance(layer, torch.nn.BatchNorm1d):
                layer.momentum = None
        with torch.no_grad():
            if isinstance(network, GraphSpice):
                network(table.float(), torch.zeros(len(table)))
            else:
                out = network(image_tensor(table.float(), UResNetShape(2, 2, 1)))
                _centre(network, out)
        network.eval()
    return compose(stages, networks)


def test_products_have_their_types_and_rows() -> None:
    chain, one = plan(POINTS, FRAGMENTS), event()
    assert chain.inputs == ("data",)
    chain.run(one)
    n = len(one["data"])
    assert one["segmentation"].shape == (n, 5)
    assert one["ppn_points"].shape == (n, 10)
    assert one["ppn_classify_endpoints"].shape == (n, 2)
    assert np.array_equal(one["seg_pred"], one["segmentation"].argmax(axis=1))
    assert one["ppn_pred"].shape[1] == 13
    assert set(chain.products) <= set(PRODUCTS)
    clusts, shapes = one["fragment_clusts"], one["fragment_shapes"]
    assert all((one["seg_pred"][rows] == shape).all() for rows, shape in zip(clusts, shapes, strict=True))
    assert len(np.unique(clusts.values)) == len(clusts.values)
    assert clusts.lengths.min() >= 2


def test_a_batch_with_an_empty_event_equals_its_events() -> None:
    chain = plan(POINTS, FRAGMENTS)
    events = [event(1), event(2, 0), event(3)]
    alone = [event(1), event(2, 0), event(3)]
    chain.run_events(events)
    for one, other in zip(alone, events, strict=True):
        chain.run(one)
        assert np.array_equal(one["seg_pred"], other["seg_pred"])
        np.testing.assert_allclose(one["ppn_points"], other["ppn_points"], rtol=1e-4, atol=1e-5)
        assert np.array_equal(one["fragment_clusts"].values, other["fragment_clusts"].values)
        assert np.array_equal(one["fragment_clusts"].offsets, other["fragment_clusts"].offsets)
        assert np.array_equal(one["fragment_shapes"], other["fragment_shapes"])
    assert (len(alone[1]["seg_pred"]), len(alone[1]["ppn_pred"]), len(alone[1]["fragment_clusts"])) == (0, 0, 0)


@pytest.mark.parametrize("network", ["uresnet_plain", "uresnet_ppn_ghost"])
def test_voxels_taken_for_ghosts_leave_the_image(network: str) -> None:
    config = {"mode": "uresnet", **({"point_proposal": "ppn"} if network.startswith("uresnet_ppn") else {})}
    one = event()
    chain = plan(Stage("segmentation", config=config, uses=network), FRAGMENTS)
    assert {"data_adapt", "orig_index", "ghost", "ghost_pred"} <= set(chain.products)
    chain.run(one)
    real = np.flatnonzero(one["ghost_pred"] == 0)
    assert 0 < len(real) < len(one["data"])
    assert np.array_equal(one["orig_index"], real)
    assert np.array_equal(one["data_adapt"].coords, one["data"].coords[real])
    assert np.array_equal(one["seg_pred"], one["segmentation"].argmax(axis=1))
    assert len(one["seg_pred"]) == len(real)
    assert one["fragment_clusts"].values.max(initial=-1) < len(real)
    if "point_proposal" in config:
        assert one["ppn_points"].shape == (len(real), 10)
        assert one["vertex_points"].shape == (len(real), 5)


def test_a_network_of_its_own_takes_ghosts_out_first() -> None:
    ghosts = Stage("deghosting", "deghost", {"mode": "uresnet"}, uses="uresnet_deghost")
    chain, one, together = plan(ghosts, POINTS, FRAGMENTS), event(), [event(), event(4, 0), event(5)]
    chain.run(one)
    assert one["ghost"].shape == (len(one["data"]), 2)
    assert 0 < len(one["data_adapt"]) == (one["ghost"].argmax(axis=1) == 0).sum() < len(one["data"])
    assert len(one["ppn_points"]) == len(one["segmentation"]) == len(one["data_adapt"])
    assert one["fragment_clusts"].values.max(initial=-1) < len(one["data_adapt"])
    chain.run_events(together)
    assert np.array_equal(together[0]["fragment_clusts"].values, one["fragment_clusts"].values)
    assert len(together[1]["data_adapt"]) == 0


def test_the_order_of_voxels_does_not_matter() -> None:
    ghosts = Stage("deghosting", "deghost", {"mode": "uresnet"}, uses="uresnet_deghost")
    chain, one, mixed = plan(ghosts, POINTS), event(), event()
    order = np.random.default_rng(5).permutation(len(one["data"]))
    mixed["data"] = one["data"].take(order)
    chain.run(one)
    chain.run(mixed)
    assert np.array_equal(mixed["ghost_pred"], one["ghost_pred"][order])
    left = np.searchsorted(one["orig_index"], order[mixed["orig_index"]])
    assert np.array_equal(mixed["seg_pred"], one["seg_pred"][left])
    np.testing.assert_allclose(mixed["ppn_points"], one["ppn_points"][left], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("adapt", [True, False])
def test_true_clusters_follow_the_prediction(adapt: bool) -> None:
    one = event()
    rows = len(one["data"])
    labels = np.column_stack([np.ones(rows), np.arange(rows) // 30, np.arange(rows) // 30]).astype(np.float32)
    one["seg_label"] = Tensor(one["data"].coords, np.ones((rows, 1), dtype=np.float32))
    one["clust_label"] = Tensor(one["data"].coords, labels, ("value", "cluster", "particle_index"))
    stage = Stage("segmentation", config={"mode": "uresnet", "adapt_labels": adapt}, uses="uresnet_plain")
    plan(stage).run(one)
    assert ("clust_label_adapt" in one) == adapt
    if adapt:
        found = one["clust_label_adapt"]
        assert np.array_equal(found.coords, one["data_adapt"].coords)
        assert (found.feature("cluster")[one["seg_pred"] == Shape.TRACK] >= 0).all()


def test_stages_without_their_network_are_refused() -> None:
    with pytest.raises(ConfigError, match="one network of its kind"):
        plan(Stage("segmentation", config={"mode": "uresnet"}, uses="graph_spice")).run(event())
    with pytest.raises(ConfigError, match="proposes no points"):
        plan(Stage("segmentation", config=POINTS.config, uses="uresnet_plain")).run(event())
    with pytest.raises(ConfigError, match=r"chain\.segmentation: the network proposes no points"):
        plan(Stage("segmentation", config=POINTS.config, uses="uresnet_plain"))
    with pytest.raises(ConfigError, match="tells two classes"):
        plan(Stage("deghost", config={"mode": "uresnet"}, uses="uresnet_plain")).run(event())
    with pytest.raises(ConfigError, match="no network is called"):
        plan(Stage("fragmentation", config={"mode": "graph_spice"}, uses="graph_spyce"))


@needs_golden
def test_golden_chain() -> None:
    config = yaml.safe_load((GOLDEN / "reco" / "ev5k.yaml").read_text())["model"]["modules"]
    modules = {name: block for name, block in config.items() if not name.startswith("grappa")}
    networks = build_networks(modules, os.fspath(GOLDEN / "full_chain.ckpt"))
    stages = [Stage(s["name"], s["provider"], s["config"], s["uses"]) for s in config["chain"]["stages"][:2]]
    with h5py.File(GOLDEN / "inputs" / "ev5k.h5") as file:
        low, high = file["products/data/event_offsets"][:2]
        values = file["products/data/values"][low:high]
    one = Event({"data": Tensor(values[:, :3].astype(np.int32), values[:, 3:].astype(np.float32))})
    compose(stages, networks).run(one)
    with np.load(GOLDEN / "outputs" / "ev5k.npz") as golden:
        assert np.array_equal(one["seg_pred"], golden["ev0/seg_pred"])
        assert np.array_equal(one["fragment_clusts"].values, golden["ev0/fragment_clusts/index"])
        assert np.array_equal(one["fragment_clusts"].offsets, golden["ev0/fragment_clusts/offsets"])
        assert np.array_equal(one["fragment_shapes"], golden["ev0/fragment_shapes"])
