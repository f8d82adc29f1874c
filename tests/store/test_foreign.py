"""Products that nothing here knows are read as the file stores them, and handed on."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

import spine
from spine.errors import DataError
from spine.schema import Ragged, Tensor
from spine.schema.detector_records import Trigger
from spine.schema.object_records import RecoParticle
from spine.store.export import Layout, export
from spine.store.reader import EventFile
from spine.store.source import open_events
from spine.store.writer import EventWriter, FileInfo
from tests.store.events import assert_same, random_event
from tests.store.foreign_events import SIZES, foreign_events

DATA = Path(__file__).parent / "data"


@pytest.fixture(params=[1, 2])
def foreign(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    path = tmp_path / "foreign.h5"
    path.write_bytes(gzip.decompress((DATA / f"foreign_v{request.param}.h5.gz").read_bytes()))
    return path


def plain(value: Any) -> Any:
    """A product in the form of the reference."""
    if isinstance(value, Tensor):
        return value.coords, value.features
    return list(value) if isinstance(value, Ragged) else value


def assert_equal(found: Any, expected: Any) -> None:
    if isinstance(expected, list | tuple):
        assert len(found) == len(expected)
        for one, other in zip(found, expected, strict=True):
            assert_equal(one, other)
    elif isinstance(expected, np.ndarray):
        assert found.dtype == expected.dtype
        np.testing.assert_array_equal(found, expected)
    else:
        assert found == expected


def assert_same_products(left: EventFile, right: EventFile) -> None:
    assert set(left.names()) == set(right.names())
    for one, other in zip(left.block(0, len(left)), right.block(0, len(right)), strict=True):
        for name in left.names():
            if isinstance(one[name], list):
                assert_equal(other[name], one[name])
            elif hasattr(one[name], "record"):
                for column in one[name].record.columns:
                    assert_same(one[name][column], other[name][column])
            else:
                assert_same(one[name], other[name])


def test_values_are_those_that_were_written(foreign: Path) -> None:
    with open_events(foreign) as file:
        names = set(file.names())
        assert {"my_scores", "my_text", "my_arrays", "my_mixed", "my_triggers", "my_tracks"} <= names
        assert len(names) == (9 if file.version == 1 else 15)
        for event, expected in zip(file.block(0, 3), foreign_events(), strict=True):
            for name in names & set(expected):
                assert_equal(plain(event[name]), expected[name])


def test_objects_of_a_known_class_have_its_columns(foreign: Path) -> None:
    with open_events(foreign) as file:
        assert file.declared("my_triggers").record is Trigger
        assert file.declared("my_tracks").record is RecoParticle
        tracks = [event["my_tracks"] for event in file.block(0, 3)]
        assert [len(table) for table in tracks] == [min(n, 2) for n in SIZES]
        assert tracks[2]["length"].tolist() == [0.5, 1.5]
        assert tracks[2]["index"].tolist() == [[0], [0, 1]]
        assert file.event(0)["my_triggers"]["time_ns"].tolist() == [0, 1]


def test_labels_keep_their_table(tmp_path: Path) -> None:
    path = tmp_path / "f.h5"
    path.write_bytes(gzip.decompress((DATA / "foreign_v2.h5.gz").read_bytes()))
    with open_events(path) as file:
        labels = file.event(2)["my_labels"]
        assert labels.names == ("value", "cluster", "particle_index")
        assert labels.particles["energy_init"].tolist() == [3.5, 4.5]
        assert labels.label("pid").tolist() == [[2, 1][int(i)] for i in labels.feature("particle_index")]


@pytest.mark.parametrize("layout", ["v1", "v2"])
def test_they_survive_an_export(foreign: Path, tmp_path: Path, layout: Layout) -> None:
    assert export(foreign, tmp_path / "out.h5", layout, block=2) == 3
    with open_events(foreign) as before, open_events(tmp_path / "out.h5") as after:
        if before.version == 1 or layout == "v2":
            assert_same_products(before, after)
            return
        for one, other in zip(before.block(0, 3), after.block(0, 3), strict=True):
            for name in before.names():
                assert_equal_rows(one[name], other[name])


def assert_equal_rows(one: Any, other: Any) -> None:
    """The same numbers; the layout of region references does not tell coordinates from features."""
    if isinstance(one, Tensor):
        rows = np.concatenate([one.coords, one.features], axis=1)
        np.testing.assert_array_equal(rows, other if isinstance(other, np.ndarray) else np.column_stack(plain(other)))
    elif isinstance(one, Ragged | list):
        assert_equal(list(other), list(one))


def strange(path: Path) -> Path:
    """The file with a class that nothing here knows."""
    with h5py.File(path, "r+") as file:
        group = file["products/my_tracks"] if "products" in file else file["my_tracks"]
        group.attrs["class_name"] = "Strange"
    return path


@pytest.mark.parametrize("layout", ["v1", "v2"])
def test_objects_of_an_unknown_class(foreign: Path, tmp_path: Path, layout: Layout) -> None:
    export(strange(foreign), tmp_path / "out.h5", layout)
    for path in (foreign, tmp_path / "out.h5"):
        with open_events(path) as file:
            table = file.event(2)["my_tracks"]
            assert table.record.__name__ == "Strange"
            assert set(table.record.columns) == set(RecoParticle.columns)
            assert table["pid"].tolist() == [2, 2]
            enum = table.record.column("pid").enum
            assert enum is not None
            assert enum(2).name == "MUON"
            assert table["units"].tolist() == ["cm", "cm"]
            assert table["match_ids"].tolist() == [[0], [1]]
            assert table[0].start_point.shape == (3,)


def test_they_are_reached_through_a_chain(foreign: Path, tmp_path: Path) -> None:
    with open_events(foreign) as file:
        info = FileInfo(stage="next", parent=foreign.name, parent_id=file.identity)
    with EventWriter(tmp_path / "next.h5", info, ("points",)) as writer:
        for entry in (2, 0):
            event = random_event(entry)
            writer.append([event])
    run = spine.open(tmp_path / "next.h5")
    expected = foreign_events()
    assert [event.my_text for event in run] == [expected[2]["my_text"], expected[0]["my_text"]]
    assert run.my_text == [expected[2]["my_text"], expected[0]["my_text"]]
    np.testing.assert_array_equal(run.my_scores[0], expected[2]["my_scores"])
    assert run.my_tracks.length.tolist() == [0.5, 1.5, 0.5, 1.5]
    assert_equal(run.my_mixed[1], expected[0]["my_mixed"])
    assert run.my_number.tolist() == [1.5, 1.0]
    assert "my_mixed" in run._repr_html_()
    export(tmp_path / "next.h5", tmp_path / "all.h5", "v1")
    with open_events(tmp_path / "all.h5") as file:
        assert file.event(0)["my_text"] == expected[2]["my_text"]
        with pytest.raises(DataError, match="did you mean 'my_text'"):
            file.declared("my_texts")
