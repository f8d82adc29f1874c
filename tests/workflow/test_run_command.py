"""``spine run``: what it says before it runs, and the end."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.workflow.campaign import Campaign

pytestmark = [pytest.mark.workflow, pytest.mark.xdist_group("workflow")]


def spine_run(campaign: Campaign, *options: str, config: str = "config.yaml") -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "spine", "run", str(campaign.run_dir / config), *map(str, campaign.inputs)]
    return subprocess.run(
        [*command, "--directory", str(campaign.run_dir), *options], env=campaign.environment(), cwd=campaign.home,
        capture_output=True, text=True,
    )  # fmt: skip


def test_nothing_is_to_be_done(finished: Campaign) -> None:
    done = spine_run(finished)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0].startswith("nothing is to be done")
    assert lines[-1].startswith("results: ")
    assert "report.html" in lines[-1]


def test_what_would_be_done_and_why(finished: Campaign) -> None:
    done = spine_run(finished, "--dry-run", "--set", "post.direction.radius=5", "--cores", "2")
    assert done.returncode == 0, done.stderr
    rows = {line.split()[0]: line for line in done.stdout.splitlines()}
    assert list(rows) == ["ana", "post", "merge", "report", "8"] or set(rows) == {"ana", "post", "merge", "report", "6"}
    assert "2 jobs" in rows["post"]
    assert "its configuration has changed (post.direction.radius)" in rows["post"]
    assert "of one core" in rows["post"]
    assert "what it reads is made anew" in rows["ana"]


@pytest.mark.parametrize(
    ("options", "config", "message"),
    [
        (("--profile", "nowhere"), "config.yaml", "no such profile"),
        ((), "nothing.yaml", "no such configuration"),
        (("--set", "post.directoin.radius=5"), "config.yaml", "did you mean 'direction'"),
    ],
)
def test_mistakes(finished: Campaign, options: tuple[str, ...], config: str, message: str) -> None:
    done = spine_run(finished, *options, config=config)
    assert done.returncode == 1
    assert message in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("profile", ["slurm", "generic"])
def test_profiles_of_clusters_can_be_read(finished: Campaign, profile: str) -> None:
    pytest.importorskip(
        "snakemake_executor_plugin_slurm" if profile == "slurm" else "snakemake_executor_plugin_cluster_generic"
    )
    done = spine_run(finished, "--dry-run", "--profile", profile, "--set", "post.direction.radius=5")
    assert done.returncode == 0, done.stderr
    assert "post" in done.stdout
