"""Against SPINE's answers where it decides, and planted tracks."""

from __future__ import annotations

import numpy as np
import pytest

from spine.errors import DataError
from spine.post.track_extrema import track_extrema
from spine.schema import Event, row_of
from tests.post.peer_objects import answers, applied, column, event_of, peer_events
from tests.post.properties import check_empty, check_order, check_repeat, single_points

ENDS = ("start_point", "end_point", "start_dir", "end_dir")


def near_sums(radius: float) -> np.ndarray:
    """(n, 2) energy within a radius of start and end, by brute force."""
    sums = []
    for event in peer_events():
        for one in event.reco.particles:
            points, values = event["points"][one.index], event["depositions"][one.index]
            ends = (one.start_point, one.end_point)
            sums.append([values[np.linalg.norm(points - end, axis=1) < radius].sum() for end in ends])
    return np.array(sums)


def test_same_as_spine_where_ends_differ() -> None:
    """SPINE swaps tracks whose two ends look the same, at each run; here they stay."""
    events = applied(track_extrema, anchor_points=False)
    sums = near_sums(5.0)
    differ = ~np.isclose(sums[:, 0], sums[:, 1], rtol=1e-5)
    assert (differ & (sums[:, 1] > 0)).sum() > 30
    for name, want in answers("track_extrema_local").items():
        found = column(events, "reco_particles", name)
        np.testing.assert_allclose(found[differ], want[differ], rtol=1e-4, atol=1e-5)
        before = column(peer_events(), "reco_particles", name)
        np.testing.assert_array_equal(found[~differ], before[~differ])


def test_gradient_is_that_of_spine() -> None:
    events = applied(track_extrema, method="gradient")
    for name, want in answers("track_extrema_gradient").items():
        np.testing.assert_allclose(column(events, "reco_particles", name), want, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("method", ["local", "gradient"])
def test_properties(method: str) -> None:
    check_empty(track_extrema, method=method)
    check_repeat(track_extrema, *ENDS, method=method)
    check_order(track_extrema, *ENDS, method=method)
    (event,) = applied(track_extrema, events=[single_points()], method=method)
    np.testing.assert_array_equal(event.reco.particles["start_point"], single_points().reco.particles["start_point"])


def stopping_track(backwards: bool) -> Event:
    """A track along x that stops at 30 cm."""
    x = np.arange(0.0, 30.0, 0.3)
    points = np.column_stack([x, np.zeros_like(x), np.zeros_like(x)])
    ends = points[[-1, 0]] if backwards else points[[0, -1]]
    particles = {
        "index": [np.arange(len(x))],
        "shape": [1],
        "start_point": ends[:1],
        "end_point": ends[1:],
        "start_dir": [[-1.0 if backwards else 1.0, 0.0, 0.0]],
        "end_dir": [[-1.0 if backwards else 1.0, 0.0, 0.0]],
    }
    return event_of(points, 0.6 + 3.0 * np.exp(-(30.0 - x) / 3.0), particles, {"particle_ids": [[0]]})


@pytest.mark.parametrize("method", ["local", "gradient", "ppn"])
def test_finds_the_stop(method: str) -> None:
    for backwards in (False, True):
        event = stopping_track(backwards)
        event["meta"] = row_of("meta", lower=[-10.0] * 3, upper=[50.0] * 3, size=[0.3] * 3, count=[200] * 3)
        found = np.zeros((2, 15), dtype=np.float32)
        found[:, 1:4] = (event["points"][[0, -1]] + 10.0) / 0.3
        found[:, 13:] = [[0.9, 0.1], [0.2, 0.8]]
        event["ppn_pred"] = found
        applied(track_extrema, events=[event], method=method)
        particle = event.reco.particles[0]
        assert particle.start_point[0] == 0.0
        assert particle.start_dir.tolist() == particle.end_dir.tolist() == [1.0, 0.0, 0.0]


def test_refuses_points_without_endpoint_scores() -> None:
    event = stopping_track(False)
    event["ppn_pred"] = np.zeros((1, 13), dtype=np.float32)
    with pytest.raises(DataError, match="scores of start and end"):
        applied(track_extrema, events=[event], method="ppn")
