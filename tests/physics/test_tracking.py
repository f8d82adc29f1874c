from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from spine.errors import DataError
from spine.ops.arrays import FloatArray
from spine.physics import tracking
from spine.physics.tracking import Tracking, TrackMode, TrackSegments

FROZEN = np.load(Path(__file__).parent / "data" / "tracks.npz")
OFFSETS = FROZEN["offsets"]
TRACKS = [FROZEN["points"][a:b] for a, b in itertools.pairwise(OFFSETS)]
VALUES = [FROZEN["values"][a:b] for a, b in itertools.pairwise(OFFSETS)]
SEGMENTING: tuple[TrackMode, ...] = ("step", "step_next", "bin_pca")
ALL_MODES: tuple[TrackMode, ...] = (*SEGMENTING, "displacement", "splines")
SEEDS = st.integers(0, 10_000)


def cloud(seed: int, count: int = 80) -> FloatArray:
    rng = np.random.default_rng(seed)
    along = rng.uniform(0, 25, count)
    points = np.column_stack([along, 0.01 * along**2, np.zeros(count)]) + rng.normal(scale=0.2, size=(count, 3))
    return points @ Rotation.random(rng=rng).as_matrix()


def walk_by_hand(points: FloatArray, start: FloatArray, use_mean: bool) -> TrackSegments:
    """The walk of 5 cm steps with numpy on shrinking lists."""
    left, origin = np.arange(len(points)), start.copy()
    lists, directions, lengths = [], [], []
    while len(left):
        distances = np.linalg.norm(points[left] - origin, axis=1)
        taken, rest = left[distances <= 5], left[distances > 5]
        beyond = points[rest[np.argmin(distances[distances > 5])]] if len(rest) else None
        if beyond is not None and np.dot(beyond - origin, origin - start) < 0:
            rest, beyond = rest[:0], None
        if len(taken) == 0 and beyond is None:
            break
        last = points[taken[np.argmax(distances[distances <= 5])]] if len(taken) else None
        target = last if beyond is None else beyond
        if use_mean and len(taken) > 10:
            target = points[taken].mean(axis=0)
        assert target is not None
        step = (target - origin) / np.linalg.norm(target - origin)
        length = 5.0 if beyond is not None or last is None else float((last - origin) @ step)
        lists.append(taken)
        directions.append(step)
        lengths.append(length)
        origin, left = origin + length * step, rest
    ends = np.cumsum([0, *[len(rows) for rows in lists]])
    return TrackSegments(np.concatenate(lists), ends, np.array(directions), np.array(lengths))


@pytest.mark.parametrize("mode", SEGMENTING)
@pytest.mark.parametrize("anchor", [False, True])
def test_segments_equal_those_of_the_peer(mode: TrackMode, anchor: bool) -> None:
    """float32 there; directions up to their sign along the principal axis, which is arbitrary there."""
    how = Tracking(mode, 5.0, anchor)
    found = [tracking.track_segments(p, s, how) for p, s in zip(TRACKS, FROZEN["starts"], strict=True)]
    key = f"{mode}_{int(anchor)}"
    assert [len(f.lengths) for f in found] == FROZEN[f"{key}_counts"].tolist()
    np.testing.assert_array_equal(np.concatenate([np.diff(f.offsets) for f in found]), FROZEN[f"{key}_sizes"])
    np.testing.assert_allclose(np.concatenate([f.lengths for f in found]), FROZEN[f"{key}_lengths"], atol=2e-5)
    cosines = np.sum(np.vstack([f.directions for f in found]) * FROZEN[f"{key}_dirs"], axis=1)
    np.testing.assert_allclose(np.abs(cosines) if mode == "bin_pca" else cosines, 1, atol=1e-6)


@pytest.mark.parametrize("mode", ALL_MODES)
def test_lengths_equal_those_of_the_peer(mode: TrackMode) -> None:
    found = [tracking.track_length(p, s, Tracking(mode)) for p, s in zip(TRACKS, FROZEN["starts"], strict=True)]
    np.testing.assert_allclose(found, FROZEN[f"length_{mode}"], rtol=5e-5)


@pytest.mark.parametrize("mode", SEGMENTING)
def test_profiles_equal_those_of_the_peer(mode: TrackMode) -> None:
    tracks = zip(TRACKS, VALUES, FROZEN["ends"], strict=True)
    found = [tracking.dedx_profile(p, v, e, Tracking(mode)) for p, v, e in tracks]
    want = [np.where(FROZEN[f"{mode}_{k}"] < 0, np.nan, FROZEN[f"{mode}_{k}"]) for k in ("dedx", "err", "rr")]
    np.testing.assert_allclose(np.concatenate([f.dedx for f in found]), want[0], rtol=1e-5)
    np.testing.assert_allclose(np.concatenate([f.error for f in found]), want[1], rtol=1e-5)
    np.testing.assert_allclose(np.concatenate([f.distance for f in found]), want[2], atol=2e-5)
    slopes = np.nan_to_num([tracking.dedx_gradient(f) for f in found])
    np.testing.assert_allclose(slopes, FROZEN[f"{mode}_gradient"], rtol=1e-4, atol=1e-6)


def test_orientation_equals_that_of_the_peer() -> None:
    """Without anchoring, which has no effect there; equal sums keep the orientation here."""
    for row, (points, values) in enumerate(zip(TRACKS, VALUES, strict=True)):
        ends = np.stack([FROZEN["starts"][row], FROZEN["ends"][row]])
        extent = tracking.track_length(points, how=Tracking("displacement"))
        if extent > 5:
            assert tracking.starts_at(points, values, ends, anchor=False) == FROZEN["local"][row]
        assert tracking.starts_at(points, values, ends, "gradient") == FROZEN["gradient"][row]


