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
                network(image_tensor(table.float(), UResNetShape(2, 2, 1)))
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


def test_ghosts_belong_to_no_fragment() -> None:
    stage = Stage("segmentation", config={"mode": "uresnet"}, uses="uresnet_plain")
    one = event()
    plan(stage, FRAGMENTS).run(one)
    ghosts = one["ghost_pred"] == 1
    assert 0 < ghosts.sum() < len(ghosts)
    assert np.array_equal(one["seg_pred"] == Shape.GHOST, ghosts)
    assert not np.isin(one["fragment_clusts"].values, np.flatnonzero(ghosts)).any()


def test_stages_without_their_network_are_refused() -> None:
    with pytest.raises(ConfigError, match="one network of its kind"):
        plan(Stage("segmentation", config={"mode": "uresnet"}, uses="graph_spice")).run(event())
    with pytest.raises(ConfigError, match="proposes no points"):
        plan(Stage("segmentation", config=POINTS.config, uses="uresnet_plain")).run(event())
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
