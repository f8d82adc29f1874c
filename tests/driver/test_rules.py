"""What a Driver refuses: every combination that does not go together, one test each."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from spine.config.source import merge
from spine.driver import Driver
from spine.driver.rules import check_rules
from spine.driver.settings import typed_config
from spine.errors import ConfigError

GENUINE = Path(__file__).parents[1] / "data" / "larcv2_sample.root"
FILES = {"file_keys": str(GENUINE)}
LOADER: dict[str, Any] = {"io": {"loader": {"dataset": FILES}}}
READER: dict[str, Any] = {"io": {"reader": {"file_keys": "spine.h5"}}}
MODEL: dict[str, Any] = {
    "model": {"modules": {"chain": {"stages": [{"name": "segmentation", "config": {"mode": "label"}}]}}}
}
TRAIN: dict[str, Any] = {"train": {"optimizer": {"provider": "Adam"}}}
COLUMNAR: dict[str, Any] = {"io": {"reader": {"columnar": True}}}
BUILD: dict[str, Any] = {"build": {"mode": "reco"}}
POST: dict[str, Any] = {"post": {"direction": {}}}
ANA: dict[str, Any] = {"ana": {"event_summary": {}}}
WRITER: dict[str, Any] = {"io": {"writer": {}}}


def joined(*blocks: dict[str, Any]) -> dict[str, Any]:
    out: dict[str, Any] = {}
    for block in blocks:
        out = merge(out, block)
    return out


def base(**keys: Any) -> dict[str, Any]:
    return {"base": keys}


REFUSED: dict[str, tuple[dict[str, Any], int | None, str]] = {
    "no input": ({"io": {}}, None, "exactly one of loader, dataset and reader"),
    "two inputs": (joined(LOADER, READER), None, "exactly one of loader, dataset and reader"),
    "iterations and epochs": (joined(LOADER, base(iterations=1, epochs=1.0)), None, "exclude each other"),
    "train without model": (joined(LOADER, TRAIN), None, "no model to train"),
    "model with a reader": (joined(READER, MODEL), None, "a model needs a loader"),
    "model with single events": (joined({"io": {"dataset": FILES}}, MODEL), None, "a model needs a loader"),
    "several GPUs without rank": (joined(LOADER, base(world_size=2)), None, "need the rank"),
    "rank too large": (joined(LOADER, base(world_size=2)), 2, "rank of this process is too large"),
    "rank without GPU": (joined(LOADER), 0, "rank of this process is too large"),
    "ddp of one process": (joined(LOADER, base(ddp=True)), None, "ddp needs several processes"),
    "training apart": (joined(LOADER, MODEL, TRAIN, base(world_size=2, ddp=False)), 1, "needs ddp"),
    "build of batches": (joined(LOADER, MODEL, BUILD, base(unwrap=False)), None, "build works on single events"),
    "post of batches": (joined(LOADER, MODEL, POST, base(unwrap=False)), None, "post works on single events"),
    "ana of batches": (joined(LOADER, MODEL, ANA, base(unwrap=False)), None, "ana works on single events"),
    "writer of batches": (joined(LOADER, MODEL, WRITER, base(unwrap=False)), None, "io.writer works on single events"),
    "build of tensors": (joined(LOADER, MODEL, BUILD, {"model": {"to_numpy": False}}), None, "built from arrays"),
    "validation without train": (
        joined(LOADER, MODEL, {"validation": {"fraction": 0.1}}),
        None,
        "belongs to a training",
    ),
    "validation without snapshots": (joined(LOADER, MODEL, TRAIN, {"validation": {}}), None, "there are none"),
    "scheduler without validation": (
        joined(LOADER, MODEL, TRAIN, {"train": {"lr_scheduler": {"provider": "StepLR", "interval": "validation"}}}),
        None,
        "waits for a validation",
    ),
    "columnar with post": (joined(READER, POST, ANA, COLUMNAR), None, "analysis alone"),
    "columnar with build": (joined(READER, BUILD, ANA, COLUMNAR), None, "analysis alone"),
    "columnar with writer": (
        joined(READER, WRITER, ANA, {"io": {"reader": {"columnar": True}}}),
        None,
        "analysis alone",
    ),
    "columnar without ana": (joined(READER, COLUMNAR), None, "needs an analysis"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name: str) -> None:
    cfg, rank, message = REFUSED[name]
    with pytest.raises(ConfigError, match=message):
        Driver(cfg, rank)


def test_no_io() -> None:
    with pytest.raises(ConfigError, match="no block io"):
        Driver({"base": {}})


def test_columnar_with_model() -> None:
    with pytest.raises(ConfigError, match="a model needs a loader"):
        Driver(joined(READER, MODEL, ANA, COLUMNAR))


def test_validation_with_a_reader() -> None:
    with pytest.raises(ConfigError, match="a model needs a loader"):
        Driver(joined(READER, MODEL, TRAIN, {"validation": {}, "train": {"save_step": 1}}))


def test_a_loader_has_no_single_events() -> None:
    driver = Driver(LOADER)
    for place in ({"entry": 0}, {"run": 1, "subrun": 0, "event": 3}):
        with pytest.raises(ConfigError, match="apply_filter"):
            driver.process(**place)


def test_unknown_keys_of_base() -> None:
    with pytest.raises(ConfigError, match="unrecognized keys in base: colour, smell"):
        Driver(joined(LOADER, base(smell=1, colour=2)))
    assert Driver.extract_driver_base_config({"seed": 1, "gpus": [0]}) == {"seed": 1}
    assert not Driver.DRIVER_BASE_KEYS & Driver.RUNTIME_BASE_KEYS
    known = {
        "seed", "world_size", "dtype", "log_dir", "prefix_log", "overwrite_log", "csv_buffer_size", "parent_path",
        "iterations", "epochs", "unwrap", "log_step", "distributed", "ddp", "split_output", "tensorboard",
        "graceful_stop_file",
    }  # fmt: skip
    assert known <= Driver.DRIVER_BASE_KEYS
    assert {"gpus", "torch_sharing_strategy", "verbosity"} == Driver.RUNTIME_BASE_KEYS


def test_a_run_needs_a_length() -> None:
    with pytest.raises(ConfigError, match="needs iterations or epochs"):
        Driver(LOADER).run()


def test_seeds() -> None:
    block: dict[str, Any] = {"seed": -1}
    io: dict[str, Any] = {"loader": {"sampler": "random_sequence"}}
    Driver.normalize_seed_config(block, io)
    assert block["seed"] > 1.5e9
    assert io["loader"]["sampler"] == {"provider": "random_sequence", "seed": block["seed"]}
    block = {}
    Driver.normalize_seed_config(block, {})
    assert block == {"seed": 0}
    with pytest.raises(ConfigError, match="must be an integer"):
        Driver(joined(LOADER, base(seed="many")))
    with pytest.raises(ConfigError, match="a name or a mapping"):
        Driver.normalize_seed_config({}, {"loader": {"sampler": 3}})


def test_what_is_allowed() -> None:
    check_rules(typed_config(joined(LOADER, MODEL, BUILD, POST, ANA, WRITER, base(unwrap=True, iterations=-1))))
    check_rules(typed_config(joined(LOADER, MODEL, BUILD)))
    check_rules(typed_config(joined(LOADER, MODEL, base(unwrap=False))))
    check_rules(typed_config(joined(LOADER, MODEL, TRAIN, base(world_size=2, epochs=1.0))), 1)


def test_networks_without_torch() -> None:
    script = (
        "import sys; sys.modules['torch'] = None\n"
        "from spine.driver import Driver\n"
        f"cfg = {joined(LOADER, MODEL, {'model': {'modules': {'uresnet': {'filters': 2}}}})!r}\n"
        "Driver(cfg)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "ConfigError" in done.stderr
    assert "torch is not installed" in done.stderr
