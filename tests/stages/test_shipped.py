"""Weights that come with the package reconstruct events that they were never trained on."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from spine.config import load_config
from spine.stages import infer, simulate
from spine.store.source import open_events


def test_classes_of_simulated_events(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("extends: small\nbase: {seed: 77}\nsim: {events_per_file: 4}\n")
    config = load_config(path)
    simulate.run(0, tmp_path / "events.h5", config)
    infer.run(tmp_path / "events.h5", tmp_path / "infer.h5", config)
    with open_events(tmp_path / "infer.h5") as file:
        events = list(file.block(0, 4))
        right = [event["seg_label"].feature("value") == event["seg_pred"] for event in events]
        assert np.concatenate(right).mean() > 0.85  # 0.955 over 100 events, with a spread of some percent per event
        assert all(len(np.unique(event["particle_group_pred"])) >= 1 for event in events)
        assert all(np.isfinite(event["particle_node_type_pred"]).any() for event in events)
