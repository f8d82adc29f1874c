"""Against SPINE's answers, and what follows from joining particles."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from spine.errors import DataError
from spine.post.shower_start_merge import shower_start_merge
from spine.schema import Event, Table
from spine.schema.object_records import RecoFragment
from tests.post.peer_objects import answers, applied, event_of, peer_events
from tests.post.properties import check_empty, single_points

Array = np.ndarray[Any, Any]
CASES: dict[str, dict[str, Any]] = {
    "shower_start_merge": {},
    "shower_start_merge_loose": {
        "angle_threshold": 0.9, "distance_threshold": 3.0, "track_length_limit": 20.0, "track_dedx_limit": 8.0,
    },
}  # fmt: skip
LOOSE = CASES["shower_start_merge_loose"]


def _sums(table: Table) -> Array:
    return np.array([row.astype(np.int64).sum() for row in table["index"]])


@pytest.mark.parametrize("case", CASES)
def test_same_as_spine(case: str) -> None:
    """But for the direction at the end of a track, which SPINE leaves pointing out of the shower."""
    want = answers(case)
    turned = 0
    for i, event in enumerate(applied(shower_start_merge, **CASES[case])):
        chosen = want["events"] == i
        mine = np.argsort(_sums(event.reco.particles), kind="stable")
        theirs = np.flatnonzero(chosen)[np.argsort(want["index_sum"][chosen], kind="stable")]
        np.testing.assert_array_equal(_sums(event.reco.particles)[mine], want["index_sum"][theirs])
        for name in ("start_point", "is_primary", "pid", "primary_scores", "size", "shape"):
            np.testing.assert_allclose(event.reco.particles[name][mine], want[name][theirs], rtol=1e-4, atol=1e-5)
        dots = (event.reco.particles["start_dir"][mine] * want["start_dir"][theirs]).sum(axis=1)
        np.testing.assert_allclose(np.abs(dots), 1.0, atol=1e-5)
        turned += int((dots < 0).sum())
    assert turned == (1 if case.endswith("loose") else 0)


def test_points_are_kept_and_numbers_agree() -> None:
    for event, before in zip(applied(shower_start_merge, **LOOSE), peer_events(), strict=True):
        particles, interactions = event.reco.particles, event.reco.interactions
        assert sorted(particles["index"].values) == sorted(before.reco.particles["index"].values)
        assert particles["id"].tolist() == list(range(len(particles)))
        assert sorted(interactions["particle_ids"].values) == list(range(len(particles)))
        for row, members in enumerate(interactions["particle_ids"]):
            assert (particles["interaction_id"][members] == row).all()
            inside = np.concatenate([particles["index"][j] for j in members])
            np.testing.assert_array_equal(interactions["index"][row], inside)


def test_input_is_not_changed() -> None:
    (event, *_) = peer_events()
    source = event.reco.particles
    before = {name: np.array(source[name]) for name in ("start_point", "start_dir", "primary_scores")}
    event["reco_particles"] = source.copy()
    applied(shower_start_merge, events=[event], **LOOSE)
    assert all((source[name] == values).all() for name, values in before.items())


def trunk(gap: float = 0.3) -> Event:
    """A track along x whose end touches a shower in line with it."""
    track = np.column_stack([np.arange(0.0, 10.0, 0.3), np.zeros((34, 2))])
    shower = np.column_stack([track[-1, 0] + gap + np.arange(0.0, 30.0, 0.3), np.zeros((100, 2))])
    particles = {
        "index": [np.arange(34, 134), np.arange(34)], "shape": [0, 1], "pid": [1, 2], "is_primary": [True, True],
        "start_point": [shower[0], track[-1]], "end_point": [[np.nan] * 3, track[0]], "length": [np.nan, 9.9],
        "start_dir": [[1.0, 0.0, 0.0], [-1.0, 0.0, 0.0]], "end_dir": [[np.nan] * 3, [-1.0, 0.0, 0.0]],
        "primary_scores": [[0.4, 0.6], [0.1, 0.9]], "fragment_ids": [[1], [0, 2]], "interaction_id": [0, 0],
    }  # fmt: skip
    points = np.vstack([track, shower])
    return event_of(points, np.ones(134), particles, {"particle_ids": [[0, 1]]})


def test_trunk_joins_its_shower() -> None:
    event = trunk()
    event["reco_fragments"] = Table(RecoFragment, 4, {"particle_id": [1, 0, 1, -1]})
    applied(shower_start_merge, events=[event])
    (one,) = event.reco.particles
    assert len(one.index) == 134
    assert one.fragment_ids.tolist() == [1, 0, 2]
    np.testing.assert_allclose(one.start_point, [0.0, 0.0, 0.0])
    np.testing.assert_allclose(one.start_dir, [1.0, 0.0, 0.0])
    np.testing.assert_allclose(one.primary_scores, [0.1, 0.9])
    assert one.pid == 1
    assert event.reco.fragments["particle_id"].tolist() == [0, 0, 0, -1]
    assert event.reco.interactions["particle_ids"].tolist() == [[0]]


def test_far_tracks_stay_and_matched_particles_are_refused() -> None:
    (event,) = applied(shower_start_merge, events=[trunk(gap=1.2)])
    assert len(event.reco.particles) == 2
    event = trunk()
    event.reco.particles["is_matched"] = [True, False]
    with pytest.raises(DataError, match="matched already"):
        applied(shower_start_merge, events=[event])


def test_empty_and_single_points() -> None:
    check_empty(shower_start_merge)
    (event,) = applied(shower_start_merge, events=[single_points()])
    assert len(event.reco.particles) == 6
