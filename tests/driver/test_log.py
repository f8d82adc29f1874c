"""The log of a Driver: names, columns, what goes to TensorBoard and to the screen."""

from __future__ import annotations

import csv
import logging
from pathlib import Path
from typing import Any

import pytest

from spine.config.source import merge
from spine.driver import Driver
from spine.driver.log import Log, log_name
from spine.errors import ConfigError, StageError

GENUINE = Path(__file__).parents[1] / "data" / "larcv2_sample.root"
LABELS: dict[str, Any] = {
    "model": {"modules": {"chain": {"stages": [{"name": "segmentation", "config": {"mode": "label"}}]}}}
}
FIRST = ["iter", "epoch", "first_entry", "cpu_mem", "cpu_mem_perc"]
ENDS = ("time", "time_cpu", "time_sum", "time_sum_cpu")


def settings(folder: Path, **blocks: Any) -> dict[str, Any]:
    loader = {"minibatch_size": 2, "dataset": {"file_keys": str(GENUINE), "n_entry": 5}}
    return merge({"io": {"loader": loader}, "base": {"iterations": -1, "log_dir": str(folder)}}, blocks)


def rows(path: Path) -> list[dict[str, str]]:
    with path.open() as stream:
        return list(csv.DictReader(stream))


def columns(*watches: str) -> list[str]:
    return [*FIRST, *(f"{watch}_{end}" for watch in watches for end in ENDS)]


def test_names() -> None:
    assert log_name(False, False, None, 0) == "spine_log.csv"
    assert log_name(True, True, None, 7) == "spine_log.csv"
    assert log_name(False, False, 0, 0) == "spine_log.csv"
    assert log_name(False, False, 2, 0) == "spine_proc2_log.csv"
    assert log_name(True, False, None, 7) == "inference_log-0000007.csv"
    assert log_name(True, False, 3, 12345678) == "inference_proc3_log-12345678.csv"


def test_rows_of_batches(tmp_path: Path) -> None:
    Driver(settings(tmp_path, **LABELS)).run()
    found = rows(tmp_path / "inference_log-0000000.csv")
    assert list(found[0]) == columns("iteration", "load", "model", "unwrap")
    assert [row["iter"] for row in found] == ["0", "1", "2"]
    assert [float(row["epoch"]) for row in found] == pytest.approx([1 / 3, 2 / 3, 1])
    assert [row["first_entry"] for row in found] == ["0", "2", "4"]
    assert float(found[-1]["load_time_sum"]) == pytest.approx(sum(float(row["load_time"]) for row in found))
    assert all(float(r["iteration_time"]) >= float(r["load_time"]) + float(r["model_time"]) > 0 for r in found)


def test_rows_of_everything(tmp_path: Path) -> None:
    chain = [
        {"name": name, "config": {"mode": "label"}}
        for name in ("segmentation", "fragmentation", "particle_aggregation", "interaction_aggregation")
    ]
    blocks = {
        "model": {"modules": {"chain": {"stages": chain}}}, "build": {"mode": "reco"},
        "post": {"direction": {"run_mode": "reco"}, "calo_ke": {}}, "ana": {"event_summary": {}},
        "io": {"writer": {"directory": str(tmp_path), "keys": ["points"]}},
    }  # fmt: skip
    Driver(settings(tmp_path, **blocks)).run()
    watches = (
        "iteration",
        "load",
        "model",
        "unwrap",
        "build",
        "post",
        "post_direction",
        "post_calo_ke",
        "ana",
        "write",
    )
    assert list(rows(tmp_path / "spine_log.csv")[0]) == columns(*watches)


def test_rows_of_single_events(tmp_path: Path) -> None:
    blocks = {"io": {"dataset": {"file_keys": str(GENUINE)}}, "base": {"iterations": 2, "log_dir": str(tmp_path)}}
    Driver(blocks).run()
    found = rows(tmp_path / "spine_log.csv")
    assert list(found[0])[: len(columns("iteration", "load"))] == columns("iteration", "load")
    assert {"index", "file_index", "file_entry_index"} <= set(found[0])
    assert [row["index"] for row in found] == ["0", "1"]


def test_prefix_and_overwriting(tmp_path: Path) -> None:
    blocks = settings(tmp_path, base={"prefix_log": True, "iterations": 1})
    Driver(blocks).run()
    assert [path.name for path in tmp_path.iterdir()] == ["larcv2_sample_spine_log.csv"]
    with pytest.raises(ConfigError, match="the log exists"):
        Driver(blocks).run()
    Driver(merge(blocks, {"base": {"overwrite_log": True}})).run()


def test_epochs_and_repeated_passes(tmp_path: Path) -> None:
    Driver(settings(tmp_path, base={"iterations": None, "epochs": 1.4})).run()
    found = rows(tmp_path / "spine_log.csv")
    assert [row["first_entry"] for row in found] == ["0", "2", "4", "0"]


def test_columns_are_fixed(tmp_path: Path) -> None:
    with Log(tmp_path / "log.csv") as log:
        log.append({"iter": 0, "loss": 1.0})
        with pytest.raises(StageError, match="other columns"):
            log.append({"iter": 1, "accuracy": 1.0})
    with pytest.raises(StageError, match="not open"):
        Driver(settings(tmp_path)).log(Driver(settings(tmp_path)).process(), "now", 0)


def test_screen(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    driver = Driver(settings(tmp_path, base={"log_step": 2}))
    assert [driver.should_log_stdout(i) for i in range(4)] == [False, True, False, True]
    with caplog.at_level(logging.INFO, "spine"):
        driver.run()
    shown = [record.getMessage() for record in caplog.records if record.getMessage().startswith("Iter.")]
    assert len(shown) == 1
    assert shown[0].startswith("Iter. 1 (epoch 0.667) @ ")
    assert "Time (inference)" in shown[0]


def test_tensorboard(tmp_path: Path) -> None:
    from tensorboard.backend.event_processing.event_file_loader import EventFileLoader

    Driver(settings(tmp_path, base={"tensorboard": {"log_dir": "events", "flush_secs": 1}})).run()
    (path,) = (tmp_path / "events").iterdir()
    loader = EventFileLoader(str(path))
    values = [(e.step, v.tag) for e in loader.Load() for v in e.summary.value]
    assert (2, "iteration_time") in values
    assert {tag for step, tag in values if step == 0} == {*columns("iteration", "load")[1:]}
    with pytest.raises(ConfigError, match="unknown options of TensorBoard"):
        Driver(settings(tmp_path, base={"tensorboard": {"colour": 1}, "overwrite_log": True})).run()