@settings(deadline=None, max_examples=30)
@given(SEEDS, st.booleans())
def test_walk_equals_numpy(seed: int, use_mean: bool) -> None:
    points = cloud(seed)
    start = points[np.argmin(points[:, 0])]
    found = tracking.track_segments(points, start, Tracking("step" if use_mean else "step_next"))
    want = walk_by_hand(points, start, use_mean)
    np.testing.assert_array_equal(found.rows, want.rows)
    np.testing.assert_array_equal(found.offsets, want.offsets)
    np.testing.assert_allclose(found.directions, want.directions, atol=1e-9)
    np.testing.assert_allclose(found.lengths, want.lengths, atol=1e-9)


@settings(deadline=None, max_examples=20)
@given(SEEDS, st.sampled_from(ALL_MODES))
def test_lengths_do_not_change_under_motion_and_order(seed: int, mode: TrackMode) -> None:
    rng = np.random.default_rng(seed)
    points = cloud(seed)
    start, order = points[0], rng.permutation(len(points))
    matrix, shift = Rotation.random(rng=rng).as_matrix(), rng.normal(size=3) * 50
    here = tracking.track_length(points, start, Tracking(mode))
    there = tracking.track_length(points[order] @ matrix + shift, start @ matrix + shift, Tracking(mode))
    # splines are smoothed coordinate by coordinate
    assert there == pytest.approx(here, rel=5e-3 if mode == "splines" else 1e-6)


@settings(deadline=None, max_examples=20)
@given(SEEDS, st.sampled_from(SEGMENTING))
def test_no_point_is_in_two_segments(seed: int, mode: TrackMode) -> None:
    found = tracking.track_segments(cloud(seed), None, Tracking(mode))
    assert len(set(found.rows.tolist())) == len(found.rows) == found.offsets[-1]
    np.testing.assert_allclose(np.linalg.norm(found.directions, axis=1), 1, atol=1e-12)
    if mode == "bin_pca":
        assert len(found.rows) == 80


@pytest.mark.parametrize("mode", ALL_MODES)
def test_length_of_a_straight_line(mode: TrackMode) -> None:
    points = np.linspace(0, 1, 201)[:, None] * np.array([3.0, -20.0, 10.0]) + 7
    assert tracking.track_length(points, points[0], Tracking(mode)) == pytest.approx(
        np.linalg.norm([3, 20, 10]), rel=2e-3
    )


def test_length_of_an_arc_by_splines() -> None:
    angle = np.linspace(0, 1, 400)
    points = 50 * np.column_stack([np.cos(angle), np.sin(angle), 0 * angle])
    assert tracking.spline_length(points, 1.0, smoothing=0.0) == pytest.approx(50.0, rel=1e-3)


def test_bins_point_away_from_the_given_end() -> None:
    points = cloud(4)
    for end in (points[np.argmin(points @ [1, 0, 0])], points[np.argmax(points @ [1, 0, 0])]):
        found = tracking.track_segments(points, end, Tracking("bin_pca"))
        far = points[np.argmax(np.linalg.norm(points - end, axis=1))]
        assert (found.directions @ (far - end) > 0).all()
        assert end.tolist() in points[found.rows[: found.offsets[1]]].tolist()


@pytest.mark.parametrize("mode", ALL_MODES)
def test_tracks_of_few_points(mode: TrackMode) -> None:
    how = Tracking(mode)
    assert np.isnan(tracking.track_length(np.empty((0, 3)), None, how))
    assert tracking.track_length(np.ones((1, 3)), None, how) == 0
    assert tracking.track_length(np.ones((4, 3)), np.ones(3), how) == 0
    assert tracking.track_length(np.ones((4, 3)), np.full(3, np.nan), how) == 0


@pytest.mark.parametrize("mode", SEGMENTING)
def test_profiles_of_few_points(mode: TrackMode) -> None:
    for count in (0, 1, 2):
        profile = tracking.dedx_profile(np.zeros((count, 3)), np.ones(count), np.zeros(3), Tracking(mode))
        assert np.isnan(profile.dedx).all()
        assert np.isnan(tracking.dedx_gradient(profile))
    ends = np.array([[0.0, 0, 0], [1, 0, 0]])
    assert tracking.starts_at(np.empty((0, 3)), np.empty(0), ends)


def test_modes_without_segments() -> None:
    for how in (Tracking("splines"), Tracking(length=0.0)):
        with pytest.raises(DataError, match="no such segments"):
            tracking.track_segments(np.zeros((3, 3)), None, how)


def test_orientation_by_candidates() -> None:
    ends = np.array([[0.0, 0, 0], [10, 0, 0]])
    near = np.array([[0.1, 0, 0], [9.8, 0, 0]])
    is_start, is_end = [0.9, 0.1], [0.2, 0.8]
    assert tracking.starts_at_candidate(ends, near, np.array([is_start, is_end]))
    assert not tracking.starts_at_candidate(ends, near, np.array([is_end, is_start]))
    assert tracking.starts_at_candidate(ends, near[:1], np.array([is_start]))
    assert not tracking.starts_at_candidate(ends, near[:1], np.array([is_end]))
    assert tracking.starts_at_candidate(ends, near[1:], np.array([is_end]))
    assert not tracking.starts_at_candidate(ends, near[1:], np.array([is_start]))
    assert tracking.starts_at_candidate(ends, np.empty((0, 3)), np.empty((0, 2)))
