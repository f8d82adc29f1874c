"""From files to losses: the published losses of SPINE's training step, see tests/model/golden.py."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
import yaml

from spine.model.networks import make_networks
from spine.train.events import TrainingEvents
from spine.train.tasks import TaskRequest, make_task

from ..model.golden import GOLDEN, needs_golden

CASES = {
    "uresnet_ppn": ("uresnet_ppn", ("uresnet_loss", "uresnet_accuracy", "ppn_reg_loss", "ppn_type_loss")),
    "graph_spice": ("graph_spice", ("loss", "accuracy", "count", "iou")),
    "grappa_shower": ("grappa", ("node_loss", "node_accuracy", "node_count", "edge_loss", "edge_count")),
}
"""Networks whose input does not hang on what is drawn or predicted: where SPINE has their numbers, and which."""
PREFIX = {"grappa_shower": "particle_aggregation_shower_"}


@needs_golden
@pytest.mark.parametrize("mode", ["eval", "train"])
@pytest.mark.parametrize("name", CASES)
def test_losses_from_files(name: str, mode: str) -> None:
    modules: dict[str, Any] = yaml.safe_load((GOLDEN / "reco" / "ev5k.yaml").read_text())["model"]["modules"]
    network = make_networks({name: modules[name]})[name].train(mode == "train")
    state = torch.load(GOLDEN / "full_chain.ckpt", map_location="cpu")["state_dict"]
    own = {key[len(name) + 1 :]: value.float() for key, value in state.items() if key.startswith(f"{name}.")}
    network.load_state_dict(own)
    task = make_task(TaskRequest(name, network, modules[f"{name}_loss"]))
    events = TrainingEvents([GOLDEN / "inputs" / "ev5k.h5"], task.required, task.optional)
    with torch.no_grad():
        found = task.score(network, [task.prepare(events.load(entry)) for entry in range(2)]).flat()
    events.close()
    part, columns = CASES[name]
    with np.load(GOLDEN / "outputs" / "train_step_ev5k.npz") as golden:
        expected = {c: float(golden[f"{part}/{mode}/scalar/{PREFIX.get(name, '')}{c}"]) for c in columns}
    assert {column: found[column] for column in columns} == pytest.approx(expected, rel=1e-5, abs=1e-6)
