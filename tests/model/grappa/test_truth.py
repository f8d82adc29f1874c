"""Truth of nodes against counting, cluster by cluster."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from spine.errors import DataError, SchemaError
from spine.model.grappa import EventTruth, GraphTruth
from spine.model.grappa.edge_targets import parent_edges, pure_edges, pure_nodes, tree_edges
from spine.model.grappa.loss_functions import good_nodes
from spine.model.grappa.loss_options import QualityOptions
from spine.model.grappa.options import NodeOptions
from spine.model.grappa.true_nodes import true_ends, true_nodes
from spine.model.grappa.truth import cluster_majority, match_clusters
from spine.schema import Ragged, Table, Tensor
from spine.schema.truth_records import ParticleLabel


def some_lists(seed: int, n: int) -> tuple[Ragged, NDArray[np.int64]]:
    """Disjoint lists of rows, and a value of each row."""
    rng = np.random.default_rng(seed)
    lengths = rng.integers(1, 6, n)
    rows = rng.permutation(int(lengths.sum()) + 4)
    return Ragged(rows[: lengths.sum()], np.concatenate([[0], np.cumsum(lengths)])), rng.integers(-1, 4, len(rows))


def truth(owners: list[int], **columns: list[int]) -> EventTruth:
    """Voxels on a line, the particles they belong to, and columns of the table of particles."""
    coords = np.arange(len(owners), dtype=np.int32)[:, None] * np.array([1, 0, 0], dtype=np.int32)
    rows = np.column_stack([np.ones(len(owners)), owners, owners]).astype(np.float32)
    count = len(next(iter(columns.values())))
    table = Table(ParticleLabel, count, {name: np.array(values) for name, values in columns.items()})
    starts = np.array([[10.0 * i, 0, 0] for i in range(count)], dtype=np.float32)
    clusters = Tensor(coords, rows, ("value", "cluster", "particle_index"), table)
    return EventTruth(coords, np.arange(len(owners)), clusters, starts, starts + 1, np.arange(count))


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 10**6), st.integers(0, 8))
def test_labels_are_those_of_most_voxels(seed: int, n: int) -> None:
    clusts, values = some_lists(seed, n)
    for kind in (np.int64, np.float32):
        found = cluster_majority(values.astype(kind), clusts)
        assert found.dtype == kind
        for row, rows in enumerate(clusts):
            counts = {v: int((values[rows] == v).sum()) for v in np.unique(values[rows])}
            assert found[row] == min(v for v, c in counts.items() if c == max(counts.values()))
    both = cluster_majority(np.stack([values, -values], axis=1), clusts)
    np.testing.assert_array_equal(both[:, 0], cluster_majority(values, clusts))


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 10**6), st.integers(0, 8))
def test_overlaps_are_counted(seed: int, n: int) -> None:
    clusts, values = some_lists(seed, n)
    overlap = match_clusters(values, clusts)
    for row, rows in enumerate(clusts):
        counts = [int((values[rows] == v).sum()) for v in range(4)]
        if max(counts) == 0:
            assert overlap.matches[row] == -1
            assert overlap.iou[row] == overlap.purity[row] == overlap.efficiency[row] == 0
            continue
        match, shared = int(np.argmax(counts)), max(counts)
        size = int((values == match).sum())
        assert overlap.matches[row] == match
        assert overlap.purity[row] == pytest.approx(shared / len(rows))
        assert overlap.efficiency[row] == pytest.approx(shared / size)
        assert overlap.iou[row] == pytest.approx(shared / (len(rows) + size - shared))


def test_limits_apply_to_all_classes_or_to_one() -> None:
    overlap = match_clusters(np.array([0, 0, 1, 1, -1]), Ragged.from_list([[0, 1, 2], [3], [4]], np.int64))
    np.testing.assert_array_equal(good_nodes(overlap, QualityOptions(min_purity=0.7)), [False, True, False])
    by_class = QualityOptions(min_efficiency=(0.9, 0.6))
    np.testing.assert_array_equal(good_nodes(overlap, by_class, np.array([0, 1, 1]), 2), [True, False, False])
    np.testing.assert_array_equal(good_nodes(overlap, by_class, np.array([2, -1, 0]), 2), [False, False, False])


def test_pure_groups_have_one_primary() -> None:
    groups, primary = np.array([0, 0, 1, 1, 2, 3, 3]), np.array([1, 0, 1, 1, 0, 1, 1])
    np.testing.assert_array_equal(pure_nodes(groups, primary), [True, True, False, False, False, False, False])
    particles = np.array([0, 5, 1, 2, 3, 4, 4])
    index = np.array([[0, 1], [2, 3], [4, 5], [2, 4], [5, 6]])
    found = pure_edges(index, particles, groups, primary)
    np.testing.assert_array_equal(found, [True, False, True, False, True])


def test_trees_take_the_most_likely_edges() -> None:
    index = np.array([[0, 1], [1, 0], [1, 2], [2, 1], [0, 2], [2, 0], [2, 3], [3, 2]])
    on = np.array([3.0, 2.0, 1.0, 0.0, 2.5, 0.0, 9.0, 9.0])
    labels, supervised = tree_edges(index, np.column_stack([-on, on]).astype(np.float32), np.array([0, 0, 0, 1]))
    np.testing.assert_array_equal(labels, [1, 1, 0, 0, 1, 1, 0, 0])
    np.testing.assert_array_equal(supervised, [True, True, False, False, True, True, True, True])


def test_parents_are_found_among_their_events() -> None:
    event = truth([0, 0, 1, 2, 2], particle=[0, 1, 2])
    related = EventTruth(event.coords, event.rows, event.clusters, relations=np.array([[0, 1], [1, 2]]))
    clusts = Ragged.from_list([[0, 1], [2], [3, 4]], np.int64)
    both = GraphTruth([related, event], [clusts, clusts])
    index = np.array([[0, 1], [1, 0], [1, 2], [0, 2], [3, 4], [4, 5]])
    np.testing.assert_array_equal(parent_edges(index, both), [1, 0, 1, 0, 0, 0])


def test_the_node_nearest_to_the_start_stands_for_its_group() -> None:
    # voxels 0 to 3 and 4 to 5 are group 0 (start at x = 0), 6 and 7 group 2 (start at x = 20), 8 unknown
    event = truth([0, 0, 0, 0, 1, 1, 2, 2, -1], particle=[0, 1, 2], group=[0, 0, 2])
    clusts = Ragged.from_list([[4, 5], [0, 1], [2, 3], [6], [7], [8]], np.int64)
    found = GraphTruth([event, event], [clusts, clusts])
    nodes, winners = found.nearest_to_start(np.ones(12, dtype=np.bool_))
    assert dict(zip(nodes.tolist(), winners.tolist(), strict=True)) == {
        **dict.fromkeys((0, 1, 2), 1), **dict.fromkeys((3, 4), 4),
        **dict.fromkeys((6, 7, 8), 7), **dict.fromkeys((9, 10), 10),
    }  # fmt: skip
    nodes, winners = found.nearest_to_start(np.isin(np.arange(12), (0, 2)))
    assert winners.tolist() == [2, 2]


def test_true_ends_are_voxels_of_the_cluster() -> None:
    event = truth([0, 0, 1, 1], particle=[0, 1])
    clusts = Ragged.from_list([[3, 1], [2]], np.int64)
    np.testing.assert_array_equal(true_ends(event, clusts), [[1, 0, 0, 1, 0, 0], [2, 0, 0, 2, 0, 0]])
    assert true_ends(event, clusts[:0]).shape == (0, 6)
    with pytest.raises(DataError, match="no true particle"):
        true_ends(truth([-1], particle=[0]), Ragged.from_list([[0]], np.int64))


def test_unknown_labels_are_named() -> None:
    event = truth([0], particle=[0])
    assert event.label("clust").tolist() == [0]
    assert event.label("part").tolist() == [0]
    with pytest.raises(SchemaError, match="colour"):
        event.label("colour")


def test_nodes_are_voxels_of_one_label() -> None:
    event = truth([1, 0, 0, 1, 2, 3, -1], particle=[0, 1, 2, 3], group=[0, 0, 2, 2], shape=[0, 1, 0, 3])
    clusts, shapes = true_nodes(event, NodeOptions(source="group", shapes=("shower", "track")))
    assert clusts.tolist() == [[0, 1, 2, 3], [4]]
    assert shapes.tolist() == [0, 0]
    clusts, shapes = true_nodes(event, NodeOptions(source="particle", min_size=2))
    assert clusts.tolist() == [[1, 2], [0, 3]]
    assert shapes.tolist() == [0, 1]
