"""Whole runs: results in their places, other ways to call, bad input, kill and resume."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from pathlib import Path

import pandas as pd
import pytest

from spine.store.reader import EventFile
from tests.workflow.campaign import Campaign

pytestmark = [pytest.mark.workflow, pytest.mark.xdist_group("workflow")]


def test_results_lie_in_their_places(finished: Campaign) -> None:
    results = finished.results()
    for name in ("report.html", "metrics.json", "events.html", "tables/events.csv", "tables/save_reco_particles.csv"):
        assert (results / name).stat().st_size > 0, name
    for stage in ("infer", "build", "post"):
        for stem in ("simulated_0000", "genuine"):
            assert (results / stage / f"{stem}.h5").exists()
    for place in ("logs/infer/genuine.log", "benchmarks-run/post/genuine.tsv", "logs/merge.log"):
        assert (finished.run_dir / place).exists(), place
    events = pd.read_csv(results / "tables" / "events.csv")
    assert events["index"].tolist() == list(range(22))
    assert events["file_index"].tolist() == [0] * 2 + [1] * 20
    counts = pd.read_csv(results / "tables" / "particle_count.csv")
    particles = pd.read_csv(results / "tables" / "save_reco_particles.csv")
    assert counts["particles"].sum() == particles.groupby(["index", "reco_id"]).ngroups
    assert json.loads((results / "metrics.json").read_text())
    assert pd.read_parquet(results / "tables" / "events.parquet").equals(events)


def test_a_stage_writes_only_what_is_new(finished: Campaign) -> None:
    with EventFile(finished.results() / "post" / "genuine.h5") as file:
        assert {n.partition("_")[0] for n in file.own_names()} <= {
            "reco",
            "truth",
            "fragment",
            "particle",
            "interaction",
        }
        assert "points" in file.names()
        assert "clust_label" in file.names()
        assert len(file.event(0)["points"]) > 0


def test_other_ways_to_call(finished: Campaign) -> None:
    finished.snakemake("--report", str(finished.home / "report.zip"))
    assert (finished.home / "report.zip").stat().st_size > 0
    lint = finished.snakemake("--lint", check=False)
    assert lint.returncode == 0, lint.stdout + lint.stderr


def test_a_killed_run_goes_on(scratch: Campaign) -> None:
    process = subprocess.Popen(
        scratch.command(), env=scratch.environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        start_new_session=True, cwd=scratch.home,
    )  # fmt: skip
    built = scratch.results() / "build"
    while process.poll() is None and not built.exists():
        time.sleep(0.05)
    subprocess.run(["pkill", "-KILL", "-g", str(process.pid)], check=False)
    process.wait()
    assert process.returncode == -signal.SIGKILL
    kept = (scratch.results() / "infer" / "simulated_0000.h5").stat().st_mtime_ns
    for path in scratch.results().rglob("*.h5"):
        EventFile(path).close()
    scratch.snakemake("--unlock")
    scratch.snakemake()
    assert (scratch.results() / "infer" / "simulated_0000.h5").stat().st_mtime_ns == kept
    assert not list(scratch.results().rglob("*.part"))
    assert (scratch.results() / "report.html").exists()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ("post.directoin.radius=5", "did you mean 'direction'"),
        ("post.direction.raduis=5", "did you mean 'radius'"),
        ("base.on_eror=skip", "did you mean 'on_error'"),
        ("post.direction.radius=far", "post.direction.radius"),
    ],
)
def test_mistakes_in_the_configuration_are_named_at_once(scratch: Campaign, settings: str, message: str) -> None:
    done = scratch.snakemake("--dry-run", settings=settings, check=False)
    assert done.returncode != 0
    assert message in done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    assert not scratch.results().exists()


def test_a_broken_file_does_not_hold_up_the_others(scratch: Campaign) -> None:
    broken = scratch.home / "broken.root"
    broken.write_bytes((Path(__file__).parents[1] / "data" / "larcv2_sample.root").read_bytes()[:50_000])
    scratch.inputs.append(broken)
    done = scratch.snakemake(check=False)
    assert done.returncode != 0
    log = (scratch.run_dir / "logs" / "infer" / "broken.log").read_text()
    assert "broken.root" in log
    assert "Traceback" not in log
    assert (scratch.results() / "ana" / "simulated_0000" / "events.csv").exists()
    assert not (scratch.results() / "infer" / "broken.h5").exists()
