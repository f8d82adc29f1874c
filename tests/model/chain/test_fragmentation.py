"""Density fragments against scikit-learn and SPINE."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.cluster import DBSCAN

from spine.model.chain import LABEL_STAGES, Stage, compose
from spine.model.chain.linearity import local_linearity
from spine.model.chain.point_break import break_clusters, far_from
from spine.model.chain.rows import majority, rows_of
from spine.schema import Event, Ragged, Tensor
from tests.model.chain.events import EVENTS, FROZEN, event, same_partition, voxel_labels


def _run(number: int, **options: Any) -> Any:
    one = event(number)
    compose([LABEL_STAGES[0], Stage("fragmentation", config={"mode": "dbscan", **options})]).run(one)
    return one


@pytest.mark.parametrize("number", range(EVENTS))
@pytest.mark.parametrize(
    "options", [{}, {"eps": 3.0, "min_size": 1}, {"metric": "chebyshev", "eps": 1.0}, {"metric": "cityblock", "eps": 2}]
)
def test_fragments_are_the_density_clusters_of_each_class(number: int, options: dict[str, Any]) -> None:
    one = _run(number, break_shapes=[], **options)
    found = voxel_labels(one, "fragment_clusts")
    coords, classes = one["data"].coords, one["seg_pred"]
    for shape in range(5):
        rows = np.flatnonzero(classes == shape)
        if shape == 4:
            assert (found[rows] == -1).all()
            continue
        if len(rows) == 0:
            continue
        oracle = DBSCAN(eps=options.get("eps", 1.8), min_samples=1, metric=options.get("metric", "euclidean"))
        expected = oracle.fit_predict(coords[rows])
        small = np.bincount(expected)[expected] < options.get("min_size", 3)
        assert same_partition(found[rows], np.where(small, -1, expected))
        assert (one["fragment_shapes"][found[rows][~small]] == shape).all()


@pytest.mark.parametrize("number", range(EVENTS))
@pytest.mark.parametrize(
    ("name", "options"),
    [("euclidean", {}), ("chebyshev", {"metric": "chebyshev"}), ("small", {"eps": 1.1, "break_mask_radius": 2.5})],
)
def test_tracks_break_at_points_as_in_spine(number: int, name: str, options: dict[str, Any]) -> None:
    one = _run(number, shapes=[1], min_size=1, use_label_break_points=True, **options)
    coords = one["data"].coords
    order = np.lexsort((coords[:, 2], coords[:, 1], coords[:, 0]))
    found = voxel_labels(one, "fragment_clusts")[order][one["seg_pred"][order] == 1]
    assert same_partition(found, FROZEN[f"{number}/break_{name}"].astype(np.int64))


def test_predicted_points_break_as_true_ones_do() -> None:
    truth = event(3)["coord_label"]
    points = np.zeros((2 * len(truth), 13), dtype=np.float32)
    points[:, 1:4] = truth.coords.reshape(-1, 3)
    points[:, -1] = np.repeat(truth.feature("shape"), 2)
    one = event(3)
    one["ppn_pred"] = points
    compose([LABEL_STAGES[0], Stage("fragmentation", config={"mode": "dbscan"})], inputs=["ppn_pred"]).run(one)
    assert one["fragment_clusts"].tolist() == _run(3, use_label_break_points=True)["fragment_clusts"].tolist()


def test_delta_rays_hold_broken_tracks_together() -> None:
    line = np.column_stack([np.arange(30), np.zeros(30), np.zeros(30)]).astype(np.int32)
    classes = np.where((line[:, 0] > 12) & (line[:, 0] < 16), 3, 1)
    for include, count in ((False, 2), (True, 1)):
        one = Event({"data": Tensor(line, np.ones((30, 1), dtype=np.float32)), "seg_pred": classes})
        one["ppn_pred"] = np.zeros((0, 13), dtype=np.float32)
        options = {"mode": "dbscan", "shapes": [1], "track_include_delta": include}
        compose([Stage("fragmentation", config=options)], inputs=["seg_pred", "ppn_pred"]).run(one)
        assert len(one["fragment_clusts"]) == count
        assert len(one["fragment_clusts"].values) == 27


def test_a_cross_breaks_into_its_arms_where_it_is_not_line_like() -> None:
    steps = np.arange(-30, 31)
    arms = np.concatenate([np.outer(steps, [1, 0, 0]), np.outer(steps[steps != 0], [0, 1, 0])]).astype(float)
    free = local_linearity(arms, 8.0) >= 0.7
    labels = break_clusters(arms, free, 1.8, 1, "euclidean")
    assert labels.max() == 3
    assert np.bincount(labels).min() >= 28
    assert break_clusters(arms, np.ones(len(arms), dtype=bool), 1.8, 1, "euclidean").max() == 0


def test_linearity_of_a_line_a_plane_and_a_point() -> None:
    steps = np.arange(-10, 11)
    line = np.outer(steps, [1, 1, 0])
    assert local_linearity(line, 5.0)[10] == pytest.approx(1.0)
    plane = np.stack(np.meshgrid(steps, steps, [0]), axis=-1).reshape(-1, 3)
    assert local_linearity(plane, 5.0)[len(plane) // 2] == pytest.approx(0.0, abs=1e-9)
    assert local_linearity(np.zeros((1, 3)), 5.0).tolist() == [0.0]
    assert local_linearity(np.empty((0, 3)), 5.0).shape == (0,)


def test_noise_stays_noise_when_clusters_are_broken() -> None:
    voxels = np.concatenate([np.outer(np.arange(9), [1, 0, 0]), [[50, 0, 0]]]).astype(float)
    free = far_from(np.array([[4.0, 0, 0]]), voxels, 0.5, "euclidean")
    labels = break_clusters(voxels, free, 1.1, 2, "euclidean")
    assert labels.tolist() == [0] * 5 + [1] * 4 + [-1]
    assert far_from(np.empty((0, 3)), voxels, 1.0, "euclidean").all()


@settings(deadline=None, max_examples=30)
@given(st.lists(st.tuples(*[st.integers(-5, 5)] * 3), max_size=30), st.lists(st.tuples(*[st.integers(-6, 6)] * 3)))
def test_rows_of_finds_the_first_equal_row(here: list[tuple[int, ...]], there: list[tuple[int, ...]]) -> None:
    coords = np.array(there, dtype=np.int32).reshape(-1, 3)
    queries = np.array(here, dtype=np.int32).reshape(-1, 3)
    found = rows_of(coords, queries)
    if not np.array_equal(coords, queries):
        assert found.tolist() == [there.index(q) if q in there else -1 for q in here]


@settings(deadline=None, max_examples=30)
@given(st.lists(st.lists(st.integers(-2, 3), max_size=6), max_size=6))
def test_majority_takes_the_most_frequent_then_the_smallest(rows: list[list[int]]) -> None:
    values = np.array([v for row in rows for v in row], dtype=np.int64)
    lists = Ragged(np.arange(len(values)), np.concatenate([[0], np.cumsum([len(r) for r in rows])]).astype(np.int64))
    expected = [min(set(row), key=lambda v: (-row.count(v), v)) if row else -1 for row in rows]
    assert majority(values, lists).tolist() == expected
