"""Options in the spelling of SPINE, and the networks made from them."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from pydantic import ValidationError

from spine.errors import ConfigError
from spine.model.grappa import GrapPALossOptions, GrapPAOptions, build_from_options, graph_batch, grappa_network
from spine.model.grappa.aggregate import event_graph
from spine.schema import Shape
from tests.model.grappa import frozen

MLP = {"depth": 2, "width": [8, 4], "activation": "relu", "normalization": {"name": "batch_norm", "eps": 1e-4}}


def block() -> dict[str, Any]:
    """A small network."""
    return copy.deepcopy(
        {
            "nodes": {"source": "cluster", "shapes": [0, "track"]},
            "graph": {"provider": "complete", "max_count": 100},
            "node_encoder": {"name": "geometric"},
            "edge_encoder": {"name": "geo"},
            "gnn_model": {
                "provider": "meta",
                "node_feats": 16,
                "edge_feats": 19,
                "num_mp": 2,
                "edge_pred": 2,
                "edge_layer": {"name": "mlp", "mlp": MLP},
                "node_layer": {"name": "mlp", "message_mlp": MLP, "aggr_mlp": MLP},
            },
        }
    )


def test_names_and_providers_are_the_same() -> None:
    options = GrapPAOptions.model_validate(block())
    assert options.nodes.shapes == (Shape.SHOWER, Shape.TRACK)
    assert options.graph.name == "complete"
    assert options.edge_limit == 100


def test_layers_that_nothing_needs_are_left_out() -> None:
    names = set(grappa_network(GrapPAOptions.model_validate(block())).state_dict())
    assert "gnn.mp_layers.0.node_model.message_mlp.model.0.weight" in names
    assert not any(name.startswith("gnn.mp_layers.1.node_model") for name in names)
    assert {"edge_pred.linear.weight", "edge_pred.linear.bias"} <= names
    assert not any(name.startswith("node_") for name in names)


@pytest.mark.parametrize(
    ("layer", "expected"),
    [
        ({"name": "agnnconv"}, {"agnnconv.beta", "bn.weight"}),
        (
            {"name": "gatconv", "out_channels": 4},
            {"gatconv.lin.weight", "gatconv.att_src", "gatconv.att_dst", "gatconv.bias"},
        ),
        ({"name": "econv", "mlp": MLP}, {"edgeconv.nn.model.0.weight", "edgeconv.nn.model.4.running_mean"}),
        (
            {"name": "nnconv", "out_channels": 4, "mlp": MLP, "aggr": "add"},
            {"nnconv.nn.0.model.0.weight", "nnconv.nn.1.weight", "nnconv.lin.weight", "nnconv.bias"},
        ),
    ],
)
def test_other_node_layers_have_spines_names(layer: dict[str, Any], expected: set[str]) -> None:
    made = block()
    made["gnn_model"] |= {
        "node_layer": layer,
        "node_pred": {"type": 5, "primary": {"name": "mlp", "out_channels": 2} | MLP},
    }
    network = grappa_network(GrapPAOptions.model_validate(made)).eval()
    names = set(network.state_dict())
    assert {f"gnn.mp_layers.1.node_model.{name}" for name in expected} <= names
    assert {"node_type_pred.linear.weight", "node_primary_pred.mlp.model.0.weight"} <= names
    options = frozen.options("track")
    graph = event_graph(frozen.clusters("track"), options)
    graph = type(graph)(graph.nodes[:, :16], graph.edges, graph.index)
    with torch.no_grad():
        out = network(graph_batch([graph]))
    assert out["node_type_pred"].shape == (len(graph.nodes), 5)
    assert bool(torch.isfinite(out["edge_pred"]).all())


def test_a_global_layer_and_evidence() -> None:
    made = block()
    made["gnn_model"] |= {
        "global_layer": {"name": "mlp", "mlp": MLP},
        "global_pred": {"name": "evidential", "out_channels": 4, "mlp": MLP},
    }
    names = set(grappa_network(GrapPAOptions.model_validate(made)).state_dict())
    assert "gnn.mp_layers.1.global_model.mlp.model.0.weight" in names
    assert "global_pred.evidential.linear.weight" in names


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("node_encoder.add_value", True, "makes 18 features"),
        ("graph.maximum", 3, "maximum"),
        ("nodes.make_groups", True, None),
        ("gnn_model.edge_layer.mlp.width", [8], "one for each of the 2"),
        ("gnn_model.edge_layer.mlp.activation", "leaky", "unknown layer"),
        ("gnn_model.node_layer", {"name": "gatconv"}, "needs out_channels"),
        ("gnn_model.node_layer", {"name": "gatconv", "out_channels": 4, "heads": 2}, "averaged"),
        ("gnn_model.edge_pred", {"name": "evidential", "out_channels": 2, "mlp": MLP}, "four outputs"),
    ],
)
def test_wrong_options_are_named(path: str, value: object, message: str | None) -> None:
    made = block()
    inner, *keys = made, *path.split(".")
    for key in keys[:-1]:
        inner = inner[key]
    inner[keys[-1]] = value
    if message is None:
        assert build_from_options(made, "grappa_test").options.nodes.make_groups
        return
    with pytest.raises(ConfigError, match=message):
        build_from_options(made, "grappa_test")


def test_groups_need_predictions_of_edges() -> None:
    made = block()
    made["nodes"]["make_groups"] = True
    del made["gnn_model"]["edge_pred"]
    with pytest.raises(ConfigError, match="make_groups needs edge_pred"):
        build_from_options(made, "grappa_test")


def test_too_many_edges_are_no_edges(caplog: pytest.LogCaptureFixture) -> None:
    options = frozen.options("track").model_copy(update={"max_edge_count": 10})
    graph = event_graph(frozen.clusters("track"), options)
    assert len(graph.index) == len(graph.edges) == 0
    assert "above the limit of 10" in caplog.text


def test_losses_are_read_by_name() -> None:
    options = GrapPALossOptions.model_validate(
        {
            "node_loss": {
                "type": {"name": "classification", "target": "pid", "loss": {"name": "ce"}},
                "vertex": {"provider": "vertex"},
            },
            "edge_loss": {"name": "channel", "target": "group", "min_iou": 0.5},
        }
    )
    assert set(options.node_loss) == {"type", "vertex"}
    assert options.edge_loss[""].active
    with pytest.raises(ValidationError, match="target"):
        GrapPALossOptions.model_validate({"edge_loss": {"name": "channel"}})
