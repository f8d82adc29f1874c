"""Clusters against SPINE's, against scikit-learn, and against label propagation."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import cdist
from sklearn.neighbors import KNeighborsClassifier

from spine.model.graph_spice.clustering import assign_orphans, cluster_nodes, edges_on, vote
from spine.model.graph_spice.components import first_reaching
from spine.model.graph_spice.config import ConstructorConfig, KnnOrphanConfig
from spine.ops.clustering import connected_components

FROZEN = np.load(Path(__file__).parent / "data" / "clusters.npz")
RADIUS = {"mode": "radius", "radius": 1.9, "iterate": True, "assign_all": True}
OPTIONS: dict[str, tuple[int, dict[str, object] | None]] = {
    "plain": (0, None),
    "sizes": (3, None),
    "radius": (3, RADIUS),
    "one_round": (4, {**RADIUS, "iterate": False, "assign_all": False}),
    "city": (5, {**RADIUS, "radius": 2.5, "metric": "cityblock"}),
    "cheb": (6, {**RADIUS, "radius": 2.0, "metric": "chebyshev", "iterate": False}),
    "all_orphans": (10**6, RADIUS),
}


def options(min_size: int = 0, orphan: dict[str, object] | None = None) -> ConstructorConfig:
    graph = {"name": "radius", "r": 1.9}
    return ConstructorConfig.model_validate(
        {"graph": graph, "edge_threshold": 0.1, "min_size": min_size, "orphan": orphan}
    )


@pytest.mark.parametrize("name", OPTIONS)
@pytest.mark.parametrize("case", range(3))
def test_clusters_are_those_of_spine(case: int, name: str) -> None:
    voxels, edges = FROZEN[f"{case}/voxels"].astype(np.int64), FROZEN[f"{case}/edges"]
    nodes = np.column_stack([np.zeros(len(voxels), dtype=np.int64), voxels])
    found = cluster_nodes(nodes, edges, np.ones(len(edges), dtype=np.bool_), options(*OPTIONS[name]))
    expected = FROZEN[f"{case}/{name}"].astype(np.int64)
    numbers = np.unique(expected, return_inverse=True)[1] - int((expected < 0).any())
    assert np.array_equal(found.labels, numbers)


def test_groups_are_apart_and_lists_are_labels() -> None:
    voxels, edges = FROZEN["0/voxels"].astype(np.int64), FROZEN["0/edges"].astype(np.int64)
    n = len(voxels)
    two = np.column_stack([np.repeat([4, 1], n), np.vstack([voxels, voxels])])
    both = np.vstack([edges, edges + n])
    found = cluster_nodes(two, both, np.ones(len(both), dtype=np.bool_), options(*OPTIONS["radius"]))
    alone = cluster_nodes(two[:n], edges, np.ones(len(edges), dtype=np.bool_), options(*OPTIONS["radius"]))
    count = len(alone.clusts)
    assert np.array_equal(found.labels, np.concatenate([alone.labels + count, alone.labels]))
    assert found.groups.tolist() == [1] * count + [4] * count
    for number, rows in enumerate(found.clusts):
        assert np.array_equal(rows, np.flatnonzero(found.labels == number))


@settings(deadline=None, max_examples=60)
@given(st.integers(1, 25), st.integers(0, 60), st.integers(0, 10**6))
def test_reaching_is_the_propagation_of_the_lowest_label(count: int, number: int, seed: int) -> None:
    edges = np.random.default_rng(seed).integers(0, count, (number, 2))
    labels = np.arange(count)
    for _ in range(count):
        np.minimum.at(labels, edges[:, 1], labels[edges[:, 0]])
    assert np.array_equal(first_reaching(edges, count), labels)
    both = np.vstack([edges, edges[:, ::-1]])
    same = connected_components(both, count)
    assert np.array_equal(np.unique(first_reaching(both, count), return_inverse=True)[1], same)


def test_nearest_neighbours_vote() -> None:
    rng = np.random.default_rng(5)
    voxels = np.column_stack([np.zeros(200, dtype=np.int64), rng.integers(0, 4000, (200, 3))])
    labels = np.where(rng.random(200) < 0.3, -1, rng.integers(0, 6, 200))
    gaps = np.sort(cdist(voxels[labels < 0, 1:], voxels[labels >= 0, 1:]), axis=1)
    assert (np.diff(gaps[:, :6], axis=1) > 0).all()
    found = assign_orphans(voxels, labels, KnnOrphanConfig(mode="knn", k=5))
    tree = KNeighborsClassifier(5).fit(voxels[labels >= 0, 1:], labels[labels >= 0])
    assert np.array_equal(found[labels < 0], tree.predict(voxels[labels < 0, 1:]))
    assert np.array_equal(found[labels >= 0], labels[labels >= 0])
    none = assign_orphans(voxels, np.full(200, -1), KnnOrphanConfig(mode="knn", k=5))
    assert (none == -1).all()


def test_vote_takes_the_smallest_of_equals() -> None:
    rows, labels = vote(np.array([3, 3, 1, 1, 1, 3]), np.array([5, 2, 9, 9, 0, 2]))
    assert rows.tolist() == [1, 3]
    assert labels.tolist() == [9, 2]


def test_edges_at_the_threshold_join() -> None:
    scores = np.array([0.0, 0.5, 1.0])
    assert edges_on(scores, 0.5, invert=True).tolist() == [True, True, False]
    assert edges_on(scores, 0.5, invert=False).tolist() == [False, True, True]


def test_nothing_gives_nothing() -> None:
    found = cluster_nodes(np.empty((0, 4)), np.empty((0, 2)), np.empty(0, np.bool_), options(*OPTIONS["radius"]))
    assert (len(found.labels), len(found.clusts), len(found.groups)) == (0, 0, 0)
