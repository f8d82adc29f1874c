"""Voxel graphs against k-d trees and brute force."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import cdist

from spine.errors import DataError
from spine.model.graph_spice.graph import knn_edges, near_pairs, radius_edges
from spine.ops.clustering import Metric


def voxels(count: int = 300, size: int = 12, seed: int = 0) -> torch.Tensor:
    """(N, 4) different voxels of three groups in random order, some coordinates negative."""
    rng = np.random.default_rng(seed)
    rows = np.column_stack([rng.integers(0, 3, count), rng.integers(-3, size - 3, (count, 3))])
    return torch.from_numpy(rng.permutation(np.unique(rows, axis=0)).astype(np.int64))


def distances(rows: torch.Tensor, metric: Metric = "euclidean") -> np.ndarray:
    """(N, N) distances, infinite between groups."""
    table = rows.numpy()
    gaps = cdist(table[:, 1:], table[:, 1:], metric)
    return np.where(table[:, :1] == table[:, 0], gaps, np.inf)


def as_set(pairs: torch.Tensor) -> set[tuple[int, int]]:
    return {(int(a), int(b)) for a, b in pairs}


@pytest.mark.parametrize("metric", ["euclidean", "cityblock", "chebyshev"])
@pytest.mark.parametrize("radius", [1.0, 1.9, 2.0, 3.5])
def test_near_pairs(radius: float, metric: Metric) -> None:
    rows = voxels()
    gaps = distances(rows, metric)
    expected = {(int(a), int(b)) for a, b in np.argwhere((gaps > 0) & (gaps < radius))}
    assert as_set(near_pairs(rows, rows, radius, metric)) == expected


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 60), st.integers(0, 10**6), st.sampled_from([1.5, 1.9, 2.3]))
def test_radius_edges_do_not_depend_on_the_order_of_rows(count: int, seed: int, radius: float) -> None:
    rows = voxels(count, 6, seed)
    edges = radius_edges(rows, radius)
    gaps = distances(rows)
    assert as_set(edges) == {(int(a), int(b)) for a, b in np.argwhere((gaps > 0) & (gaps < radius))}
    order = torch.randperm(len(rows), generator=torch.Generator().manual_seed(seed))
    assert {(int(order[a]), int(order[b])) for a, b in radius_edges(rows[order], radius)} == as_set(edges)
    assert len(edges) == len(as_set(edges))


def test_the_nearest_edges_are_kept() -> None:
    rows = voxels()
    gaps = distances(rows)
    np.fill_diagonal(gaps, np.inf)
    edges = radius_edges(rows, 3.5, max_neighbors=5)
    assert edges.shape[0] == np.minimum((gaps < 3.5).sum(axis=1), 5).sum()
    for target in range(0, len(rows), 17):
        sources = edges[edges[:, 1] == target, 0].numpy()
        order = np.lexsort((np.arange(len(rows)), gaps[target]))[: len(sources)]
        assert set(sources) == set(order)


@pytest.mark.parametrize("k", [1, 4, 500])
def test_knn_edges(k: int) -> None:
    rows = voxels()
    gaps = distances(rows)
    np.fill_diagonal(gaps, np.inf)
    edges = knn_edges(rows, k).numpy()
    for target in range(len(rows)):
        sources = edges[edges[:, 1] == target, 0]
        near = np.sort(gaps[target][np.isfinite(gaps[target])])[:k]
        assert np.allclose(np.sort(gaps[target, sources]), near)
        assert len(set(sources)) == len(near)


def test_nothing_gives_nothing() -> None:
    none = torch.empty((0, 4), dtype=torch.int64)
    assert radius_edges(none, 1.9).shape == knn_edges(none, 3).shape == near_pairs(none, none, 1.9).shape == (0, 2)
    assert near_pairs(none, voxels(5), 1.9).shape == near_pairs(voxels(5), none, 1.9).shape == (0, 2)


def test_bad_voxels_are_refused() -> None:
    with pytest.raises(DataError, match="occurs twice"):
        radius_edges(torch.zeros((2, 4), dtype=torch.int64), 1.9)
    with pytest.raises(DataError, match="metric"):
        near_pairs(voxels(5), voxels(5), 1.9, "cosine")
