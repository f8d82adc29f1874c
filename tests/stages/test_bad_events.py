"""Bad events stop a stage with one message, or are listed and left out; nothing half-written stays."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pytest

from spine.config import Config, resolve_config
from spine.config.source import PRESETS, read_source
from spine.errors import ConfigError, DataError, StageError
from spine.schema import Event, Ragged, Table, Tensor
from spine.stages import ana, build, infer
from spine.store.reader import EventFile
from spine.store.source import open_source
from spine.store.writer import EventWriter, FileInfo

GENUINE = Path(__file__).parents[1] / "data" / "larcv2_sample.root"


def configured(**base: object) -> Config:
    tree = read_source(PRESETS / "presets" / "label.yaml").tree
    tree["ana"] = {"event_summary": {}}
    tree["post"] = {}
    return resolve_config({**tree, "base": base})


@pytest.fixture(scope="module")
def events() -> list[Event]:
    """Three events of the genuine file."""
    with open_source(GENUINE) as source:
        return [event for event in source.events(0, 3) if isinstance(event, Event)]


def changed(event: Event, **products: object) -> Event:
    """A copy of an event with some products replaced."""
    copy = Event({}, event.entry, "made up")
    for name in event:
        copy[name] = products.get(name, event[name])
    return copy


def nan_charge(event: Event) -> Event:
    features = event["data"].features.copy()
    features[3] = np.nan
    return changed(event, data=Tensor(event["data"].coords, features))


def duplicate_voxel(event: Event) -> Event:
    coords = event["data"].coords.copy()
    coords[1] = coords[0]
    return changed(event, data=Tensor(coords, event["data"].features))


def short_particle_list(event: Event) -> Event:
    return changed(event, particles=event["particles"][:-1])


def label_beyond_the_list(event: Event) -> Event:
    label = event["clust_label"]
    return changed(event, clust_label=Tensor(label.coords, label.features, label.names, label.particles[:3]))


BAD: dict[Callable[[Event], Event], str] = {
    nan_charge: "not a number",
    duplicate_voxel: "twice",
    short_particle_list: "does not match",
    label_beyond_the_list: "do not match",
}


def write(path: Path, events: list[Event]) -> Path:
    with EventWriter(path, FileInfo(stage="test")) as writer:
        writer.append(events)
    return path


@pytest.mark.parametrize("spoil", BAD)
def test_a_bad_event_stops_the_stage(tmp_path: Path, events: list[Event], spoil: Callable[[Event], Event]) -> None:
    source = write(tmp_path / "in.h5", [events[0], spoil(events[1]), events[2]])
    with pytest.raises(DataError, match=BAD[spoil]) as error:
        infer.run(source, tmp_path / "out.h5", configured())
    assert "in.h5 entry 1 (run 1, subrun 0, event 1)" in str(error.value)
    assert "in step 'check'" in error.value.__notes__[-1]
    assert [path.name for path in tmp_path.iterdir()] == ["in.h5"]


@pytest.mark.parametrize("spoil", BAD)
def test_or_is_left_out_and_listed(tmp_path: Path, events: list[Event], spoil: Callable[[Event], Event]) -> None:
    source = write(tmp_path / "in.h5", [events[0], spoil(events[1]), events[2]])
    config = configured(on_error="skip")
    report = infer.run(source, tmp_path / "infer.h5", config)
    assert (report.events, len(report.failures)) == (2, 1)
    build.run(tmp_path / "infer.h5", tmp_path / "build.h5", config)
    ana.run(tmp_path / "build.h5", tmp_path / "ana", config)
    failures = pd.read_csv(tmp_path / "ana" / "failures.csv")
    assert failures[["entry", "run", "subrun", "event"]].to_numpy().tolist() == [[1, 1, 0, 1]]
    assert BAD[spoil] in failures["error"][0]
    assert failures["step"][0] == "check"
    rows = pd.read_csv(tmp_path / "ana" / "event_summary.csv")
    assert rows["event"].tolist() == [0, 2]
    with EventFile(tmp_path / "build.h5") as file:
        np.testing.assert_array_equal(file.event(1)["data"].features, events[2]["data"].features)


def test_an_event_without_voxels_is_an_ordinary_event(tmp_path: Path, events: list[Event]) -> None:
    full = events[1]
    nothing = np.zeros(0, dtype=np.int64)
    label = full["clust_label"].take(nothing)
    empty = changed(
        full, data=full["data"].take(nothing), seg_label=full["seg_label"].take(nothing),
        ppn_label=full["ppn_label"].take(nothing), coord_label=full["coord_label"].take(nothing),
        clust_label=Tensor(label.coords, label.features, label.names, label.particles[:0]),
        particles=Table(full["particles"].record, 0), graph_label=np.zeros((0, 2), dtype=np.int64),
    )  # fmt: skip
    source = write(tmp_path / "in.h5", [events[0], empty, events[2]])
    config = configured()
    infer.run(source, tmp_path / "infer.h5", config)
    build.run(tmp_path / "infer.h5", tmp_path / "build.h5", config)
    ana.run(tmp_path / "build.h5", tmp_path / "ana", config)
    rows = pd.read_csv(tmp_path / "ana" / "event_summary.csv")
    assert rows["num_voxels"].tolist() == [len(events[0]["data"]), 0, len(events[2]["data"])]
    assert rows["num_reco_particles"][1] == 0
    with EventFile(tmp_path / "infer.h5") as file:
        assert isinstance(file.event(1)["particle_clusts"], Ragged)


@pytest.mark.parametrize(
    ("content", "message"),
    [(GENUINE.read_bytes()[:60_000], "short.root"), (b"text", "neither ROOT nor HDF5"), (b"", "neither ROOT nor HDF5")],
)
def test_broken_files(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "short.root").write_bytes(content)
    with pytest.raises(DataError) as error:
        infer.run(tmp_path / "short.root", tmp_path / "out.h5", configured())
    assert message in str(error.value)
    assert not (tmp_path / "out.h5").exists()


def test_a_missing_tree_lists_what_there_is(tmp_path: Path) -> None:
    config = configured()
    parsers = {"data": {"provider": "sparse3d", "sparse_event": "sparse3d_reco2"}}
    dataset = config.io.dataset.model_copy(update={"parsers": parsers})
    with pytest.raises(DataError, match="sparse3d_reco2") as error:
        open_source(GENUINE, dataset.provider, dataset.parsers)
    assert "sparse3d_pcluster_semantics" in str(error.value)


def test_a_file_without_truth_says_so(tmp_path: Path) -> None:
    tree = read_source(PRESETS / "presets" / "label.yaml").tree
    tree["io"] = {"loader": {"dataset": {"has_truth": False}}}
    with pytest.raises(ConfigError, match="seg_label") as error:
        infer.run(GENUINE, tmp_path / "out.h5", resolve_config({**tree, "post": {}, "ana": {}}))
    assert "no truth" in str(error.value)


def test_an_output_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StageError, match="cannot be made"):
        infer.run(GENUINE, tmp_path / "file" / "out.h5", configured())


def contents_of(path: Path) -> dict[str, object]:
    """Bytes of all data sets of a file, and its attributes."""
    found: dict[str, object] = {}

    def take(name: str, item: h5py.Group | h5py.Dataset) -> None:
        found[name] = item[()].tobytes() if isinstance(item, h5py.Dataset) else sorted(item.attrs)

    with h5py.File(path) as file:
        file.visititems(take)
        found |= {f"info.{name}": str(value) for name, value in file["info"].attrs.items()}
    return found


def test_results_do_not_depend_on_the_block_size(tmp_path: Path) -> None:
    source = tmp_path / "genuine.root"
    shutil.copy(GENUINE, source)
    contents = []
    for size in (1, 7):
        config = configured(block_size=size)
        infer.run(source, tmp_path / "infer.h5", config)
        build.run(tmp_path / "infer.h5", tmp_path / "build.h5", config)
        contents.append([contents_of(tmp_path / name) for name in ("infer.h5", "build.h5")])
    assert contents[0] == contents[1]
