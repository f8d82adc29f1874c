from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spine.errors import DataError
from spine.ops import matching
from spine.ops.matching import OverlapMode

FROZEN = Path(__file__).parent / "data" / "overlaps_and_metrics.npz"
SETS = st.lists(st.lists(st.integers(0, 12), max_size=6), max_size=4)


@pytest.mark.parametrize(
    ("mode", "weighted", "name"),
    [
        ("count", False, "count"),
        ("iou", False, "iou"),
        ("dice", False, "dice"),
        ("iou", True, "weighted_iou"),
        ("dice", True, "weighted_dice"),
    ],
)
def test_overlaps_equal_those_of_the_peer(mode: OverlapMode, weighted: bool, name: str) -> None:
    z = np.load(FROZEN)
    sets = (z["x_values"], z["x_offsets"], z["y_values"], z["y_offsets"])
    found = matching.overlap_matrix(*sets, mode, weighted)
    np.testing.assert_allclose(found, z[f"overlap_{name}"], rtol=1e-6)  # float32 there


def test_chamfer_distances_equal_those_of_the_peer() -> None:
    z = np.load(FROZEN)
    clouds = (z["px_points"], z["px_offsets"], z["py_points"], z["py_offsets"])
    np.testing.assert_allclose(matching.chamfer_distances(*clouds), z["chamfer"], rtol=1e-5)


@settings(deadline=None, max_examples=60)
@given(SETS, SETS)
def test_overlaps_equal_python_sets(left: list[list[int]], right: list[list[int]]) -> None:
    flat = [np.array([v for s in sets for v in s], dtype=np.int64) for sets in (left, right)]
    ends = [np.concatenate([[0], np.cumsum([len(s) for s in sets])]).astype(int) for sets in (left, right)]
    args = (flat[0], ends[0], flat[1], ends[1])
    shape = (len(left), len(right))
    shared = np.array([[len(set(a) & set(b)) for b in right] for a in left]).reshape(shape)
    union = np.array([[max(len(set(a) | set(b)), 1) for b in right] for a in left]).reshape(shape)
    np.testing.assert_array_equal(matching.overlap_matrix(*args, "count"), shared)
    np.testing.assert_allclose(matching.overlap_matrix(*args, "iou"), shared / union)
    turned = matching.overlap_matrix(*args[2:], *args[:2], "dice", True)
    np.testing.assert_allclose(turned.T, matching.overlap_matrix(*args, "dice", True))


def test_matches_are_sorted_by_overlap() -> None:
    overlaps = np.array([[0.1, 0.0, 0.5, 0.3], [0, 0, 0, 0], [0.2, 0.2, 0.1, 0.0]])
    rows, columns = matching.match_both_ways(overlaps)
    assert rows.best.tolist() == [2, -1, 1]
    np.testing.assert_array_equal(rows.best_overlap, [0.5, np.nan, 0.2])
    assert rows.ids.tolist() == [2, 3, 0, 1, 0, 2]
    assert rows.overlaps.tolist() == [0.5, 0.3, 0.1, 0.2, 0.2, 0.1]
    assert rows.offsets.tolist() == [0, 3, 3, 6]
    assert columns.best.tolist() == [2, 2, 0, 0]
    assert matching.match_both_ways(overlaps, 0.25)[0].best.tolist() == [2, -1, -1]


def test_distances_match_from_the_smallest() -> None:
    table = np.array([[3.0, 1.0], [np.inf, np.inf]])
    rows, columns = matching.match_both_ways(table, minimize=True)
    assert rows.best.tolist() == [1, -1]
    assert rows.ids.tolist() == [1, 0]
    assert columns.best.tolist() == [0, 0]
    assert matching.match_both_ways(table, 2.0, minimize=True)[1].best.tolist() == [-1, 0]


def test_matching_nothing() -> None:
    none, ends = np.empty(0, dtype=np.int64), np.zeros(1, dtype=np.int64)
    table = matching.overlap_matrix(none, ends, np.array([1, 2]), np.array([0, 1, 2]))
    assert table.shape == (0, 2)
    rows, columns = matching.match_both_ways(table)
    assert rows.best.shape == (0,)
    assert columns.best.tolist() == [-1, -1]
    points = np.empty((0, 3))
    assert matching.chamfer_distances(points, ends, np.ones((1, 3)), np.array([0, 1])).shape == (0, 1)
    assert np.isinf(matching.chamfer_distances(points, np.zeros(2), np.ones((1, 3)), np.array([0, 1]))).all()


def test_counts_have_no_weights() -> None:
    none, ends = np.empty(0, dtype=np.int64), np.zeros(1, dtype=np.int64)
    with pytest.raises(DataError, match="no such overlap"):
        matching.overlap_matrix(none, ends, none, ends, "count", True)
