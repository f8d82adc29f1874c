"""A campaign to which bad things happen: nothing is lost, nothing half-written, only what is missing is made."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

from tests.workflow.campaign import ROOT, Campaign

pytestmark = [pytest.mark.workflow, pytest.mark.xdist_group("workflow")]

SETTINGS = "sim.files=0;base.on_error=skip;workflow.events_per_job=12"
JOBS = ("genuine.000000-000012", "genuine.000012-000020")
KILL = "import os; os.kill(os.getpid(), 9) if len(event.reco.particles) else None; "


@pytest.fixture(scope="module")
def campaign(tmp_path_factory: pytest.TempPathFactory) -> Campaign:
    """A broken input in front of a good one, in jobs of twelve events, complete."""
    home = tmp_path_factory.mktemp("failures")
    sample = (ROOT / "tests" / "data" / "larcv2_sample.root").read_bytes()
    (home / "broken.root").write_bytes(sample[:50_000])
    (home / "genuine.root").write_bytes(sample)
    made = Campaign(home / "project", [home / "broken.root", home / "genuine.root"])
    made.snakemake(settings=SETTINGS)
    return made


def tables(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.glob("*.csv")}


def stamps(campaign: Campaign) -> dict[str, int]:
    """Times of the files of events."""
    return {str(path): path.stat().st_mtime_ns for path in campaign.results().rglob("*.h5")}


def test_a_corrupt_input_does_not_stop_the_campaign(campaign: Campaign) -> None:
    failures = pd.read_csv(campaign.results() / "tables" / "failures.csv")
    assert failures[["file", "entry", "step"]].to_numpy().tolist() == [["broken", -1, "open"]]
    page = (campaign.results() / "report.html").read_text()
    assert "<td>broken</td>" in page
    counts = json.loads((campaign.results() / "metrics.json").read_text())["counts"]
    assert (counts["files"], counts["events"], counts["failures"]) == (2, 20, 1)


def test_jobs_of_any_size_give_the_same_tables(campaign: Campaign, finished: Campaign) -> None:
    mine = tables(campaign.results() / "ana" / "genuine")
    assert len(mine) > 5
    assert mine == tables(finished.results() / "ana" / "genuine")
    for stage in ("infer", "build", "post"):
        assert all((campaign.results() / stage / job / f"{job}.h5").exists() for job in JOBS)


def test_a_second_run_does_nothing(campaign: Campaign) -> None:
    done = campaign.snakemake(settings=SETTINGS)
    assert "Nothing to be done" in done.stdout + done.stderr


def test_a_stage_that_is_killed_is_made_again_and_nothing_else(campaign: Campaign) -> None:
    before, kept = tables(campaign.results() / "tables"), stamps(campaign)
    step = campaign.run_dir / "mine.py"
    text = step.read_text()
    step.write_text(text.replace("    return {", f"    {KILL}return {{"))
    done = campaign.snakemake(settings=SETTINGS, check=False)
    assert done.returncode != 0
    assert "Killed" in done.stdout + done.stderr
    assert not any((campaign.results() / "ana" / job).exists() for job in JOBS)
    step.write_text(text)
    done = campaign.snakemake(settings=SETTINGS)
    assert stamps(campaign) == kept
    assert tables(campaign.results() / "tables") == before
    assert not list(campaign.results().rglob("*.part"))
