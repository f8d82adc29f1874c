"""Against SPINE's answers, and a uniform line."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from spine.post.local_dedx import local_dedx
from tests.post.peer_objects import answers, applied, column, event_of
from tests.post.properties import check_empty, check_order, check_repeat, single_points

ALL = (0, 1, 2, 3, 4, 5)
EVERY: dict[str, Any] = {"include_pids": ALL, "include_secondary": True}
CASES: dict[str, dict[str, Any]] = {
    "local_dedx": {},
    "local_dedx_all": {"radius": 5.0, "anchor": True, **EVERY},
    "local_dedx_default": {"radius": 4.0, "mode": "default", **EVERY},
    "local_dedx_anchor": {"radius": 4.0, "mode": "default", "anchor": True, "include_pids": (2, 3, 4)},
}


@pytest.mark.parametrize("case", CASES)
def test_same_as_spine(case: str) -> None:
    """SPINE gives 0 where there is nothing to measure, here it is missing."""
    events = applied(local_dedx, **CASES[case])
    for name, want in answers(case).items():
        found = column(events, "reco_particles", name)
        np.testing.assert_allclose(np.nan_to_num(found), np.nan_to_num(want), rtol=1e-4)
        assert not (found == 0).any()


def test_properties() -> None:
    check_empty(local_dedx)
    check_repeat(local_dedx, "start_dedx", "end_dedx", **EVERY)
    check_order(local_dedx, "start_dedx", "end_dedx", **EVERY)
    (event,) = applied(local_dedx, events=[single_points()], **EVERY)
    assert np.isnan(event.reco.particles["start_dedx"]).all()


@pytest.mark.parametrize("mode", ["default", "direction"])
def test_line_of_known_loss(mode: str) -> None:
    """2.1 MeV/cm along x from 0 to 20 cm in steps of 0.1 cm: both ends see it, but for the last step."""
    x = np.linspace(0.0, 20.0, 201)
    points = np.column_stack([x, np.zeros_like(x), np.zeros_like(x)])
    particles = {
        "index": [np.arange(201)], "shape": [1], "pid": [2], "is_primary": [True], "start_point": points[:1],
        "end_point": points[-1:], "start_dir": [[1.0, 0.0, 0.0]], "end_dir": [[1.0, 0.0, 0.0]],
    }  # fmt: skip
    event = event_of(points, np.full(201, 0.21), particles, {"particle_ids": [[0]]})
    applied(local_dedx, events=[event], mode=mode, radius=3.04, **EVERY)
    assert event.reco.particles["start_dedx"] == pytest.approx([0.21 * 31 / 3.0], rel=1e-5)
    assert event.reco.particles["end_dedx"] == pytest.approx([0.21 * 31 / 3.0], rel=1e-5)
