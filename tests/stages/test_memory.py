"""Batches that do not fit into memory: halved until they do; an event that is too large fails alone, by name."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from pydantic import Field

from spine.config import resolve_config
from spine.config.model import LoaderBlock
from spine.errors import ConfigError, StageError
from spine.model.chain import FAMILIES, Result, Stage, compose, provider
from spine.model.chain.plan import Plan
from spine.schema import Block, Event
from spine.stages.batches import run_chain
from spine.stages.infer import chain_of
from spine.stages.outcome import Progress
from spine.steps.step import StepConfig
from tests.model.chain.events import event

TOO_MUCH = 1 << 60
"""Bytes that no allocator grants."""


class HungryConfig(StepConfig):
    most: int = Field(description="Voxels that fit into memory")
    library: str = Field("torch", description="Who asks for the memory")


@provider("segmentation", "hungry", requires=("data",), provides=("seg_pred",), per="block")
def hungry(block: Block, cfg: HungryConfig) -> list[Result]:
    events = list(block)
    assert not any("seg_pred" in one for one in events)
    if sum(len(one["data"]) for one in events) > cfg.most:
        if cfg.library == "torch":
            torch.empty(TOO_MUCH, dtype=torch.uint8)
        np.empty(TOO_MUCH, dtype=np.uint8)
    return [{"seg_pred": np.full(len(one["data"]), len(events))} for one in events]


@pytest.fixture(autouse=True)
def hungry_mode(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(FAMILIES["segmentation"].modes, "hungry", f"{__name__}:hungry")


def _plan(most: int, library: str = "torch") -> Plan:
    return compose([Stage("segmentation", config={"mode": "hungry", "most": most, "library": library})])


def _events() -> tuple[list[Event], list[int]]:
    events = [event(number) for number in (3, 1, 2, 3)]
    return events, [len(one["data"]) for one in events]


def _run(plan: Plan, events: list[Event], on_error: str = "stop") -> tuple[list[Event], Progress]:
    progress = Progress("infer", len(events))
    return run_chain(plan, events, LoaderBlock(minibatch_size=9), on_error, progress), progress


@pytest.mark.parametrize("library", ["torch", "numpy"])
def test_a_batch_that_does_not_fit_is_halved(library: str, caplog: pytest.LogCaptureFixture) -> None:
    events, sizes = _events()
    with caplog.at_level(logging.WARNING, "spine"):
        kept, _ = _run(_plan(sum(sizes) - 1, library), events)
    assert kept == events
    assert [int(one["seg_pred"][0]) for one in kept] == [2, 2, 2, 2]
    assert caplog.messages == ["infer: 4 events do not fit into memory together, now 2 at a time"]
    events, sizes = _events()
    assert [int(one["seg_pred"][0]) for one in _run(_plan(sum(sizes)), events)[0]] == [4, 4, 4, 4]


def test_an_event_that_is_too_large_fails_alone() -> None:
    events, sizes = _events()
    largest = int(np.argmax(sizes))
    kept, progress = _run(_plan(max(sizes) - 1), events, "skip")
    left_out = [one for one in events if one not in kept]
    assert [len(one["data"]) for one in left_out] == [size for size in sizes if size == max(sizes)]
    assert [failure.error for failure in progress.failures] == ["the event does not fit into memory"] * len(left_out)
    assert progress.failures[0].entry == events[largest].entry
    with pytest.raises(StageError, match="does not fit into memory") as caught:
        _run(_plan(max(sizes) - 1), _events()[0])
    assert f"events.npz entry {events[largest].entry}" in str(caught.value)
    assert f"{max(sizes)} voxels" in str(caught.value)


def test_other_failures_make_no_halves(caplog: pytest.LogCaptureFixture) -> None:
    events, _ = _events()
    broken = Event({"meta": None}, entry=8)
    with caplog.at_level(logging.WARNING, "spine"):
        kept, progress = _run(_plan(10**9), [*events, broken], "skip")
    assert kept == events
    assert [failure.entry for failure in progress.failures] == [8]
    assert not any("memory" in line for line in caplog.messages)


def test_device_and_threads_are_in_the_log(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    modules: dict[str, Any] = {
        "uresnet": {"reps": 1, "depth": 2, "filters": 2, "num_classes": 5},
        "chain": {"stages": [{"name": "segmentation", "uses": "uresnet", "config": {"mode": "uresnet"}}]},
    }
    from spine.model.checkpoint import Checkpoint, write_checkpoint
    from spine.model.networks import make_networks
    from spine.model.weights import state_of

    path = tmp_path / "tiny.ckpt"
    write_checkpoint(path, Checkpoint(state_of(make_networks({"uresnet": modules["uresnet"]}))))
    tree = {"model": {"weight_path": str(path), "modules": modules}, "base": {"threads": 1, "dtype": "float64"}}
    with caplog.at_level(logging.INFO, "spine"):
        chain_of(resolve_config(tree), [])
    assert "infer: networks uresnet, 1 CPU threads" in caplog.messages
    assert "infer: on the processor, float64" in caplog.messages
    tree["base"]["world_size"] = 1
    tree["base"]["gpus"] = [torch.cuda.device_count()]
    with pytest.raises(ConfigError, match="no such GPU"):
        chain_of(resolve_config(tree), [])
