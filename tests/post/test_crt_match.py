"""Tagger hits against SPINE's answers, and planted tracks."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from spine.errors import ConfigError, DataError
from spine.geometry import load_detector
from spine.post.crt_match import CrtMatchConfig, crt_match
from spine.schema import Event, Table
from spine.schema.detector_records import CRTHit
from tests.post.peer_objects import answers, applied, empty_event, event_of, events_in_sbnd
from tests.post.properties import same, shuffled

COMMON: dict[str, Any] = {"crt_key": "crthits", "driftv": 0.16}
CASES: dict[str, dict[str, Any]] = {
    "crt_match": {"match_distance": 100.0},
    "crt_match_window": {
        "match_distance": 300.0, "time_window": (-100.0, 100.0), "min_part_size": 10, "tolerance": 20.0,
    },
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_same_as_spine(case: str) -> None:
    events = applied(crt_match, load_detector("sbnd"), events=events_in_sbnd(), **COMMON, **CASES[case])
    want = answers(case)
    tables = [event.reco.particles for event in events]
    np.testing.assert_array_equal(np.concatenate([table["crt_ids"].lengths for table in tables]), want["lengths"])
    for name in ("crt_ids", "crt_times", "crt_scores"):
        found = np.concatenate([table[name].values for table in tables])
        np.testing.assert_allclose(found, want[name], rtol=1e-4, atol=2e-3)
    assert (np.concatenate([table["is_crt_matched"] for table in tables]) == (want["lengths"] > 0)).all()


def crossing(shift: float) -> Event:
    """A track down along y at x = 50 cm, that comes ``shift`` cm too near to the cathode, and one along z."""
    y, z = np.arange(-190.0, 190.0), np.arange(10.0, 490.0)
    points = np.vstack([
        np.column_stack([np.full(len(y), 50.0 - shift), y, np.full(len(y), 100.0)]),
        np.column_stack([np.full(len(z), 150.0), np.zeros(len(z)), z]),
    ])  # fmt: skip
    first, second = np.arange(len(y)), len(y) + np.arange(len(z))
    particles = {
        "index": [first, second], "shape": [1, 1], "start_point": points[[first[-1], second[0]]],
        "end_point": points[[first[0], second[-1]]], "start_dir": [[0, -1, 0], [0, 0, 1]],
        "end_dir": [[0, -1, 0], [0, 0, 1]],
    }  # fmt: skip
    event = event_of(points, np.ones(len(points)), particles, {})
    event["sources"] = np.tile([0, 1], (len(points), 1))
    return event


def hit(time: float, plane_height: float, x: float = 50.0) -> Table:
    """A hit above the detector."""
    return Table(CRTHit, 1, {"id": [7], "plane": [1], "ts1_ns": [time * 1e3], "center": [[x, plane_height, 100.0]]})


@pytest.mark.parametrize("method", ["threshold", "best"])
def test_late_track_moves_towards_the_anode(method: str) -> None:
    detector = load_detector("sbnd")
    assert detector.tagger is not None
    height = float(detector.tagger.boxes[1, 1].mean())
    event = crossing(shift=0.16 * 200.0)
    event["crthits"] = hit(200.0, height)
    applied(crt_match, detector, events=[event], match_method=method, match_distance=10.0, **COMMON)
    particles = event.reco.particles
    assert particles["is_crt_matched"].tolist() == [True, False]
    assert particles["crt_ids"].tolist() == [[7], []]
    assert particles["crt_times"].tolist() == [[200.0], []]
    np.testing.assert_allclose(particles["crt_scores"].values, [0.0], atol=1e-3)
    event["crthits"] = hit(-400.0, height, x=50.0 - 0.16 * 200.0 - 0.16 * 400.0)
    applied(crt_match, detector, events=[event], match_method=method, match_distance=10.0, **COMMON)
    assert not particles["is_crt_matched"].any()


def test_best_needs_no_distance_and_takes_one_track_per_hit() -> None:
    events = applied(crt_match, load_detector("sbnd"), events=events_in_sbnd(), match_method="best", **COMMON)
    for event in events:
        ids = event.reco.particles["crt_ids"].values
        assert len(ids) == len(np.unique(ids)) > 3


def test_order_and_repeat() -> None:
    detector, options = load_detector("sbnd"), {**COMMON, "match_distance": 100.0}
    for i, event in enumerate(applied(crt_match, detector, events=events_in_sbnd(), **options)):
        before = event.reco.particles.copy()
        applied(crt_match, detector, events=[event], **options)
        other, order = shuffled(events_in_sbnd()[i], i, points=False)
        applied(crt_match, detector, events=[other], **options)
        for name in ("crt_ids", "is_crt_matched"):
            assert same(event.reco.particles[name], before[name])
            assert same(other.reco.particles[name], before[name][order])


def test_nothing_to_match_clears_old_matches() -> None:
    event = crossing(0.0)
    event["crthits"] = Table(CRTHit, 0)
    event.reco.particles["is_crt_matched"] = [True, True]
    applied(crt_match, load_detector("sbnd"), events=[event], match_distance=10.0, **COMMON)
    assert not event.reco.particles["is_crt_matched"].any()
    event = empty_event()
    event["crthits"], event["sources"] = hit(0.0, 0.0), np.empty((0, 2), dtype=np.int64)
    applied(crt_match, load_detector("sbnd"), events=[event], match_distance=10.0, **COMMON)


def test_errors_say_what_is_wrong() -> None:
    with pytest.raises(ValidationError, match="match_distance"):
        CrtMatchConfig(crt_key="crthits", driftv=0.16)
    event = crossing(0.0)
    event["crthits"] = hit(0.0, 0.0)
    with pytest.raises(ConfigError, match="no tagger"):
        applied(crt_match, load_detector("2x2"), events=[event], match_distance=10.0, **COMMON)
    event.table("crthits")["plane"] = [99]
    with pytest.raises(DataError, match="tagger plane"):
        applied(crt_match, load_detector("icarus"), events=[event], match_distance=10.0, **COMMON)
