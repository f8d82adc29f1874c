"""A Driver with networks: random weights, one file of weights, several one after the other, training."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from spine.config.source import merge
from spine.driver import Batch, Driver
from spine.driver.jobs import run_driver
from spine.driver.networks import checkpoints_of
from spine.driver.settings import typed_config
from spine.errors import ConfigError
from spine.stages import infer
from spine.store.source import open_events

torch = pytest.importorskip("torch")

GENUINE = Path(__file__).parents[1] / "data" / "larcv2_sample.root"
NETWORK = {"num_input": 1, "num_classes": 5, "filters": 2, "depth": 2, "reps": 1}


def settings(folder: Path, **blocks: Any) -> dict[str, Any]:
    """A small segmentation that SPINE would run alone, on one event."""
    whole = {
        "base": {"iterations": 1, "log_dir": str(folder), "seed": 3},
        "io": {"loader": {"dataset": {"file_keys": str(GENUINE), "n_entry": 1}}},
        "model": {"provider": "uresnet", "modules": {"uresnet": NETWORK}, "network_input": {"data": "data"}},
    }
    return merge(whole, blocks)


def stored(driver: Driver, path: Path, step: int) -> Path:
    """The weights of a Driver with something added, as a snapshot of a training."""
    assert driver.model is not None
    found = driver.model.networks["uresnet"].state_dict()
    state = {f"uresnet.{k}": v + 0.1 * step if v.is_floating_point() else v for k, v in found.items()}
    torch.save({"state_dict": state, "global_step": step}, path)
    return path


def scores(driver: Driver) -> np.ndarray[Any, Any]:
    return np.asarray(next(iter(driver))["segmentation"][0])


def test_random_weights_follow_the_seed(tmp_path: Path) -> None:
    one, same, other = (scores(Driver(settings(tmp_path, base={"seed": seed}))) for seed in (3, 3, 4))
    np.testing.assert_array_equal(one, same)
    assert not np.allclose(one, other)
    assert one.shape[1] == 5


def test_double_precision(tmp_path: Path) -> None:
    single, double = (scores(Driver(settings(tmp_path, base={"dtype": t}))) for t in ("float32", "float64"))
    np.testing.assert_allclose(single, double, rtol=1e-3, atol=1e-4)


def test_several_files_of_weights(tmp_path: Path) -> None:
    first = Driver(settings(tmp_path))
    paths = [stored(first, tmp_path / f"snapshot-{step}.ckpt", step) for step in (9, 19)]
    driver = Driver(settings(tmp_path, model={"weight_path": str(tmp_path / "snapshot-*.ckpt")}))
    assert driver.model is not None
    assert driver.model.checkpoints == [str(tmp_path / "snapshot-19.ckpt"), str(tmp_path / "snapshot-9.ckpt")]
    run_driver(driver)
    logs = sorted(path.name for path in tmp_path.glob("*.csv"))
    assert logs == ["inference_log-0000010.csv", "inference_log-0000020.csv"]
    listed = tmp_path / "weights.txt"
    listed.write_text("\n".join(map(str, paths)))
    again = typed_config(settings(tmp_path, model={"weight_list": str(listed)}))
    assert checkpoints_of(again) == driver.model.checkpoints
    alone = Driver(settings(tmp_path, model={"weight_path": str(paths[1])}))
    np.testing.assert_array_equal(scores(alone), _with(driver, paths[1]))
    assert not np.allclose(_with(driver, paths[0]), _with(driver, paths[1]))


def _with(driver: Driver, path: Path) -> np.ndarray[Any, Any]:
    assert driver.model is not None
    driver.model.load_weights(str(path))
    return scores(driver)


def test_the_same_as_the_stage(tmp_path: Path) -> None:
    path = stored(Driver(settings(tmp_path)), tmp_path / "a.ckpt", 1)
    config = typed_config(settings(tmp_path, model={"weight_path": str(path)}))
    infer.run(GENUINE, tmp_path / "infer.h5", config)
    driver = Driver(config)
    driver.apply_filter(n_entry=3)
    with open_events(tmp_path / "infer.h5") as file:
        for number, batch in enumerate(driver):
            assert isinstance(batch, Batch)
            for name in ("segmentation", "seg_pred"):
                np.testing.assert_array_equal(batch[name][0], file.event(number)[name])


def test_wrong_weights(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no file of weights matches"):
        Driver(settings(tmp_path, model={"weight_path": str(tmp_path / "*.ckpt")}))
    with pytest.raises(ConfigError, match="list of weights cannot be read"):
        Driver(settings(tmp_path, model={"weight_list": str(tmp_path / "absent.txt")}))
    with pytest.raises(ConfigError, match="exclude each other"):
        Driver(settings(tmp_path, model={"weight_list": "a", "weight_path": "b"}))


def test_no_such_gpu(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no such GPU"):
        Driver(settings(tmp_path, base={"world_size": 100}), 99)


def test_training(tmp_path: Path) -> None:
    blocks: dict[str, Any] = {
        "base": {"iterations": 2, "world_size": 0, "log_dir": str(tmp_path / "logs")},
        "io": {"loader": {"batch_size": 1, "sampler": {"name": "sequential", "seed": 0}}},
        "model": {"modules": {"uresnet_loss": {"balance_loss": False}}, "loss_input": {"seg_label": "seg_label"}},
        "train": {"weight_prefix": str(tmp_path / "w" / "snap"), "save_step": 1,
                  "optimizer": {"name": "Adam", "args": {"lr": 0.01}}},
    }  # fmt: skip
    Driver(settings(tmp_path, **blocks)).run()
    with (tmp_path / "logs" / "train_log-0000000.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    assert [row["iter"] for row in rows] == ["0", "1"]
    assert float(rows[1]["loss"]) < float(rows[0]["loss"])
    assert not (tmp_path / "logs" / "tensorboard").exists()
    assert (tmp_path / "w" / "snap-1.ckpt").is_file()
    model = {"weight_path": str(tmp_path / "w" / "snap-1.ckpt")}
    driver = Driver(settings(tmp_path, model=model))
    assert driver.model is not None
    assert driver.model.start_iteration == 2
    assert np.isfinite(scores(driver)).all()
