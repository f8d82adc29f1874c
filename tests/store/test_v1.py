"""The layout of region references: written and read back, and as SPINE writes it."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spine.config.model import Config
from spine.errors import DataError, SchemaError
from spine.schema import PRODUCTS, Event, Ragged, Tensor
from spine.stages import post
from spine.store.reader import EventFile
from spine.store.region_writer import RegionWriter, object_dtype
from spine.store.regions import RegionFile
from spine.store.source import open_events, open_source
from spine.store.writer import EventWriter, FileInfo
from tests.store.events import assert_same_events, random_event

PEER = Path(__file__).parents[1] / "golden" / "data" / "post" / "reco" / "events3_v1.h5"


def write(path: Path, events: list[Event], block: int = 3) -> Path:
    with RegionWriter(path, FileInfo(stage="test", steps=("direction",))) as writer:
        for start in range(0, len(events), block):
            writer.append(events[start : start + block])
    return path


@settings(deadline=None, max_examples=8)
@given(seed=st.integers(0, 1000), n=st.integers(1, 9), block=st.integers(1, 5), size=st.integers(1, 10))
def test_events_come_back(tmp_path_factory: pytest.TempPathFactory, seed: int, n: int, block: int, size: int) -> None:
    events = [random_event(i, seed) for i in range(n)]
    path = write(tmp_path_factory.mktemp("v1") / "events.h5", events, block)
    with open_events(path) as file:
        assert isinstance(file, RegionFile)
        assert (len(file), set(file.names()), file.steps) == (n, set(events[0]), ("direction",))
        read = [event for part in file.blocks(size) for event in part]
        for left, right in zip(events, read, strict=True):
            assert_same_events(left, right, tuple(left))
        names = [name for name in file.names() if PRODUCTS[name].kind == "objects"]
        for name in names:
            whole = file.block(0, n).table(name)
            assert len(whole) == sum(len(event[name]) for event in events)


def test_tensors_with_further_features(tmp_path: Path) -> None:
    def event(entry: int, features: int) -> Event:
        points = Tensor(np.ones((2, 3), np.float32), np.full((2, features), entry, np.float32))
        return Event({"ppn_label": points}, entry)

    with RegionWriter(tmp_path / "wide.h5", FileInfo(), ["ppn_label"]) as writer:
        writer.append([event(0, 3), event(1, 3)])
        with pytest.raises(SchemaError, match="width of the events before"):
            writer.append([event(2, 2)])
    with open_events(tmp_path / "wide.h5") as file:
        assert file.event(1)["ppn_label"].names == ("shape", "particle", "value_2")
        np.testing.assert_array_equal(file.event(1)["ppn_label"].features, np.ones((2, 3)))


def test_bytes_do_not_depend_on_blocks(tmp_path: Path) -> None:
    events = [random_event(i) for i in range(5)]
    paths = [write(tmp_path / f"{block}.h5", events, block) for block in (1, 5)]
    with open_events(paths[0]) as left, open_events(paths[1]) as right:
        for one, other in zip(left.block(0, 5), right.block(0, 5), strict=True):
            assert_same_events(one, other, left.names())
    assert write(tmp_path / "again.h5", events, 5).read_bytes() == paths[1].read_bytes()


def by_reference(file: h5py.File, name: str, entry: int) -> Any:
    """Rows of an event as h5py itself follows the reference."""
    return file[name][file["events"][entry][name]]


@pytest.mark.parametrize("entry", [0, 1, 2])
def test_file_of_spine_equals_its_rows(entry: int) -> None:
    with h5py.File(PEER) as raw, open_events(PEER) as file:
        event = file.event(entry)
        np.testing.assert_array_equal(
            event["points"], by_reference(raw, "points", entry).reshape(-1, 3).astype(np.float32)
        )
        np.testing.assert_array_equal(event["depositions"], by_reference(raw, "depositions", entry).astype(np.float32))
        assert event["run_info"].event == by_reference(raw, "run_info", entry)["event"][0]
        for name in ("reco_particles", "truth_particles", "reco_interactions", "truth_interactions"):
            rows, table = by_reference(raw, name, entry), event[name]
            assert len(rows) == len(table) > 0
            for column in rows.dtype.names:
                check_column(table[column], rows[column], PRODUCTS[name].record.column(column).of is not None)  # type: ignore[union-attr]


def check_column(ours: Any, rows: Any, computed: bool) -> None:
    if isinstance(ours, Ragged):
        assert ours.tolist() == [list(row) for row in rows]
    elif ours.dtype == object:
        assert [value.decode() for value in rows] == ours.tolist()
    elif computed:
        np.testing.assert_allclose(ours, rows, rtol=2e-3, atol=1e-5)
    else:
        np.testing.assert_array_equal(ours, rows.astype(ours.dtype))


def test_events_of_spine_in_any_block() -> None:
    with open_events(PEER) as file:
        assert (len(file), file.steps[0], file.steps[-1]) == (3, "shape_logic", "match")
        whole = file.block(0, 3)
        for entry in range(3):
            assert_same_events(whole.events[entry], file.event(entry), file.names())
        owners = whole.event_rows("reco_particles")
        assert np.bincount(owners).tolist() == [14, 9, 14]
        assert len(file.column("reco_particles.length")) == 37
        assert file.failures() == []


def test_layout_is_spines(tmp_path: Path) -> None:
    """Same types for every column of objects, same attributes, for all products that both files have."""
    with open_events(PEER) as file:
        events = list(file.block(0, 3))
        with RegionWriter(tmp_path / "ours.h5", FileInfo(), file.names()) as writer:
            writer.append(events)
    inferred = {"calo_ke", "ke", "reco_length", "reco_momentum"}  # SPINE takes these types from the first value
    with h5py.File(PEER) as theirs, h5py.File(tmp_path / "ours.h5") as ours:
        assert set(ours) - {"failures"} == set(theirs)
        assert set(ours["events"].dtype.names) == set(theirs["events"].dtype.names)
        assert ours["info"].attrs["format_version"] == theirs["info"].attrs["format_version"]
        for name in (
            "reco_particles",
            "truth_particles",
            "reco_interactions",
            "truth_interactions",
            "meta",
            "run_info",
        ):
            left, right = ours[name], theirs[name]
            assert left.dtype.names == right.dtype.names
            assert dict(left.attrs) == dict(right.attrs)
            for column in set(right.dtype.names) - inferred:
                assert_same_type(left.id.get_type(), right.id.get_type(), column)


def assert_same_type(left: Any, right: Any, column: str) -> None:
    types = [kind.get_member_type(kind.get_member_index(column.encode())) for kind in (left, right)]
    assert types[0] == types[1], column


def test_a_product_in_pieces_is_read_in_order(tmp_path: Path) -> None:
    """References that do not follow each other, as after entries were left out or sorted."""
    path = write(tmp_path / "events.h5", [random_event(i) for i in (0, 1, 2, 4)])
    order = [2, 0, 3]
    with h5py.File(path, "a") as file:
        rows = file["events"][:][order]
        kinds = file["events"].dtype
        del file["events"]
        file.create_dataset("events", data=rows, dtype=kinds)
    with open_events(path) as file:
        events = [random_event((0, 1, 2, 4)[i]) for i in order]
        for left, right in zip(events, file.block(0, 3), strict=True):
            assert_same_events(left, right, tuple(left))


def test_batch_column_and_unknown_products(tmp_path: Path) -> None:
    path = write(tmp_path / "events.h5", [random_event(0)])
    with h5py.File(path, "a") as file:
        rows = file["data"][:]
        del file["data"]
        file["data"] = np.column_stack([np.zeros(len(rows)), rows]).astype(np.float32)
        file["data"].attrs["scalar"] = False
        file["horoscope"] = np.arange(4.0)
        events = file["events"]
        kinds = [(name, h5py.regionref_dtype) for name in (*events.dtype.names, "horoscope")]
        new = np.empty(1, dtype=kinds)
        for name in events.dtype.names:
            new[name] = events[:][name]
        new["data"] = file["data"].regionref[:]
        new["horoscope"] = file["horoscope"].regionref[:]
        del file["events"]
        file.create_dataset("events", data=new, dtype=new.dtype)
    with open_events(path) as file:
        assert file.event(0)["horoscope"].tolist() == [0.0, 1.0, 2.0, 3.0]
        assert_same_events(random_event(0), file.event(0), ("data", "points"))


def test_columns_that_are_missing_or_new(tmp_path: Path) -> None:
    path = write(tmp_path / "events.h5", [random_event(0)])
    with h5py.File(path, "a") as file:
        rows = file["reco_particles"][:]
        kept = [name for name in rows.dtype.names if name not in ("length", "match_ids", "units")]
        table = object_dtype(PRODUCTS["reco_particles"].record)  # type: ignore[arg-type]
        new = np.empty(len(rows), dtype=[*((n, table[n]) for n in kept), ("luck", "f8")])
        for name in kept:
            new[name] = rows[name]
        references = file["events"][:]
        del file["reco_particles"]
        dataset = file.create_dataset("reco_particles", data=new)
        references["reco_particles"] = dataset.regionref[: len(rows)]
        file["events"][...] = references
    with open_events(path) as file:
        found, wanted = file.event(0)["reco_particles"], random_event(0)["reco_particles"]
        assert np.isnan(found["length"]).all()
        assert found["match_ids"].lengths.sum() == 0
        assert found["units"].tolist() == ["cm"] * len(wanted)
        np.testing.assert_array_equal(found["pid"], wanted["pid"])


def test_other_form_is_an_error(tmp_path: Path) -> None:
    path = write(tmp_path / "events.h5", [random_event(0)])
    with h5py.File(path, "a") as file:
        references = file["events"][:]
        file.move("points", "old")
        file["points"] = np.zeros((4, 5))
        references["points"] = file["points"].regionref[:]
        references["fragment_clusts"] = file["points"].regionref[:]
        del file["fragment_clusts"]
        file["fragment_clusts"] = np.zeros(3)
        file["events"][...] = references
    with open_events(path) as file:
        with pytest.raises(SchemaError, match="declared width"):
            _ = file.event(0)["points"]
        with pytest.raises(SchemaError, match="does not hold lists"):
            _ = file.event(0)["fragment_clusts"]


def test_layouts_are_told_apart(tmp_path: Path) -> None:
    with EventWriter(tmp_path / "v2.h5", FileInfo()) as writer:
        writer.append([random_event(0)])
    v1 = write(tmp_path / "v1.h5", [random_event(0)])
    with open_events(tmp_path / "v2.h5") as file:
        assert type(file) is EventFile
    with open_source(v1) as source:
        assert len(source) == 1
        assert_same_events(random_event(0), source.events(0, 1)[0], ("data",))  # type: ignore[arg-type]
    with pytest.raises(DataError, match="open_events"):
        EventFile(v1)
    with pytest.raises(DataError, match="no such file"):
        open_events(tmp_path / "none.h5")


def test_steps_of_files_that_do_not_list_them(tmp_path: Path) -> None:
    path = Path(shutil.copy(PEER, tmp_path / "old.h5"))
    with h5py.File(path, "a") as file:
        for name in ("post_processors", "format_version", "complete", "spine_version"):
            del file["info"].attrs[name]
    with open_events(path) as file:
        assert set(file.steps) >= {"calo_ke", "vertex", "match"}


def test_identity_tells_files_apart(tmp_path: Path) -> None:
    paths = [write(tmp_path / f"{n}.h5", [random_event(i) for i in range(n)]) for n in (1, 2)]
    with open_events(paths[0]) as one, open_events(paths[1]) as two, open_events(paths[0]) as again:
        assert one.identity != two.identity
        assert one.identity == again.identity


def test_stage_continues_a_file_of_spine(tmp_path: Path) -> None:
    """What a stage passes on is read from the older layout."""
    source = Path(shutil.copy(PEER, tmp_path / "spine.h5"))
    config = Config.model_validate({"post": {"calo_ke": {"scaling": 2.0}}})
    report = post.run(source, tmp_path / "post.h5", config)
    assert report.events == 3
    with open_events(tmp_path / "post.h5") as file, open_events(source) as before:
        assert "calo_ke" in file.steps
        for new, old in zip(file.block(0, 3), before.block(0, 3), strict=True):
            np.testing.assert_array_equal(new["points"], old["points"])
            charge = old["reco_particles"]["depositions_sum"]
            np.testing.assert_allclose(new["reco_particles"]["calo_ke"], 2 * charge, rtol=1e-5)


def test_empty_files(tmp_path: Path) -> None:
    with RegionWriter(tmp_path / "empty.h5", FileInfo(), ("points", "reco_particles")) as writer:
        writer.append([])
    with open_events(tmp_path / "empty.h5") as file:
        assert (len(file), list(file.blocks())) == (0, [])
    with RegionWriter(tmp_path / "nothing.h5", FileInfo()):
        pass
    with open_events(tmp_path / "nothing.h5") as file:
        assert (len(file), file.names()) == (0, ("index",))
