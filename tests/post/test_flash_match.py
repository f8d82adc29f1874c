"""Flashes against SPINE's answers, and planted light."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from spine.errors import ConfigError, DataError
from spine.geometry import load_detector
from spine.post.flash_match import FlashMatchConfig, flash_match
from spine.post.flash_merging import FlashMerging, merge_flashes
from spine.schema import Event, Table
from spine.schema.detector_records import Flash
from tests.post.peer_objects import answers, applied, empty_event, event_of, events_in_sbnd
from tests.post.properties import same

COMMON: dict[str, Any] = {"flash_key": "flashes", "volume": "module", "method": "barycenter"}
CASES: dict[str, dict[str, Any]] = {
    "flash_match_all": {"candidate_distance": 60.0, "max_chi2": 30.0, "position_errors": (5.0, 10.0, 12.0)},
    "flash_match_flash": {
        "report_mode": "best_per_flash", "angle_error": 20.0, "time_window": (-1.5, 3.5), "min_flash_pe": 50.0,
    },
    "flash_match_interaction": {
        "report_mode": "best_per_interaction", "dimensions": (0, 1, 2), "charge_weighted": False, "min_inter_size": 5,
        "volume_report_mode": "brightest",
    },
    "flash_match_merged": {
        "report_mode": "best_per_interaction", "merge": {"threshold": 0.5}, "first_flash_only": True,
    },
    "flash_match_window": {
        "report_mode": "best_per_flash", "merge": {"threshold": 0.8, "window": (0.0, 10.0)}, "update_flashes": True,
    },
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_same_as_spine(case: str) -> None:
    want = answers(case)
    events = applied(flash_match, load_detector("sbnd"), events=events_in_sbnd(), **COMMON, **CASES[case])
    tables = [event.reco.interactions for event in events]
    np.testing.assert_array_equal(np.concatenate([table["flash_ids"].lengths for table in tables]), want["lengths"])
    for name in ("flash_ids", "flash_times", "flash_scores"):
        found = np.concatenate([table[name].values for table in tables])
        np.testing.assert_allclose(found, want[name], rtol=1e-3 if name == "flash_scores" else 1e-5)
    total = np.concatenate([table["flash_total_pe"] for table in tables])
    np.testing.assert_allclose(total, want["flash_total_pe"], rtol=1e-4)
    matched = np.concatenate([table["is_flash_matched"] for table in tables])
    np.testing.assert_array_equal(matched, want["lengths"] > 0)


def test_merged_flashes_are_those_of_spine() -> None:
    want = answers("merged")
    options = CASES["flash_match_window"]
    events = applied(flash_match, load_detector("sbnd"), events=events_in_sbnd(), **COMMON, **options)
    tables = [event.table("flashes") for event in events]
    assert [len(table) for table in tables] == want["sizes"].tolist()
    assert want["sizes"].sum() < 24
    for name in ("id", "volume_id", "time", "time_width", "total_pe", "fast_to_total", "center", "width"):
        found = np.concatenate([table[name] for table in tables])
        np.testing.assert_allclose(found, want[name], rtol=1e-4, err_msg=name)
    found = np.concatenate([[row.sum() for row in table["pe_per_ch"]] for table in tables])
    np.testing.assert_allclose(found, want["pe_sums"], rtol=1e-4)


def test_merging_keeps_volumes_apart_on_request() -> None:
    flashes = Table(Flash, 4, {
        "time": [1.0, 1.2, 1.4, 9.0], "time_width": [0.1] * 4, "volume_id": [0, 1, 0, 1],
        "total_pe": [1.0, 2.0, 4.0, 8.0],
        "width": [[2.0, 2.0, 0.0]] * 4, "center": [[0.0, 0.0, 0.0], [1.0] * 3, [2.0] * 3, [3.0] * 3],
        "pe_per_ch": [[1.0], [2.0], [1.0, 3.0], [8.0]], "fast_to_total": [0.5, 0.5, 0.25, 0.5],
    })  # fmt: skip
    merged, rows = merge_flashes(flashes, FlashMerging(combine_volumes=False))
    assert rows.tolist() == [[0, 2], [1], [3]]
    assert merged["volume_id"].tolist() == [0, 1, 1]
    assert merged["total_pe"].tolist() == [5.0, 2.0, 8.0]
    assert merged["pe_per_ch"].tolist() == [[2.0, 3.0], [2.0], [8.0]]
    np.testing.assert_allclose(merged["center"][0], [1.0, 1.0, 1.0])
    np.testing.assert_allclose(merged["width"][0], [2**0.5, 2**0.5, np.nan])
    np.testing.assert_allclose(merged["fast_to_total"], [0.3, 0.5, 0.5])
    together, rows = merge_flashes(flashes, FlashMerging())
    assert rows.tolist() == [[0, 1, 2], [3]]
    assert together["volume_id"].tolist() == [0, 0]
    assert len(merge_flashes(flashes[:0], FlashMerging())[0]) == 0


def two_modules() -> Event:
    """Charge in two modules of 2x2, one interaction each, and a flash at each charge."""
    detector = load_detector("2x2")
    centers = detector.modules[:2].mean(axis=2)
    points = (centers[:, None] + np.random.default_rng(4).normal(0.0, 5.0, (2, 50, 3))).reshape(-1, 3)
    particles = {"index": [np.arange(50), np.arange(50, 100)]}
    event = event_of(points, np.ones(100), particles, {"particle_ids": [[0], [1]]})
    event["sources"] = np.repeat([[0, 0], [1, 0]], 50, axis=0)
    event["flashes"] = Table(Flash, 2, {
        "id": [0, 1], "volume_id": [1, 0], "time": [5.0, 6.0], "total_pe": [10.0, 20.0],
        "center": [points[50:].mean(axis=0), points[:50].mean(axis=0)],
    })  # fmt: skip
    return event


@pytest.mark.parametrize("reference", [None, 0])
def test_volumes_are_kept_apart_or_moved_together(reference: int | None) -> None:
    detector, event = load_detector("2x2"), two_modules()
    if reference is not None:
        way = detector.modules[0].mean(axis=1) - detector.modules[1].mean(axis=1)
        event.table("flashes")["center"] = event.table("flashes")["center"] + np.array([way, np.zeros(3)])
    options = {**COMMON, "candidate_distance": 1.0, "ref_volume_id": reference, "dimensions": (0, 1, 2)}
    applied(flash_match, detector, events=[event], **options)
    interactions = event.reco.interactions
    assert interactions["flash_ids"].tolist() == [[1], [0]]
    assert interactions["flash_volume_ids"].tolist() == [[0], [1]]
    assert interactions["flash_total_pe"].tolist() == [20.0, 10.0]
    before = interactions.copy()
    applied(flash_match, detector, events=[event], **options)
    assert same(event.reco.interactions["flash_ids"], before["flash_ids"])
    interactions["is_cathode_crosser"], interactions["cathode_offset"] = [True, False], [9.0, np.nan]
    applied(flash_match, detector, events=[event], max_cathode_offset=5.0, **options)
    assert interactions["is_flash_matched"].tolist() == [False, True]
    applied(flash_match, detector, events=[event], time_contained=True, **options)
    assert not interactions["is_flash_matched"].any()


def test_empty_events() -> None:
    event = empty_event()
    event["flashes"], event["sources"] = Table(Flash, 0), np.empty((0, 2), dtype=np.int64)
    applied(flash_match, load_detector("sbnd"), events=[event], report_mode="best_per_flash", **COMMON)
    event = two_modules()
    event["flashes"] = Table(Flash, 0)
    applied(flash_match, load_detector("2x2"), events=[event], candidate_distance=9.0, merge={}, **COMMON)
    assert not event.reco.interactions["is_flash_matched"].any()


def test_errors_say_what_is_wrong() -> None:
    with pytest.raises(ValidationError, match="candidate_distance"):
        FlashMatchConfig(flash_key="flashes", volume="tpc", method="barycenter")
    with pytest.raises(ValidationError, match="positive"):
        FlashMatchConfig(flash_key="flashes", volume="tpc", candidate_distance=1.0, position_errors=0.0)
    options = {**COMMON, "candidate_distance": 1.0}
    with pytest.raises(ConfigError, match="optical volumes"):
        applied(flash_match, None, events=[two_modules()], **options)
    with pytest.raises(DataError, match="other channels"):
        applied(flash_match, load_detector("2x2"), events=[two_modules()], angle_error=1.0, **options)
