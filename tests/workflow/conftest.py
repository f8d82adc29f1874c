"""One campaign for the tests of a worker: the whole chain has run in it once."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.workflow.campaign import ROOT, Campaign


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Campaign:
    """A campaign on simulated events and a detector file, complete."""
    home = tmp_path_factory.mktemp("campaign")
    genuine = home / "genuine.root"
    shutil.copy(ROOT / "tests" / "data" / "larcv2_sample.root", genuine)
    campaign = Campaign(home / "project", [genuine])
    campaign.snakemake()
    return campaign


@pytest.fixture
def scratch(tmp_path: Path) -> Campaign:
    """A campaign of its own, nothing run yet, on simulated events alone."""
    return Campaign(tmp_path / "project")
