"""Tracks across a cathode against SPINE's answers, and planted ones."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from spine.errors import ConfigError
from spine.geometry import load_detector
from spine.post.cathode_crosser import cathode_crosser
from spine.post.cathode_offsets import cathode_offset
from spine.schema import Event
from tests.post.peer_objects import answers, applied, column, empty_event, event_of, events_in_sbnd, peer_events
from tests.post.properties import shuffled, single_points

CUTS: dict[str, Any] = {"crossing_point_tolerance": 4.0, "offset_tolerance": 6.0, "angle_tolerance": 0.6}
SBND = load_detector("sbnd")


@pytest.mark.parametrize("method", ["distance", "projection"])
def test_same_as_spine(method: str) -> None:
    """Ends differ on a few particles beside a crossing one, which SPINE moves once for each TPC they have points in."""
    want = answers(f"cathode_{method}")
    options = {**CUTS, "merge_crossers": False, "adjust_method": method}
    events = applied(cathode_crosser, SBND, events=events_in_sbnd(), **options)
    crosses = column(events, "reco_particles", "is_cathode_crosser")
    np.testing.assert_array_equal(crosses, want["is_cathode_crosser"])
    assert crosses.sum() == 5
    offsets = column(events, "reco_particles", "cathode_offset")
    np.testing.assert_allclose(offsets, want["cathode_offset"], rtol=1e-4, atol=1e-5)
    means = [event["points"][row].astype(np.float64).mean(axis=0) for event in events for row in _index(event)]
    np.testing.assert_allclose(means, want["points"], rtol=1e-5, atol=1e-4)
    for name in ("start_point", "end_point"):
        found = column(events, "reco_particles", name)
        same = np.isclose(found, want[name], rtol=1e-5, atol=1e-4, equal_nan=True).all(axis=1)
        assert (~same).sum() <= 5


def _index(event: Event) -> list[np.ndarray[Any, Any]]:
    return list(event.reco.particles["index"])


def test_ends_move_with_the_nearest_point() -> None:
    before = events_in_sbnd()
    after = applied(cathode_crosser, SBND, events=events_in_sbnd(), merge_crossers=False, **CUTS)
    for old, new in zip(before, after, strict=True):
        for one, other in zip(old.reco.particles, new.reco.particles, strict=True):
            gaps = np.linalg.norm(old["points"][one.index] - one.start_point, axis=1)
            nearest = one.index[np.argmin(gaps)]
            moved = new["points"][nearest] - old["points"][nearest]
            np.testing.assert_allclose(other.start_point - one.start_point, moved, atol=1e-4)


LINE = np.array([0.5, -0.7, 0.5099019513592785])


def broken(gap: float, kink: float = 0.0, reverse: bool = False) -> tuple[Event, np.ndarray[Any, Any]]:
    """A track through the middle of SBND whose halves lie ``gap`` cm nearer to their anodes; and its true points."""
    path = np.arange(0.4, 100.4, 0.3)
    tilted = LINE + np.array([0.0, 0.0, kink])
    down, up = -path[:, None] * LINE, path[:, None] * tilted
    true = np.vstack([down, up]) + np.array([0.0, 0.0, 250.0])
    seen = true.copy()
    seen[:, 0] += np.where(true[:, 0] < 0, -gap, gap + kink)
    n = len(path)
    rows = [np.arange(n), np.arange(n, 2 * n)]
    starts, ends = [0, n], [n - 1, 2 * n - 1]
    directions = np.array([-LINE, tilted / np.linalg.norm(tilted)])
    if reverse:
        starts, ends, directions = [0, 2 * n - 1], [n - 1, n], np.array([-LINE, -LINE])
    particles = {
        "index": rows, "shape": [1, 1], "pid": [2, 4], "start_point": seen[starts], "end_point": seen[ends],
        "start_dir": directions, "end_dir": directions, "primary_scores": [[0.5, 0.5], [0.1, 0.9]],
        "is_primary": [False, True], "interaction_id": [0, 1],
    }  # fmt: skip
    event = event_of(seen, np.ones(2 * n), particles, {"particle_ids": [[0], [1]]})
    event["sources"] = np.column_stack([np.zeros(2 * n, dtype=np.int64), true[:, 0] > 0])
    return event, true


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("method", ["distance", "projection"])
def test_halves_are_joined_and_meet(method: str, reverse: bool) -> None:
    event, true = broken(2.5, reverse=reverse)
    applied(cathode_crosser, SBND, events=[event], adjust_method=method, **CUTS)
    (one,) = event.reco.particles
    assert len(one.index) == len(true)
    assert one.is_cathode_crosser
    assert one.cathode_offset == pytest.approx(-2.5, abs=1e-3 if method == "projection" else 0.25)
    np.testing.assert_allclose(event["points"], true, atol=2e-3 if method == "projection" else 0.25)
    ends = {tuple(np.sign(end[:1]).astype(int)) for end in (one.start_point, one.end_point)}
    assert ends == {(-1,), (1,)}
    np.testing.assert_allclose(one.start_dir, LINE * np.sign(-one.start_point[0]), atol=1e-6)
    np.testing.assert_allclose(one.end_dir, LINE * np.sign(one.end_point[0]), atol=1e-6)
    assert one.pid == 4
    assert one.is_primary
    (interaction,) = event.reco.interactions
    assert interaction.particle_ids.tolist() == [0]
    assert interaction.is_cathode_crosser
    assert interaction.cathode_offset == pytest.approx(one.cathode_offset)
    assert one.interaction_id == 0


def test_second_run_changes_nothing() -> None:
    event, _ = broken(2.5)
    applied(cathode_crosser, SBND, events=[event], **CUTS)
    points = event["points"]
    applied(cathode_crosser, SBND, events=[event], **CUTS)
    np.testing.assert_allclose(event["points"], points, atol=1e-4)
    assert event.reco.particles["is_cathode_crosser"].tolist() == [True]
    assert event.reco.particles["cathode_offset"] == pytest.approx([0.0], abs=1e-4)


@pytest.mark.parametrize("cut", CUTS)
def test_each_cut_keeps_halves_apart(cut: str) -> None:
    event, _ = broken(2.5, kink=0.3)
    applied(cathode_crosser, SBND, events=[event], **{**CUTS, cut: 0.2})
    assert not event.reco.particles["is_cathode_crosser"].any()
    assert len(event.reco.interactions) == 2
    applied(cathode_crosser, SBND, events=[event], **CUTS)
    assert event.reco.particles["is_cathode_crosser"].tolist() == [True]


def test_lines_meet_in_space() -> None:
    """Two lines in one plane, moved along the drift: the method finds the way back."""
    path = np.arange(0.0, 50.0, 0.5)[:, None]
    halves = [path * [-0.6, 0.8, 0.0], path * [0.6, 0.0, 0.8]]
    points = np.vstack([halves[0] - [3.0, 0.0, 0.0], halves[1] + [3.0, 0.0, 0.0]]) + np.array([0.0, 0.0, 250.0])
    tpcs = np.repeat([0, 1], len(path))
    assert cathode_offset(points, tpcs, SBND, "dot") == pytest.approx(-3.0, abs=1e-6)
    assert np.isnan(cathode_offset(points[:, [0, 0, 0]], tpcs, SBND, "dot"))


def test_order_of_particles_does_not_matter() -> None:
    for i, event in enumerate(applied(cathode_crosser, SBND, events=events_in_sbnd(), **CUTS)):
        other, _ = shuffled(events_in_sbnd()[i], i, points=False)
        applied(cathode_crosser, SBND, events=[other], **CUTS)
        sets = [sorted(sorted(row) for row in e.reco.particles["index"].tolist()) for e in (event, other)]
        assert sets[0] == sets[1]
        assert len(event.reco.particles) <= len(peer_events()[i].reco.particles)


def test_empty_single_points_and_no_detector() -> None:
    for event in (empty_event(), single_points()):
        event["sources"] = np.zeros((len(event["points"]), 2), dtype=np.int64)
        event["sources_label"] = np.zeros((0, 2), dtype=np.int64)
        applied(cathode_crosser, SBND, events=[event], run_mode="both", **CUTS)
        assert not event.reco.particles["is_cathode_crosser"].any()
    with pytest.raises(ConfigError, match="cathodes are those"):
        applied(cathode_crosser, None, events=[empty_event()], **CUTS)
