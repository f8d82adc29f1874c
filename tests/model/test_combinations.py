"""Every combination of providers fits together, or is refused with what to do about it."""

from __future__ import annotations

import itertools
from functools import cache
from typing import Any

import pytest
import torch

from spine.errors import ConfigError
from spine.model.chain import FAMILIES, Stage, compose
from spine.model.chain.families import ABSENT
from spine.model.networks import make_networks

UNIT = {"reps": 1, "depth": 2, "filters": 2}
SHAPED = {**UNIT, "num_input": 4, "spatial_size": 768}
LAYERS = {
    "edge_layer": {"name": "mlp", "mlp": {"depth": 1, "width": 4}},
    "node_layer": {"name": "mlp", "message_mlp": {"depth": 1, "width": 4}, "aggr_mlp": {"depth": 1, "width": 4}},
}


def grappa(**node_pred: int) -> dict[str, Any]:
    model = {"name": "meta", "node_feats": 16, "edge_feats": 19, "num_mp": 1, "edge_pred": 2, **LAYERS}
    return {"nodes": {"make_groups": True}, "gnn_model": {**model, "node_pred": node_pred or 2}}


MODULES: dict[str, Any] = {
    "uresnet_deghost": {**UNIT, "num_classes": 2},
    "uresnet": {**UNIT, "num_classes": 5, "ghost": True},
    "uresnet_ppn": {"uresnet": {**UNIT, "num_classes": 5}, "ppn": {}, "vertex": {}},
    "spice": {"uresnet": SHAPED, "shapes": [1]},
    "graph_spice": {
        "embedder": {"uresnet": SHAPED}, "kernel": {"name": "bilinear", "num_features": 2}, "use_raw_features": True,
        "constructor": {"graph": {"name": "radius", "r": 1.9}, "edge_threshold": 0.5},
    },
    **{f"grappa_{path}": grappa() for path in ("shower", "track", "particle")},
    "grappa_inter": grappa(type=6, primary=2, vertex=5),
    "image_particle": {"encoder": {"name": "cnn", **UNIT, "feature_size": 4}, "heads": {"pid": 6}},
}  # fmt: skip


@cache
def networks() -> dict[str, torch.nn.Module]:
    return make_networks(MODULES)


def stage(family: str, uses: Any = None, **config: Any) -> Stage:
    return Stage(family, config=config, uses=uses)


GHOSTS = {
    "none": None,
    "label": stage("deghost", mode="label", charge_rescaling="average"),
    "uresnet": stage("deghost", "uresnet_deghost", mode="uresnet"),
}
CLASSES = {
    "label": stage("segmentation", mode="label"),
    "geometric": stage("segmentation", mode="geometric"),
    "uresnet": stage("segmentation", "uresnet", mode="uresnet"),
    "ppn": stage("segmentation", "uresnet_ppn", mode="uresnet", point_proposal="ppn"),
}
PLAIN = {"shapes": [0, 2, 3], "break_shapes": []}
FRAGMENTS = {
    "label": stage("fragmentation", mode="label"),
    "dbscan": stage("fragmentation", mode="dbscan", dbscan={"ppn_predictor": {"score_threshold": 0.4}}),
    "graph_spice": stage("fragmentation", "graph_spice", mode="graph_spice"),
    "dbscan_spice": stage("fragmentation", "spice", mode="dbscan_spice", dbscan=PLAIN),
    "dbscan_spice_graph_spice": stage(
        "fragmentation", ["spice", "graph_spice"], mode="dbscan_spice_graph_spice", dbscan={**PLAIN, "shapes": [0]}
    ),
}
PARTICLES = {
    "label": stage("particle_aggregation", particle_aggregation="label"),
    "skip": stage("particle_aggregation", shower_aggregation="skip", track_aggregation="label"),
    "paths": stage(
        "particle_aggregation", ["grappa_shower", "grappa_track"], shower_aggregation="grappa", shower_primary="grappa",
        track_aggregation="grappa", predict_points={"enhance_track_points": True},
    ),
    "joint": stage(
        "particle_aggregation", "grappa_particle", particle_aggregation="grappa", grappa_particle={"points": "label"}
    ),
}  # fmt: skip
TASKS = {"type": "image"}
INTERACTIONS = {
    "label": stage("interaction_aggregation", mode="label", task_modes=TASKS),
    "skip": stage("interaction_aggregation", mode="skip"),
    "geometric": stage("interaction_aggregation", mode="geometric", task_modes=TASKS),
    "grappa": stage("interaction_aggregation", "grappa_inter", mode="grappa", task_modes=TASKS),
}
VERTICES = {
    "none": None,
    "ppn": stage("interaction_vertexing", mode="ppn", pool_score_fn="mean"),
    "grappa": stage("interaction_vertexing", mode="grappa", normalize_positions=True),
}


def lacking(classes: str, fragments: str, particles: str, interactions: str, vertices: str) -> set[str]:
    """What a combination lacks, said in the message."""
    reasons = set()
    if classes != "ppn":
        if fragments == "dbscan" or particles == "paths" or interactions == "grappa":
            reasons.add("'ppn_points'")
        if vertices == "ppn":
            reasons.add("'vertex_points'")
    if vertices == "grappa" and interactions != "grappa":
        reasons.add("'particle_node_vertex_pred'")
    if interactions == "skip":
        reasons.add("both make 'particle_node_type_pred'")
    return reasons


@pytest.mark.parametrize("ghosts", GHOSTS)
@pytest.mark.parametrize("classes", CLASSES)
def test_combinations(ghosts: str, classes: str) -> None:
    outcomes = {True: 0, False: 0}
    for names in itertools.product(FRAGMENTS, PARTICLES, INTERACTIONS, VERTICES):
        fragments, particles, interactions, vertices = names
        images = Stage("particle_image", uses="image_particle", config={"particle_identification": "image"})
        stages = [
            GHOSTS[ghosts], CLASSES[classes], FRAGMENTS[fragments], PARTICLES[particles], images,
            INTERACTIONS[interactions], VERTICES[vertices],
        ]  # fmt: skip
        wrong = lacking(classes, *names)
        outcomes[bool(wrong)] += 1
        chosen = [one for one in stages if one is not None]
        if not wrong:
            assert "data" in compose(chosen, networks()).inputs
            continue
        with pytest.raises(ConfigError) as caught:
            compose(chosen, networks())
        assert all(reason in str(caught.value) for reason in wrong), names
        assert "mend:" in str(caught.value)
    assert all(outcomes.values())


def test_modes_own_each_class_once() -> None:
    twice = stage("fragmentation", ["spice", "graph_spice"], mode="spice_graph_spice")
    networks()["spice"].shapes, before = (0, 1), networks()["spice"].shapes
    compose([CLASSES["label"], twice], networks())
    networks()["spice"].shapes = before


@pytest.mark.parametrize("name", sorted(ABSENT))
def test_providers_of_spine_that_are_not_here_are_named(name: str) -> None:
    assert name not in FAMILIES
    with pytest.raises(ConfigError, match=f"SPINE's provider '{name}' is not here") as caught:
        compose([Stage("x", name)])
    assert "mend:" in str(caught.value)


def test_providers_of_other_packages_are_entry_points() -> None:
    with pytest.raises(ConfigError, match=r"FAMILY\.MODE of the group 'spine\.providers'"):
        compose([Stage("x", "my_package.module:PROVIDER_SPEC")])
    with pytest.raises(ConfigError, match="masked_dbscan"):
        compose([CLASSES["label"], stage("fragmentation", mode="dbscan", break_track_method="closest_path")])
