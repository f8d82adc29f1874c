"""Files opened for a look: the same values as event by event, as in the tables, as in the files of the chain."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import spine
from spine.config.model import Config
from spine.errors import ConfigError, DataError, SchemaError
from spine.notebook import Run
from spine.schema import Pid, Ragged
from spine.stages import post
from spine.store.columns import picked
from spine.store.export import export
from spine.store.source import open_events

DATA = Path(__file__).parents[1] / "golden" / "data" / "post"
PEER = DATA / "reco" / "events3_v1.h5"
LARCV = Path(__file__).parents[1] / "data" / "larcv2_sample.root"


@pytest.fixture
def run() -> Run:
    return spine.open(PEER)


def shared(frame: pd.DataFrame, table: pd.DataFrame) -> list[str]:
    """Columns of both, those with text left out."""
    return [name for name in table.columns if name in frame.columns and table[name].dtype.kind in "ifb"]


@pytest.mark.parametrize(("way", "side"), [("r2t", "reco"), ("t2r", "truth")])
@pytest.mark.parametrize("kind", ["particle", "interaction"])
def test_matches_are_those_of_the_tables_of_spine(run: Run, kind: str, way: str, side: str) -> None:
    table = pd.read_csv(DATA / "csv" / f"save_{side}_{kind}s.csv")
    found = run.matches(kind, way=way, unmatched=True)  # type: ignore[arg-type]
    names = shared(found, table)
    assert len(names) > 60
    assert len(found) == len(table)
    assert found["index"].tolist() == table["index"].tolist()
    assert found["overlap"].fillna(-1).to_numpy() == pytest.approx(table[f"{side}_best_match_overlap"].to_numpy(), 1e-6)
    other = "truth_id" if side == "reco" else "reco_id"
    assert found[other].tolist() == table[f"{side}_best_match_id"].tolist()
    for name in ("pid", "shape", "id", "size", "is_primary", "length"):
        for prefix in ("reco", "truth"):
            if f"{prefix}_{name}" in names:
                left, right = found[f"{prefix}_{name}"].astype(float), table[f"{prefix}_{name}"].astype(float)
                np.testing.assert_allclose(left, right, rtol=1e-4, err_msg=f"{prefix}_{name}")


def test_overlap_threshold_leaves_out_the_others(run: Run) -> None:
    every, some = run.matches(), run.matches("particle", min_overlap=0.5)
    assert len(some) == (every["overlap"] >= 0.5).sum() < len(every)
    assert len(run.matches(unmatched=True)) == len(run.reco_particles)


def test_columns_are_those_of_the_events(run: Run) -> None:
    particles = run.reco_particles
    events = [run[i] for i in range(len(run))]
    assert len(run) == 3
    assert particles.length.tolist() == pytest.approx(
        np.concatenate([event.reco.particles["length"] for event in events]), nan_ok=True
    )
    assert particles["match_ids"].tolist() == [
        ids for event in events for ids in event.reco.particles["match_ids"].tolist()
    ]
    assert particles[5].start_point.tolist() == events[0].reco.particles[5].start_point.tolist()
    assert [len(rows) for rows in run.points] == [len(event.points) for event in events]
    assert run.run_info.event.tolist() == [event.run_info.event for event in events]
    assert [event.entry for event in run] == [0, 1, 2]


def test_frames_have_the_columns_of_the_tables(run: Run) -> None:
    frame = run.reco_particles.to_pandas()
    table = pd.read_csv(DATA / "csv" / "save_reco_particles.csv")
    assert list(frame.columns[:6]) == list(table.columns[:6])
    assert set(frame.columns[6:]) <= {name.removeprefix("reco_") for name in table.columns}
    assert frame[["index", "run", "subrun", "event"]].equals(table[["index", "run", "subrun", "event"]])
    few = run.reco_particles.to_pandas("pid", "start_point", "match_ids", names=True)
    assert list(few.columns[6:]) == ["pid", "start_point_x", "start_point_y", "start_point_z", "match_ids"]
    assert few["pid"].tolist() == [Pid(value).name for value in run.reco_particles.pid]
    assert few["match_ids"][0].tolist() == run[0].reco.particles[0].match_ids.tolist()


def test_awkward_arrays_nest_objects_in_events(run: Run) -> None:
    found = run.reco_particles.to_awkward()
    assert len(found) == 3
    assert found["match_ids"].to_list() == [event.reco.particles["match_ids"].tolist() for event in run]
    assert found["topology" if "topology" in found.fields else "units"][0][0] == "cm"
    assert found["start_point"].to_list()[1][0] == run[1].reco.particles[0].start_point.tolist()
    assert run[:0].reco_particles.to_awkward("pid", "units").to_list() == []


def test_columns_say_what_they_mean(run: Run) -> None:
    about = run.reco_particles.describe()
    assert about.loc["length", ["meaning", "unit"]].tolist() == ["Length", "cm"]
    assert about.loc["pid", "values"].startswith("-1 UNKNOWN, 0 PHOTON")
    assert about.loc["match_ids", "type"] == "list of int32"
    assert about.loc["start_point", "type"] == "float32 x 3"


def test_cuts(run: Run) -> None:
    frame = run.reco_particles.to_pandas()
    muons = run.where("is_contained & pid == 2")
    assert len(muons) == (frame.is_contained & (frame.pid == 2)).sum() > 0
    assert set(muons.pid) == {2}
    assert (
        len(muons.where("start_point_x > 100"))
        == (frame.is_contained & (frame.pid == 2) & (frame.start_point_x > 100)).sum()
    )
    assert [event.entry for event in muons.events] == sorted(set(frame["index"][frame.is_contained & (frame.pid == 2)]))
    numbers = run.numbers["event"]
    assert len(run.where(f"event == {numbers[1]}")) == len(run[1].reco.particles)
    assert len(run.where("num_particles > 1", of="truth_interactions")) > 0


def test_cuts_on_the_match(run: Run) -> None:
    table = pd.read_csv(DATA / "csv" / "save_reco_particles.csv")
    wrong = run.where("truth.pid == 4 & pid != 4")
    assert len(wrong) == ((table.truth_pid == 4) & (table.reco_pid != 4)).sum() > 0
    assert len(run.where("truth.id < 0")) == (table.reco_best_match_id < 0).sum()
    assert len(run.where("reco.shape == 1", of="truth_particles")) > 0


@pytest.mark.parametrize(
    ("text", "error", "message"),
    [
        ("lenght > 3", SchemaError, "did you mean 'length'"),
        ("truth.lenght > 3", SchemaError, "did you mean 'length'"),
        ("start_point > 3", SchemaError, "take one of start_point_x"),
        ("match_ids > 3", SchemaError, "does not hold one value per object"),
        ("other.pid == 2", SchemaError, "'other' is no side"),
        ("pid", ConfigError, "not true or false"),
    ],
)
def test_wrong_cuts(run: Run, text: str, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        run.where(text)


def test_wrong_names_suggest_the_right_one(run: Run) -> None:
    with pytest.raises(AttributeError, match="did you mean 'reco_particles'"):
        _ = run.reco_particle
    with pytest.raises(AttributeError, match="did you mean 'length'"):
        _ = run.reco_particles.lenght
    with pytest.raises(AttributeError, match="did you mean 'truth_particles'"):
        _ = run[0].truth_particle
    with pytest.raises(AttributeError, match="did you mean 'length'"):
        _ = run[0].reco.particles[0].lenght
    with pytest.raises(DataError, match="holds no objects"):
        run.objects("points")
    with pytest.raises(IndexError, match="no event 3"):
        _ = run[3]
    assert "reco_particles" in dir(run)
    assert "csda_ke" in dir(run.reco_particles)


def test_parts_of_a_run_and_several_files(run: Run, tmp_path: Path) -> None:
    for name in ("b.h5", "a.h5"):
        export(PEER, tmp_path / name)
    both = spine.open(tmp_path / "*.h5")
    assert [path.name for path in both.files] == ["a.h5", "b.h5"]
    assert len(both) == 6
    assert both.numbers["file_index"].tolist() == [0, 0, 0, 1, 1, 1]
    frame = run.reco_particles.to_pandas()
    twice = both.reco_particles.to_pandas()
    pd.testing.assert_frame_equal(
        twice[len(frame) :].drop(columns=["index", "file_index"]).reset_index(drop=True),
        frame.drop(columns=["index", "file_index"]),
    )
    some = both[[4, 0, 5]]
    assert some.numbers["index"].tolist() == [4, 0, 5]
    parts = [frame[frame["index"] == i] for i in (1, 0, 2)]
    np.testing.assert_array_equal(some.reco_particles["id"], np.concatenate([part["id"] for part in parts]))
    assert some.reco_particles["index"].tolist() == [
        r.tolist() for i in (1, 0, 2) for r in run[i].reco.particles["index"]
    ]
    assert len(some.matches()) == len(run.matches())
    assert len(both[2:2].reco_particles.to_pandas()) == 0
    assert len(both[2:2].points) == 0


def test_chain_of_stage_files_is_one_run(tmp_path: Path) -> None:
    source = Path(shutil.copy(PEER, tmp_path / "spine.h5"))
    config = Config.model_validate({"post": {"calo_ke": {"scaling": 2.0}}})
    post.run(source, tmp_path / "post.h5", config)
    with spine.open(tmp_path / "post.h5") as run, open_events(source) as before:
        assert {"points", "reco_particles", "run_info"} <= set(run.products)
        np.testing.assert_array_equal(run.points[1], before.event(1)["points"])
        assert len(run[1:].points) == 2
        assert run.reco_particles.calo_ke.tolist() == pytest.approx(
            [v for i in range(3) for v in run[i].reco.particles["calo_ke"]], nan_ok=True
        )
        np.testing.assert_array_equal(run[2:].run_info.event, [before.event(2).run_info.event])  # type: ignore[union-attr]


def test_columns_that_are_not_asked_for_are_not_read(run: Run) -> None:
    table = run[[2, 0]].reco_particles.table
    assert not table._columns
    assert len(picked(table, np.array([1]))["pid"]) == 1
    assert list(table._columns) == ["pid"]


def test_larcv_files(tmp_path: Path) -> None:
    with spine.open(LARCV)[:2] as run:
        assert len(run) == 2
        assert isinstance(run.data, Ragged)
        assert run.data[0].shape == (len(run[0].data), 4)
        np.testing.assert_array_equal(run.data[1][:, 3], run[1].data.feature("value"))
        assert len(run.where("energy_init > 100", of="particles")) == sum(
            (e.particles["energy_init"] > 100).sum() for e in run
        )
        assert len(run.clust_label) == 2
        assert run.graph_label[1].tolist() == run[1].graph_label.tolist()


def test_cards(run: Run) -> None:
    particle, event = next(p for p in run[0].reco.particles if p.length > 0), run[0]
    card = particle._repr_html_()
    assert f'<td style="text-align:left" title="Length">{particle.length:.4g} cm</td>' in card
    assert Pid(particle.pid).name in card
    assert "more</summary>" in card
    assert f"{len(event.reco.particles)} RecoParticle" in event._repr_html_()
    assert "3 events" in run._repr_html_()
    assert str(len(run.reco_particles)) in run._repr_html_()
    for shown in (run.reco_particles, event.reco.particles, run.run_info[0], run[:0], run[:0].reco_particles):
        text = shown._repr_html_()
        assert text.count("<table>") == text.count("</table>")
        assert text.startswith("<div")


def test_texts_of_files_are_escaped_in_cards(run: Run) -> None:
    particles = run[0].truth.particles
    particles["creation_process"] = np.full(len(particles), "<script>", dtype=object)
    assert "<script>" not in particles[0]._repr_html_()
    assert "&lt;script&gt;" in particles[0]._repr_html_()


@pytest.mark.parametrize("color", ["shape", "pid", "particle", "interaction", "charge", "match"])
def test_figure_shows_every_point(run: Run, color: str) -> None:
    figure = run[1].show(color)
    for scene, points in (("scene", run[1].points), ("scene2", run[1].points_label)):
        drawn = [trace for trace in figure.data if trace.scene == scene and trace.name != "vertices"]
        places = np.concatenate([np.column_stack([t.x, t.y, t.z]) for t in drawn])
        assert len(places) == len(points)
        np.testing.assert_allclose(np.sort(places, axis=0), np.sort(points, axis=0), atol=1e-3)
        assert all(len(trace.text) == len(trace.x) for trace in drawn)


def test_figure_is_thinned_and_knows_its_colours(run: Run) -> None:
    drawn = sum(len(trace.x) for trace in run[1].show(max_points=100).data if trace.name != "vertices")
    assert drawn <= 200
    with pytest.raises(ConfigError, match="did you mean 'shape'"):
        run[1].show("shap")


def test_changes_of_an_event_stay_with_it(run: Run) -> None:
    event = run[0]
    event.reco.particles["is_valid"] = np.zeros(len(event.reco.particles), dtype=bool)
    assert not event.reco.particles["is_valid"].any()
    assert run[0].reco.particles["is_valid"].any()


def test_events_that_come_with_the_package(tmp_path: Path) -> None:
    path = spine.demo_file(tmp_path)
    before = path.stat().st_mtime_ns
    assert spine.demo_file(str(tmp_path)) == path
    assert path.stat().st_mtime_ns == before
    with spine.open(path) as demo:
        assert len(demo) == 16
        assert len(demo.where("shape == 2", of="truth_particles")) == 9
        found = demo.matches("particle", min_overlap=0.5)
        assert (found["truth_shape"] == found["reco_shape"]).mean() > 0.95


def test_wrong_files(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no file fits the pattern"):
        spine.open(tmp_path / "*.h5")
    with pytest.raises(DataError, match="no such file"):
        spine.open(tmp_path / "a.h5")
    with pytest.raises(DataError, match="no files were named"):
        spine.open()


def test_opening_needs_neither_torch_nor_much_time() -> None:
    code = f"""
import sys, spine
assert not {{"numpy", "h5py", "pandas"}} & set(sys.modules), "import spine is not light"
run = spine.open({str(PEER)!r})
run.where("pid == 2"), run.matches(), run[0].show()
assert "torch" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", code], check=True)
