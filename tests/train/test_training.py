"""Trainings from beginning to end: they learn, end, go on, and give the same weights whatever happens on the way."""

from __future__ import annotations

import csv
import json
import logging
import math
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import torch

from spine.config import Config
from spine.config.slices import from_slice, stage_slice
from spine.errors import ConfigError, DataError, StageError
from spine.model.checkpoint import read_checkpoint
from spine.stages import train as stage
from spine.stages.train import TrainInputs

from .made_up import MODULES, configured, write_events

NETWORKS = ("uresnet_ppn", "graph_spice", "grappa_shower", "grappa_inter")


@pytest.fixture(scope="module")
def events(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_events(tmp_path_factory.mktemp("events") / "events.h5", 10)


def run(config: Config, events: Path, folder: Path, **inputs: Any) -> bool:
    return stage.run(TrainInputs((events,), **inputs), folder, config)[1].finished


def weights(folder: Path, name: str = "weights.ckpt") -> dict[str, torch.Tensor]:
    return dict(read_checkpoint(folder / name).state)


def same(first: dict[str, torch.Tensor], second: dict[str, torch.Tensor]) -> bool:
    return set(first) == set(second) and all(torch.equal(first[name], second[name]) for name in first)


def rows(folder: Path, pattern: str) -> list[dict[str, str]]:
    found: list[dict[str, str]] = []
    for path in sorted(folder.glob(pattern)):
        with path.open() as file:
            found += list(csv.DictReader(file))
    return found


@pytest.mark.parametrize("name", NETWORKS)
def test_networks_learn(name: str, events: Path, tmp_path: Path) -> None:
    """Thirty steps on the same events bring the loss down."""
    optimizer = {"provider": "Adam", "lr": 0.003}
    train = {"modules": [name], "loader": {"minibatch_size": 10}, "optimizer": optimizer}
    assert run(configured(name, base={"iterations": 30}, train=train), events, tmp_path)
    table = rows(tmp_path, "train_log-0000000.csv")
    losses = [float(row["loss"]) for row in table]
    assert len(losses) == 30
    assert sum(losses[-5:]) < 0.8 * sum(losses[:5])
    for column in ("iter", "epoch", "first_entry", "cpu_mem", "cpu_mem_perc", "iteration_time", "load_time_sum_cpu"):
        assert column in table[0]
    state = weights(tmp_path)
    assert {key.partition(".")[0] for key in state} == {name}
    assert read_checkpoint(tmp_path / "snapshot-29.ckpt").parts["global_step"] == 29


COMMAND = """
import sys
from pathlib import Path
from spine.config.slices import from_slice
from spine.stages import train
config = from_slice(Path(sys.argv[1]).read_text(), sys.argv[4])
train.run(train.TrainInputs((Path(sys.argv[2]),)), Path(sys.argv[3]), config)
"""


def start(config: Config, events: Path, folder: Path) -> subprocess.Popen[bytes]:
    """A training in a process of its own."""
    text = folder.with_suffix(".json")
    text.write_text(stage_slice(config, "train"))
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "NUMBA_NUM_THREADS": "1"}
    command = [sys.executable, "-c", COMMAND, str(text), str(events), str(folder), "base.tensorboard=false"]
    return subprocess.Popen(command, env=environment)


def wait_for(path: Path, process: subprocess.Popen[bytes]) -> None:
    while not path.exists():
        assert process.poll() is None, f"the training ended before {path.name} was there"
        time.sleep(0.01)


