"""Providers with networks beside the usual ones: SPICE, images, certainty, vertices; in the chain and in training."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from spine.build import BuildConfig, build_event
from spine.errors import ConfigError
from spine.model.chain import LABEL_STAGES, Stage, compose
from spine.model.networks import make_networks
from spine.schema import PRODUCTS, Event
from spine.schema.event import row_of
from spine.train.tasks import TaskRequest, make_task
from tests.model.chain.events import empty, event

UNIT = {"reps": 1, "depth": 2, "filters": 2}
HEADS = {"pid": 6, "primary": 2, "orientation": 2, "kinetic_energy": 1}
GRAPPA = {
    "nodes": {"source": "group", "make_groups": True},
    "node_encoder": {"name": "geo", "add_points": True},
    "gnn_model": {
        "name": "meta", "node_feats": 22, "edge_feats": 19, "num_mp": 1, "edge_pred": 2,
        "node_pred": {"type": 6, "primary": 2, "vertex": 5},
        "edge_layer": {"name": "mlp", "mlp": {"depth": 1, "width": 8}},
        "node_layer": {
            "name": "mlp", "message_mlp": {"depth": 1, "width": 8}, "aggr_mlp": {"depth": 1, "width": 8},
        },
    },
}  # fmt: skip
MODULES: dict[str, Any] = {
    "uresnet_deghost": {**UNIT, "num_classes": 2},
    "uresnet_ppn": {"uresnet": {**UNIT, "num_classes": 5}, "ppn": {}, "vertex": {}},
    "uresnet_bayes": {**UNIT, "num_classes": 5, "mode": "evidential"},
    "uresnet_bayes_dropout": {**UNIT, "num_classes": 5, "mode": "mc_dropout", "num_samples": 3},
    "spice": {"uresnet": {**UNIT, "num_input": 4, "spatial_size": 768}, "shapes": [0, 1, 2, 3]},
    "image_particle": {"encoder": {"name": "cnn", **UNIT, "feature_size": 4}, "heads": HEADS, "return_features": True},
    "grappa_inter": GRAPPA,
}
SPICE = Stage("fragmentation", config={"mode": "spice"}, uses="spice")
IMAGES = Stage("particle_image", uses="image_particle")
ELSEWHERE = {"type": "image", "primary": "image", "orient": "image"}
OWN_VERTICES = Stage("interaction_vertexing", config={"mode": "ppn"})
LABELLED, _, PARTICLES, INTERACTIONS = LABEL_STAGES


def networks() -> dict[str, Any]:
    torch.manual_seed(5)
    return {name: network.eval() for name, network in make_networks(MODULES).items()}


def small(number: int = 1, rows: Any = slice(0, 400)) -> Event:
    return event(number, np.arange(len(event(number)["data"]))[rows])


def run(one: Event, *stages: Stage) -> Event:
    compose(stages, networks()).run(one)
    return one


def shuffled(one: Event) -> tuple[Event, Any]:
    order = np.random.default_rng(7).permutation(len(one["data"]))
    other = small()
    other["data"] = one["data"].take(order)
    return other, order


def test_fragments_from_an_embedding() -> None:
    stages = (LABELLED, SPICE)
    one, (mixed, order) = run(small(), *stages), shuffled(small())
    run(mixed, *stages)
    clusts, shapes = one["fragment_clusts"], one["fragment_shapes"]
    assert len(clusts) > 1
    assert clusts.lengths.min() >= 2
    assert all((one["seg_pred"][rows] == shape).all() for rows, shape in zip(clusts, shapes, strict=True))
    assert [sorted(order[rows]) for rows in mixed["fragment_clusts"]] == [sorted(rows) for rows in clusts]
    events = [small(), empty(), small(2)]
    compose(stages, networks()).run_events(events)
    assert events[0]["fragment_clusts"].tolist() == clusts.tolist()
    assert len(events[1]["fragment_clusts"]) == 0
    assert events[2]["fragment_clusts"].tolist() == run(small(2), *stages)["fragment_clusts"].tolist()


def test_properties_from_images_of_particles() -> None:
    shared = Stage("interaction_aggregation", config={"mode": "label", "task_modes": ELSEWHERE})
    stages = (*LABEL_STAGES[:3], IMAGES, shared)
    plan = compose(stages, networks())
    wanted = {"particle_node_type_pred", "particle_node_orient_pred", "particle_node_kinetic_energy_pred"}
    assert wanted <= set(plan.products) <= set(PRODUCTS)
    one, (mixed, _) = run(small(), *stages), shuffled(small())
    run(mixed, *stages)
    count = len(one["particle_clusts"])
    assert one["particle_node_type_pred"].shape == (count, 6)
    assert one["particle_image_features"].shape == (count, 4)
    np.testing.assert_allclose(mixed["particle_node_type_pred"], one["particle_node_type_pred"], rtol=1e-4, atol=1e-6)
    events = [small(), empty(), small(2)]
    plan.run_events(events)
    np.testing.assert_allclose(
        events[0]["particle_image_features"], one["particle_image_features"], rtol=1e-4, atol=1e-6
    )
    assert events[1]["particle_node_primary_pred"].shape == (0, 2)
    build_event(one, BuildConfig(mode="reco", units="px"))
    assert np.array_equal(one.reco.particles["pid"], one["particle_node_type_pred"].argmax(axis=1))


def test_two_networks_for_one_property_are_refused() -> None:
    with pytest.raises(ConfigError, match="both make 'particle_node_type_pred'"):
        compose((*LABEL_STAGES[:3], IMAGES, INTERACTIONS), networks())
    asked = Stage("particle_image", config={"primary_identification": "image"}, uses="image_alone")
    alone = make_networks({"image_alone": {**MODULES["image_particle"], "heads": {"pid": 6}}})
    with pytest.raises(ConfigError, match=r"chain\.particle_image: the network has no head for primary"):
        compose((*LABEL_STAGES[:3], asked), alone)
    strange = make_networks({"image_alone": {**MODULES["image_particle"], "heads": {"colour": 6}}})
    with pytest.raises(ConfigError, match="no product 'particle_node_colour_pred'"):
        compose((*LABEL_STAGES[:3], Stage("particle_image", uses="image_alone")), strange)


def test_evidence_tells_how_sure_classes_are() -> None:
    one = run(small(), Stage("segmentation", config={"mode": "uresnet"}, uses="uresnet_bayes"))
    assert (one["evidence"] >= 0).all()
    total = one["concentration"].sum(axis=1)
    np.testing.assert_allclose(one["uncertainty"], 5 / total, rtol=1e-5)
    np.testing.assert_allclose(one["expected_probability"].sum(axis=1), 1, rtol=1e-5)
    assert np.array_equal(one["seg_pred"], one["evidence"].argmax(axis=1))


def test_dropout_at_random_does_not_depend_on_order_or_company() -> None:
    stage = Stage("segmentation", config={"mode": "uresnet", "seed": 3}, uses="uresnet_bayes_dropout")
    one, (mixed, order) = run(small(), stage), shuffled(small())
    run(mixed, stage)
    np.testing.assert_allclose(mixed["softmax"], one["softmax"][order], rtol=1e-4, atol=1e-6)
    events = [small(2), empty(), small()]
    compose([stage], networks()).run_events(events)
    np.testing.assert_array_equal(events[2]["softmax"], one["softmax"])
    other = run(small(), Stage("segmentation", config={"mode": "uresnet", "seed": 4}, uses="uresnet_bayes_dropout"))
    assert not np.array_equal(other["softmax"], one["softmax"])


def test_vertices_of_interactions_from_both_networks() -> None:
    points = Stage("segmentation", config={"mode": "uresnet", "point_proposal": "ppn"}, uses="uresnet_ppn")
    graph = Stage("interaction_aggregation", config={"mode": "grappa", "points": "extrema"}, uses="grappa_inter")
    named = Stage("vertices", "interaction_vertexing", {"mode": "grappa", "use_anchor_points": True})
    found = {}
    for name, last in (("ppn", OWN_VERTICES), ("grappa", named)):
        one = run(small(), points, *LABEL_STAGES[1:3], graph, last)
        one["meta"] = row_of("meta", count=np.array([768, 768, 768]))
        build_event(one, BuildConfig(mode="reco", units="px"))
        found[name] = one["interaction_vertices"]
        np.testing.assert_allclose(one.reco.interactions["vertex"], found[name], rtol=1e-6)
        assert ((one["interaction_vertex_scores"] > 0) & (one["interaction_vertex_scores"] < 1)).all()
    assert not np.allclose(found["ppn"], found["grappa"])
    with pytest.raises(ConfigError, match="needs 'particle_node_vertex_pred', which no earlier stage makes"):
        compose((*LABEL_STAGES, named), networks())
    with pytest.raises(ConfigError, match="needs 'vertex_points', which no earlier stage makes"):
        compose((*LABEL_STAGES, OWN_VERTICES), networks())


LOSSES: dict[str, dict[str, Any]] = {
    "uresnet_deghost": {},
    "uresnet_bayes": {"loss": "edl_nll"},
    "uresnet_bayes_dropout": {},
    "spice": {},
    "image_particle": {
        "pid": {"name": "class", "target": "pid"},
        "primary": {"name": "class", "target": "interaction_primary"},
        "orientation": {"name": "class", "target": "group_primary"},
        "kinetic_energy": {"name": "reg", "target": "momentum"},
    },
}


def true_event(number: int) -> Event:
    """A small event of tracks and showers whose particles have a momentum, without low-energy voxels."""
    one = event(number)
    rows = np.flatnonzero(one["seg_label"].feature("value") < 2)[:300]
    one["clust_label"].particles["momentum"] = np.full(len(one["clust_label"].particles), 9.0)
    one["data"] = one["data"].take(rows)
    return one


@pytest.mark.parametrize("name", LOSSES)
def test_networks_are_trained(name: str) -> None:
    torch.manual_seed(2)
    block = MODULES[name]
    if name == "image_particle":
        block = {**block, "objects": {"source": "particle"}}
    network = make_networks({name: block})[name].train()
    task = make_task(TaskRequest(name, network, LOSSES[name]))
    samples = [task.vary(task.prepare(true_event(n)), np.random.default_rng(0)) for n in (1, 2)]
    optimizer = torch.optim.Adam(network.parameters(), lr=0.02)
    losses = []
    for _ in range(8):
        optimizer.zero_grad()
        score = task.score(network, samples)
        torch.autograd.backward(score.loss)
        optimizer.step()
        losses.append(float(score.loss.detach()))
    assert losses[-1] < losses[0]
    assert 0 <= score.accuracy <= 1
