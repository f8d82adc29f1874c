from __future__ import annotations

import base64
import io
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binomtest
from sklearn.metrics import confusion_matrix, roc_auc_score

from spine.errors import DataError
from spine.report import ReportOptions, ReportOutputs, write_report
from spine.report.comparison import changes_text
from spine.report.provenance import entries
from spine.store.provenance import write_lineage

DATA = Path(__file__).parent / "data"
BASE = ["index", "file_index", "file_entry_index", "run", "subrun", "event"]
SEGMENTS = np.random.default_rng(1).integers(0, 500, (12, 5, 5))
"""Voxels by event, found and true class."""

PROVENANCE = {"version": "1.2", "config": json.dumps({"key": "<script>" * 20}), "code": "abc"}


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The frozen tables, and those which the analysis of the peer does not write."""
    folder = tmp_path_factory.mktemp("tables")
    for path in DATA.glob("*.csv"):
        shutil.copy(path, folder)
    events = pd.read_csv(DATA / "cluster_eval_particle.csv")[BASE]
    events["file_index"] = events["index"] // 5
    events.to_csv(folder / "events.csv", index=False)
    counts = {f"count_{i}{j}": SEGMENTS[:, i, j] for i in range(5) for j in range(5)}
    pd.concat([events, pd.DataFrame(counts)], axis=1).to_csv(folder / "segment_eval_summary.csv", index=False)
    failures = {"file": ["b"], "entry": [3], "run": [1], "subrun": [0], "event": [9], "step": ["post"]}
    pd.DataFrame({**failures, "error": ['no <b>voxels</b>, "none"']}).to_csv(folder / "failures.csv", index=False)
    return folder


@pytest.fixture(scope="module")
def benchmarks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("benchmarks")
    (folder / "post").mkdir()
    for name, line in {"a": "2.5\t0:00:02\t100.5\t7", "b": "4.5\t0:00:04\t-\t9"}.items():
        (folder / "post" / f"{name}.tsv").write_text(f"s\th:m:s\tmax_rss\tmax_vms\n{line}\n")
    (folder / "merge.tsv").write_text("s\tmax_rss\n1.5\tNA\n")
    return folder


@pytest.fixture(scope="module")
def report(tables: Path, benchmarks: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, dict[str, Any]]:
    out = tmp_path_factory.mktemp("report")
    outputs = ReportOutputs(out / "report.html", out / "metrics.json")
    options = ReportOptions(title="A <report>", shown=(1, 7))
    returned = write_report(tables, outputs, options, benchmarks, PROVENANCE)
    metrics = json.loads(outputs.metrics.read_text())
    assert metrics == json.loads(json.dumps(returned))
    return outputs.html.read_text(), metrics


def truth() -> pd.DataFrame:
    return pd.read_csv(DATA / "save_truth_particles.csv")


def run(folder: Path, out: Path, **options: Any) -> dict[str, Any]:
    outputs = ReportOutputs(out / "r.html", out / "m.json")
    write_report(folder, outputs, ReportOptions(**options), None, {})
    metrics: dict[str, Any] = json.loads(outputs.metrics.read_text())
    return metrics


def test_counts(report: tuple[str, dict[str, Any]]) -> None:
    assert report[1]["counts"] == {
        "files": 3, "events": 12, "failures": 1, "reco_fragments": None, "reco_particles": 452,
        "reco_interactions": 81, "truth_fragments": None, "truth_particles": 115, "truth_interactions": 20,
    }  # fmt: skip


def test_segmentation_takes_the_first_index_as_the_found_class(report: tuple[str, dict[str, Any]]) -> None:
    section = report[1]["segmentation"]
    total = SEGMENTS.sum(axis=0)
    assert section["matrix"]["counts"] == total.T.tolist()
    right = np.diag(total)
    assert section["accuracy"]["value"] == pytest.approx(right.sum() / total.sum())
    assert section["accuracy"]["n"] == total.sum()
    assert section["efficiency_low_energy"]["value"] == pytest.approx(right[4] / total[:, 4].sum())
    assert section["purity_shower"]["value"] == pytest.approx(right[0] / total[0].sum())
    assert section["purity_shower"]["n"] == total[0].sum()


def test_species(report: tuple[str, dict[str, Any]]) -> None:
    section, frame = report[1]["pid"], truth()
    found = frame[frame.match_overlap >= 0.5]
    square = confusion_matrix(found.truth_pid, found.reco_pid, labels=range(6))
    counts = np.array(section["matrix"]["counts"])
    assert counts[:, :6].tolist() == square.tolist()
    assert counts[:, 7].tolist() == [
        int(((frame.truth_pid == p) & (frame.match_overlap < 0.5)).sum()) for p in range(6)
    ]
    right = int((found.truth_pid == found.reco_pid).sum())
    assert section["accuracy_found"]["value"] == pytest.approx(right / len(found))
    assert section["accuracy"]["n"] == len(frame)
    area = roc_auc_score(found.truth_pid == 4, found.reco_pid_scores_4)
    assert section["area_proton"]["value"] == pytest.approx(area)


def test_clustering(report: tuple[str, dict[str, Any]]) -> None:
    section, frame = report[1]["clustering"], pd.read_csv(DATA / "cluster_eval_particle.csv")
    for column, name in (("pur", "all_pur"), ("eff_1", "track_eff"), ("ari_0", "shower_ari")):
        values = frame[column].dropna()
        assert section[f"particle_{name}_mean"]["value"] == pytest.approx(values.mean())
        assert section[f"particle_{name}_median"]["value"] == pytest.approx(values.median())
        assert section[f"particle_{name}_mean"]["n"] == len(values)
    assert section["missing"] == ["The table cluster_eval_fragment was not written."]


def test_efficiency_and_purity(report: tuple[str, dict[str, Any]]) -> None:
    frame, reco = truth(), pd.read_csv(DATA / "save_reco_particles.csv")
    for section, table, side in (("efficiency", frame, "truth"), ("purity", reco, "reco")):
        for shape, name in enumerate(("shower", "track", "Michel", "delta")):
            part = table[table[f"{side}_shape"] == shape]
            k, n = int((part.match_overlap >= 0.5).sum()), len(part)
            metric = report[1][section][name]
            band = binomtest(k, n).proportion_ci(0.6826894921, method="exact")
            assert (metric["value"], metric["n"]) == (pytest.approx(k / n), n)
            assert (metric["low"], metric["high"]) == pytest.approx((band.low, band.high), abs=1e-8)
    interactions = pd.read_csv(DATA / "save_truth_interactions.csv")
    found = (interactions.match_overlap >= 0.5).mean()
    assert report[1]["efficiency"]["interactions"]["value"] == pytest.approx(found)


def test_vertices(report: tuple[str, dict[str, Any]]) -> None:
    frame, section = pd.read_csv(DATA / "save_truth_interactions.csv"), report[1]["vertices"]
    frame = frame[frame.match_overlap >= 0.5]
    offsets = np.stack([frame[f"reco_vertex_{a}"] - frame[f"truth_vertex_{a}"] for a in "xyz"], axis=1)
    distance = np.sqrt((offsets**2).sum(axis=1))
    assert section["distance_median"]["value"] == pytest.approx(np.median(distance))
    assert section["distance_median"]["unit"] == "cm"
    assert section["near"]["value"] == pytest.approx((distance <= 3).mean())
    assert section["y_median"]["value"] == pytest.approx(np.median(offsets[:, 1]), abs=1e-6)
    width = np.diff(np.quantile(offsets[:, 2], [0.158655, 0.841345]))[0] / 2
    assert section["z_width"]["value"] == pytest.approx(width, rel=1e-4)
    assert section["z_width"]["n"] == len(frame)


def test_start_points(report: tuple[str, dict[str, Any]]) -> None:
    frame, section = truth(), report[1]["points"]
    frame = frame[(frame.match_overlap >= 0.5) & (frame.truth_shape == 1)]
    offsets = np.stack([frame[f"reco_end_point_{a}"] - frame[f"truth_end_point_{a}"] for a in "xyz"], axis=1)
    distance = np.sqrt((offsets[~np.isnan(offsets).any(axis=1)] ** 2).sum(axis=1))
    assert section["end_track_median"]["value"] == pytest.approx(np.median(distance))
    assert section["end_track_median"]["n"] == len(distance)


def test_energy_falls_back_to_the_deposited_one(report: tuple[str, dict[str, Any]]) -> None:
    frame, section = truth(), report[1]["energy"]
    assert frame.truth_ke.isna().all()
    frame = frame[(frame.match_overlap >= 0.5) & (frame.truth_shape == 1) & frame.reco_is_contained]
    frame = frame[frame.reco_csda_ke > 0]
    ratio = frame.reco_csda_ke / frame.truth_energy_deposit - 1
    assert section["contained_track_csda_bias"]["value"] == pytest.approx(ratio.median())
    assert section["contained_track_csda_bias"]["n"] == len(ratio)
    assert "Estimated energy over true deposited energy" in report[0]


def test_time_and_memory(report: tuple[str, dict[str, Any]]) -> None:
    section = report[1]["timing"]
    assert section["post_total"] == {"value": 7.0, "unit": "s", "n": 2, "low": None, "high": None}
    assert section["post_per_event"]["value"] == pytest.approx(7.0 / 12)
    assert section["post_memory"] == {"value": 100.5, "unit": "MB", "n": 1, "low": None, "high": None}
    assert "merge_memory" not in section


def test_the_page_needs_nothing_else(report: tuple[str, dict[str, Any]]) -> None:
    page = report[0]
    assert "://" not in page
    assert re.search(r"@import|<link(?! rel=\"icon\" href=\"data:,\")|<script src|xmlns", page) is None
    addresses = set(re.findall(r'(?:href|src)="([^"]*)"', page))
    allowed = re.compile(r"data:|#|events\.html(#event=(1|7)&amp;color=interaction)?$")
    assert [a for a in addresses if not allowed.match(a)] == []
    anchors = {a[1:] for a in addresses if a.startswith("#")}
    assert anchors <= set(re.findall(r'id="([^"]+)"', page))


def test_texts_are_escaped(report: tuple[str, dict[str, Any]]) -> None:
    assert "<title>A &lt;report&gt;</title>" in report[0]
    assert "no &lt;b&gt;voxels&lt;/b&gt;, &#34;none&#34;" in report[0]
    assert "<script><script>" not in report[0]


def test_every_figure_has_a_caption_and_its_numbers(report: tuple[str, dict[str, Any]]) -> None:
    figures = re.findall(r"<figure.*?</figure>", report[0], flags=re.S)
    assert len(figures) >= 10
    for figure in figures:
        assert "<svg" in figure
        caption = re.search(r"<figcaption>(\S.*?) <a href=\"data:text/csv;base64,([^\"]+)\"", figure, flags=re.S)
        assert caption is not None
        assert len(pd.read_csv(io.BytesIO(base64.b64decode(caption[2]))))


def test_numbers_behind_the_efficiency_figure(report: tuple[str, dict[str, Any]]) -> None:
    figure = re.search(r'id="figure-efficiency".*?base64,([^"]+)"', report[0], flags=re.S)
    assert figure is not None
    numbers = pd.read_csv(io.BytesIO(base64.b64decode(figure[1])))
    frame = truth()
    tracks = frame[frame.truth_shape == 1]
    rows = numbers[(numbers.variable == "length") & (numbers["class"] == "track")]
    for row in rows.itertuples():
        inside = tracks[(tracks.truth_length >= row.low) & (tracks.truth_length < row.high)]
        assert (row.total, row.passed) == (len(inside), int((inside.match_overlap >= 0.5).sum()))
        if row.total:
            band = binomtest(int(str(row.passed)), int(str(row.total))).proportion_ci(0.6826894921, method="exact")
            assert (row.share_low, row.share_high) == pytest.approx((band.low, band.high), abs=1e-7)


def test_same_input_gives_the_same_bytes(
    tables: Path, benchmarks: Path, tmp_path: Path, report: tuple[str, Any]
) -> None:
    script = (
        "import sys; from pathlib import Path; from spine.report import *; import json\n"
        "t, b, o, p = sys.argv[1:]\n"
        "write_report(Path(t), ReportOutputs(Path(o) / 'r.html', Path(o) / 'm.json'),"
        " ReportOptions(title='A <report>', shown=(1, 7)), Path(b), json.loads(p))"
    )
    arguments = [str(tables), str(benchmarks), str(tmp_path), json.dumps(PROVENANCE)]
    subprocess.run([sys.executable, "-c", script, *arguments], check=True)
    assert (tmp_path / "r.html").read_text() == report[0]


def test_importing_the_report_loads_no_plotting() -> None:
    script = "import sys, spine.report; print([m for m in ('matplotlib', 'jinja2', 'pandas') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "[]"


def test_without_tables_every_section_says_so(tmp_path: Path) -> None:
    metrics = run(tmp_path, tmp_path)
    assert set(metrics["counts"].values()) == {None}
    sections = [v for k, v in metrics.items() if k not in ("title", "provenance", "counts")]
    assert all(set(section) == {"missing"} for section in sections)
    assert (tmp_path / "r.html").read_text().count('class="missing"') >= len(sections)


@pytest.mark.parametrize("kept", ["", "index,file_index,file_entry_index,run,subrun,event\n", None])
def test_empty_tables(tables: Path, tmp_path: Path, kept: str | None) -> None:
    for path in tables.glob("*.csv"):
        head = path.read_text().partition("\n")[0] + "\n"
        (tmp_path / path.name).write_text(head if kept is None else kept)
    metrics = run(tmp_path, tmp_path)
    assert metrics["counts"]["events"] == metrics["counts"]["truth_particles"] == metrics["counts"]["files"] == 0


def test_data_without_truth(tables: Path, tmp_path: Path) -> None:
    for name in ("events", "failures"):
        shutil.copy(tables / f"{name}.csv", tmp_path)
    frame = pd.read_csv(DATA / "save_reco_particles.csv").drop(columns=["truth_id", "match_overlap"])
    frame.rename(columns=lambda name: name.removeprefix("reco_")).to_csv(
        tmp_path / "save_reco_particles.csv", index=False
    )
    metrics = run(tmp_path, tmp_path)
    assert metrics["purity"]["missing"] == ["The table save_reco_particles was written without matches."]
    assert "data without truth" in metrics["efficiency"]["missing"][0]
    assert metrics["found"]["by_species"]["muon"][1] == int(((frame.reco_pid == 2) & (frame.reco_shape == 1)).sum())
    assert metrics["found"]["ke_track_median"]["value"] == pytest.approx(frame[frame.reco_shape == 1].reco_ke.median())


def test_efficiency_from_its_own_table(tmp_path: Path) -> None:
    columns = {"truth_shape": [1, 1, 0], "truth_ke": [50.0, 80.0, 9.0], "truth_cos": [0.1, -0.2, 0.3]}
    frame = pd.DataFrame({**columns, "truth_length": [20.0, 30.0, np.nan], "match_overlap": [0.9, 0.2, 0.6]})
    frame.to_csv(tmp_path / "efficiency_particle.csv", index=False)
    section = run(tmp_path, tmp_path)["efficiency"]
    assert (section["track"]["value"], section["track"]["n"]) == (0.5, 2)
    assert section["shower"]["value"] == 1.0


def test_comparison_of_two_runs(tables: Path, tmp_path: Path, report: tuple[str, dict[str, Any]]) -> None:
    before = tmp_path / "before.json"
    before.write_text(json.dumps(report[1]))
    for name in ("segment_eval_summary", "save_truth_interactions"):
        shutil.copy(tables / f"{name}.csv", tmp_path)
    run(tmp_path, tmp_path, min_overlap=0.1, compare=before)
    table = re.search(r'id="comparison".*?base64,([^"]+)"', (tmp_path / "r.html").read_text(), flags=re.S)
    assert table is not None
    rows = pd.read_csv(io.BytesIO(base64.b64decode(table[1])))
    row = rows[(rows.section == "vertices") & (rows.number == "near")].iloc[0]
    old = report[1]["vertices"]["near"]
    assert row["other run"] == pytest.approx(old["value"], abs=1e-4)
    assert row["other N"] == old["n"]
    assert row["change"] == pytest.approx(row["this run"] - row["other run"], rel=0.01)
    assert set(rows.section) == {"vertices"}


def test_comparison_with_something_else(tmp_path: Path) -> None:
    for text in ("{}", "not json"):
        (tmp_path / "x.json").write_text(text)
        with pytest.raises(DataError, match=r"metrics\.json"):
            run(tmp_path, tmp_path, compare=tmp_path / "x.json")


def test_changes_between_two_reports(tmp_path: Path) -> None:
    numbers = {"value": 0.5, "unit": "", "n": 100, "low": 0.45, "high": 0.55}
    for name, value in (("old", 0.5), ("new", 0.75)):
        (tmp_path / name).mkdir()
        report = {"title": "t", "provenance": {}, "counts": {}, "pid": {"accuracy": numbers | {"value": value}, "n": 3}}
        (tmp_path / name / "metrics.json").write_text(json.dumps(report))
    text = changes_text(tmp_path / "old", tmp_path / "new")
    assert "1 of N = 1 numbers changed" in text
    assert text.splitlines()[2].split() == ["pid", "accuracy", "0.75", "100", "0.5", "100", "+0.25", "+3.5"]
    with pytest.raises(DataError, match="cannot be read"):
        changes_text(tmp_path / "old", tmp_path / "nothing")


def test_header_tells_what_made_the_tables(tmp_path: Path) -> None:
    record = {"code": "c0de", "config": {"a": 1}, "inputs": [["in.root", "5ha"]], "versions": {"spine": "0.1"}}
    stages = [{**record, "stage": "infer", "seed": 3, "weights": '{"w": "f00"}'}, {**record, "stage": "merge"}]
    assert entries(tmp_path, []) == {}
    write_lineage(tmp_path, stages)
    found = entries(tmp_path, [])
    assert found["stages"] == "infer → merge"
    assert found["inputs (N = 1), sha256"] == "in.root  5ha"
    assert (found["infer: seed"], found["infer: code"], found["version of spine"]) == ("3", "c0de", "0.1")
    assert "f00" in found["infer: weights, sha256"]
