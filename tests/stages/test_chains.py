"""Chains of all providers with networks, from YAML to built objects."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml

from spine.config import resolve_config
from spine.model.checkpoint import Checkpoint, write_checkpoint
from spine.model.networks import make_networks
from spine.model.weights import state_of
from spine.schema import Event
from spine.stages import build, infer
from spine.store.source import open_events, open_source
from spine.store.writer import EventWriter, FileInfo

GENUINE = Path(__file__).parents[1] / "data" / "larcv2_sample.root"
CHAINS: dict[str, Any] = yaml.safe_load((Path(__file__).parent / "chains.yaml").read_text())
MADE = {
    "everything": {
        "data_adapt", "orig_index", "ghost", "clust_label_adapt", "vertex_points", "particle_node_type_pred",
        "particle_node_vertex_pred", "interaction_vertices", "interaction_vertex_scores",
    },
    "evidence": {"evidence", "uncertainty", "clust_label_adapt", "particle_node_type_pred"},
    "ghosts_with_classes": {"data_adapt", "ppn_pred", "interaction_vertices"},
}  # fmt: skip


def random_weights(path: Path, modules: dict[str, Any]) -> Path:
    """Weights at which about half of the voxels are ghosts."""
    torch.manual_seed(4)
    networks = make_networks(modules)
    for network in networks.values():
        for name, layer in network.named_modules():
            if name.endswith(("linear_ghost", "linear_segmentation")):
                layer.linear.weight.data.zero_()
                layer.linear.bias.data.zero_()
                layer.linear.bias.data[0] = 1.0
    write_checkpoint(path, Checkpoint(state_of(networks)))
    return path


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Two events of the genuine file, one of them without voxels."""
    path = tmp_path / "two.h5"
    with open_source(GENUINE) as file, EventWriter(path, FileInfo(stage="test")) as writer:
        events = [event for event in file.events(0, 2) if isinstance(event, Event)]
        for name in ("data", "seg_label", "clust_label"):
            events[1][name] = events[1][name].take(np.empty(0, dtype=np.int64))
        writer.append(events)
    return path


@pytest.mark.parametrize("name", CHAINS)
def test_from_voxels_to_objects(tmp_path: Path, source: Path, name: str) -> None:
    weights = random_weights(tmp_path / "random.ckpt", CHAINS[name]["modules"])
    config = resolve_config({
        "model": {**CHAINS[name], "weight_path": str(weights)},
        "io": {"loader": {"minibatch_size": 2}},
        "build": {"mode": "both"},
    })  # fmt: skip
    assert infer.run(source, tmp_path / "infer.h5", config).events == 2
    assert build.run(tmp_path / "infer.h5", tmp_path / "build.h5", config).events == 2
    with open_events(tmp_path / "build.h5") as file:
        assert MADE[name] <= set(file.names())
        first, second = file.block(0, 2)
        assert len(first["points"]) > 0
        assert len(second["points"]) == len(second.reco.particles) == 0
        assert len(first.reco.particles) > 0
        assert len(first.truth.particles) > 0
        if "interaction_vertices" in MADE[name]:
            assert len(first.reco.interactions) == len(first["interaction_vertices"])
        if "clust_label_adapt" in MADE[name]:
            assert len(first["clust_label_adapt"]) == len(first["points"])
            assert first.truth.particles["index_adapt"].values.max() < len(first["points"])
