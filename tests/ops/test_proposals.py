"""Points of interest against SPINE's answers; see data/proposals.md."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from spine.errors import DataError
from spine.ops.proposals import PointPooling, RawPoints, points_of_interest

DATA = Path(__file__).parent / "data" / "proposals.npz"
CASES: dict[str, dict[str, Any]] = {
    "default": {},
    "mean": {"pool_score_fn": "mean", "score_threshold": 0.7, "pool_dist": 3.0},
    "free": {"enforce_type": False, "score_threshold": 0.6},
    "narrow": {"type_dist_threshold": 0.9, "type_score_threshold": 0.8, "classes": (0, 1)},
}


def frozen(event: int, case: str) -> tuple[RawPoints, np.ndarray]:
    """Network output of an event, and the points that SPINE made of it."""
    with np.load(DATA) as file:
        raw, segmentation, ends = (
            file[f"ev{event}/{name}"].astype(np.float32) for name in ("raw", "segmentation", "ends")
        )
        answer = file[f"ev{event}/{case}"]
        return RawPoints(file[f"ev{event}/voxels"], raw, segmentation, None if case == "mean" else ends), answer


@pytest.mark.parametrize("event", [0, 1])
@pytest.mark.parametrize("case", CASES)
def test_same_as_spine(event: int, case: str) -> None:
    raw, want = frozen(event, case)
    found = points_of_interest(raw, PointPooling(**CASES[case]))
    assert len(want) > 8
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found[:, 0], 0)
    np.testing.assert_allclose(found[:, 1:], want, rtol=1e-4, atol=1e-5)


def test_order_of_voxels_does_not_matter() -> None:
    raw, _ = frozen(0, "default")
    order = np.random.default_rng(1).permutation(len(raw.voxels))
    first, second = (
        points_of_interest(raw),
        points_of_interest(RawPoints(*(part[order] for part in raw if part is not None))),
    )
    np.testing.assert_allclose(first[np.lexsort(first.T)], second[np.lexsort(second.T)], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("ends", [False, True])
def test_nothing_in_nothing_out(ends: bool) -> None:
    empty = RawPoints(np.empty((0, 3)), np.empty((0, 10)), np.empty((0, 5)), np.empty((0, 2)) if ends else None)
    assert points_of_interest(empty).shape == (0, 15 if ends else 13)


def test_single_voxel() -> None:
    raw = np.array([[0.1, -0.2, 0.3, -9.0, 9.0, -9.0, -9.0, -9.0, -2.0, 2.0]])
    (point,) = points_of_interest(RawPoints(np.array([[4, 5, 6]]), raw, raw[:, 3:8]))
    np.testing.assert_allclose(point[:5], [0.0, 4.6, 5.3, 6.8, 1 / (1 + np.exp(4.0))], rtol=1e-5)
    assert point[6] == 1
    assert point[12] == 1


def test_refuses_other_images() -> None:
    raw, _ = frozen(0, "default")
    with pytest.raises(DataError, match="different images"):
        points_of_interest(raw._replace(segmentation=np.zeros((3, 5))))
    with pytest.raises(DataError, match="without segmentation"):
        points_of_interest(raw._replace(segmentation=None))
