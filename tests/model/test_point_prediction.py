"""Points of interest against those of SPINE; see data/README.md."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spine.model.point_prediction import PointPredictionConfig, ProposedPoints, predict_points

FROZEN = np.load(Path(__file__).parent / "data" / "points.npz")
OPTIONS = {
    "default": PointPredictionConfig(),
    "any_type": PointPredictionConfig(enforce_type=False),
    "mean": PointPredictionConfig(
        pool_score_fn="mean", score_threshold=0.7, type_score_threshold=0.3, type_dist_threshold=1.0, pool_dist=3.0
    ),
}


def proposed(event: int) -> ProposedPoints:
    """Raw output for the voxels of an event."""
    voxels, raw, segmentation = (FROZEN[f"{event}/{name}"] for name in ("voxels", "raw", "segmentation"))
    return ProposedPoints(voxels, raw, segmentation)


@pytest.mark.parametrize("name", OPTIONS)
@pytest.mark.parametrize("event", [0, 2])
def test_points_are_those_of_spine(event: int, name: str) -> None:
    found = predict_points(proposed(event), OPTIONS[name])
    assert found.dtype == np.float32
    assert (found[:, 0] == 0).all()
    np.testing.assert_allclose(found[:, 1:], FROZEN[f"{event}/{name}"], rtol=1e-5, atol=1e-5)


@settings(deadline=None, max_examples=10)
@given(st.permutations(range(30)))
def test_points_do_not_depend_on_the_order_of_voxels(order: list[int]) -> None:
    some = proposed(2)
    rows = np.arange(0, 390, 13)
    cfg = OPTIONS["default"]
    tables = []
    for chosen in (rows, rows[order]):
        found = ProposedPoints(some.voxels[chosen], some.raw[chosen], some.segmentation[chosen])
        table = predict_points(found, cfg)
        tables.append(table[np.lexsort(np.round(table[:, 3:0:-1], 3).T)])
    np.testing.assert_allclose(tables[0], tables[1], rtol=1e-5)


def test_voxels_below_either_threshold_propose_nothing() -> None:
    some = proposed(2)
    strict = predict_points(some._replace(mask_threshold=0.9), OPTIONS["any_type"])
    high = predict_points(some, PointPredictionConfig(enforce_type=False, score_threshold=0.9))
    assert np.array_equal(strict, high)
    assert len(strict) < len(predict_points(some, OPTIONS["any_type"]))


@pytest.mark.parametrize("name", OPTIONS)
def test_nothing_gives_nothing(name: str) -> None:
    none = ProposedPoints(np.empty((0, 3)), np.empty((0, 10), np.float32), np.empty((0, 5), np.float32))
    assert predict_points(none, OPTIONS[name]).shape == (0, 13)
    low = proposed(2)
    raw = low.raw.copy()
    raw[:, -1] = -99.0
    assert predict_points(low._replace(raw=raw), OPTIONS[name]).shape == (0, 13)
