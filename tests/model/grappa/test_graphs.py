"""Graphs and closest points against exhaustive searches."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.sparse.csgraph import minimum_spanning_tree
from scipy.spatial import Delaunay
from scipy.spatial.distance import cdist
from sklearn.neighbors import NearestNeighbors

from spine.errors import ConfigError, DataError
from spine.model.grappa.closest import boxes, candidate_pairs, closest_points, far_ends
from spine.model.grappa.clusters import Clusters
from spine.model.grappa.graphs import build_graph, length_limits
from spine.model.grappa.options import GraphOptions
from spine.schema import Shape

SHAPES = (Shape.SHOWER, Shape.TRACK)


def some_clusters(seed: int, n: int, largest: int = 8) -> Clusters:
    """Clusters of distinct voxels, near each other."""
    rng = np.random.default_rng(seed)
    clouds = [
        np.unique(rng.integers(0, 40, 3) + rng.integers(-4, 5, (int(rng.integers(1, largest + 1)), 3)), axis=0)
        for _ in range(n)
    ]
    sizes = np.cumsum([0] + [len(cloud) for cloud in clouds])
    points = np.concatenate([np.empty((0, 3)), *clouds]).astype(np.float32)
    values = rng.random(len(points)).astype(np.float32)
    return Clusters(points, sizes, values, rng.integers(0, 2, n))


def cloud(clusters: Clusters, i: int) -> NDArray[Any]:
    """Voxels of a cluster."""
    return clusters.points[clusters.offsets[i] : clusters.offsets[i + 1]]


def all_distances(clusters: Clusters) -> NDArray[np.float64]:
    """(n, n) smallest distances, exhaustively."""
    n = len(clusters)
    return np.array([[cdist(cloud(clusters, i), cloud(clusters, j)).min() for j in range(n)] for i in range(n)])


def walked(first: NDArray[Any], second: NDArray[Any], to_the_end: bool) -> tuple[int, int, float]:
    """Closest points by a walk from the far ends of either cluster; exact arithmetic on integers."""
    square = cdist(first, second, "sqeuclidean")
    ends = []
    for points in (first, second):
        inner = cdist(points, points, "sqeuclidean")
        at = [int(np.argmax(((points - points.mean(axis=0)) ** 2).sum(axis=1)))] * 2
        side, longest = 0, -1.0
        while inner[at[side]].max() > longest:
            longest, target = inner[at[side]].max(), int(inner[at[side]].argmax())
            side = 1 - side
            at[side] = target
        ends.append(at)
    tries = [(square[end].min(), end, int(square[end].argmin()), 0) for end in ends[0]]
    tries += [(square[:, end].min(), int(square[:, end].argmin()), end, 1) for end in ends[1]]
    best, i, j, free = min(tries, key=lambda one: one[0])
    while True:  # ``free`` is the side whose point is chosen anew
        options = square[:, j] if free == 0 else square[i]
        moved = options.min() < best or not to_the_end
        if moved:
            i, j = (int(options.argmin()), j) if free == 0 else (i, int(options.argmin()))
        if not moved or not to_the_end:
            return i, j, min(best, options.min())
        best, free = options.min(), 1 - free


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 10**6), st.integers(2, 6))
def test_walks_end_where_a_direct_walk_ends(seed: int, n: int) -> None:
    clusters = some_clusters(seed, n, 12)
    pairs = np.column_stack(np.triu_indices(n, 1))
    exact = closest_points(clusters.points, clusters.offsets, pairs)
    for algorithm in ("iterative", "recursive"):
        found = closest_points(clusters.points, clusters.offsets, pairs, algorithm)
        gaps = np.linalg.norm(clusters.points[found.first] - clusters.points[found.second], axis=1)
        np.testing.assert_allclose(found.distances, gaps, rtol=1e-6)
        assert (found.distances >= exact.distances - 1e-6).all()
        for row, (a, b) in enumerate(pairs):
            i, j, square = walked(cloud(clusters, a), cloud(clusters, b), algorithm == "iterative")
            assert found.distances[row] == pytest.approx(np.sqrt(square))
            assert (found.first[row] - clusters.offsets[a], found.second[row] - clusters.offsets[b]) == (i, j)


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 10**6), st.integers(0, 6))
def test_far_ends_are_voxels_from_which_no_other_is_farther(seed: int, n: int) -> None:
    clusters = some_clusters(seed, n, 20)
    for row, (a, b) in enumerate(far_ends(clusters.points, clusters.offsets)):
        points = cloud(clusters, row)
        gaps = cdist(points, points)
        i, j = a - clusters.offsets[row], b - clusters.offsets[row]
        assert gaps[i, j] == pytest.approx(max(gaps[i].max(), gaps[j].max()))


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 10**6), st.integers(0, 12), st.floats(1.0, 30.0), st.floats(0.0, 30.0))
def test_a_complete_graph_has_all_pairs_within_the_limit_of_their_classes(
    seed: int, n: int, near: float, far: float
) -> None:
    clusters = some_clusters(seed, n)
    options = GraphOptions(name="complete", max_length=(near, far, 0.0))
    graph = build_graph(clusters, options, SHAPES)
    limits = np.array([[near, far], [far, 0.0]])
    distances = all_distances(clusters) if n else np.empty((0, 0))
    expected = [
        (i, j)
        for i in range(n)
        for j in range(i + 1, n)
        if distances[i, j] < limits[clusters.shapes[i], clusters.shapes[j]]
    ]
    assert [tuple(pair) for pair in graph.pairs] == expected
    np.testing.assert_array_equal(graph.edges[::2], graph.pairs)
    np.testing.assert_array_equal(graph.edges[1::2], graph.pairs[:, ::-1])


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 10**6), st.integers(1, 10))
def test_boxes_leave_out_only_what_is_too_far(seed: int, n: int) -> None:
    clusters = some_clusters(seed, n)
    corners = boxes(clusters.points, clusters.offsets).astype(np.float64)
    kept = {tuple(p) for p in candidate_pairs(corners, np.full((2, 2), 9.0), clusters.shapes, range(n))}
    near = {tuple(p) for p in np.argwhere(np.triu(all_distances(clusters) <= 9.0, 1))}
    assert near <= kept


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 10**6), st.integers(0, 12), st.integers(1, 5))
def test_nearest_neighbours_are_scikit_learns(seed: int, n: int, k: int) -> None:
    clusters = some_clusters(seed, n)
    graph = build_graph(clusters, GraphOptions(name="knn", k=k, directed=True), SHAPES)
    assert len(graph.edges) == (n * min(k, n - 1) if n > 1 else 0)
    if n > k + 1:
        distances = all_distances(clusters)
        found = NearestNeighbors(n_neighbors=k, metric="precomputed").fit(distances).kneighbors()[0]
        ours = np.sort(distances[graph.edges[:, 0], graph.edges[:, 1]].reshape(n, k), axis=1)
        np.testing.assert_allclose(ours, found)
    both = build_graph(clusters, GraphOptions(name="knn", k=k), SHAPES)
    assert {tuple(p) for p in both.pairs} == {tuple(sorted(p)) for p in graph.edges}


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 10**6), st.integers(0, 12))
def test_a_tree_connects_all_at_least_length(seed: int, n: int) -> None:
    clusters = some_clusters(seed, n)
    graph = build_graph(clusters, GraphOptions(name="mst"), SHAPES)
    assert len(graph.pairs) == max(n - 1, 0)
    if n > 1:
        expected = minimum_spanning_tree(np.triu(all_distances(clusters)) + np.triu(np.full((n, n), 1e-6), 1)).sum()
        assert graph.closest.distances.sum() == pytest.approx(float(expected), abs=1e-4)


def test_a_delaunay_graph_connects_owners_of_simplices() -> None:
    clusters = some_clusters(4, 12, 20)
    graph = build_graph(clusters, GraphOptions(name="delaunay"), SHAPES)
    owners = np.repeat(np.arange(12), np.diff(clusters.offsets))
    simplices = owners[Delaunay(clusters.points, qhull_options="QJ").simplices]
    expected = {(int(min(a, b)), int(max(a, b))) for s in simplices for a in s for b in s if a != b}
    assert {tuple(map(int, p)) for p in graph.pairs} == expected
    flat = Clusters(np.zeros((2, 3), np.float32), np.arange(3), np.ones(2, np.float32), np.zeros(2, np.int64))
    assert build_graph(flat, GraphOptions(name="delaunay"), SHAPES).pairs.tolist() == [[0, 1]]


def test_loops_and_bipartite_graphs() -> None:
    clusters = some_clusters(1, 4)
    loops = build_graph(clusters, GraphOptions(name="loop", directed=True), SHAPES)
    assert loops.edges.tolist() == [[i, i] for i in range(4)]
    assert (loops.closest.distances == 0).all()
    with pytest.raises(ConfigError, match="reciprocal"):
        build_graph(clusters, GraphOptions(name="loop"), SHAPES)
    with pytest.raises(DataError, match="primaries"):
        build_graph(clusters, GraphOptions(name="bipartite"), SHAPES)
    known = Clusters(
        clusters.points, clusters.offsets, clusters.values, clusters.shapes, primaries=np.array([0, 1, 1, 0]) == 1
    )
    found = build_graph(known, GraphOptions(name="bipartite", directed=True, directed_to="primary"), SHAPES)
    assert found.edges.tolist() == [[0, 1], [3, 1], [0, 2], [3, 2]]
    np.testing.assert_allclose(found.closest.distances, all_distances(clusters)[tuple(found.edges.T)], rtol=1e-6)


def test_groups_and_centroids_restrict_edges() -> None:
    clusters = some_clusters(2, 6)
    groups = np.array([0, 0, 1, 1, 1, 0])
    apart = Clusters(clusters.points, clusters.offsets, clusters.values, clusters.shapes, groups=groups)
    pairs = build_graph(apart, GraphOptions(name="complete"), SHAPES).pairs
    assert len(pairs) == 6
    assert (groups[pairs[:, 0]] == groups[pairs[:, 1]]).all()
    centres = np.array([cloud(clusters, i).mean(axis=0) for i in range(6)])
    near = build_graph(clusters, GraphOptions(name="complete", max_length=20.0, dist_method="centroid"), SHAPES).pairs
    assert {tuple(p) for p in near} == {tuple(p) for p in np.argwhere(np.triu(cdist(centres, centres) < 20.0, 1))}


def test_limits_are_the_upper_triangle() -> None:
    limits = length_limits((1.0, 2.0, 3.0), SHAPES)
    np.testing.assert_array_equal(limits, [[1, 2], [2, 3]])
    with pytest.raises(ConfigError, match="per pair of classes"):
        length_limits((1.0, 2.0), SHAPES)


def test_clusters_that_cannot_be_connected_are_refused() -> None:
    empty = Clusters(np.ones((1, 3), np.float32), np.array([0, 0, 1]), np.ones(1, np.float32), np.zeros(2, np.int64))
    with pytest.raises(DataError, match="no voxels"):
        build_graph(empty, GraphOptions(name="complete"), SHAPES)
    stray = Clusters(np.ones((1, 3), np.float32), np.array([0, 1]), np.ones(1, np.float32), np.array([3]))
    with pytest.raises(DataError, match="without limits"):
        build_graph(stray, GraphOptions(name="complete", max_length=(1.0, 1.0, 1.0)), SHAPES)
    with pytest.raises(DataError, match="do not match"):
        Clusters(np.ones((1, 3), np.float32), np.array([0, 1]), np.ones(1, np.float32), np.array([3, 3]))
