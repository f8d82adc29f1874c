"""Against SPINE's answers, and the count of muons."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from spine.post.neutrino_logic import neutrino_logic
from tests.post.peer_objects import answers, applied, column
from tests.post.properties import check_empty, check_repeat, single_points

CASES: dict[str, dict[str, Any]] = {
    "neutrino_logic_size": {},
    "neutrino_logic_score": {"method": "score"},
    "neutrino_logic_any": {"cc_only": False},
}


@pytest.mark.parametrize("case", CASES)
def test_same_as_spine(case: str) -> None:
    events = applied(neutrino_logic, **CASES[case])
    for name, want in answers(case).items():
        np.testing.assert_array_equal(column(events, "reco_particles", name), want)


def test_at_most_one_muon() -> None:
    for event in applied(neutrino_logic, method="score"):
        particles = event.reco.particles
        muons = np.bincount(particles["interaction_id"][particles["pid"] == 2], minlength=1)
        pions = np.bincount(particles["interaction_id"][particles["pid"] == 3], minlength=len(muons))
        assert muons.max() == 1
        assert (muons[pions[: len(muons)] > 0] == 1).all()
        assert (pions[len(muons) :] == 0).all()


def test_properties() -> None:
    check_empty(neutrino_logic)
    check_repeat(neutrino_logic, "pid", "pid_scores")
    (event,) = applied(neutrino_logic, events=[single_points()])
    assert event.reco.particles["pid"].tolist() == [0, 2, 1, 3, 1, 2]


def test_particles_of_no_interaction_are_left_alone() -> None:
    event = single_points()
    event.reco.particles["interaction_id"] = np.full(6, -1)
    applied(neutrino_logic, events=[event])
    assert event.reco.particles["pid"].tolist() == [0, 2, 1, 3, 1, 2]
