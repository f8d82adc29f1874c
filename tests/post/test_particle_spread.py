"""Against SPINE's answers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from spine.post.particle_spread import particle_spread
from tests.post.peer_objects import answers, applied, column
from tests.post.properties import check_empty, check_order, check_repeat, single_points

SPREADS = ("directional_spread", "axial_spread")
EVERY: dict[str, Any] = {"include_pids": (0, 1, 2, 3, 4, 5), "include_secondary": True}
CASES: dict[str, dict[str, Any]] = {
    "particle_spread": {},
    "particle_spread_start": {"start_mode": "start_point", "use_start_dir": True, "length_scale": 5.0, **EVERY},
}


@pytest.mark.parametrize("case", CASES)
def test_same_as_spine(case: str) -> None:
    """SPINE gives -1 or minus infinity where there is nothing to measure, here it is missing.

    It computes in single precision, which shows in the correlation of a few small particles.
    """
    events = applied(particle_spread, **CASES[case])
    for name, want in answers(case).items():
        missing = np.isneginf(want) | ((want == -1) & (name == "directional_spread"))
        found = column(events, "reco_particles", name)
        want = np.where(missing, np.nan, want)
        np.testing.assert_allclose(found, want, rtol=1e-4, atol=1e-5 if name == "directional_spread" else 2e-3)
        assert np.isclose(found, want, rtol=1e-4, atol=1e-5, equal_nan=True).mean() > 0.99


def test_properties() -> None:
    check_empty(particle_spread)
    check_repeat(particle_spread, *SPREADS, **EVERY)
    check_order(particle_spread, *SPREADS, **EVERY)
    (event,) = applied(particle_spread, events=[single_points()], start_mode="start_point", **EVERY)
    assert all(np.isnan(event.reco.particles[name]).all() for name in SPREADS)


def test_missing_without_a_vertex() -> None:
    event = single_points()
    event.reco.interactions["vertex"] = np.full((2, 3), np.nan)
    applied(particle_spread, events=[event], **EVERY)
    assert all(np.isnan(event.reco.particles[name]).all() for name in SPREADS)
