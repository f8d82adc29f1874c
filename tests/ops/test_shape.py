from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation
from sklearn.decomposition import PCA

from spine.ops import shape
from spine.ops.arrays import FloatArray

DATA = Path(__file__).parent / "data"
SEEDS = st.integers(0, 10_000)


def cloud(seed: int, count: int = 60) -> FloatArray:
    rng = np.random.default_rng(seed)
    return rng.normal(size=(count, 3)) * [9.0, 1.0, 0.5] @ Rotation.random(rng=rng).as_matrix() + 50


def directions_by_hand(points: FloatArray, ref: FloatArray, radius: float, optimize: bool) -> FloatArray:
    """The same rule with numpy alone: covariances of every prefix from scratch, eigenvalues by LAPACK."""
    distances = np.linalg.norm(points - ref, axis=1)
    if radius > 0:
        near = distances <= max(radius, distances.min())
        points, distances = points[near], distances[near]
    if optimize and len(points) > 2:
        points = points[np.argsort(distances, kind="stable")]
        best, best_count = -1.0, 3
        for count in range(3, len(points) + 1):
            low, middle, high = np.linalg.eigvalsh(np.cov(points[:count].T, ddof=0))
            value = np.sqrt(high / (low + middle)) if low + middle > 1e-6 * high else 0.0
            best, best_count = (value, count) if value >= best else (best, best_count)
        points = points[:best_count]
    mean: FloatArray = (points - ref).mean(axis=0)
    return mean / float(np.linalg.norm(mean))


@pytest.mark.parametrize("radius", [-1, 3, 5, 10])
@pytest.mark.parametrize("optimize", [False, True])
def test_directions_equal_those_of_the_peer(radius: float, optimize: bool) -> None:
    frozen = np.load(DATA / "directions.npz")
    found = shape.cluster_directions(frozen["points"], frozen["offsets"], frozen["refs"], radius, optimize)
    want = frozen[f"radius_{radius}_optimize_{int(optimize)}"]
    np.testing.assert_allclose(found, want, atol=2e-6)  # the peer works in float32


@settings(deadline=None, max_examples=25)
@given(SEEDS, st.sampled_from([-1.0, 2.0, 20.0]), st.booleans())
def test_directions_equal_numpy(seed: int, radius: float, optimize: bool) -> None:
    points = cloud(seed, 40)
    found = shape.direction(points, points[3] + 0.1, radius, optimize)
    np.testing.assert_allclose(found, directions_by_hand(points, points[3] + 0.1, radius, optimize), atol=1e-9)


@settings(deadline=None, max_examples=25)
@given(SEEDS, st.booleans())
def test_directions_turn_with_the_points_and_ignore_their_order(seed: int, optimize: bool) -> None:
    rng = np.random.default_rng(seed)
    points, ref = cloud(seed), cloud(seed)[0] + 0.3
    matrix = Rotation.random(rng=rng).as_matrix()
    shift = rng.normal(size=3) * 100
    order = rng.permutation(len(points))
    here = shape.direction(points, ref, 12.0, optimize)
    there = shape.direction(points[order] @ matrix.T + shift, ref @ matrix.T + shift, 12.0, optimize)
    np.testing.assert_allclose(there, matrix @ here, atol=1e-9)


def test_directions_of_clusters_without_points_or_extent() -> None:
    points = np.array([[1.0, 2, 3], [0, 0, 0], [2, 0, 0]])
    offsets = np.array([0, 0, 1, 3])
    refs = np.array([[0.0, 0, 0], [1, 2, 3], [1, 0, 0]])
    found = shape.cluster_directions(points, offsets, refs, optimize=True)
    np.testing.assert_array_equal(found, [[np.nan] * 3, [1, 0, 0], [0, 0, 0]])
    assert shape.cluster_directions(points[:0], np.zeros(1), refs[:0]).shape == (0, 3)
    assert np.isnan(shape.direction(points, np.full(3, np.nan), 3.0, True)).all()


@settings(deadline=None, max_examples=25)
@given(SEEDS)
def test_pca_equals_sklearn_and_lapack(seed: int) -> None:
    points = cloud(seed)
    axes = shape.pca(points)
    oracle = PCA(3).fit(points)
    np.testing.assert_allclose(axes.variances, oracle.explained_variance_, rtol=1e-9)
    np.testing.assert_allclose(np.abs(np.sum(axes.axes * oracle.components_, axis=1)), np.ones(3), atol=1e-9)
    assert (axes.axes[np.arange(3), np.abs(axes.axes).argmax(axis=1)] > 0).all()
    np.testing.assert_allclose(shape.straightness(points), oracle.explained_variance_ratio_[0], rtol=1e-9)


def test_pca_of_many_clusters_is_that_of_each() -> None:
    sizes = [0, 1, 2, 30, 0, 7]
    offsets = np.concatenate([[0], np.cumsum(sizes)])
    points = cloud(3, sum(sizes))
    many = shape.pca_segments(points, offsets)
    for row in range(len(sizes)):
        one = shape.pca(points[offsets[row] : offsets[row + 1]])
        for left, right in zip(many, one, strict=True):
            np.testing.assert_allclose(left[row], right, atol=1e-12)
    assert np.isnan(many.variances[:2]).all()
    np.testing.assert_allclose(many.mean[1], points[0])
    assert shape.pca_segments(points[:0], np.zeros(1)).axes.shape == (0, 3, 3)


def test_pca_and_spreads_equal_those_of_the_peer() -> None:
    frozen = np.load(DATA / "overlaps_and_metrics.npz")
    points, ref = frozen["pca_points"], frozen["ref"]
    axes = shape.pca(points)
    np.testing.assert_allclose(axes.variances, frozen["pca_variances"], rtol=1e-10)
    np.testing.assert_allclose(axes.axes, shape.fix_axis_signs(frozen["pca_axes"]), atol=1e-10)
    near = points[np.linalg.norm(points - ref, axis=1) < 4.0]
    assert shape.straightness(near) == pytest.approx(float(frozen["straightness"]), rel=1e-10)
    spread = shape.directional_spread(points, ref)
    assert spread == pytest.approx(float(frozen["directional_spread"]), rel=1e-10)
    spread = shape.axial_spread(points, frozen["pca_axes"][0], ref)
    assert spread == pytest.approx(float(frozen["axial_spread"]), rel=1e-10)


@settings(deadline=None, max_examples=20)
@given(SEEDS)
def test_spreads_do_not_change_under_rotation(seed: int) -> None:
    points, ref = cloud(seed), cloud(seed)[0] + 0.3
    matrix = Rotation.random(rng=np.random.default_rng(seed)).as_matrix()
    axis = shape.direction(points, ref)
    assert shape.directional_spread(points @ matrix, ref @ matrix) == pytest.approx(
        shape.directional_spread(points, ref), abs=1e-10
    )
    assert shape.axial_spread(points @ matrix, axis @ matrix, ref @ matrix) == pytest.approx(
        shape.axial_spread(points, axis, ref), abs=1e-10
    )


@pytest.mark.parametrize("count", [0, 1])
def test_spreads_of_nothing_and_of_one_point(count: int) -> None:
    points = np.zeros((count, 3))
    assert np.isnan(shape.directional_spread(points, np.zeros(3)))
    assert np.isnan(shape.axial_spread(points, np.array([1.0, 0, 0]), np.zeros(3)))
    assert np.isnan(shape.straightness(points))
    assert shape.straightness(np.zeros((3, 3))) == 0.0
