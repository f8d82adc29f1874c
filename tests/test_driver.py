"""The Driver runs the same functions as the stages, chooses events, writes outputs and tables."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from spine.config import resolve_config
from spine.config.source import PRESETS, merge, read_source
from spine.driver import Driver
from spine.errors import ConfigError, DataError
from spine.schema import Ragged
from spine.stages import ana, build, infer, post
from spine.store.reader import EventFile
from tests.store.events import assert_same_events

GENUINE = Path(__file__).parent / "data" / "larcv2_sample.root"


def settings(**blocks: Any) -> dict[str, Any]:
    """The label preset on the genuine file, some blocks laid over it."""
    preset = read_source(PRESETS / "presets" / "label.yaml").tree
    loader = {"io": {"loader": {"dataset": {"file_keys": str(GENUINE)}}}}
    return merge(merge(preset, loader), blocks)


@pytest.fixture(scope="module")
def driver() -> Driver:
    return Driver(settings())


def test_events_one_by_one(driver: Driver) -> None:
    driver.apply_filter(n_entry=3, n_skip=2)
    assert len(driver) == 3
    numbers = [event.run_info.event for event in driver]
    assert numbers == [2, 3, 4]
    event = driver.process(run=1, subrun=0, event=3)
    assert event["index"] == 3
    assert len(event.reco.particles) == len(event["particle_clusts"])
    assert np.isfinite(event.reco.particles["calo_ke"]).all()
    driver.apply_filter()
    assert len(driver) == 20


def test_other_choices(driver: Driver) -> None:
    driver.apply_filter(entry_list=[4, 1])
    assert [driver.load(i)["index"] for i in range(len(driver))] == [4, 1]
    driver.apply_filter(skip_entry_list=range(2, 20))
    assert len(driver) == 2
    driver.apply_filter(run_event_list=[(1, 0, 7)])
    assert driver.load(0).run_info.event == 7
    driver.apply_filter(skip_run_event_list=[(1, 0, 7)])
    assert len(driver) == 19
    driver.apply_filter()


def test_wrong_choices(driver: Driver) -> None:
    with pytest.raises(ConfigError, match="one way only"):
        driver.apply_filter(entry_list=[1], n_entry=2)
    with pytest.raises(ConfigError, match="no such entry"):
        driver.apply_filter(entry_list=[20])
    with pytest.raises(ConfigError, match="more events"):
        driver.apply_filter(n_entry=21)
    with pytest.raises(ConfigError, match="no such event"):
        driver.apply_filter(run_event_list=[(9, 9, 9)])
    with pytest.raises(ConfigError, match="no event is left"):
        driver.apply_filter(skip_entry_list=range(20))
    with pytest.raises(DataError, match="no such entry"):
        driver.process(entry=20)
    with pytest.raises(DataError, match="no event has"):
        driver.process(run=1, subrun=1, event=1)
    with pytest.raises(ConfigError, match="name the event"):
        driver.process()


def test_the_same_numbers_as_the_stages(tmp_path: Path) -> None:
    config = resolve_config(settings())
    infer.run(GENUINE, tmp_path / "infer.h5", config)
    build.run(tmp_path / "infer.h5", tmp_path / "build.h5", config)
    post.run(tmp_path / "build.h5", tmp_path / "post.h5", config)
    ana.run(tmp_path / "post.h5", tmp_path / "ana", config)
    driver = Driver(settings(ana={"overwrite": True}, base={"log_dir": str(tmp_path / "driver")}))
    driver.apply_filter(n_entry=4)
    with EventFile(tmp_path / "post.h5") as file:
        for event in driver:
            other = file.event(event["index"])
            assert_same_events(event, other, tuple(name for name in file.names() if name in event))
    driver.apply_filter()
    driver = Driver(settings(base={"log_dir": str(tmp_path / "driver")}))
    driver.run()
    for table in ("save_reco_particles", "cluster_eval_particle", "segment_eval_summary"):
        left, right = (pd.read_csv(tmp_path / place / f"{table}.csv") for place in ("ana", "driver"))
        pd.testing.assert_frame_equal(left, right)


def test_outputs(tmp_path: Path) -> None:
    writer = {"directory": str(tmp_path), "keys": ["index", "run_info", "points", "reco_particles"]}
    blocks: dict[str, Any] = {"ana": None, "base": {"iterations": 3}}
    Driver(settings(io={"writer": writer}, **blocks)).run()
    with EventFile(tmp_path / "larcv2_sample_spine.h5") as file:
        assert len(file) == 3
        assert file.own_names() == ("index", "points", "reco_particles", "run_info")
        index = file.event(1)["reco_particles"]["index"]
        assert isinstance(index, Ragged)
        assert index.values.max() < len(file.event(1)["points"])
    with pytest.raises(ConfigError, match="exists"):
        Driver(settings(io={"writer": writer}, **blocks)).run()
    again = Driver({
        "io": {"reader": {"file_keys": str(tmp_path / "*.h5")}}, "post": {"direction": {"run_mode": "reco"}},
    })  # fmt: skip
    assert len(again) == 3
    particles = again.process(entry=0).reco.particles
    assert np.isfinite(particles["start_dir"][particles["size"] > 3]).all()


def test_one_output_per_input(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / f"{name}.root").symlink_to(GENUINE)
    blocks = settings(base={"split_output": True}, ana=None, post=None)
    blocks["io"] = {
        "loader": {"dataset": {"file_keys": str(tmp_path / "*.root"), "entry_list": [0, 1, 21]}},
        "writer": {"directory": str(tmp_path), "keys": ["index", "reco_particles"]},
    }
    Driver(blocks).run()
    counts = []
    for name in ("a", "b"):
        with EventFile(tmp_path / f"{name}_spine.h5") as file:
            counts.append([event["index"] for event in file.block(0, 9)])
    assert counts == [[0, 1], [21]]


def test_wrong_configurations() -> None:
    with pytest.raises(ConfigError, match="loader and reader"):
        Driver({"io": {}})
    with pytest.raises(ConfigError, match="not named"):
        Driver({"io": {"loader": {}}})
    with pytest.raises(ConfigError, match="no file matches"):
        Driver({"io": {"loader": {"dataset": {"file_keys": "absent/*.root"}}}})
    with pytest.raises(ConfigError, match="did you mean 'base'"):
        Driver({"bas": {}})
