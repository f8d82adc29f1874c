"""The infer stage with networks: weights by content, batches by voxels, the golden objects from voxels alone."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from spine.config import Config, resolve_config
from spine.config.slices import from_slice, stage_code, stage_slice
from spine.errors import ConfigError, DataError
from spine.model.checkpoint import Checkpoint, write_checkpoint
from spine.model.networks import make_networks
from spine.model.weights import state_of
from spine.schema import Event
from spine.stages import build, infer, post
from spine.stages.batches import batches
from spine.store.source import open_events, open_source
from spine.store.writer import EventWriter, FileInfo

GENUINE = Path(__file__).parents[1] / "data" / "larcv2_sample.root"
GOLDEN = os.environ.get("SPINE_GOLDEN", "")

NETWORK = {"uresnet": {"reps": 1, "depth": 2, "filters": 4, "num_classes": 5}, "ppn": {}}
STAGES = [
    {"name": "segmentation", "uses": "uresnet_ppn", "config": {"mode": "uresnet", "point_proposal": "ppn"}},
    {"name": "fragmentation", "config": {"mode": "dbscan"}},
    {"name": "particle_aggregation", "config": {"particle_aggregation": "skip"}},
    {"name": "interaction_aggregation", "config": {"mode": "skip"}},
]


def configured(weights: Path, **loader: Any) -> Config:
    modules = {"uresnet_ppn": NETWORK, "uresnet_ppn_loss": {}, "chain": {"stages": STAGES}}
    return resolve_config({
        "model": {"weight_path": str(weights), "modules": modules}, "io": {"loader": loader}, "build": {"mode": "reco"},
    })  # fmt: skip


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    """Weights drawn at random, seeded."""
    torch.manual_seed(1)
    path = tmp_path / "tiny.ckpt"
    write_checkpoint(path, Checkpoint(state_of(make_networks({"uresnet_ppn": NETWORK}))))
    return path


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Four events of the genuine file."""
    path = tmp_path / "four.h5"
    with open_source(GENUINE) as file, EventWriter(path, FileInfo(stage="test")) as writer:
        writer.append([event for event in file.events(0, 4) if isinstance(event, Event)])
    return path


def test_batches_are_bounded_by_events_and_voxels(source: Path) -> None:
    with open_events(source) as file:
        events = list(file.block(0, 4))
        sizes = [len(event["data"]) for event in events]
        assert [len(b) for b in batches(events, 3, 10**9)] == [3, 1]
        assert next(len(b) for b in batches(events, 9, sizes[0] + sizes[1])) == 2
        assert [len(b) for b in batches(events, 9, 1)] == [1, 1, 1, 1]
        assert [e for b in batches(events, 2, 5000) for e in b] == events


def test_one_by_one_or_together(tmp_path: Path, weights: Path, source: Path) -> None:
    for name, loader in (("one", {}), ("all", {"minibatch_size": 4})):
        report = infer.run(source, tmp_path / f"{name}.h5", configured(weights, **loader))
        assert report.events == 4
    with open_events(tmp_path / "one.h5") as one, open_events(tmp_path / "all.h5") as together:
        assert "segmentation" in one.own_names()
        assert "data" not in one.own_names()
        for left, right in zip(one.block(0, 4), together.block(0, 4), strict=True):
            np.testing.assert_allclose(left["segmentation"], right["segmentation"], rtol=1e-4, atol=1e-5)
            np.testing.assert_array_equal(left["seg_pred"], left["segmentation"].argmax(axis=1))
    build.run(tmp_path / "one.h5", tmp_path / "build.h5", configured(weights))


def test_weights_count_by_their_content(tmp_path: Path, weights: Path, source: Path) -> None:
    config = configured(weights)
    before = stage_slice(config, "infer")
    weights.touch()
    assert stage_slice(config, "infer") == before
    assert stage_slice(config, "build") == stage_slice(configured(tmp_path / "other.ckpt"), "build")
    torch.manual_seed(2)
    write_checkpoint(weights, Checkpoint(state_of(make_networks({"uresnet_ppn": NETWORK}))))
    assert stage_slice(config, "infer") != before
    with pytest.raises(DataError, match="not those asked for"):
        infer.run(source, tmp_path / "out.h5", from_slice(before))
    assert not (tmp_path / "out.h5").exists()


def test_missing_weights_are_named(tmp_path: Path, source: Path) -> None:
    with pytest.raises((ConfigError, DataError), match=r"absent\.ckpt") as error:
        infer.run(source, tmp_path / "out.h5", configured(tmp_path / "absent.ckpt"))
    assert "Traceback" not in str(error.value)


def test_the_fingerprint_sees_the_providers(weights: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from spine.config import fingerprint

    seen: list[Path] = []
    original = fingerprint._read
    monkeypatch.setattr(fingerprint, "_read", lambda path: seen.append(path) or original(path))
    stage_code(configured(weights), "infer")
    names = {path.as_posix() for path in seen}
    for part in ("spine/model/providers.py", "spine/model/chain/fragmentation.py", "spine/sparse/convolution.py"):
        assert any(name.endswith(part) for name in names), part


@pytest.mark.skipif(not GOLDEN, reason="SPINE_GOLDEN does not name the directory of golden files")
def test_objects_of_the_golden_chain(tmp_path: Path) -> None:
    import yaml

    golden = Path(GOLDEN)
    recipe = yaml.safe_load((golden / "reco" / "ev5k.yaml").read_text())
    config = resolve_config({
        "model": {"weight_path": str(golden / "full_chain.ckpt"), "modules": recipe["model"]["modules"]},
        "build": {"mode": "both", "fragments": False}, "post": recipe["post"],
    })  # fmt: skip
    infer.run(golden / "inputs" / "ev5k.h5", tmp_path / "infer.h5", config)
    build.run(tmp_path / "infer.h5", tmp_path / "build.h5", config)
    post.run(tmp_path / "build.h5", tmp_path / "post.h5", config)
    with open_events(tmp_path / "post.h5") as ours, open_events(golden / "reco" / "ev5k_v2.h5") as theirs:
        for left, right in zip(ours.block(0, 9), theirs.block(0, 9), strict=True):
            mine, other = left.reco.particles, right.reco.particles
            assert [sorted(i) for i in mine["index"]] == [sorted(i) for i in other["index"]]
            for name in ("shape", "pid", "is_primary", "interaction_id"):
                np.testing.assert_array_equal(mine[name], other[name])
            for name in ("start_point", "end_point", "pid_scores", "primary_scores", "calo_ke"):
                np.testing.assert_allclose(mine[name], other[name], rtol=1e-4, atol=1e-4)
            mine, other = left.truth.particles, right.truth.particles
            assert [sorted(i) for i in mine["index_adapt"]] == [sorted(i) for i in other["index_adapt"]]
            assert mine["index_adapt"].lengths.sum() > 1000
