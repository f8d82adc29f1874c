"""Exports to ROOT, Parquet and CSV hold the values of the file; files without points keep what follows from them."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import uproot
from typer.testing import CliRunner

import spine
from spine.cli import app
from spine.errors import ConfigError, DataError
from spine.notebook import Run
from spine.schema import Ragged
from spine.store.export import export_tables
from spine.store.lite import litify
from spine.store.source import open_events
from spine.store.writer import EventWriter, FileInfo
from tests.store.events import random_event
from tests.store.test_peer_reader import PYTHON

PEER = Path(__file__).parents[1] / "golden" / "data" / "post" / "reco" / "events3_v1.h5"
OBJECTS = ("reco_particles", "truth_particles", "reco_interactions", "truth_interactions")
LONG = ("index", "orig_index", "index_adapt", "index_g4")


@pytest.fixture
def run() -> Run:
    return spine.open(PEER)


@pytest.fixture
def made_up(tmp_path: Path) -> Path:
    """Events with a product of every kind, one of them empty."""
    with EventWriter(tmp_path / "made_up.h5", FileInfo(stage="test")) as writer:
        writer.append([random_event(i) for i in range(5)])
    return tmp_path / "made_up.h5"


def test_root_file_has_a_tree_with_the_columns(run: Run, tmp_path: Path) -> None:
    names = ("run_info", "points", "reco_particles", "reco_interactions")
    assert export_tables(PEER, tmp_path / "out.root", "root", names, block=2) == 3
    with uproot.open(tmp_path / "out.root") as file:
        assert file.classnames() == {"events;1": "TTree"}
        assert file["events"].num_entries == 3
        branches = file["events"].arrays(library="np")
    assert branches["event"].tolist() == run.numbers["event"].tolist()
    assert branches["points_x"][1].tolist() == pytest.approx(run[1].points[:, 0].tolist())
    for name in ("reco_particles", "reco_interactions"):
        objects = run.objects(name)
        assert branches[f"n{name}"].tolist() == np.bincount(objects.rows, minlength=3).tolist()
        for column, values in objects.table.flat().items():
            if values.dtype.kind != "O":
                found = np.concatenate(branches[f"{name}_{column}"])
                assert found.dtype == values.dtype
                np.testing.assert_array_equal(found, values, err_msg=column)
    counts = np.concatenate(branches["reco_particles_match_ids_length"])
    assert counts.tolist() == run.reco_particles.match_ids.lengths.tolist()
    assert np.concatenate(branches["reco_particles_match_ids"]).tolist() == run.reco_particles.match_ids.values.tolist()
    letters = np.concatenate(branches["reco_interactions_topology"])
    assert letters.tobytes().decode() == "".join(run.reco_interactions.topology)


@pytest.mark.parametrize("name", ["reco_particles", "truth_interactions"])
def test_parquet_files_have_lists_and_meanings(run: Run, tmp_path: Path, name: str) -> None:
    import pyarrow.parquet as pq

    export_tables(PEER, tmp_path / "out", "parquet", block=2)
    stored = pq.read_table(tmp_path / "out" / f"{name}.parquet")
    frame, objects = stored.to_pandas(), run.objects(name)
    assert list(frame.columns[:4]) == ["index", "run", "subrun", "event"]
    assert frame["event"].tolist() == run.numbers["event"][objects.rows].tolist()
    for column in objects.table.record.columns.values():
        values = objects.table[column.name]
        if isinstance(values, Ragged):
            key = "object_index" if column.name == "index" else column.name
            assert [row.tolist() for row in frame[key]] == values.tolist()
    for key, values in objects.table.flat().items():
        np.testing.assert_array_equal(frame[key], values, err_msg=key)
    about = stored.schema.field("vertex_x" if "vertex_x" in frame else "length").metadata
    assert about[b"unit"] == b"cm"
    assert about[b"doc"]


def test_csv_files_are_for_people(run: Run, tmp_path: Path) -> None:
    export_tables(PEER, tmp_path / "out", "csv", ["run_info", "reco_particles", "points"], block=2)
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "events.csv", "points.csv", "reco_particles.csv",
    ]  # fmt: skip
    frame = pd.read_csv(tmp_path / "out" / "reco_particles.csv")
    assert not set(LONG) & set(frame.columns[1:])
    assert (
        frame["match_ids"].fillna("").astype(str).str.split().str.len().tolist()
        == run.reco_particles.match_ids.lengths.tolist()
    )
    np.testing.assert_allclose(frame["length"], run.reco_particles.length)
    np.testing.assert_allclose(pd.read_csv(tmp_path / "out" / "points.csv")["y"], run.points.values[:, 1], rtol=1e-6)


@pytest.mark.parametrize("form", ["root", "parquet", "csv"])
def test_every_kind_of_product_and_empty_events(made_up: Path, tmp_path: Path, form: str) -> None:
    out = tmp_path / ("out.root" if form == "root" else "out")
    assert CliRunner().invoke(app, ["export", str(made_up), "-o", str(out), "--to", form]).exit_code == 0
    with open_events(made_up) as file:
        labels = [event["clust_label"].label("pid").tolist() for event in file.block(0, 5)]
        rows = [event["clust_label"].feature("particle_index").tolist() for event in file.block(0, 5)]
        clusts = [event["fragment_clusts"].tolist() for event in file.block(0, 5)]
    if form == "root":
        with uproot.open(out) as tree:
            found = tree["events"].arrays(["clust_label_particle_index", "clust_label_particles_pid"])
            assert found["clust_label_particle_index"].to_list() == rows
            lengths = tree["events"]["fragment_clusts_values_length"].array().to_list()
            assert lengths == [[len(c) for c in event] for event in clusts]
        return
    read = pd.read_parquet if form == "parquet" else pd.read_csv
    frame = read(out / f"clust_label.{form}")
    table = read(out / f"clust_label_particles.{form}").set_index("index")
    for entry, expected in enumerate(labels):
        picked = frame[frame["index"] == entry]["particle_index"].astype(int)
        pids = table.loc[[entry]]["pid"].to_numpy()
        assert [pids[i] if i >= 0 else -1 for i in picked] == expected
    assert len(read(out / f"particles.{form}")) == sum(i % 4 for i in [len(rows[k]) for k in range(5)])


def test_a_file_without_events(tmp_path: Path) -> None:
    with EventWriter(tmp_path / "none.h5", FileInfo(), ("index", "points", "reco_particles")):
        pass
    for form in ("root", "parquet", "csv"):
        assert export_tables(tmp_path / "none.h5", tmp_path / form, form) == 0  # type: ignore[arg-type]
    with uproot.open(tmp_path / "root") as file:
        assert file["events"].num_entries == 0
    assert "length" in pd.read_csv(tmp_path / "csv" / "reco_particles.csv").columns


def test_reduced_files_keep_what_follows_from_the_points(run: Run, tmp_path: Path) -> None:
    assert litify(PEER, tmp_path / "lite.h5") == 3
    assert (tmp_path / "lite.h5").stat().st_size < 0.7 * PEER.stat().st_size
    lite = spine.open(tmp_path / "lite.h5")
    assert not {"points", "depositions"} & set(lite.products)
    for name in OBJECTS:
        before, after = run.objects(name), lite.objects(name)
        for column in before.table.record.columns:
            if column not in LONG:
                one, other = before.table[column], after.table[column]
                assert one.tolist() == other.tolist() or np.testing.assert_array_equal(one, other) is None, column
        assert len(after["index"].values) == 0
        assert after[[0, 2]]["size"].tolist() == before[[0, 2]]["size"].tolist()
    again = tmp_path / "again.h5"
    litify(tmp_path / "lite.h5", again, layout="v1")
    assert spine.open(again).reco_particles.size.tolist() == run.reco_particles.size.tolist()


def test_reduced_to_plain_columns(run: Run, tmp_path: Path) -> None:
    done = CliRunner().invoke(
        app, ["litify", str(PEER), "-o", str(tmp_path / "f.h5"), "--fixed-only", "--keys", "reco_particles"]
    )
    assert done.exit_code == 0, done.output
    lite = spine.open(tmp_path / "f.h5")
    assert "run_info" not in lite.products
    assert len(lite.reco_particles.match_ids.values) == 0
    for name in ("best_match_id", "best_match_overlap", "num_fragments", "size", "pid"):
        np.testing.assert_array_equal(lite.reco_particles[name], run.reco_particles[name])


def test_wrong_requests(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="did you mean 'reco_particles'"):
        export_tables(PEER, tmp_path / "out", "csv", ["reco_particle"])
    with pytest.raises(ConfigError, match="onto itself"):
        export_tables(PEER, PEER, "root")
    with pytest.raises(ConfigError, match="onto itself"):
        litify(PEER, PEER)
    with pytest.raises(ConfigError, match="no such mode"):
        litify(PEER, tmp_path / "out.h5", mode="light")  # type: ignore[arg-type]
    with pytest.raises(DataError, match="did you mean 'points'"):
        litify(PEER, tmp_path / "out.h5", ["point"])
    assert CliRunner().invoke(app, ["export", str(PEER), "-o", str(tmp_path / "x"), "--to", "rot"]).exit_code != 0
    assert not list(tmp_path.iterdir())


SCRIPT = """
import json, sys
import numpy as np
from spine.io.read.hdf5 import HDF5Reader
from spine.io.transform.hdf5 import litify_hdf5

