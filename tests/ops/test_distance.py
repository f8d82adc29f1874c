from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import cdist, pdist, squareform

from spine.errors import DataError
from spine.ops import distance
from spine.ops.arrays import FloatArray

SEEDS = st.integers(0, 10_000)


def cloud(seed: int, count: int, grid: bool) -> FloatArray:
    points = np.random.default_rng(seed).normal(scale=3, size=(count, 3))
    return np.rint(points) if grid else points


@settings(deadline=None, max_examples=60)
@given(SEEDS, st.integers(2, 60), st.booleans())
def test_farthest_pair_is_exact(seed: int, count: int, grid: bool) -> None:
    points = cloud(seed, count, grid)
    table = np.triu(squareform(pdist(points, "sqeuclidean")))
    found = distance.farthest_pair(points)
    assert found.distance == pytest.approx(np.sqrt(table.max()), abs=1e-12)
    assert found.first < found.second
    assert table[found.first, found.second] == pytest.approx(table.max(), abs=1e-9)
    turned = distance.farthest_pair(points[::-1] + 100)
    assert turned.distance == pytest.approx(found.distance, abs=1e-9)


def test_farthest_pair_without_a_pair_or_extent() -> None:
    for count in (0, 1):
        found = distance.farthest_pair(np.zeros((count, 3)))
        assert (found.first, found.second) == (-1, -1)
        assert np.isnan(found.distance)
    assert distance.farthest_pair(np.ones((4, 3))) == (0, 1, 0.0)


@settings(deadline=None, max_examples=40)
@given(SEEDS, st.integers(1, 30), st.integers(1, 30), st.booleans())
def test_closest_pair_is_exact(seed: int, left: int, right: int, grid: bool) -> None:
    first, second = cloud(seed, left, grid), cloud(seed + 1, right, grid) + 2
    table = cdist(first, second)
    found = distance.closest_pair(first, second)
    assert found.distance == pytest.approx(table.min(), abs=1e-12)
    assert found.first * right + found.second == np.argmin(table)
    assert np.isnan(distance.closest_pair(first[:0], second).distance)


@settings(deadline=None, max_examples=30)
@given(SEEDS, st.lists(st.integers(0, 12), max_size=6), st.booleans())
def test_cluster_distances_equal_scipy(seed: int, sizes: list[int], grid: bool) -> None:
    offsets = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
    rng = np.random.default_rng(seed)
    points = cloud(seed, int(offsets[-1]), grid) + np.repeat(rng.normal(scale=4, size=(len(sizes), 3)), sizes, 0)
    found, closest = distance.cluster_distances(points, offsets)
    assert found.shape == closest.shape == (len(sizes), len(sizes))
    for i, j in np.ndindex(found.shape):
        first, second = points[offsets[i] : offsets[i + 1]], points[offsets[j] : offsets[j + 1]]
        if i == j:
            assert found[i, j] == 0
            assert closest[i, j] == -1
        elif len(first) == 0 or len(second) == 0:
            assert np.isnan(found[i, j])
            assert closest[i, j] == -1
        else:
            assert found[i, j] == pytest.approx(cdist(first, second).min(), abs=1e-12)
            gap = points[closest[i, j]] - points[closest[j, i]]
            assert np.linalg.norm(gap) == pytest.approx(found[i, j], abs=1e-12)
            assert offsets[i] <= closest[i, j] < offsets[i + 1]


def test_pair_distances_only_for_the_pairs_asked_for() -> None:
    points = np.array([[0.0, 0, 0], [1, 0, 0], [5, 0, 0], [9, 0, 0]])
    found = distance.pair_distances(points, np.array([0, 2, 3, 4, 4]), np.array([[2, 0], [1, 2], [0, 3]]))
    np.testing.assert_array_equal(found.distances, [8, 4, np.nan])
    assert found.first.tolist() == [3, 2, -1]
    assert found.second.tolist() == [1, 3, -1]


@settings(deadline=None, max_examples=30)
@given(SEEDS, st.integers(1, 20), st.integers(1, 4))
def test_nearest_neighbours_equal_brute_force(seed: int, count: int, k: int) -> None:
    points, queries = cloud(seed, count, False), cloud(seed + 1, 7, False)
    distances, rows = distance.nearest_neighbours(points, queries, k)
    order = np.argsort(cdist(queries, points), axis=1)[:, :k]
    np.testing.assert_array_equal(rows[:, : order.shape[1]], order)
    np.testing.assert_array_equal(rows[:, order.shape[1] :], -1)
    want = np.take_along_axis(cdist(queries, points), order, 1)
    np.testing.assert_allclose(distances[:, : order.shape[1]], want)


def test_nearest_neighbours_of_nothing() -> None:
    distances, rows = distance.nearest_neighbours(np.empty((0, 3)), np.zeros((2, 3)), 2)
    assert np.isinf(distances).all()
    assert (rows == -1).all()
    assert distance.nearest_neighbours(np.zeros((2, 3)), np.empty((0, 3)))[1].shape == (0, 1)
    with pytest.raises(DataError, match="positive"):
        distance.nearest_neighbours(np.zeros((2, 3)), np.zeros((2, 3)), 0)
