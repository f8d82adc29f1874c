"""What is written is read back, in parts and along chains; broken files are named."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spine.errors import DataError, SchemaError, StageError
from spine.schema import Event, Ragged, Tensor
from spine.store.reader import EventFile
from spine.store.writer import EventWriter, Failure, FileInfo
from tests.store.events import assert_same_events, random_event


def write(path: Path, events: list[Event], info: FileInfo | None = None, step: int = 3) -> Path:
    with EventWriter(path, info or FileInfo(stage="test")) as writer:
        for i in range(0, len(events), step):
            writer.append(events[i : i + step])
    return path


@given(st.integers(0, 1000), st.integers(1, 9), st.integers(1, 5))
@settings(deadline=None, max_examples=15)
def test_round_trip(tmp_path_factory: pytest.TempPathFactory, seed: int, n: int, step: int) -> None:
    path = tmp_path_factory.mktemp("store") / "file.h5"
    events = [random_event(i, seed) for i in range(n)]
    write(path, events, step=step)
    with EventFile(path) as file:
        assert len(file) == n
        assert file.names() == tuple(sorted(events[0].changed))
        for size in (1, 4, 100):
            read = [event for block in file.blocks(size) for event in block]
            for left, right in zip(events, read, strict=True):
                assert_same_events(left, right, events[0].changed)


def test_the_bytes_do_not_depend_on_how_events_are_appended(tmp_path: Path) -> None:
    events = [random_event(i) for i in range(8)]
    one, two = (write(tmp_path / f"{step}.h5", events, step=step) for step in (1, 5))

    def contents(path: Path) -> dict[str, bytes]:
        found: dict[str, bytes] = {}
        with h5py.File(path) as file:
            file.visititems(
                lambda name, item: found.update({name: item[()].tobytes()}) if hasattr(item, "shape") else None
            )
        return found

    assert contents(one) == contents(two)
    assert one.read_bytes() == write(tmp_path / "again.h5", events, step=1).read_bytes()


def test_a_chain_reads_as_one_event(tmp_path: Path) -> None:
    events = [random_event(i) for i in range(5)]
    first = write(tmp_path / "a" / "first.h5", events)
    with EventFile(first) as file:
        info = FileInfo(stage="next", parent="../a/first.h5", parent_id=file.identity)
        kept = [file.event(i) for i in (0, 2, 4)]
        for event in kept:
            event["depositions"] = event["depositions"] * 2
        second = tmp_path / "b" / "second.h5"
        with EventWriter(second, info) as writer:
            writer.append(kept)
    with EventFile(second) as file:
        assert file.own_names() == ("depositions",)
        assert "points" in file.names()
        for i, j in enumerate((0, 2, 4)):
            event = file.event(i)
            assert_same_events(event, events[j], ("points", "reco_particles", "run_info"))
            np.testing.assert_array_equal(event["depositions"], events[j]["depositions"] * 2)
        table = file.block(0, 3).table("reco_particles")
        assert len(table) == sum(len(events[j]["reco_particles"]) for j in (0, 2, 4))
    write(first, [random_event(i, seed=9) for i in range(5)], FileInfo(stage="other"))
    with EventFile(second) as file, pytest.raises(DataError, match="made anew"):
        _ = file.event(0)["points"]
    first.unlink()
    with EventFile(second) as file, pytest.raises(DataError, match="missing") as error:
        _ = file.event(0)["points"]
    assert "first.h5" in str(error.value)


def test_one_column_is_read_without_the_others(tmp_path: Path) -> None:
    events = [random_event(i) for i in range(6)]
    path = write(tmp_path / "file.h5", events)
    with h5py.File(path, "r+") as file:
        for name in list(file["products"]):
            if name != "reco_particles":
                del file["products"][name]
        del file["products"]["reco_particles"]["variables"]["pool_2"]["values"]
    with EventFile(path) as file:
        lengths = file.column("reco_particles.length")
        expected = np.concatenate([event["reco_particles"]["length"] for event in events])
        np.testing.assert_array_equal(lengths, expected)
        index = file.column("reco_particles.index", 1, 4)
        assert isinstance(index, Ragged)
        assert index.tolist() == [row for event in events[1:4] for row in event["reco_particles"]["index"].tolist()]
        with pytest.raises(DataError, match="did you mean"):
            file.column("reco_particle.length")


def test_failures_are_kept(tmp_path: Path) -> None:
    failure = Failure(3, 1, 2, 103, "direction", "no points — wrong µ")
    with EventWriter(tmp_path / "file.h5", FileInfo()) as writer:
        writer.failures.append(failure)
    with EventFile(tmp_path / "file.h5") as file:
        assert file.failures() == [failure]
        assert len(file) == 0


def test_nothing_is_left_of_a_write_that_fails(tmp_path: Path) -> None:
    path = write(tmp_path / "file.h5", [random_event(0)])
    before = path.read_bytes()

    def fail() -> None:
        with EventWriter(path, FileInfo()) as writer:
            writer.append([random_event(1)])
            raise RuntimeError("stop")

    with pytest.raises(RuntimeError, match="stop"):
        fail()
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["file.h5"]


def test_events_must_have_the_same_products(tmp_path: Path) -> None:
    bare = Event({}, 7, "bare")
    bare["index"] = 7
    with EventWriter(tmp_path / "f.h5", FileInfo()) as writer:
        writer.append([random_event(0)])
        with pytest.raises(DataError, match="lacks the product") as error:
            writer.append([bare])
    assert "entry 7" in str(error.value)


def test_wrong_width_is_named(tmp_path: Path) -> None:
    event = Event({}, 2, "input")
    event["points"] = np.zeros((4, 2))
    with EventWriter(tmp_path / "f.h5", FileInfo()) as writer, pytest.raises(SchemaError, match="'points'") as error:
        writer.append([event])
    assert "input entry 2" in str(error.value)


def test_broken_files_are_named(tmp_path: Path) -> None:
    path = write(tmp_path / "file.h5", [random_event(i) for i in range(3)])
    cases = {
        "short.h5": path.read_bytes()[:2000],
        "text.h5": b"not HDF5 at all",
        "empty.h5": b"",
    }
    for name, content in cases.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(DataError, match="cannot be opened") as error:
            EventFile(tmp_path / name)
        assert name in str(error.value)
    with pytest.raises(DataError, match="no such file"):
        EventFile(tmp_path / "absent.h5")
    with h5py.File(tmp_path / "foreign.h5", "w") as file:
        file["numbers"] = np.arange(3)
    with pytest.raises(DataError, match="not a file of events"):
        EventFile(tmp_path / "foreign.h5")
    with h5py.File(path, "r+") as file:
        file["info"].attrs["complete"] = False
    with pytest.raises(DataError, match="incomplete"):
        EventFile(path)
    with EventFile(path, allow_incomplete=True) as opened:
        assert len(opened) == 3


def test_unwritable_directory(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StageError, match="cannot be made"), EventWriter(tmp_path / "file" / "x.h5", FileInfo()):
        pass


def test_images_may_have_further_features(tmp_path: Path) -> None:
    events = [random_event(i) for i in range(3)]
    for i, event in enumerate(events):
        data = event["data"]
        features = np.column_stack([data.features, np.full((len(data), 2), i, dtype=np.float32)])
        event["data"] = Tensor(data.coords, features, ("value", "nhits", "hit"))
    path = write(tmp_path / "wide.h5", events, step=1)
    with EventFile(path) as file:
        for left, right in zip(events, file.block(0, 3), strict=True):
            assert right["data"].names == ("value", "value_1", "value_2")
            np.testing.assert_array_equal(left["data"].features, right["data"].features)
    with h5py.File(path) as file:
        assert "value_2:\n    - 2" in file["products/data"].attrs["product_metadata"]
    with pytest.raises(SchemaError, match="events before"):
        write(tmp_path / "mixed.h5", [events[0], random_event(1)])
