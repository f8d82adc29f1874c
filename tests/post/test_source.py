"""Sources of points against SPINE's answers, and against the detector that they name."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spine.errors import ConfigError
from spine.geometry import load_detector
from spine.post.source import nearest_sources, source
from tests.post.peer_objects import answer, applied, empty_event, events_in_sbnd


def test_same_as_spine() -> None:
    events = applied(source, load_detector("sbnd"), events=events_in_sbnd())
    found = np.concatenate([event["sources"] for event in events])
    want = answer("source_sbnd", "sources")
    assert 0.2 < want[:, 1].mean() < 0.8
    np.testing.assert_array_equal(found, want)


@pytest.mark.parametrize("name", ["sbnd", "icarus", "2x2", "fsd", "protodune-sp"])
@settings(deadline=None, max_examples=10)
@given(seed=st.integers(0, 2**32 - 1))
def test_names_the_volume_that_holds_the_point(name: str, seed: int) -> None:
    detector, rng = load_detector(name), np.random.default_rng(seed)
    boxes = detector.tpcs[rng.integers(len(detector.tpcs), size=50)]
    points = boxes[:, :, 0] + rng.uniform(0.3, 0.7, (50, 3)) * (boxes[:, :, 1] - boxes[:, :, 0])
    rows = detector.tpc_rows(nearest_sources(detector, points))
    inside = (points >= detector.tpcs[rows, :, 0]) & (points <= detector.tpcs[rows, :, 1])
    assert inside.all()


def test_both_sides_empty_and_no_detector() -> None:
    (event,) = applied(source, load_detector("2x2"), events=[empty_event()], run_mode="both")
    assert event["sources"].shape == event["sources_label"].shape == (0, 2)
    with pytest.raises(ConfigError, match="sources are those"):
        applied(source, None, events=[empty_event()])
