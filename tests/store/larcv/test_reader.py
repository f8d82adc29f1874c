"""The reader: products against SPINE's parse of a genuine file, and what happens with broken files and events."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import uproot

from spine.errors import ConfigError, DataError
from spine.schema import Ragged, Row, Table, Tensor
from spine.store.larcv import DEFAULT_SCHEMA, LArCVReader, data_schema, list_products
from tests.store.larcv import trees

SAMPLE = Path(__file__).parents[2] / "data" / "larcv2_sample.root"
GOLDEN = dict(np.load(Path(__file__).parent / "data" / "golden.npz"))
SCHEMA = {**DEFAULT_SCHEMA, "clust_label": {**DEFAULT_SCHEMA["clust_label"], "shape_precedence": (2, 1, 0, 3, 4, 6, 5)}}


@pytest.fixture(scope="module")
def events() -> list[dict[str, Any]]:
    with LArCVReader(SAMPLE, SCHEMA) as reader:
        return reader.products(1, 4)


def parts_of(value: object) -> dict[str, Any]:
    """Arrays of a product by the names of the golden file."""
    if isinstance(value, Tensor):
        labels = {} if value.particles is None else {f"particles.{k}": v for k, v in parts_of(value.particles).items()}
        return {"coords": value.coords, "features": value.features, **labels}
    if isinstance(value, Table):
        columns = {name: value[name] for name in value.record.columns}
        offsets = {f"{name}.offsets": v.offsets for name, v in columns.items() if isinstance(v, Ragged)}
        return {name: v.values if isinstance(v, Ragged) else v for name, v in columns.items()} | offsets
    if isinstance(value, Row):
        return value.as_dict()
    return {"values": value}


@pytest.mark.parametrize("name", list(SCHEMA))
def test_products_are_those_of_the_reference(events: list[dict[str, Any]], name: str) -> None:
    compared = 0
    for entry, event in enumerate(events, start=1):
        for part, found in parts_of(event[name]).items():
            if f"{entry}/{name}/{part}" in GOLDEN:
                np.testing.assert_array_equal(found, GOLDEN[f"{entry}/{name}/{part}"], err_msg=f"{entry}/{name}/{part}")
                compared += 1
    assert compared == sum(key.split("/")[1] == name for key in GOLDEN)


def test_an_event_has_the_products_of_the_schema_and_nothing_else(events: list[dict[str, Any]]) -> None:
    assert all(list(event) == list(SCHEMA) for event in events)
    label, image = events[0]["clust_label"], events[0]["data"]
    np.testing.assert_array_equal(label.coords, image.coords)
    np.testing.assert_array_equal(events[0]["seg_label"].coords, image.coords)
    assert image.coords.dtype == np.int32
    assert label.features.dtype == np.float32
    assert events[0]["graph_label"].dtype == np.int64


def test_sentinels_become_missing(events: list[dict[str, Any]]) -> None:
    particles = events[0]["particles"]
    assert set(particles["mct_index"]) == {-1}
    assert np.isnan(particles["end_momentum"]).all()
    assert not np.isnan(particles["momentum"]).any()


def test_ranges_do_not_change_events(events: list[dict[str, Any]]) -> None:
    with LArCVReader(SAMPLE, SCHEMA) as reader:
        assert len(reader) == 20
        alone = reader.products(2, 3)[0]
        assert reader.products(20) == []
        assert reader.run_info()["event"].tolist() == list(range(20))
    for name, value in alone.items():
        for part, found in parts_of(value).items():
            np.testing.assert_array_equal(found, parts_of(events[1][name])[part])


def test_list_products() -> None:
    assert list_products(SAMPLE) == {
        "cluster3d": ["cluster3d_pcluster"],
        "particle": ["particle_corrected", "particle_pcluster"],
        "sparse3d": ["sparse3d_pcluster", "sparse3d_pcluster_semantics", "sparse3d_reco"],
    }


def test_files_without_truth() -> None:
    with LArCVReader(SAMPLE, data_schema("sparse3d_reco")) as reader:
        event = reader.products(0, 1)[0]
    assert list(event) == ["data", "meta", "run_info"]


@pytest.mark.parametrize("size", [0, 50, 200_000, 1_500_000])
def test_truncated_files_are_refused(tmp_path: Path, size: int) -> None:
    path = tmp_path / "cut.root"
    path.write_bytes(SAMPLE.read_bytes()[:size])
    with pytest.raises(DataError, match=r"cut\.root"), LArCVReader(path) as reader:
        reader.products()


def test_foreign_and_missing_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such file"):
        LArCVReader(tmp_path / "none.root")
    (tmp_path / "text.root").write_text("not a ROOT file at all")
    with pytest.raises(DataError, match="cannot be read as ROOT"):
        LArCVReader(tmp_path / "text.root")
    with uproot.recreate(tmp_path / "other.root") as file:
        file.mktree("hits", {"x": np.arange(3)})
    with pytest.raises(DataError, match=r"no larcv products[\s\S]*hits"):
        list_products(tmp_path / "other.root")


def test_missing_products_are_named_with_those_that_there_are() -> None:
    schema = data_schema("sparse3d_charge")
    with pytest.raises(DataError, match=r"sparse3d_charge[\s\S]*sparse3d_pcluster_semantics"):
        LArCVReader(SAMPLE, schema)


def test_everything_wrong_in_a_schema_is_listed() -> None:
    schema: dict[str, dict[str, object]] = {
        "data": {"provider": "sparse3", "sparse_event": "sparse3d_pcluster"},
        "dat": {"provider": "sparse3d", "sparse_event": "sparse3d_pcluster"},
        "meta": {"provider": "meta"},
        "particles": {"provider": "particle", "particle_event": "cluster3d_pcluster", "sparse_event": "sparse3d_x"},
        "seg_label": {"provider": "sparse3d", "sparse_event": "sparse3d_x", "sort": True},
        "run_info": {"provider": "particle_graph", "particle_event": "particle_x"},
    }
    with pytest.raises(ConfigError) as error:
        LArCVReader(SAMPLE, schema)
    text = str(error.value)
    for words in (
        "did you mean 'sparse3d'",
        "'dat'",
        "meta: give sparse_event",
        "particle_event must name",
        "sort",
        "run_info",
    ):
        assert words in text


def images(count: int = 6) -> dict[str, Any]:
    return trees.image([[1, 5, 9]] * count, [[1.0, 2.0, 3.0]] * count)


def test_entries_and_event_numbers_must_agree(tmp_path: Path) -> None:
    schema: dict[str, dict[str, object]] = {**data_schema("sparse3d_a")}
    schema["seg_label"] = {"provider": "sparse3d", "sparse_event": "sparse3d_b"}
    path = trees.write(tmp_path / "lengths.root", {"sparse3d_a": images(3), "sparse3d_b": images(2)})
    with pytest.raises(DataError, match=r"different numbers of entries[\s\S]*sparse3d_a 3, sparse3d_b 2"):
        LArCVReader(path, schema)
    other = {**images(3), "_event": np.array([0, 7, 2], "u8")}
    path = trees.write(tmp_path / "numbers.root", {"sparse3d_a": images(3), "sparse3d_b": other})
    with LArCVReader(path, schema) as reader:
        found = reader.attempts()
    assert [isinstance(event, DataError) for event in found] == [False, True, False]
    assert "entry 1" in str(found[1])


def test_events_without_voxels_are_ordinary(tmp_path: Path) -> None:
    path = trees.write(tmp_path / "empty.root", {"sparse3d_a": trees.image([[], [3]], [[], [1.0]])})
    with LArCVReader(path, data_schema("sparse3d_a")) as reader:
        empty, full = reader.products()
    assert empty["data"].coords.shape == (0, 3)  # type: ignore[attr-defined]
    assert full["data"].coords.tolist() == [[3, 0, 0]]  # type: ignore[attr-defined]
    assert full["run_info"].as_dict() == {"run": 1, "subrun": 2, "event": 1}  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("ids", "values", "words"),
    [
        ([1, 5, 5], [1.0, 2.0, 3.0], "more than once"),
        ([1, 5, 9], [1.0, np.nan, 3.0], "not a number"),
        ([1, 5, 512], [1.0, 2.0, 3.0], "outside the image"),
    ],
)
def test_a_bad_event_does_not_spoil_the_others(tmp_path: Path, ids: list[int], values: list[float], words: str) -> None:
    good = [1, 5, 9], [1.0, 2.0, 3.0]
    image = trees.image([good[0], ids, good[0]], [good[1], values, good[1]])
    path = trees.write(tmp_path / "bad.root", {"sparse3d_a": image})
    with LArCVReader(path, data_schema("sparse3d_a")) as reader:
        found = reader.attempts()
        with pytest.raises(DataError, match=words):
            reader.products()
    assert [isinstance(event, dict) for event in found] == [True, False, True]
    assert f"{path} entry 1, sparse3d_a" in str(found[1])
    assert words in str(found[1])


def test_a_damaged_basket_spoils_only_its_events(tmp_path: Path) -> None:
    path = tmp_path / "damaged.root"
    rng = np.random.default_rng(5)
    part = trees.image([np.sort(rng.permutation(512)[:300]).tolist()] * 2, [rng.random(300).tolist()] * 2)
    with uproot.recreate(path) as file:
        tree = file.mktree("sparse3d_a_tree", part)
        for _ in range(3):
            tree.extend(part)
    with uproot.open(path) as root:
        seek = int(root["sparse3d_a_tree"]["_voxel_v._value"].member("fBasketSeek")[2])
    raw = bytearray(path.read_bytes())
    raw[seek + 120 : seek + 900] = bytes(780)
    path.write_bytes(raw)
    with LArCVReader(path, data_schema("sparse3d_a")) as reader:
        found = reader.attempts()
    assert [isinstance(event, DataError) for event in found] == [False] * 4 + [True] * 2 + [False] * 2
    assert "entry 5" in str(found[5])


def test_the_default_schema_is_plain_data() -> None:
    assert json.loads(json.dumps(DEFAULT_SCHEMA)) == DEFAULT_SCHEMA
