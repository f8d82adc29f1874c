"""Against SPINE's answers, and a line."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from spine.post.start_straightness import start_straightness
from tests.post.peer_objects import answer, applied, column
from tests.post.properties import check_empty, check_order, check_repeat, single_points

EVERY: dict[str, Any] = {"include_pids": (0, 1, 2, 3, 4, 5), "include_secondary": True}
CASES: dict[str, dict[str, Any]] = {
    "start_straightness": {},
    "start_straightness_two": {"n_components": 2, "radius": 5.0, **EVERY},
}


@pytest.mark.parametrize("case", CASES)
def test_same_as_spine(case: str) -> None:
    """SPINE gives -1 where there are too few points, here it is missing."""
    found = column(applied(start_straightness, **CASES[case]), "reco_particles", "start_straightness")
    want = answer(case, "start_straightness")
    np.testing.assert_allclose(found, np.where(want == -1, np.nan, want), rtol=1e-4)


def test_properties() -> None:
    check_empty(start_straightness)
    check_repeat(start_straightness, "start_straightness", **EVERY)
    check_order(start_straightness, "start_straightness", **EVERY)
    for axes in (1, 2, 3):
        (event,) = applied(start_straightness, events=[single_points()], n_components=axes, **EVERY)
        assert np.isnan(event.reco.particles["start_straightness"]).all()


def test_one_axis_explains_itself() -> None:
    found = column(applied(start_straightness, n_components=1, **EVERY), "reco_particles", "start_straightness")
    assert set(np.unique(found[~np.isnan(found)])) == {1.0}