def plain(value):
    value = value.tolist() if isinstance(value, (np.ndarray, np.generic)) else value
    if isinstance(value, list):
        return [plain(v) for v in value]
    return None if isinstance(value, float) and value != value else value

full, mine, theirs = sys.argv[1:]
litify_hdf5(full, theirs)
readers = [HDF5Reader(file_keys=path) for path in (mine, theirs)]
names = ["reco_particles", "truth_particles", "reco_interactions", "truth_interactions"]
differ, n = [], 0
for i in range(len(readers[0])):
    one, other = (reader.get(i) for reader in readers)
    for name in names:
        for a, b in zip(one[name], other[name], strict=True):
            left, right = ({k: plain(v) for k, v in obj.as_dict().items()} for obj in (a, b))
            differ += [f"{name}.{k}" for k in left if left[k] != right[k]]
            n += 1
print(json.dumps([n, sorted(set(differ))]))
"""


@pytest.mark.peer
@pytest.mark.skipif(not PYTHON.exists(), reason="make peer could not install the SPINE distribution")
def test_spine_reduces_to_the_same_objects(run: Run, tmp_path: Path) -> None:
    from spine.store.export import export

    export(PEER, tmp_path / "full.h5")
    litify(PEER, tmp_path / "mine.h5")
    (tmp_path / "lite.py").write_text(SCRIPT)
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"} | {"NUMBA_DISABLE_JIT": "1"}
    paths = [tmp_path / name for name in ("lite.py", "full.h5", "mine.h5", "theirs.h5")]
    done = subprocess.run([PYTHON, *paths], check=True, cwd=tmp_path, env=environment, capture_output=True, text=True)
    compared, differ = json.loads(done.stdout.splitlines()[-1])
    assert compared == sum(len(run.objects(name)) for name in OBJECTS)
    assert differ == []


def test_products_that_nothing_here_knows_become_tables(tmp_path: Path) -> None:
    path = tmp_path / "f.h5"
    path.write_bytes(gzip.decompress((Path(__file__).parent / "data" / "foreign_v2.h5.gz").read_bytes()))
    export_tables(path, tmp_path / "out", "parquet")
    frames = {place.stem: pd.read_parquet(place) for place in (tmp_path / "out").iterdir()}
    assert frames["events"]["my_text"].tolist() == ["cal µ 4", "cal µ 0", "cal µ 6"]
    assert {"my_mixed_0", "my_mixed_1", "my_labels_particles", "my_arrays"} <= set(frames)
    assert list(frames["my_ends"].columns[-7:]) == ["start_x", "start_y", "start_z", "end_x", "end_y", "end_z", "time"]
    assert len(frames["my_mixed_1"]) == 10
