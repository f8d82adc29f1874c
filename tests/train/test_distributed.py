"""Two processes that share each minibatch learn what one process does with the whole of it."""

from __future__ import annotations

import csv
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from spine.config import Config
from spine.config.slices import stage_slice
from spine.model.checkpoint import read_checkpoint
from spine.schema import Event
from spine.stages import train as stage
from spine.stages.train import TrainInputs
from spine.store.writer import EventWriter, FileInfo
from spine.train.shared_norm import SharedBatchNorm, share_statistics

from .made_up import MODULES, UNET, configured, made_up, write_events

STEPS = 12


def two_processes(config: Config, events: Path, folder: Path) -> None:
    """The training as torchrun starts it."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "NUMBA_NUM_THREADS": "1"}
    command = [
        sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m", "spine",
        "train", str(events), "-o", str(folder), "--config", stage_slice(config, "train"),
        "--set", "base.tensorboard=false;train.device=cpu",
    ]  # fmt: skip
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr


def numbers(folder: Path, name: str, log: str = "train_log-0000000.csv") -> list[float]:
    with (folder / log).open() as file:
        return [float(row[name]) for row in csv.DictReader(file)]


def of_equal_size(path: Path, count: int, voxels: int = 80) -> Path:
    """A file of events that have equally many voxels."""
    with EventWriter(path, FileInfo(stage="test")) as writer:
        for entry in range(count):
            whole = made_up(entry)
            rows = np.sort(np.random.default_rng(entry).permutation(len(whole["data"]))[:voxels])
            event = Event({}, entry, "made up")
            event["index"] = entry
            for name in ("data", "seg_label"):
                event[name] = whole[name].take(rows)
            writer.append([event])
    return path


def test_with_equally_many_voxels_it_is_the_same(tmp_path: Path) -> None:
    """Losses that are means over voxels, statistics of all processes: equal but for rounding (1e-4 after 12 steps)."""
    events = of_equal_size(tmp_path / "events.h5", 8)
    modules = {"uresnet": UNET, "uresnet_loss": {}}
    blocks: dict[str, Any] = {"base": {"iterations": STEPS}, "model": {"modules": modules}}
    train = {"modules": ["uresnet"], "optimizer": {"provider": "SGD", "lr": 0.05}, "clip_norm": 1.0}
    blocks["validation"] = {"fraction": 0.25}
    two = configured("uresnet", train=train | {"loader": {"minibatch_size": 2}}, **blocks)
    two_processes(two, events, tmp_path / "two")
    one = configured("uresnet", train=train | {"loader": {"minibatch_size": 4}}, **blocks)
    stage.run(TrainInputs((events,)), tmp_path / "one", one)
    for log in ("train_log-0000000.csv", "validation_log-0000000.csv"):
        for name in ("loss", "accuracy"):
            found = numbers(tmp_path / "two", name, log)
            assert found == pytest.approx(numbers(tmp_path / "one", name, log), rel=1e-4, abs=1e-4)
    first, second = (read_checkpoint(tmp_path / name / "weights.ckpt").state for name in ("one", "two"))
    assert list(first) == list(second)
    for key, value in first.items():
        torch.testing.assert_close(second[key], value, rtol=1e-3, atol=1e-4)


def test_with_other_means_it_is_nearly_the_same(tmp_path: Path) -> None:
    """Each process takes means over its own voxels, points and edges: the curves differ by less than 15 %."""
    events = write_events(tmp_path / "events.h5", 8)
    names = ["grappa_inter", "uresnet_ppn"]
    blocks: dict[str, Any] = {"base": {"iterations": STEPS}, "model": {"modules": MODULES}}
    train = {"modules": names, "optimizer": {"provider": "Adam", "lr": 0.003}}
    two_processes(
        configured(names, train=train | {"loader": {"minibatch_size": 4}}, **blocks), events, tmp_path / "two"
    )
    one = configured(names, train=train | {"loader": {"minibatch_size": 8}}, **blocks)
    stage.run(TrainInputs((events,)), tmp_path / "one", one)
    first, second = (np.array(numbers(tmp_path / name, "loss")) for name in ("one", "two"))
    assert np.abs(second / first - 1).max() < 0.15
    assert second[-1] < 0.8 * second[0]


def test_shared_statistics_of_one_process_are_those_of_torch(tmp_path: Path) -> None:
    """In a group of one process: values, gradients and running statistics."""
    torch.distributed.init_process_group("gloo", init_method=f"file://{tmp_path / 'store'}", rank=0, world_size=1)
    try:
        generator = torch.Generator().manual_seed(0)
        rows = torch.randn(20, 3, generator=generator, dtype=torch.float64, requires_grad=True)
        plain = nn.Sequential(nn.BatchNorm1d(3, eps=1e-4, momentum=0.3)).double()
        shared = nn.Sequential(nn.BatchNorm1d(3, eps=1e-4, momentum=0.3)).double()
        share_statistics(shared)
        assert isinstance(shared[0], SharedBatchNorm)
        results = []
        for network in (plain, shared):
            out = network(rows)
            (gradient,) = torch.autograd.grad((out**3).sum(), rows)
            results.append([out, gradient, *network.state_dict().values()])
        for left, right in zip(*results, strict=True):
            torch.testing.assert_close(right, left, rtol=1e-10, atol=1e-10)
        before = {name: value.clone() for name, value in shared.state_dict().items()}
        torch.testing.assert_close(shared(rows[:1]), shared.eval()(rows[:1]))
        assert all(torch.equal(value, before[name]) for name, value in shared.state_dict().items())
        assert shared.train()(rows[:0]).shape == (0, 3)
    finally:
        torch.distributed.destroy_process_group()
