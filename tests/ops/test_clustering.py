from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components as csgraph_components
from scipy.sparse.csgraph import minimum_spanning_tree as csgraph_tree
from sklearn.cluster import DBSCAN

from spine.errors import DataError
from spine.ops import clustering
from spine.ops.arrays import FloatArray
from spine.ops.clustering import Metric


def blobs(seed: int, count: int = 300, grid: bool = False) -> FloatArray:
    rng = np.random.default_rng(seed)
    points = rng.normal(scale=0.8, size=(count, 3)) + rng.integers(0, 4, size=(count, 1)) * 3.0
    return np.rint(points) if grid else points


@pytest.mark.parametrize("metric", ["euclidean", "chebyshev", "cityblock"])
@pytest.mark.parametrize(("min_samples", "eps"), [(1, 0.3), (3, 0.55), (5, 0.7), (12, 0.9)])
@pytest.mark.parametrize("grid", [False, True])
def test_dbscan_gives_the_labels_of_sklearn(metric: Metric, min_samples: int, eps: float, grid: bool) -> None:
    for seed in range(3):
        points = blobs(seed, grid=grid)
        eps = 1.0 if grid else eps  # on a grid: ties at the radius itself
        want = DBSCAN(eps=eps, min_samples=min_samples, metric=metric).fit_predict(points)
        np.testing.assert_array_equal(clustering.dbscan(points, eps, min_samples, metric), want)


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 10_000))
def test_dbscan_partition_does_not_depend_on_order(seed: int) -> None:
    points = blobs(seed, 80)
    order = np.random.default_rng(seed).permutation(len(points))
    labels = clustering.dbscan(points, 0.6, 1)
    shuffled = clustering.dbscan(points[order], 0.6, 1)
    np.testing.assert_array_equal(clustering.number_by_first_row(labels[order]), shuffled)


def test_dbscan_of_nothing_and_of_one_point() -> None:
    assert clustering.dbscan(np.empty((0, 3)), 1.0).shape == (0,)
    assert clustering.dbscan(np.zeros((1, 3)), 1.0).tolist() == [0]
    assert clustering.dbscan(np.zeros((1, 3)), 1.0, min_samples=2).tolist() == [-1]


def test_dbscan_names_the_metrics() -> None:
    with pytest.raises(DataError, match="unknown metric"):
        clustering.dbscan(np.zeros((2, 3)), 1.0, metric="cosine")  # type: ignore[arg-type]


@settings(deadline=None, max_examples=40)
@given(st.integers(1, 30), st.integers(0, 40), st.integers(0, 10_000))
def test_components_three_ways(count: int, edge_count: int, seed: int) -> None:
    edges = np.random.default_rng(seed).integers(0, count, size=(edge_count, 2))
    graph = coo_array((np.ones(edge_count), (edges[:, 0], edges[:, 1])), shape=(count, count))
    number, _ = csgraph_components(graph, directed=False)
    labels = clustering.connected_components(edges, count)
    assert len(set(labels.tolist())) == number
    np.testing.assert_array_equal(labels, clustering.union_find(edges, count))
    np.testing.assert_array_equal(labels[edges[:, 0]], labels[edges[:, 1]])
    assert list(dict.fromkeys(labels.tolist())) == list(range(number))


@settings(deadline=None, max_examples=40)
@given(st.integers(2, 25), st.integers(0, 10_000))
def test_spanning_tree_is_as_light_as_that_of_scipy(count: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    edges = np.unique(np.sort(rng.integers(0, count, size=(40, 2)), axis=1), axis=0)
    edges = edges[edges[:, 0] != edges[:, 1]]
    weights = rng.uniform(0.1, 1, len(edges))
    chosen = clustering.minimum_spanning_tree(edges, weights, count)
    graph = coo_array((weights, (edges[:, 0], edges[:, 1])), shape=(count, count))
    assert weights[chosen].sum() == pytest.approx(csgraph_tree(graph).sum(), rel=1e-12)
    np.testing.assert_array_equal(
        clustering.connected_components(edges[chosen], count), clustering.connected_components(edges, count)
    )


def test_spanning_tree_keeps_edges_of_zero_weight() -> None:
    edges = np.array([[0, 1], [1, 2], [0, 2]])
    assert clustering.minimum_spanning_tree(edges, np.zeros(3), 3).tolist() == [0, 1]
    assert clustering.minimum_spanning_tree(np.empty((0, 2)), np.empty(0), 3).shape == (0,)


def test_clusters_from_labels_and_back() -> None:
    labels = np.array([7, -1, 3, 7, 3, 3, 9])
    clusters = clustering.clusters_from_labels(labels)
    assert clusters.ids.tolist() == [3, 7, 9]
    assert clusters.values.tolist() == [2, 4, 5, 0, 3, 6]
    assert clusters.offsets.tolist() == [0, 3, 5, 6]
    back = clustering.labels_from_clusters(clusters.values, clusters.offsets, len(labels))
    assert back.tolist() == [1, -1, 0, 1, 0, 0, 2]
    large = clustering.clusters_from_labels(labels, min_size=2)
    assert large.ids.tolist() == [3, 7]
    assert large.values.tolist() == [2, 4, 5, 0, 3]
    empty = clustering.clusters_from_labels(np.empty(0, dtype=np.int64))
    assert empty.offsets.tolist() == [0]


def test_radius_edges_are_all_pairs_within_the_radius() -> None:
    points = blobs(5, 60)
    near = np.linalg.norm(points[:, None] - points[None], axis=-1) <= 0.7
    np.testing.assert_array_equal(clustering.radius_edges(points, 0.7), np.argwhere(np.triu(near, 1)))
    assert clustering.radius_edges(points[:1], 1.0).shape == (0, 2)
