"""``--use-conda``: every job in the environment of its rule, made from the shipped files as they are."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from tests.workflow.campaign import ROOT, Campaign

pytest.importorskip(
    "rattler", reason="py-rattler, which makes conda environments, cannot be imported", exc_type=ImportError
)

from tests.workflow.conda.environment import read_environment
from tests.workflow.conda.offline import ENVIRONMENTS, CondaCampaign

pytestmark = [pytest.mark.workflow, pytest.mark.xdist_group("workflow")]

STAGES = {
    "simulate": "simulate", "infer": "infer", "build": "analysis", "post": "analysis", "ana": "analysis",
    "merge": "analysis", "report": "report",
}  # fmt: skip
ONLY_IN = {"calzone": "simulate", "uproot": "infer", "torch": "infer", "matplotlib": "report"}
USE = ("--cores", "8", "--use-conda")
VERSIONS = "import json, importlib.metadata as m; print(json.dumps({d.name: d.version for d in m.distributions()}))"


@pytest.fixture(scope="module")
def campaign(tmp_path_factory: pytest.TempPathFactory) -> CondaCampaign:
    """A campaign on simulated events, complete."""
    made = CondaCampaign(tmp_path_factory.mktemp("conda") / "project")
    made.snakemake(*USE)
    return made


def installed(prefix: Path) -> dict[str, str]:
    """Versions of the distributions in an environment."""
    done = subprocess.run([prefix / "bin" / "python", "-I", "-c", VERSIONS], check=True, capture_output=True, text=True)
    versions: dict[str, str] = json.loads(done.stdout)
    return {name.lower(): version for name, version in versions.items()}


def test_one_environment_for_each_file(campaign: CondaCampaign) -> None:
    prefixes = campaign.prefixes()
    assert set(prefixes) == {path.stem for path in ENVIRONMENTS} == set(STAGES.values())
    for prefix in prefixes.values():
        assert prefix.with_suffix(".env_setup_done").exists()
        records = [json.loads(path.read_text()) for path in (prefix / "conda-meta").glob("*.json")]
        assert {record["name"] for record in records} == {"python", "pip"}
        assert all(record["url"].startswith("file://") for record in records)


@pytest.mark.parametrize("file", ENVIRONMENTS, ids=lambda path: path.stem)
def test_an_environment_holds_what_its_file_names(campaign: CondaCampaign, file: Path) -> None:
    versions = installed(campaign.prefixes()[file.stem])
    for requirement in map(Requirement, read_environment(file).pip):
        assert requirement.specifier.contains(versions[requirement.name]), requirement
    assert {name for name in ONLY_IN if name in versions} == {n for n, only in ONLY_IN.items() if only == file.stem}


def test_every_job_ran_in_the_environment_of_its_rule(campaign: CondaCampaign) -> None:
    prefixes = campaign.prefixes()
    ran = {job.stage: job.prefix.resolve() for job in campaign.jobs()}
    assert ran == {stage: prefixes[name].resolve() for stage, name in STAGES.items()}


def test_results_are_those_of_a_run_without_conda(campaign: CondaCampaign, finished: Campaign) -> None:
    place = Path("ana") / "simulated_0000"
    tables = sorted((campaign.results() / place).glob("*.csv"))
    assert {path.name for path in tables} >= {"events.csv", "save_reco_particles.csv", "particle_count.csv"}
    for table in tables:
        assert table.read_bytes() == (finished.results() / place / table.name).read_bytes(), table.name
    for name in ("report.html", "metrics.json", "events.html", "tables/events.csv", "tables/events.parquet"):
        assert (campaign.results() / name).stat().st_size > 0, name


def test_a_second_run_does_nothing(campaign: CondaCampaign) -> None:
    before = len(list(campaign.jobs()))
    done = campaign.snakemake(*USE)
    assert "Nothing to be done" in done.stdout + done.stderr
    assert "Creating conda environment" not in done.stdout + done.stderr
    assert len(list(campaign.jobs())) == before


def test_shipped_files_are_taken_as_they_are(campaign: CondaCampaign) -> None:
    for path in ENVIRONMENTS:
        assert (campaign.clone / path.relative_to(ROOT)).read_bytes() == path.read_bytes()
