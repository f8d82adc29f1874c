"""Against SPINE's answers, and a shower along an axis."""

from __future__ import annotations

import numpy as np

from spine.post.calorimetric_direction import calorimetric_direction
from tests.post.peer_objects import answer, applied, column, event_of, peer_events
from tests.post.properties import check_empty, same, shuffled, single_points


def test_same_as_spine() -> None:
    events = applied(calorimetric_direction)
    found = column(events, "reco_interactions", "dir")
    np.testing.assert_allclose(found, answer("calorimetric_direction", "dir"), rtol=1e-4, atol=1e-5)
    found = column(events, "truth_interactions", "reco_dir")
    np.testing.assert_allclose(found, answer("calorimetric_direction_truth", "reco_dir"), rtol=1e-4, atol=1e-5)


def test_empty_order_and_repeat() -> None:
    check_empty(calorimetric_direction)
    for i, event in enumerate(applied(calorimetric_direction, run_mode="reco")):
        before = event.reco.interactions["dir"]
        other, _ = shuffled(peer_events()[i], i)
        for again in (event, other):
            applied(calorimetric_direction, events=[again], run_mode="reco")
            assert same(again.reco.interactions["dir"], before)


def test_missing_without_vertex_or_distance() -> None:
    event = single_points()
    event.reco.interactions["vertex"] = [[np.nan] * 3, [9.0, 10.0, 11.0]]
    applied(calorimetric_direction, events=[event])
    assert np.isnan(event.reco.interactions["dir"][0]).all()
    np.testing.assert_allclose(event.reco.interactions["dir"][1], np.full(3, 3**-0.5), rtol=1e-6)


def test_weights_are_charges_and_rounding_does_not_matter() -> None:
    points = np.array([[0.0, 0.0, 0.0], [2.0, 0.0, 0.0], [0.0, 5.0, 0.0]])
    event = event_of(points, np.array([100.0, 3.0, 4.0]), {"index": [[0, 1, 2]]}, {"particle_ids": [[0]]})
    event.reco.interactions["vertex"] = [[1e-6, -1e-6, 1e-6]]
    applied(calorimetric_direction, events=[event], run_mode="reco")
    np.testing.assert_allclose(event.reco.interactions["dir"], [[0.6, 0.8, 0.0]], atol=1e-5)
