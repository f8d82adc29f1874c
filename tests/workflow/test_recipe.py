"""The training recipe with tiny networks: simulate, train all networks, compose, evaluate."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

from tests.workflow.campaign import Campaign

pytestmark = pytest.mark.workflow

STEP = "{settings: {base: {iterations: 2}, train: {lr_scheduler: {total_steps: 2}, loader: {minibatch_size: 2}}}}"
CONFIG = f"""\
extends: small
sim: {{files: 1, bomb: {{multiplicity: [1, 2]}}, cosmics: null}}
model:
  modules:
    uresnet_ppn: {{uresnet: {{filters: 4, depth: 2, reps: 1}}}}
    graph_spice: {{embedder: {{uresnet: {{filters: 4, depth: 2, reps: 1}}}}, kernel: {{num_features: 4}}}}
recipe:
  sample: {{files: 1, events_per_file: 4}}
  test: {{files: 1, events_per_file: 2}}
  steps: {{uresnet_ppn: {STEP}, graph_spice: {STEP}, grappa_shower: {STEP}, grappa_track: {STEP}, grappa_inter: {STEP}}}
"""
NETWORKS = ("uresnet_ppn", "graph_spice", "grappa_shower", "grappa_track", "grappa_inter")


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Campaign:
    campaign = Campaign(tmp_path_factory.mktemp("recipe"))
    (campaign.run_dir / "config.yaml").write_text(CONFIG)
    campaign.snakemake("train_all")
    return campaign


def test_every_network_has_weights_and_logs(trained: Campaign) -> None:
    from spine.model.checkpoint import read_checkpoint, verify_checkpoint

    folder = trained.results() / "train"
    whole = read_checkpoint(folder / "weights" / "chain.ckpt")
    assert set(whole.modules) == set(NETWORKS)
    for name in NETWORKS:
        assert verify_checkpoint(folder / name / "weights.ckpt") is not None
        log = pd.read_csv(folder / name / "train_log-0000000.csv")
        assert len(log) == 2
        assert log["loss"].notna().all()


def test_trained_and_untrained_networks_are_judged_alike(trained: Campaign) -> None:
    numbers = {}
    for which in ("trained", "untrained"):
        folder = trained.results() / "evaluation" / which
        numbers[which] = json.loads((folder / "metrics.json").read_text())
        assert (folder / "report.html").stat().st_size > 0
    for section in ("segmentation", "proposals", "clustering"):
        assert numbers["trained"][section].keys() == numbers["untrained"][section].keys()
    assert numbers["trained"]["counts"]["events"] == 2


def test_only_what_an_edit_touches_is_trained_again(trained: Campaign) -> None:
    assert trained.planned(target="train_all") == {}
    longer = "recipe.steps.grappa_track.settings.base.iterations=3"
    again = trained.planned(longer, target="train_all")
    assert again["train"] == 2  # tracks, and interactions after them
    assert "train_sample" not in again
    assert "test_sample" not in again


def test_the_result_runs_in_the_ordinary_chain(trained: Campaign, tmp_path: Path) -> None:
    weights = trained.results() / "train" / "weights" / "chain.ckpt"
    trained.snakemake(settings=f"model.weight_path={weights}")
    assert len(pd.read_csv(trained.results() / "tables" / "events.csv")) > 0
