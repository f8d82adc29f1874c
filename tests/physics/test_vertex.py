from __future__ import annotations

import itertools
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize
from scipy.spatial.transform import Rotation

from spine.ops.arrays import FloatArray
from spine.physics import vertex
from spine.physics.vertex import VertexOptions

FROZEN = np.load(Path(__file__).parent / "data" / "vertices.npz")
EVENTS = list(itertools.pairwise(FROZEN["offsets"]))
SETTINGS = list(itertools.product((None, "pointing"), (True, False)))
X, Y = np.array([1.0, 0, 0]), np.array([0, 1.0, 0])


@pytest.mark.parametrize("number", range(4))
def test_vertices_equal_those_of_the_peer(number: int) -> None:
    selection: Literal["pointing"] | None
    selection, anchor = SETTINGS[number]  # type: ignore[assignment]
    options = VertexOptions(anchor, 2.0, selection)
    for row, (a, b) in enumerate(EVENTS):
        starts, ends, rays, shapes = (FROZEN[k][a:b] for k in ("starts", "ends", "directions", "shapes"))
        found = vertex.find_vertex(starts, ends, rays, shapes == 1, options)
        assert found.rule == FROZEN["rules"][4 * row + number]
        np.testing.assert_allclose(found.point, FROZEN["vertices"][4 * row + number], atol=1e-3)


def test_weighted_pseudo_vertices_equal_those_of_the_peer() -> None:
    for row, (a, b) in enumerate(EVENTS):
        weights = np.linspace(1, 2, b - a)
        found = vertex.pseudo_vertex(FROZEN["starts"][a:b], FROZEN["directions"][a:b], weights)
        np.testing.assert_allclose(found, FROZEN["weighted"][row], atol=1e-3)


def test_two_known_cases() -> None:
    """SPINE 1.4.3: two tracks whose starts touch, and two that do not."""
    starts = np.array([[0.0, 0, 0], [1, 0, 0]])
    rays, tracks = np.array([X, Y]), np.array([True, True])
    found = vertex.find_vertex(starts, starts + 5, rays, tracks)
    assert found.rule == "confluence_nodir"
    np.testing.assert_allclose(found.point, [0.5, 0, 0])
    starts = np.array([[10.0, 0, 0], [0, 10, 0]])
    found = vertex.find_vertex(starts, starts + 5, rays, tracks)
    assert found.rule == "track_length"
    np.testing.assert_allclose(found.point, [10, 0, 0])


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 59), st.integers(0, 10_000), st.booleans())
def test_vertices_move_with_the_particles(event: int, seed: int, anchor: bool) -> None:
    a, b = EVENTS[event]
    rng = np.random.default_rng(seed)
    matrix, shift = Rotation.random(rng=rng).as_matrix(), rng.normal(size=3) * 10
    starts, ends, rays = (FROZEN[k][a:b].astype(float) for k in ("starts", "ends", "directions"))
    tracks, options = FROZEN["shapes"][a:b] == 1, VertexOptions(anchor)
    here = vertex.find_vertex(starts, ends, rays, tracks, options)
    moved = (starts @ matrix + shift, ends @ matrix + shift, rays @ matrix)
    there = vertex.find_vertex(*moved, tracks, options)
    assert there.rule == here.rule
    np.testing.assert_allclose(there.point, here.point @ matrix + shift, atol=1e-6)


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 10_000), st.integers(2, 5))
def test_pseudo_vertex_is_the_least_squares_point(seed: int, count: int) -> None:
    rng = np.random.default_rng(seed)
    starts, rays = rng.normal(size=(count, 3)) * 5, rng.normal(size=(count, 3))
    rays /= np.linalg.norm(rays, axis=1)[:, None]

    def cost(point: FloatArray) -> float:
        return float((np.cross(point - starts, rays) ** 2).sum())

    best = minimize(cost, starts.mean(axis=0), options={"gtol": 1e-9})
    found = vertex.pseudo_vertex(starts, rays)
    assert cost(found) <= float(best.fun) * (1 + 1e-9) + 1e-12


def test_lines_without_a_point() -> None:
    starts = np.array([[0.0, 0, 0], [0, 4, 0]])
    np.testing.assert_allclose(vertex.pseudo_vertex(starts, np.array([X, X])), [0, 2, 0])
    np.testing.assert_allclose(vertex.pseudo_vertex(starts, np.array([X, X * np.nan])), [0, 0, 0])
    assert np.isnan(vertex.pseudo_vertex(starts[:0], starts[:0])).all()


def test_interactions_of_few_particles() -> None:
    none = np.empty((0, 3))
    found = vertex.find_vertex(none, none, none, np.empty(0, dtype=bool))
    assert np.isnan(found.point).all()
    assert found.rule == "no_particle"
    one = vertex.find_vertex(X[None], Y[None], X[None], np.array([True]))
    assert one.rule == "single_start"
    np.testing.assert_array_equal(one.point, X)
    lost = vertex.find_vertex(np.array([X, X * np.nan]), np.array([Y, Y]), np.array([X, X]), np.ones(2, bool))
    assert lost.rule == "single_start"


def test_showers_do_not_count_where_ends_touch() -> None:
    starts, ends = np.array([[0.0, 0, 0], [0.5, 0, 0]]), np.array([[30.0, 0, 0], [np.nan] * 3])
    found = vertex.find_vertex(starts, ends, np.array([X, Y]), np.array([True, False]))
    assert found.rule == "confluence_track_showers"
    np.testing.assert_allclose(found.point, [0, 0, 0])


def test_showers_without_a_direction_do_not_count() -> None:
    starts, ends = np.array([[0.0, 0, 0], [0, 0, 0]]), np.array([[30.0, 0, 0], [np.nan] * 3])
    lost = np.full((2, 3), np.nan)
    np.testing.assert_allclose(vertex.find_vertex(starts, ends, lost, np.array([True, False])).point, [0, 0, 0])
    candidates = np.array([[0.0, 0, 0], [100, 0, 0]])
    seen, rays = np.array([[110.0, 0, 0], [120, 0, 0], [50, 5, 0]]), np.array([X, X, X * np.nan])
    best = vertex.select_by_pointing(np.array([[200.0, 0, 0], [100, 0, 0]]), seen, rays)
    np.testing.assert_array_equal(best, [100, 0, 0])
    assert np.isfinite(vertex.pointing_loss(candidates, seen, rays)).all()


def test_confluence_points_of_two_groups() -> None:
    starts = np.array([[0.0, 0, 0], [0.5, 0, 0], [50, 0, 0], [50, 1, 0], [200, 0, 0]])
    np.testing.assert_allclose(vertex.confluence_points(starts), [[0.25, 0, 0], [50, 0.5, 0]])
    assert vertex.confluence_points(starts[:1]).shape == (0, 3)
    assert vertex.confluence_points(starts[:0], starts[:0]).shape == (0, 3)


def test_pointing() -> None:
    candidates = np.array([[0.0, 0, 0], [100, 0, 0]])
    starts, rays = np.array([[10.0, 0, 0], [20, 0, 0], [0, 0, 0]]), np.array([X, X, Y])
    np.testing.assert_allclose(vertex.pointing_loss(candidates, starts, rays), [-1, (1 + 1 + 0.5) / 3])
    np.testing.assert_allclose(vertex.pointing_loss(candidates, starts[:2], rays[:2]), [0, 1])
    np.testing.assert_array_equal(vertex.select_by_pointing(candidates, starts, rays), [0, 0, 0])
