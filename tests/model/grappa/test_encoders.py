"""Features against closed forms and direct computation, cluster by cluster."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from spine.errors import DataError
from spine.model.grappa.axes import geometric_features
from spine.model.grappa.clusters import Clusters
from spine.model.grappa.encoders import charge_features, edge_features, node_features
from spine.model.grappa.graphs import build_graph
from spine.model.grappa.options import GraphOptions, NodeEncoderOptions
from spine.model.grappa.start_radius import best_neighbourhoods
from spine.schema import Shape
from tests.model.grappa.test_graphs import SHAPES, cloud, some_clusters

EVERYTHING = NodeEncoderOptions(
    add_value=True, add_shape=True, add_points=True, add_local_dirs=True, dir_max_dist=-1.0, add_local_dedxs=True,
    dedx_max_dist=-1.0,
)  # fmt: skip


def with_ends(clusters: Clusters, seed: int = 0) -> Clusters:
    """The same clusters with ends at two of their voxels."""
    rng = np.random.default_rng(seed)
    ends = [cloud(clusters, i)[rng.integers(0, len(cloud(clusters, i)), 2)].ravel() for i in range(len(clusters))]
    both = np.array(ends, dtype=np.float32).reshape(-1, 6)
    return Clusters(clusters.points, clusters.offsets, clusters.values, clusters.shapes, both)


def test_a_wedge_points_to_its_thick_end() -> None:
    wedge = np.array([[x, y, 0] for x in range(12) for y in range(-(x // 4), x // 4 + 1)], dtype=float)
    for sign in (1.0, -1.0):
        (found,) = geometric_features(wedge * [sign, 1, 1] + 100.0, np.array([0, len(wedge)]))
        assert found[12] * sign > 0.5
        np.testing.assert_allclose(found[:3], (wedge * [sign, 1, 1]).mean(axis=0) + 100.0, rtol=1e-6)
        assert found[15] == len(wedge)


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 10**6), st.integers(0, 8))
def test_the_scatter_matrix_and_axis_are_those_of_each_cluster(seed: int, n: int) -> None:
    clusters = some_clusters(seed, n, 20)
    features = geometric_features(clusters.points, clusters.offsets)
    assert features.shape == (n, 16)
    for i, found in enumerate(features):
        points = cloud(clusters, i).astype(np.float64)
        centred = points - points.mean(axis=0)
        values = np.linalg.eigvalsh(centred.T @ centred)
        if values[2] == 0:
            assert not found[3:15].any()
            continue
        np.testing.assert_allclose(found[3:12].reshape(3, 3) * values[2], centred.T @ centred, atol=1e-3)
        assert np.linalg.norm(found[12:15]) == pytest.approx(1 - values[1] / values[2], abs=1e-4)


def test_one_voxel_has_no_extent() -> None:
    (found,) = geometric_features(np.array([[1.0, 2.0, 3.0]]), np.array([0, 1]))
    np.testing.assert_array_equal(found, [1, 2, 3, *[0] * 12, 1])
    np.testing.assert_array_equal(geometric_features(np.empty((0, 3)), np.array([0, 0])), np.zeros((1, 16)))


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 10**6), st.integers(0, 8))
def test_all_other_features_are_those_of_each_cluster(seed: int, n: int) -> None:
    clusters = with_ends(some_clusters(seed, n, 20), seed)
    features = node_features(clusters, EVERYTHING, "population")
    assert features.shape == (n, EVERYTHING.size)
    assert features.dtype == np.float32
    for i, found in enumerate(features):
        charge = clusters.values[clusters.offsets[i] : clusters.offsets[i + 1]]
        assert found[16] == pytest.approx(charge.mean(), rel=1e-5)
        assert found[17] == pytest.approx(charge.std(), abs=1e-6)
        assert found[18] == clusters.shapes[i]
        assert clusters.ends is not None
        np.testing.assert_array_equal(found[19:25], clusters.ends[i])
        for k in range(2):
            rays = cloud(clusters, i) - clusters.ends[i, 3 * k : 3 * k + 3]
            mean, reach = rays.mean(axis=0), np.linalg.norm(rays, axis=1).max()
            expected = mean / (np.linalg.norm(mean) or 1.0) if len(rays) > 1 or mean.any() else np.array([1.0, 0, 0])
            np.testing.assert_allclose(found[25 + 3 * k : 28 + 3 * k], expected, atol=1e-5)
            assert found[31 + k] == pytest.approx(charge.sum() / reach if reach else 0.0, rel=1e-5)


def test_the_spread_of_the_sample_divides_by_one_less() -> None:
    clusters = some_clusters(3, 5)
    sample, whole = (charge_features(clusters, kind)[:, 1] for kind in ("sample", "population"))
    sizes = np.diff(clusters.offsets)
    np.testing.assert_allclose(sample**2 * np.maximum(sizes - 1, 1), whole**2 * sizes)


def test_directions_and_charge_within_a_radius() -> None:
    points = np.array([[0, 0, 0], [1, 0, 0], [2, 0, 0], [2, 9, 0]], dtype=np.float32)
    ends = np.array([[0, 0, 0, 2, 9, 0]], dtype=np.float32)
    clusters = Clusters(points, np.array([0, 4]), np.array([1, 2, 3, 4], np.float32), np.array([1]), ends)
    near = NodeEncoderOptions(add_points=True, add_local_dirs=True, dir_max_dist=3.0, add_local_dedxs=True)
    (found,) = node_features(clusters, near)
    np.testing.assert_allclose(found[22:28], [1, 0, 0, 1, 0, 0], atol=1e-6)
    assert found[28] == pytest.approx(6 / 2)
    assert found[29] == 0.0  # one voxel within the radius
    best = NodeEncoderOptions(add_points=True, add_local_dirs=True, dir_max_dist="optimize")
    rays = points.mean(axis=0)  # a perfect line has no spread across it, so that all voxels count here
    np.testing.assert_allclose(node_features(clusters, best)[0, 22:25], rays / np.linalg.norm(rays), atol=1e-6)


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 10**6), st.integers(0, 5))
def test_the_straightest_start_is_the_best_of_all(seed: int, n: int) -> None:
    clusters = some_clusters(seed, n, 15)
    rng = np.random.default_rng(seed)
    lengths = rng.random(len(clusters.points))
    kept = best_neighbourhoods(clusters.points, clusters.offsets, lengths)
    for i in range(n):
        rows = slice(clusters.offsets[i], clusters.offsets[i + 1])
        order = np.argsort(lengths[rows], kind="stable")
        points = cloud(clusters, i)[order].astype(np.float64)
        chosen = int(kept[rows].sum())
        assert kept[rows][order][:chosen].all()
        if len(points) > 2:
            ratios = [_ratio(points[:k]) for k in range(3, len(points) + 1)]
            assert _ratio(points[:chosen]) == pytest.approx(max(ratios), rel=1e-6)


def _ratio(points: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> float:
    values = np.linalg.eigvalsh(np.cov(points.T, bias=True))
    across = values[0] + values[1]
    return float(np.sqrt(values[2] / across)) if across > 1e-6 * values[2] else 0.0


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 10**6), st.integers(0, 8))
def test_edges_are_described_by_their_closest_points(seed: int, n: int) -> None:
    clusters = some_clusters(seed, n)
    graph = build_graph(clusters, GraphOptions(name="complete"), SHAPES)
    features = edge_features(clusters, graph)
    assert features.shape == (len(graph.edges), 19)
    for (a, b), found in zip(graph.edges, features, strict=True):
        assert (cloud(clusters, a) == found[:3]).all(axis=1).any()
        assert (cloud(clusters, b) == found[3:6]).all(axis=1).any()
        np.testing.assert_allclose(found[6:9] * found[9], found[:3] - found[3:6], atol=1e-4)
        np.testing.assert_allclose(found[10:].reshape(3, 3), np.outer(found[6:9], found[6:9]), atol=1e-6)


def test_features_move_with_the_event() -> None:
    clusters = with_ends(some_clusters(5, 6, 20))
    assert clusters.ends is not None
    moved = Clusters(clusters.points + 64, clusters.offsets, clusters.values, clusters.shapes, clusters.ends + 64)
    here, there = node_features(clusters, EVERYTHING), node_features(moved, EVERYTHING)
    shifted = [*range(3), *range(19, 25)]
    here[:, shifted] += 64
    np.testing.assert_allclose(here, there, atol=2e-4)


def test_what_features_need_is_asked_for() -> None:
    with pytest.raises(DataError, match="end points"):
        node_features(some_clusters(0, 2), EVERYTHING)
    with pytest.raises(ValidationError, match="need add_points"):
        NodeEncoderOptions(add_local_dirs=True)
    assert node_features(some_clusters(0, 2), NodeEncoderOptions(name="empty")).shape == (2, 0)
    assert Shape.TRACK in SHAPES
