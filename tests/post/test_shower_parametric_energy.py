"""Energies of model showers that the detector sees in part."""

from __future__ import annotations

import numpy as np
import pytest

from spine.errors import ConfigError
from spine.geometry import load_detector
from spine.physics.shower import place_points
from spine.post.shower_parametric_energy import shower_parametric_energy
from spine.schema import Event
from tests.post.peer_objects import applied, event_of
from tests.post.properties import check_empty, single_points

TRUE = 800.0


def shower(start: list[float]) -> Event:
    """What 2x2 sees of a shower of 800 MeV along z, one point per 0.2 MeV."""
    detector = load_detector("2x2")
    uniforms = np.random.default_rng(5).random((4000, 4))
    points = place_points(uniforms, np.array(start), np.array([0.0, 0.0, 1.0]), TRUE)
    seen = np.zeros(len(points), dtype=np.bool_)
    for box in detector.modules:
        seen |= ((points >= box[:, 0]) & (points < box[:, 1])).all(axis=1)
    points = points[seen]
    particles = {
        "index": [np.arange(len(points))], "shape": [0], "start_point": [start], "start_dir": [[0.0, 0.0, 1.0]],
        "calo_ke": [len(points) * TRUE / 4000],
    }  # fmt: skip
    return event_of(points, np.full(len(points), TRUE / 4000), particles, {})


@pytest.mark.parametrize("mode", ["module", "tpc", "detector"])
def test_finds_what_is_not_seen(mode: str) -> None:
    event = shower([30.0, 0.0, 10.0])
    seen = float(event.reco.particles["calo_ke"][0])
    applied(shower_parametric_energy, load_detector("2x2"), events=[event], mode=mode)
    found = float(event.reco.particles["calo_ke"][0])
    assert seen < 0.85 * TRUE
    assert found == pytest.approx(TRUE, rel=0.12 if mode == "detector" else 0.06)


def test_same_numbers_again() -> None:
    found = []
    for _ in range(2):
        event = shower([30.0, 0.0, 10.0])
        applied(shower_parametric_energy, load_detector("2x2"), events=[event], n_points=2000, use_gp=True)
        found.append(event.reco.particles["calo_ke"].tolist())
    assert found[0] == found[1]


def test_empty_weak_and_undirected_showers_are_left_alone() -> None:
    detector = load_detector("2x2")
    check_empty(shower_parametric_energy, detector)
    event = single_points()
    event.reco.particles["calo_ke"] = [0.5, 7.0, np.nan, 7.0, 5.0, 7.0]
    event.reco.particles["start_dir"] = np.full((6, 3), np.nan)
    applied(shower_parametric_energy, detector, events=[event])
    np.testing.assert_array_equal(event.reco.particles["calo_ke"], [0.5, 7.0, np.nan, 7.0, 5.0, 7.0])


def test_needs_a_detector() -> None:
    with pytest.raises(ConfigError, match="set geo"):
        applied(shower_parametric_energy, None, events=[single_points()])