def test_killed_and_resumed_it_is_the_same_to_the_bit(events: Path, tmp_path: Path) -> None:
    """SIGKILL amid the steps, twice; batch statistics, momenta, rates and what is drawn go on as if nothing were."""
    config = configured(
        ["graph_spice", "grappa_inter"],
        base={"iterations": 60},
        model={"modules": MODULES | {"graph_spice_loss": {"loss": "bce_logits", "equal_sampling": True}}},
        train={
            "modules": ["graph_spice", "grappa_inter"], "save_step": 7, "accumulate": 2,
            "lr_scheduler": {"provider": "CosineAnnealingLR", "T_max": 60},
        },
        validation={"fraction": 0.2, "best_checkpoint": {"monitor": "loss"}},
    )  # fmt: skip
    assert run(config, events, tmp_path / "whole")
    folder = tmp_path / "killed"
    for step in (13, 34):
        process = start(config, events, folder)
        wait_for(folder / f"snapshot-{step}.ckpt.sha256", process)
        time.sleep(0.05)
        process.send_signal(signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL
        assert not (folder / "weights.ckpt").exists()
    assert run(config, events, folder)
    assert same(weights(tmp_path / "whole"), weights(folder))
    last = [read_checkpoint(tmp_path / name / "snapshot-59.ckpt").parts for name in ("whole", "killed")]
    assert json.dumps(last[0]["lr_scheduler"]) == json.dumps(last[1]["lr_scheduler"])
    assert last[0]["validation"] == last[1]["validation"]


def test_broken_snapshots_are_passed_over(events: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    config = configured(train={"save_step": 2})
    assert run(config, events, tmp_path)
    before = weights(tmp_path)
    (tmp_path / "snapshot-5.ckpt").write_bytes((tmp_path / "snapshot-5.ckpt").read_bytes()[:-100])
    (tmp_path / "snapshot-3.ckpt.sha256").unlink()
    (tmp_path / "weights.ckpt").unlink()
    with caplog.at_level(logging.INFO, "spine"):
        assert run(config, events, tmp_path)
    assert "goes on after step 2" in caplog.text
    assert "passed over" in caplog.text
    assert same(before, weights(tmp_path))


def test_other_configurations_begin_anew(events: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert run(configured(), events, tmp_path)
    with caplog.at_level(logging.INFO, "spine"):
        assert run(configured(base={"iterations": 8, "threads": 1}), events, tmp_path)
    assert "goes on after step 6" in caplog.text
    with caplog.at_level(logging.INFO, "spine"):
        assert run(configured(base={"seed": 6}), events, tmp_path)
    assert "begins anew" in caplog.text
    assert sorted(path.name for path in tmp_path.glob("snapshot-*.ckpt")) == ["snapshot-4.ckpt", "snapshot-5.ckpt"]
    with pytest.raises(ConfigError, match="no snapshot to go on from"):
        run(configured(train={"resume": True}), events, tmp_path / "empty")


def test_asked_to_stop_it_ends_after_the_step(events: Path, tmp_path: Path) -> None:
    (tmp_path / "stop").touch()
    config = configured(validation={"fraction": 0.2})
    assert not run(config, events, tmp_path)
    assert not (tmp_path / "stop").exists()
    assert not (tmp_path / "weights.ckpt").exists()
    assert len(rows(tmp_path, "validation_log-0000000.csv")) == 1
    assert read_checkpoint(tmp_path / "snapshot-0.ckpt").parts["global_step"] == 0
    assert run(config, events, tmp_path)
    assert [int(row["iter"]) for row in rows(tmp_path, "train_log-*.csv")] == list(range(6))


def test_a_signal_ends_it_too(events: Path, tmp_path: Path) -> None:
    process = start(configured(base={"iterations": 100_000}, train={"save_step": 2}), events, tmp_path / "out")
    wait_for(tmp_path / "out" / "snapshot-1.ckpt", process)
    process.send_signal(signal.SIGUSR1)
    assert process.wait(timeout=60) == 0
    assert not (tmp_path / "out" / "weights.ckpt").exists()
    assert list((tmp_path / "out").glob("snapshot-*.ckpt"))


def test_it_ends_when_nothing_improves_and_keeps_the_best(events: Path, tmp_path: Path) -> None:
    """A rate of zero improves nothing: the first validation stays the best."""
    validation = write_events(tmp_path / "validation.h5", 3, seed=1)
    config = configured(
        base={"iterations": 50}, train={"save_step": 1, "optimizer": {"provider": "SGD", "lr": 0.0}},
        model={"modules": MODULES | {"uresnet_ppn": {**MODULES["uresnet_ppn"], "freeze_weights": False}}},
        validation={"early_stopping": {"patience": 2, "min_delta": 10.0}, "best_checkpoint": {"min_delta": 10.0}},
    )  # fmt: skip
    assert run(config, events, tmp_path / "out", validation=(validation,))
    table = rows(tmp_path / "out", "validation_log-*.csv")
    assert [int(row["iter"]) for row in table] == [0, 1, 2]
    assert read_checkpoint(tmp_path / "out" / "snapshot-best.ckpt").parts["global_step"] == 0
    assert read_checkpoint(tmp_path / "out" / "weights.ckpt").parts["global_step"] == 0
    assert same(weights(tmp_path / "out"), weights(tmp_path / "out", "snapshot-best.ckpt"))


def test_a_loss_that_is_not_finite_names_step_and_events(events: Path, tmp_path: Path) -> None:
    config = configured(train={"optimizer": {"provider": "SGD", "lr": 1e30}})
    with pytest.raises(StageError, match=r"the loss is (nan|inf)") as error:
        run(config, events, tmp_path)
    assert "step" in str(error.value)
    assert "events.h5 entry" in str(error.value)


def test_frozen_parts_stay_and_given_weights_are_taken(events: Path, tmp_path: Path) -> None:
    assert run(configured(), events, tmp_path / "first")
    block = {**MODULES["uresnet_ppn"], "weight_path": str(tmp_path / "first" / "weights.ckpt")}
    block["uresnet"] = {**block["uresnet"], "freeze_weights": True}
    config = configured(model={"modules": MODULES | {"uresnet_ppn": block}})
    assert run(config, events, tmp_path / "second")
    before, after = weights(tmp_path / "first"), weights(tmp_path / "second")
    for name in before:
        assert torch.equal(before[name], after[name]) == name.startswith("uresnet_ppn.uresnet."), name


def test_processes_that_prepare_ahead_change_nothing(events: Path, tmp_path: Path) -> None:
    for workers in (0, 2):
        config = configured("grappa_inter", train={"loader": {"minibatch_size": 2, "num_workers": workers}})
        assert run(config, events, tmp_path / str(workers))
    assert same(weights(tmp_path / "0"), weights(tmp_path / "2"))


def test_slices_hold_what_matters() -> None:
    config = configured("grappa_inter", train={"nodes": "predicted"})
    tree = json.loads(stage_slice(config, "train"))
    assert set(tree["model"]["modules"]) == {"chain", "grappa_inter", "grappa_inter_loss"}
    assert stage_slice(from_slice(stage_slice(config, "train")), "train") == stage_slice(config, "train")
    plain = stage_slice(configured("grappa_inter"), "train")
    unused = {"uresnet": {"reps": 1, "depth": 2, "filters": 2, "num_classes": 5}, "ppn": {}}
    model = {"weight_path": "absent.ckpt", "modules": MODULES | {"uresnet_ppn": unused}}
    for equal in ({"model": model}, {"train": {"keep": 9, "device": "cpu"}}, {"base": {"threads": 2}}):
        assert stage_slice(configured("grappa_inter", **equal), "train") == plain
    assert stage_slice(configured("grappa_inter", base={"seed": 9}), "train") != plain


@pytest.mark.parametrize(
    ("blocks", "message"),
    [
        ({"train": {"modules": ["uresnet_pn"]}}, "did you mean 'uresnet_ppn'"),
        ({"train": {"optimizer": {"provider": "Adm"}}}, "torch has no 'Adm'"),
        ({"train": {"optimizer": {"provider": "Adam", "rate": 1}}}, "options of Adam"),
        ({"train": {"lr_scheduler": {"provider": "StepLR"}}}, "options of StepLR"),
        ({"train": {"precision": "bfloat16", "device": "cpu"}}, "mixed precision needs a GPU"),
        ({"base": {"iterations": None}}, "needs a length"),
        ({"base": {"seed": -1}}, "needs a seed"),
        ({"validation": {"early_stopping": {}}}, "nothing to validate on"),
        ({"model": {"modules": MODULES | {"uresnet_ppn_loss": {"ppn_loss": {"resolutin": 3}}}}}, "ppn_loss.resolutin"),
    ],
)
def test_mistakes_are_named(blocks: dict[str, Any], message: str, events: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=message):
        run(configured(**blocks), events, tmp_path)


def test_missing_products_and_files_are_named(events: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="seg_pred"):
        run(configured("graph_spice", train={"semantics": "predicted"}), events, tmp_path)
    with pytest.raises(DataError, match="no such file"):
        run(configured(), tmp_path / "absent.h5", tmp_path)
    with pytest.raises(DataError, match="fewer events"):
        run(configured(train={"loader": {"minibatch_size": 11}}), events, tmp_path)


def test_epochs_count(events: Path, tmp_path: Path) -> None:
    config = configured(base={"iterations": None, "epochs": 1.5}, train={"save_epoch": 0.5})
    assert run(config, events, tmp_path)
    table = rows(tmp_path, "train_log-*.csv")
    assert [float(row["epoch"]) for row in table] == pytest.approx([0.2, 0.4, 0.6, 0.8, 1.0, 1.2, 1.4, 1.6])
    assert sorted(path.name for path in tmp_path.glob("snapshot-*.ckpt")) == [f"snapshot-{i}.ckpt" for i in (2, 4, 7)]
    assert all(math.isfinite(float(row["grad_norm"])) for row in table)


def test_augmented_events_are_learnt_from(events: Path, tmp_path: Path) -> None:
    """Augmentation and processes that prepare ahead: the same weights whatever their number."""
    augment = {
        "flip": {},
        "rotate": {},
        "translate": {},
        "response": {"dropout_prob": 0.05},
        "jitter": {"fraction": 0.1},
    }
    names = ["grappa_inter", "uresnet_ppn"]
    for workers in (0, 2):
        loader = {"minibatch_size": 2, "num_workers": workers}
        config = configured(
            names, train={"modules": names, "augment": augment, "loader": loader}, base={"iterations": 3}
        )
        assert run(config, events, tmp_path / str(workers))
    assert same(weights(tmp_path / "0"), weights(tmp_path / "2"))


def test_learnt_weights_of_the_parts_go_on_too(events: Path, tmp_path: Path) -> None:
    balance = {"loss_balancing": {"provider": "uncertainty"}}
    for steps in (3, 6):
        config = configured(base={"iterations": steps}, model={"modules": MODULES | balance})
        assert run(config, events, tmp_path / "two")
    assert run(config, events, tmp_path / "one")
    assert same(weights(tmp_path / "one"), weights(tmp_path / "two"))
    learnt = [read_checkpoint(tmp_path / name / "snapshot-5.ckpt").parts["loss_state_dict"] for name in ("one", "two")]
    assert learnt[0] == learnt[1]
    assert isinstance(learnt[0], dict)
    assert all(float(value) != 0.0 for value in learnt[0].values())
    assert any(name.endswith("ppn_regression") for name in learnt[0])
