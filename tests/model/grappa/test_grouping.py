"""Groups against a direct evaluation of the cross-entropy, edge by edge."""

from __future__ import annotations

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from spine.model.grappa.grouping import groups_by_score, groups_by_threshold, primary_nodes
from tests.model.grappa.frozen import same_partition

Array = NDArray[np.float64]


def dense_groups(
    edges: NDArray[np.int64], logits: NDArray[np.float32], n: int, tracks: NDArray[np.bool_] | None = None
) -> NDArray[np.int64]:
    """Greedy union by the definition: the cross-entropy of the whole adjacency matrix, before and after."""
    powers = np.exp(logits.astype(np.float64) - logits.max(axis=1, keepdims=True))
    on = (powers / powers.sum(axis=1, keepdims=True))[:, 1]
    linked, score = np.eye(n, dtype=bool), np.eye(n)
    linked[edges[:, 0], edges[:, 1]] = True
    score[edges[:, 0], edges[:, 1]] = on

    def entropy(groups: NDArray[np.int64]) -> float:
        target = linked & (groups[:, None] == groups)
        off_diagonal = ~np.eye(n, dtype=bool)
        return -float(np.log(score[target & off_diagonal]).sum() + np.log(1 - score[~target]).sum())

    groups, attached = np.arange(n), np.zeros(n, dtype=bool)
    refused: set[frozenset[int]] = set()
    for k in np.argsort(-on, kind="stable"):
        a, b = edges[k]
        pair = frozenset((int(groups[a]), int(groups[b])))
        if on[k] < 0.5 or len(pair) == 1 or pair in refused:
            continue
        if tracks is not None:
            if attached[a] or attached[b]:
                continue
            if tracks[a] != tracks[b]:
                attached[b if tracks[a] else a] = True
        joined = np.where(groups == groups[b], groups[a], groups)
        if entropy(joined) < entropy(groups):
            refused = {one for one in refused if not one & pair}
            groups = joined
        else:
            refused.add(pair)
    return groups


def random_graph(seed: int, n: int, spread: float) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    rng = np.random.default_rng(seed)
    pairs = np.argwhere(np.triu(rng.random((n, n)) < 0.5, 1))
    edges = np.stack([pairs, pairs[:, ::-1]], axis=1).reshape(-1, 2)
    return edges, rng.normal(0, spread, (len(edges), 2)).astype(np.float32)


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 10**6), st.integers(0, 12), st.floats(0.2, 3.0), st.booleans())
def test_groups_lower_the_cross_entropy(seed: int, n: int, spread: float, restrict: bool) -> None:
    edges, logits = random_graph(seed, n, spread)
    tracks = np.random.default_rng(seed + 1).random(n) < 0.4 if restrict else None
    found = groups_by_score(edges, logits, n, tracks)
    if len(edges):
        assert same_partition(found, dense_groups(edges, logits, n, tracks))
    else:
        np.testing.assert_array_equal(found, np.arange(n))


def test_groups_are_numbered_by_their_first_node() -> None:
    edges = np.array([[1, 3], [0, 2]])
    logits = np.array([[0, 5], [0, 4]], dtype=np.float32)
    np.testing.assert_array_equal(groups_by_score(edges, logits, 5), [0, 1, 0, 1, 2])
    np.testing.assert_array_equal(groups_by_threshold(edges, logits, 5), [0, 1, 0, 1, 2])


def test_a_sure_edge_joins_whatever_the_others_say() -> None:
    edges = np.array([[0, 1], [1, 0]])
    logits = np.array([[-30, 30], [9, -9]], dtype=np.float32)  # its probability rounds to 1
    np.testing.assert_array_equal(groups_by_score(edges, logits, 2), [0, 0])
    logits = np.array([[-3, 3], [9, -9]], dtype=np.float32)
    np.testing.assert_array_equal(groups_by_score(edges, logits, 2), [0, 1])


def test_of_equal_edges_the_last_counts() -> None:
    edges = np.array([[0, 1], [0, 1]])
    weights = np.array([[0, 2], [5, 0]], dtype=np.float32)
    np.testing.assert_array_equal(groups_by_score(edges, weights, 2), [0, 1])
    np.testing.assert_array_equal(groups_by_score(edges, weights[::-1], 2), [0, 0])


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 10**6), st.integers(1, 30))
def test_the_threshold_gives_connected_components(seed: int, n: int) -> None:
    edges, logits = random_graph(seed, n, 1.0)
    kept = edges[logits[:, 1] > logits[:, 0]]
    graph = coo_array((np.ones(len(kept)), (kept[:, 0], kept[:, 1])), shape=(n, n))
    assert same_partition(groups_by_threshold(edges, logits, n), connected_components(graph, directed=False)[1])


def test_many_edges_take_seconds() -> None:
    rng = np.random.default_rng(3)
    n = 900
    pairs = np.column_stack(np.triu_indices(n, 1))
    edges = np.stack([pairs, pairs[:, ::-1]], axis=1).reshape(-1, 2)
    true = rng.integers(0, 40, n)
    sign = np.where(true[edges[:, 0]] == true[edges[:, 1]], 1.0, -1.0)
    logits = np.column_stack([-sign, sign]) + rng.normal(0, 1.0, (len(edges), 2))
    groups_by_score(edges[:2], logits[:2].astype(np.float32), n)
    start = time.process_time()
    groups = groups_by_score(edges, logits.astype(np.float32), n)
    assert time.process_time() - start < 8.0
    assert same_partition(groups, true)


@pytest.mark.parametrize("n", [0, 1, 7])
def test_every_group_has_one_primary(n: int) -> None:
    rng = np.random.default_rng(n)
    logits, groups = rng.normal(size=(n, 2)), rng.integers(0, 3, n)
    chosen = primary_nodes(logits, groups)
    for group in np.unique(groups):
        inside = np.flatnonzero(groups == group)
        best = inside[np.argmax(logits[inside, 1] - logits[inside, 0])]
        assert np.flatnonzero(chosen & (groups == group)).tolist() == [best]
    np.testing.assert_array_equal(primary_nodes(logits), logits[:, 1] > logits[:, 0])


def test_the_first_of_two_sure_primaries_wins() -> None:
    logits = np.array([[-9, 9], [-12, 12], [0, 1]], dtype=np.float32)
    np.testing.assert_array_equal(primary_nodes(logits, np.zeros(3, dtype=np.int64)), [True, False, False])
