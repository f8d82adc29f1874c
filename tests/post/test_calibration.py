"""Calibration of events: every point, with the constants of its TPC."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from spine.errors import ConfigError
from spine.geometry import load_detector
from spine.post.calibration import calibration
from spine.schema import Event, Shape
from tests.calib.databases import field_file
from tests.post.peer_objects import applied, events_in_sbnd
from tests.post.properties import check_empty

SBND = load_detector("sbnd")
GAIN = {"gain": {"gain": [40.0, 50.0]}}


def events() -> list[Event]:
    found = events_in_sbnd()
    for event in found:
        event["depositions_q"] = event["depositions_q_label"] = np.array(event["depositions"])
        event["sources_label"] = event["sources"]
    return found


def test_every_point_gets_the_constant_of_its_tpc() -> None:
    for event, before in zip(applied(calibration, SBND, events=events(), **GAIN), events(), strict=True):
        factor = np.where(np.asarray(event["sources"])[:, 1] == 0, 40.0, 50.0)
        assert_allclose(event["depositions"], before["depositions_q"] * factor, 1e-6)
        assert event["depositions"].dtype == before["depositions_q"].dtype
        assert_array_equal(event["depositions_q"], before["depositions_q"])


def test_again_changes_nothing() -> None:
    first = applied(calibration, SBND, events=events(), **GAIN)
    before = [np.array(event["depositions"]) for event in first]
    for event, values in zip(applied(calibration, SBND, events=first, **GAIN), before, strict=True):
        assert_array_equal(event["depositions"], values)


def test_inverse_gives_the_charges_back() -> None:
    chain = {**GAIN, "lifetime": {"lifetime": 3000.0, "driftv": 0.16}, "recombination": {"efield": 0.5}}
    there = applied(calibration, SBND, events=events(), **chain)
    back = applied(calibration, SBND, events=there, **chain, inverse=True, depositions_source="depositions")
    for event in back:
        assert_allclose(event["depositions"], event["depositions_q"], 1e-5)


def test_tracks_are_followed_and_showers_are_not() -> None:
    chain = {"gain": {"gain": 2e4}, "recombination": {"efield": 0.5, "min_count": 5}}
    flat = applied(calibration, SBND, events=events(), **chain)
    followed = applied(calibration, SBND, events=events(), **chain, do_tracking=True)
    changed = 0
    for one, other in zip(flat, followed, strict=True):
        particles = one.reco.particles
        track = np.asarray(particles["shape"] == Shape.TRACK)[particles["index"].rows]
        ratio = other["depositions"] / one["depositions"]
        assert_allclose(ratio[particles["index"].values[~track]], 1.0, 1e-6)
        changed += int((np.abs(ratio - 1) > 1e-3).sum())
    assert changed > 100


def test_true_charges() -> None:
    for event, before in zip(
        applied(calibration, SBND, events=events(), **GAIN, run_mode="truth"), events(), strict=True
    ):
        factor = np.where(np.asarray(event["sources"])[:, 1] == 0, 40.0, 50.0)
        assert_allclose(event["depositions_q_label"], before["depositions_q_label"] * factor, 1e-6)
        assert_array_equal(event["depositions"], before["depositions"])


def test_positions_follow_moved_points(tmp_path: Path) -> None:
    shift = np.array([1.0, -2.0, 0.5])
    path = field_file(tmp_path / "field.root", np.tile(shift, (2, 3, 4, 1)), SBND.box)
    for event, before in zip(
        applied(calibration, SBND, events=events(), field={"map_file": path}), events(), strict=True
    ):
        inside = ((before["points"] >= SBND.box[:, 0]) & (before["points"] < SBND.box[:, 1])).all(axis=1)
        assert inside.any()
        assert_allclose(event["points"] - before["points"], np.where(inside[:, None], shift, 0.0), atol=1e-4)
        starts = before.reco.particles["start_point"]
        inside = ((starts >= SBND.box[:, 0]) & (starts < SBND.box[:, 1])).all(axis=1)
        moved = event.reco.particles["start_point"] - starts
        assert_allclose(moved[inside], np.broadcast_to(shift, (inside.sum(), 3)), atol=1e-4)


def test_empty_event() -> None:
    check_empty(calibration, SBND, **GAIN, depositions_source="depositions")


def test_needs_a_detector() -> None:
    with pytest.raises(ConfigError, match="constants are those of a detector"):
        applied(calibration, None, events=events(), **GAIN)
