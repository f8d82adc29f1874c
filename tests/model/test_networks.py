"""Networks from configurations."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from spine.errors import ConfigError, DataError
from spine.model.graph_spice import GraphSpice
from spine.model.layer_config import Choice, UResNetConfig, build_uresnet
from spine.model.networks import build_networks, make_networks, network_names
from spine.model.ppn import UResNetPPN
from spine.model.uresnet import UResNetSegmentation
from spine.model.weights import state_of
from spine.sparse import nn as snn

from .golden import GOLDEN, needs_golden

UNIT = {"reps": 1, "depth": 2, "filters": 2}
SPICE = {
    "embedder": {"uresnet": {**UNIT, "num_input": 4, "spatial_size": 8}},
    "kernel": {"name": "bilinear", "num_features": 2},
    "constructor": {"graph": {"name": "radius", "r": 1.9}, "edge_threshold": 0.5},
    "use_raw_features": True,
}
MODULES: dict[str, Any] = {
    "chain": {"stages": []},
    "uresnet_ppn": {"uresnet": {**UNIT, "num_classes": 5}, "ppn": {}},
    "uresnet_ppn_loss": {"anything": 1},
    "graph_spice": SPICE,
    "uresnet_deghost": {**UNIT, "num_classes": 2},
    "loss_balancing": {},
}


def weights(path: Path, modules: dict[str, Any] = MODULES, seed: int = 0) -> str:
    """A file of random weights."""
    torch.manual_seed(seed)
    torch.save({"state_dict": state_of(make_networks(modules))}, path)
    return str(path)


def test_networks_are_built_by_the_start_of_their_names() -> None:
    nets = make_networks(MODULES)
    kinds = {name: type(net) for name, net in nets.items()}
    assert kinds == {"uresnet_ppn": UResNetPPN, "graph_spice": GraphSpice, "uresnet_deghost": UResNetSegmentation}
    assert network_names(MODULES) == tuple(kinds)


def test_weights_of_all_and_of_some(tmp_path: Path) -> None:
    whole, other = weights(tmp_path / "whole.ckpt"), weights(tmp_path / "other.ckpt", seed=1)
    modules = {**MODULES, "graph_spice": {**SPICE, "weight_path": other, "freeze_weights": True}}
    nets = build_networks(modules, whole)
    first, second = (torch.load(path)["state_dict"] for path in (whole, other))
    for name, value in state_of(nets).items():
        assert torch.equal(value, (second if name.startswith("graph_spice") else first)[name]), name
    assert not any(net.training for net in nets.values())
    frozen = {n: not any(p.requires_grad for p in net.parameters()) for n, net in nets.items()}
    assert frozen == {"uresnet_ppn": False, "graph_spice": True, "uresnet_deghost": False}


def test_weights_of_a_part(tmp_path: Path) -> None:
    whole = weights(tmp_path / "whole.ckpt")
    alone = weights(tmp_path / "alone.ckpt", {"uresnet_x": {**UNIT, "num_classes": 5}}, seed=2)
    part = {
        **MODULES["uresnet_ppn"]["uresnet"],
        "weight_path": alone,
        "model_name": "uresnet_x",
        "freeze_weights": True,
    }
    modules = {**MODULES, "uresnet_ppn": {"uresnet": part, "ppn": {}}}
    nets = build_networks(modules, whole)
    expected = torch.load(alone)["state_dict"]["uresnet_x.linear_segmentation.linear.weight"]
    assert torch.equal(nets["uresnet_ppn"].get_parameter("uresnet.linear_segmentation.linear.weight"), expected)
    assert not nets["uresnet_ppn"].get_parameter("uresnet.linear_segmentation.linear.weight").requires_grad
    assert nets["uresnet_ppn"].get_parameter("ppn.ppn_type.linear.weight").requires_grad


def test_networks_without_weights_are_an_error_unless_they_shall_be_trained(tmp_path: Path) -> None:
    own = weights(tmp_path / "own.ckpt", {"graph_spice": SPICE})
    modules = {**MODULES, "graph_spice": {**SPICE, "weight_path": own}}
    with pytest.raises(ConfigError, match="without weights: uresnet_ppn, uresnet_deghost"):
        build_networks(modules)
    assert len(build_networks(modules, trained=False)) == 3
    with pytest.raises(DataError, match="do not fit module 'uresnet_ppn'"):
        build_networks(modules, own)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"uresnett": {}, "gnn": {}}, "no network is called 'gnn'|options of network 'uresnett'"),
        ({"graph_spice": {**SPICE, "thresh": 1}}, "graph_spice.*thresh: Extra"),
        ({"graph_spice": {**SPICE, "kernel": {"name": "cubic"}}}, "kernel.*'bilinear', 'default', 'mlp'"),
        ({"graph_spice": 3}, "needs a block"),
        ({"uresnet_ppn": {"uresnet": {**UNIT, "num_classes": 5}}}, "one of ppn and vertex"),
        ({"uresnet_a": {**UNIT, "num_classes": 5, "activation": "lreluu"}}, "unknown layer(.|\n)*lrelu"),
        ({"uresnet_a": {**UNIT, "num_classes": 5, "activation": {"name": "lrelu", "slope": 1}}}, "slope"),
        ({"uresnet_a": {**UNIT, "num_classes": 5, "lattice": {"period": [2, 2]}}}, "one positive period per axis"),
        (
            {"uresnet_ppn": {"uresnet": {**UNIT, "num_classes": 5}, "ppn": {}, "proposal_decoder": {"shared": True}}},
            "shared decoder needs both",
        ),
    ],
)
def test_wrong_configurations_say_what_is_wrong(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        make_networks({**MODULES, **change})


def test_shared_and_separate_vertex_decoders() -> None:
    block = {"uresnet": {**UNIT, "num_classes": 5}, "ppn": {"classify_endpoints": True}, "vertex": {}}
    own = make_networks({"uresnet_ppn": block})["uresnet_ppn"].state_dict()
    both = make_networks({"uresnet_ppn": {**block, "proposal_decoder": {"shared": True}}})["uresnet_ppn"].state_dict()
    assert "vertex.vertex_pred.0.linear.weight" in own
    assert "ppn.vertex_pred.0.linear.weight" in both
    assert "ppn.ppn_endpoint.linear.weight" in both


def test_layers_and_their_options() -> None:
    cfg = UResNetConfig.model_validate(
        {
            **UNIT,
            "activation": {"provider": "lrelu", "config": {"negative_slope": 0.25}},
            "norm_layer": {"name": "batch_norm", "eps": "1e-4", "momentum": 0.01},
            "lattice": {"period": "auto"},
        }
    )
    assert cfg.activation == Choice(name="lrelu", options={"negative_slope": 0.25})
    net = build_uresnet(cfg)
    norms = [m for m in net.modules() if isinstance(m, snn.BatchNorm)]
    assert {(m.bn.eps, m.bn.momentum) for m in norms} == {(1e-4, 0.01)}
    assert net.encoder.lattice is not None
    assert net.encoder.lattice.period == (2, 2, 2)


@needs_golden
def test_golden_checkpoint_fits_every_network() -> None:
    import yaml

    modules = yaml.safe_load((GOLDEN / "reco" / "ev5k.yaml").read_text())["model"]["modules"]
    ours = {name: block for name, block in modules.items() if not name.startswith("grappa")}
    nets = build_networks(ours, str(GOLDEN / "full_chain.ckpt"))
    state = torch.load(GOLDEN / "full_chain.ckpt")["state_dict"]
    mine = state_of(nets)
    assert mine.keys() == {name for name in state if not name.startswith("grappa")}
    assert all(torch.equal(mine[name], state[name].to(mine[name].dtype)) for name in mine)
