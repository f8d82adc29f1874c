"""Against SPINE's answers."""

from __future__ import annotations

import numpy as np
import pytest

from spine.post.shower_conversion_distance import shower_conversion_distance
from tests.post.peer_objects import answer, applied, column
from tests.post.properties import check_empty, check_order, check_repeat, single_points

MODES = ("vertex_to_start", "vertex_to_points", "protons_to_points")


@pytest.mark.parametrize("mode", MODES)
def test_same_as_spine(mode: str) -> None:
    """SPINE gives -1 without pions and protons, here it is missing."""
    events = applied(shower_conversion_distance, mode=mode, include_secondary=mode != "vertex_to_points")
    want = answer(f"shower_conversion_distance_{mode}", "vertex_distance")
    found = column(events, "reco_particles", "vertex_distance")
    np.testing.assert_allclose(found, np.where(want == -1, np.nan, want), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("mode", MODES)
def test_properties(mode: str) -> None:
    check_empty(shower_conversion_distance, mode=mode)
    check_repeat(shower_conversion_distance, "vertex_distance", mode=mode)
    check_order(shower_conversion_distance, "vertex_distance", mode=mode)


def test_single_points() -> None:
    event = single_points()
    event.reco.interactions["vertex"] = [[0.0, 1.0, 2.0], [np.nan] * 3]
    applied(shower_conversion_distance, events=[event])
    np.testing.assert_allclose(
        event.reco.particles["vertex_distance"], [0.0, np.nan, 108**0.5, np.nan, np.nan, np.nan], rtol=1e-6
    )
    applied(shower_conversion_distance, events=[event], mode="protons_to_points")
    np.testing.assert_allclose(
        event.reco.particles["vertex_distance"], [np.nan, np.nan, np.nan, np.nan, 27**0.5, np.nan], rtol=1e-6
    )
