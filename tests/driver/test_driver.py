"""The Driver runs the same functions as the stages, chooses events, writes outputs and tables."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from spine.config import resolve_config
from spine.config.source import PRESETS, merge, read_source
from spine.driver import Batch, Driver
from spine.errors import ConfigError, DataError
from spine.schema import Event, Ragged
from spine.stages import ana, build, infer, post
from spine.store.reader import EventFile
from spine.store.source import open_events
from tests.store.events import assert_same_events

GENUINE = Path(__file__).parents[1] / "data" / "larcv2_sample.root"


def settings(**blocks: Any) -> dict[str, Any]:
    """The label preset on the genuine file, some blocks laid over it."""
    preset = read_source(PRESETS / "presets" / "label.yaml").tree
    loader = {"io": {"loader": {"dataset": {"file_keys": str(GENUINE)}}}}
    return merge(merge(preset, loader), blocks)


def parsed(**blocks: Any) -> dict[str, Any]:
    """Single events of the genuine file, nothing run on them."""
    return merge({"io": {"dataset": {"file_keys": str(GENUINE)}}}, blocks)


@pytest.fixture(scope="module")
def single() -> Driver:
    return Driver(parsed())


def numbers(driver: Driver) -> list[int]:
    return [event.run_info.event for data in driver for event in (data.events if isinstance(data, Batch) else [data])]


def test_single_events(single: Driver) -> None:
    single.apply_filter(n_entry=3, n_skip=2)
    assert len(single) == 3
    assert numbers(single) == [2, 3, 4]
    event = single.process(run=1, subrun=0, event=3)
    assert isinstance(event, Event)
    assert event["index"] == 3
    assert single.process(entry=1)["index"] == 3
    single.apply_filter()
    assert len(single) == 20


def test_batches() -> None:
    driver = Driver(settings(io={"loader": {"minibatch_size": 3}}, ana=None))
    driver.apply_filter(n_entry=4)
    assert len(driver) == 4
    first, second = list(driver)
    assert isinstance(first, Batch)
    assert first["index"] == [0, 1, 2]
    assert second["index"] == [3]
    assert [len(table) for table in first["reco_particles"]] == [len(c) for c in first["particle_clusts"]]
    assert np.isfinite(first["reco_particles"][0]["calo_ke"]).all()
    driver.io.reset()
    assert driver.process()["index"] == [0, 1, 2]
    with pytest.raises(DataError, match="did you mean 'reco_particles'"):
        first["reco_particle"]


def test_other_choices(single: Driver) -> None:
    single.apply_filter(entry_list=[4, 1])
    assert [event["index"] for event in single] == [4, 1]
    single.apply_filter(skip_entry_list=range(2, 20))
    assert len(single) == 2
    single.apply_filter(run_event_list=[(1, 0, 7)])
    assert numbers(single) == [7]
    single.apply_filter(skip_run_event_list=[(1, 0, 7)])
    assert len(single) == 19
    single.apply_filter()


def test_choices_of_the_configuration(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / f"{name}.root").symlink_to(GENUINE)
    files = {"file_keys": str(tmp_path / "*.root")}
    shares = [(0.0, 0.26), (0.26, 1.0)]
    counts = [len(Driver({"io": {"dataset": {**files, "entry_fraction_range": share}}})) for share in shares]
    assert counts == [10, 30]
    assert len(Driver({"io": {"dataset": {**files, "limit_num_files": 1}}})) == 20
    with pytest.raises(ConfigError, match="between 0 and 1"):
        Driver({"io": {"dataset": {**files, "entry_fraction_range": (0.5, 0.2)}}})


def test_wrong_choices(single: Driver) -> None:
    with pytest.raises(ConfigError, match="one way only"):
        single.apply_filter(entry_list=[1], n_entry=2)
    with pytest.raises(ConfigError, match="no such entry"):
        single.apply_filter(entry_list=[20])
    with pytest.raises(ConfigError, match="more events"):
        single.apply_filter(n_entry=21)
    with pytest.raises(ConfigError, match="no such event"):
        single.apply_filter(run_event_list=[(9, 9, 9)])
    with pytest.raises(ConfigError, match="no event is left"):
        single.apply_filter(skip_entry_list=range(20))
    with pytest.raises(DataError, match="no such entry"):
        single.process(entry=20)
    with pytest.raises(DataError, match="no event has"):
        single.process(run=1, subrun=1, event=1)
    with pytest.raises(ConfigError, match="name the event"):
        single.process()


def test_the_same_numbers_as_the_stages(tmp_path: Path) -> None:
    config = resolve_config(settings())
    infer.run(GENUINE, tmp_path / "infer.h5", config)
    build.run(tmp_path / "infer.h5", tmp_path / "build.h5", config)
    post.run(tmp_path / "build.h5", tmp_path / "post.h5", config)
    ana.run(tmp_path / "post.h5", tmp_path / "ana", config)
    run = {"base": {"log_dir": str(tmp_path / "driver"), "iterations": -1}}
    driver = Driver(settings(io={"loader": {"minibatch_size": 3}}, **run))
    driver.apply_filter(n_entry=4)
    with EventFile(tmp_path / "post.h5") as file:
        for batch in driver:
            for event in batch.events:
                other = file.event(event["index"])
                assert_same_events(event, other, tuple(name for name in file.names() if name in event))
    Driver(settings(io={"loader": {"minibatch_size": 3}}, **run)).run()
    tables = sorted(path.name for path in (tmp_path / "ana").glob("*.csv") if path.stem != "failures")
    assert tables == sorted(p.name for p in (tmp_path / "driver").glob("*.csv") if p.name != "spine_log.csv")
    assert len(tables) > 8
    for table in tables:
        left, right = (pd.read_csv(tmp_path / place / table) for place in ("ana", "driver"))
        pd.testing.assert_frame_equal(left, right)


@pytest.mark.parametrize("version", [1, 2])
def test_outputs(version: int, tmp_path: Path) -> None:
    keys = ["index", "run_info", "points", "reco_particles"]
    writer = {"directory": str(tmp_path), "keys": keys, "format_version": version}
    blocks: dict[str, Any] = {"ana": None, "base": {"iterations": 3, "log_dir": str(tmp_path), "overwrite_log": True}}
    Driver(settings(io={"writer": writer}, **blocks)).run()
    with open_events(tmp_path / "larcv2_sample_spine.h5") as file:
        assert len(file) == 3
        assert sorted(file.own_names()) == sorted([*keys, "source_file_entry_index", "source_file_index"])
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


def test_some_products_of_a_file(tmp_path: Path) -> None:
    writer = {"file_name": str(tmp_path / "out.h5"), "format_version": 2}
    Driver(parsed(io={"writer": writer}, base={"iterations": 2, "log_dir": str(tmp_path)})).run()
    files = {"file_keys": str(tmp_path / "out.h5")}
    event = Driver({"io": {"reader": {**files, "keys": ["data", "run_info"]}}}).process(entry=1)
    numbers = {"file_entry_index", "file_index", "index", "source_file_entry_index", "source_file_index"}
    assert set(event) == {"data", "run_info", *numbers}
    event = Driver({"io": {"reader": {**files, "skip_keys": ["data"]}}}).process(entry=1)
    assert "data" not in event
    assert "seg_label" in event
    with pytest.raises(DataError, match="lacks the product 'points'"):
        Driver({"io": {"reader": {**files, "keys": ["points"]}}}).process(entry=1)


def test_one_output_per_input(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / f"{name}.root").symlink_to(GENUINE)
    blocks = settings(
        base={"split_output": True, "iterations": -1, "log_dir": str(tmp_path), "overwrite_log": True},
        ana=None,
        post=None,
    )
    blocks["io"] = {
        "loader": {"dataset": {"file_keys": str(tmp_path / "*.root"), "entry_list": [0, 1, 21]}},
        "writer": {"directory": str(tmp_path), "keys": ["index", "reco_particles"], "format_version": 2},
    }
    driver = Driver(blocks)
    seen = []
    for iteration, _ in enumerate(driver):
        seen.append((iteration, sorted(path.name for path in tmp_path.glob("*_spine.h5"))))
    assert seen == [(0, []), (1, []), (2, ["a_spine.h5"])]  # the first is finished when the second has its turn
    driver.cleanup()
    counts = []
    for name in ("a", "b"):
        with EventFile(tmp_path / f"{name}_spine.h5") as file:
            counts.append([event["index"] for event in file.block(0, 9)])
    assert counts == [[0, 1], [21]]
    blocks["io"]["writer"] |= {"file_name": "named.h5"}
    Driver(blocks).run()
    assert (tmp_path / "named_0.h5").is_file()
    assert (tmp_path / "named_1.h5").is_file()


def test_a_run_that_fails_leaves_no_output(tmp_path: Path) -> None:
    writer = {"file_name": str(tmp_path / "out.h5"), "keys": ["index", "points"]}
    driver = Driver(settings(io={"writer": writer}, ana=None, build=None, post=None,
                             base={"iterations": 2, "log_dir": str(tmp_path)}))  # fmt: skip
    with pytest.raises(DataError, match="points"):
        driver.run()
    assert [path.name for path in tmp_path.iterdir()] == ["spine_log.csv"] or not list(tmp_path.glob("*.h5"))


def test_wrong_configurations() -> None:
    with pytest.raises(ConfigError, match="not named"):
        Driver({"io": {"loader": {}}})
    with pytest.raises(ConfigError, match="no file matches"):
        Driver({"io": {"loader": {"dataset": {"file_keys": "absent/*.root"}}}})
    with pytest.raises(ConfigError, match="did you mean 'base'"):
        Driver({"bas": {}})
