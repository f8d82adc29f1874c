"""Tracks without networks against SPINE's answers, and planted lines."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from spine.errors import DataError
from spine.post.track_cluster import track_cluster
from tests.post.peer_objects import answers, applied, empty_event, event_of, events_in_sbnd

CASES: dict[str, dict[str, Any]] = {
    "track_cluster": {"eps": 2.0},
    "track_cluster_tpc": {
        "eps": 3.05, "max_axis_dist": 1.0528, "min_size": 6, "max_rel_spread": 0.2, "split_volume": "tpc",
        "metric": "cityblock",
    },
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_same_as_spine(case: str) -> None:
    want = answers(case)
    events = applied(track_cluster, events=events_in_sbnd(), **CASES[case])
    assert [len(event.reco.particles) for event in events] == want["sizes"].tolist()
    index = [row for event in events for row in event.reco.particles["index"]]
    assert [len(row) for row in index] == want["lengths"].tolist()
    assert [int(row.sum()) for row in index] == want["sums"].tolist()


def test_lines_yes_blobs_no() -> None:
    line = np.column_stack([np.arange(0.0, 60.0, 0.5), np.full(120, 3.0), np.full(120, -4.0)])
    blob = np.random.default_rng(2).normal([50.0, 150.0, 50.0], 2.0, (120, 3))
    order = np.random.default_rng(3).permutation(240)
    event = event_of(np.vstack([line, blob])[order], np.ones(240), {"index": []}, {})
    applied(track_cluster, events=[event])
    (one,) = event.reco.particles
    assert sorted(order[one.index]) == list(range(120))
    assert one.shape == 1
    applied(track_cluster, events=[event], particle_type="truth")
    assert len(event.truth.particles) == 1


def test_empty_event_and_missing_sources() -> None:
    (event,) = applied(track_cluster, events=[empty_event()])
    assert len(event.reco.particles) == 0
    with pytest.raises(DataError, match="step source"):
        applied(track_cluster, events=[empty_event()], split_volume="module")
