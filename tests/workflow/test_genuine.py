"""The tables of a genuine detector file hold what the file holds, read here with uproot alone."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import uproot

from tests.workflow.campaign import Campaign

pytestmark = [pytest.mark.workflow, pytest.mark.xdist_group("workflow")]


def leaf(campaign: Campaign, tree: str, name: str) -> np.ndarray:
    """Arrays of a leaf, one per event."""
    with uproot.open(campaign.inputs[0]) as file:
        branches = [b for b in file[tree].itervalues(recursive=True) if b.name.endswith(name)]
        return branches[0].array(library="np")


def test_counts_and_energies(finished: Campaign) -> None:
    charge = leaf(finished, "sparse3d_pcluster_tree", "_voxel_v._value")
    groups = leaf(finished, "particle_corrected_tree", "_part_v._group_id")
    table = pd.read_csv(finished.results() / "tables" / "event_summary.csv")
    table = table[table["file_index"] == 1].reset_index(drop=True)
    assert table["num_voxels"].tolist() == [len(v) for v in charge]
    assert table["num_simulated_particles"].tolist() == [len(v) for v in groups]
    expected = [float(v.sum(dtype=np.float64)) for v in charge]
    np.testing.assert_allclose(table["charge_sum"], expected, rtol=1e-12)
    confusion = pd.read_csv(finished.results() / "tables" / "segment_eval_summary.csv")
    confusion = confusion[confusion["file_index"] == 1]
    counts = confusion.filter(regex="^count_").sum(axis=1).tolist()
    assert counts == [len(v) for v in charge]
