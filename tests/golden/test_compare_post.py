"""The comparison of post-processing on three events of SPINE, and that it notices what is wrong."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import yaml

from spine.schema import Ragged
from tests.golden.compare_post import compare, main, outcome_of
from tests.golden.exceptions import EXCEPTIONS, Exempt, exception_of
from tests.golden.post_cases import Expected

REDUCED = Path(__file__).parent / "data" / "post"
DIFFERENCES = Path(__file__).parents[2] / "docs" / "differences.md"


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """A copy of the reduced set that may be changed."""
    return Path(shutil.copytree(REDUCED, tmp_path / "golden"))


def column(found: object, expected: object) -> Expected:
    values = [value if isinstance(value, Ragged) else np.asarray(value) for value in (found, expected)]
    return Expected(values[0], values[1], np.arange(len(values[0])))


def test_reduced_set_agrees(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(REDUCED), "--strict"]) == 0
    out = capsys.readouterr().out
    assert "objects and tables cluster_eval_interaction, cluster_eval_particle, save_reco_interactions" in out
    assert " 0 outside the tolerance" in out
    assert " 0 steps not available" in out


def test_every_table_and_object_is_compared() -> None:
    [(_, outcomes)] = compare(REDUCED)
    names = {outcome.finding.product.partition(".")[0] for outcome in outcomes}
    objects = {f"{side}_{level}" for side in ("reco", "truth") for level in ("particles", "interactions")}
    assert names == objects | {path.stem for path in (REDUCED / "csv").glob("*.csv")}
    rows = {o.finding.product: o.finding.rows for o in outcomes}
    assert rows["reco_particles.start_dir"] == 37
    assert rows["truth_particles.match_ids"] == 25
    assert not [name for name in rows if rows[name] == 0]


def test_other_options_are_noticed(directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = directory / "reco" / "events3.yaml"
    tree = yaml.safe_load(file.read_text())
    tree["post"]["containment"]["margin"] = 60.0
    tree["post"]["calo_ke"]["scaling"] = 1.001
    file.write_text(yaml.safe_dump(tree))
    assert main([str(directory)]) == 1
    bad = [line.split()[0] for line in capsys.readouterr().out.splitlines() if "OUTSIDE" in line]
    assert {"reco_particles.is_contained", "reco_particles.calo_ke", "save_reco_particles.reco_calo_ke"} <= set(bad)
    assert not [name for name in bad if name.endswith(("length", "start_dir", "pid", "match_ids"))]


def test_wrong_number_in_a_table_is_noticed(directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = directory / "csv" / "cluster_eval_particle.csv"
    lines = file.read_text().splitlines()
    place = lines[0].split(",").index("pur")
    cells = lines[2].split(",")
    cells[place] = repr(float(cells[place]) * 1.0005)
    file.write_text("\n".join([*lines[:2], ",".join(cells), *lines[3:]]) + "\n")
    assert main([str(directory)]) == 1
    bad = [line.split()[0] for line in capsys.readouterr().out.splitlines() if "OUTSIDE" in line]
    assert bad == ["cluster_eval_particle.pur"]


def test_unknown_steps_fail_on_request(directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = directory / "reco" / "events3.yaml"
    file.write_text(file.read_text() + "  divination:\n    depth: 3\n")
    assert main([str(directory)]) == 0
    assert "not available: post.divination" in capsys.readouterr().out
    assert main([str(directory), "--strict"]) == 1


def test_nothing_to_compare(tmp_path: Path) -> None:
    assert main([str(tmp_path)]) == 2


def test_tolerances() -> None:
    assert outcome_of("t.x", column([1.0, np.nan, 1e-6], [1.00009, np.nan, 0.0])).good
    assert not outcome_of("t.x", column([1.0], [1.0002])).good
    assert not outcome_of("t.x", column([1.0], [np.nan])).good
    assert not outcome_of("t.x", column([1, 2], [1, 3])).good
    assert not outcome_of("t.x", column([True], [False])).good
    assert not outcome_of("t.x", column(["cm"], ["px"])).good
    assert not outcome_of("t.x", column([1.0], [1.0, 2.0])).good
    lists = Ragged.from_list([[1.0, 2.0], []], np.float32)
    assert outcome_of("t.x", column(lists, Ragged.from_list([[1.0, 2.0001], []], np.float32))).good
    assert not outcome_of("t.x", column(lists, Ragged.from_list([[1.0], [2.0]], np.float32))).good
    assert not outcome_of("t.x", Expected(None, np.zeros(1), np.zeros(1, np.int64))).good


def test_exceptions_are_bounded() -> None:
    mass = "reco_particles.mass"
    assert outcome_of(mass, column([0.51099895], [0.511998])).good
    assert not outcome_of(mass, column([0.51099895], [0.513])).good
    turned = "truth_particles.reco_start_dir"
    assert outcome_of(turned, column([[1.0, 0.0, 0.0]], [[-1.0, 0.0, 0.0]])).good
    assert not outcome_of(turned, column([[1.0, 0.0, 0.0]], [[1.0, 0.0, 0.0]])).good
    sums = "save_reco_particles.reco_depositions_sum"
    assert outcome_of(sums, column([4.0, 5.0], [0.0, 0.0])).good
    assert not outcome_of(sums, column([4.0, 5.0], [4.0, 0.0])).good


@pytest.mark.parametrize("exempt", EXCEPTIONS, ids=lambda exempt: exempt.patterns.split()[0])
def test_exceptions_are_documented(exempt: Exempt) -> None:
    assert f"## {exempt.section}\n" in DIFFERENCES.read_text(encoding="utf-8")


def test_rows_that_follow_another_rule_are_told_from_errors() -> None:
    name = "truth_particles.children_counts"
    found, theirs, wrong = (Ragged.from_list([row], np.int32) for row in ([1, 0], [0, 1], [2, 0]))
    events = np.zeros(1, dtype=np.int64)
    assert outcome_of(name, Expected(found, theirs, events, ruled=theirs)).good
    assert not outcome_of(name, Expected(found, wrong, events, ruled=theirs)).good


def test_small_energies_may_deviate_by_little() -> None:
    assert outcome_of("reco_particles.csda_ke", column([12.03], [12.0])).good
    assert not outcome_of("reco_particles.csda_ke", column([12.06], [12.0])).good
    assert not outcome_of("reco_particles.csda_ke", column([400.5], [400.0])).good


def test_most_columns_have_no_exception() -> None:
    assert exception_of("reco_particles.length", np.zeros(1)) is None
    assert exception_of("reco_particles.depositions_sum", np.zeros(1)) is None
    assert exception_of("cluster_eval_particle.pur", np.ones(1)) is None
