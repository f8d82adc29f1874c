"""Against SPINE's answers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from spine.post.shower_start_correction import shower_start_correction
from tests.post.peer_objects import answers, applied, column, peer_events
from tests.post.properties import check_empty, check_order, check_repeat, single_points

CASES: dict[str, dict[str, Any]] = {
    "shower_start_correction": {},
    "shower_start_correction_near": {"optimize": False, "radius": 10.0},
}


@pytest.mark.parametrize("case", CASES)
def test_same_as_spine(case: str) -> None:
    events = applied(shower_start_correction, **CASES[case])
    moved = column(events, "reco_particles", "start_point") != column(peer_events(), "reco_particles", "start_point")
    assert moved.any(axis=1).sum() > 20
    for name, want in answers(case).items():
        np.testing.assert_allclose(column(events, "reco_particles", name), want, rtol=1e-4, atol=1e-5)


def test_properties() -> None:
    check_empty(shower_start_correction)
    check_repeat(shower_start_correction, "start_point", "start_dir")
    check_order(shower_start_correction, "start_point", "start_dir", points=False)
    (event,) = applied(shower_start_correction, events=[single_points()])
    np.testing.assert_array_equal(event.reco.particles["start_point"], single_points().reco.particles["start_point"])


def test_directions_stay_on_request() -> None:
    events = applied(shower_start_correction, update_directions=False)
    before = column(peer_events(), "reco_particles", "start_dir")
    np.testing.assert_array_equal(column(events, "reco_particles", "start_dir"), before)
