"""Diagnostic tables against closed forms and brute force."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from scipy.spatial.distance import cdist

from spine.ana.calib_mcs import CalibMcsConfig, calib_mcs
from spine.ana.graph_edge_length import GraphEdgeLengthConfig, graph_edge_length
from spine.ana.point_completeness import PointCompletenessConfig, point_completeness
from spine.ana.point_eval import PointEvalConfig, point_eval
from spine.ana.shower_start_dedx import ShowerStartDedxConfig, shower_start_dedx
from spine.ana.track_completeness import TrackCompletenessConfig, track_completeness
from spine.errors import DataError
from spine.schema import Block, Event, Pid, Ragged, Shape, Table, Tensor, row_of
from spine.schema.object_records import (
    RecoFragment,
    RecoInteraction,
    RecoParticle,
    TruthFragment,
    TruthInteraction,
    TruthParticle,
)

SIZE = 0.3
META = row_of("meta", lower=[0.0] * 3, upper=[300.0] * 3, size=[SIZE] * 3, count=[1000] * 3)


def _lists(lengths: list[int]) -> Ragged:
    """Consecutive points, as many per object as told."""
    starts = np.cumsum([0, *lengths])
    return Ragged.from_list([np.arange(a, b) for a, b in pairwise(starts)], np.int32)


def _track(holes: list[int]) -> Event:
    """A muon of 100 voxels along x without some of them, at 12 cm above the axis, in a reconstructed event."""
    numbers = np.setdiff1d(np.arange(100), holes)
    points = np.stack([numbers * SIZE, np.full(len(numbers), 12.0), np.zeros(len(numbers))], axis=1).astype(np.float32)
    columns = {"shape": Shape.TRACK, "pid": Pid.MUON, "index": _lists([len(points)])}
    ends = {"start_point": [[-1.0, 12.0, 0.0]], "end_point": [[40.0, 12.0, 0.1]]}
    particles = Table(RecoParticle, 1, {"id": [5], **columns, **ends})
    return Event({"points": points, "meta": META, "reco_particles": particles})


@settings(deadline=None, max_examples=30)
@given(st.lists(st.integers(1, 98), max_size=12))
def test_missing_voxels_are_the_length_of_gaps(holes: list[int]) -> None:
    cfg = TrackCompletenessConfig(run_mode="reco")
    table = track_completeness(Block([_track(holes)]), cfg)["track_completeness_reco"]
    missing = np.unique(holes)
    runs = np.count_nonzero(np.diff(missing) > 1) + 1 if len(missing) else 0
    assert table["num_gaps"].tolist() == [runs]
    assert table["gap_length"][0] == pytest.approx(SIZE * len(missing), abs=1e-4)
    assert table["gap_frac"][0] == pytest.approx(len(missing) / 99, abs=1e-5)
    assert table["size"].tolist() == [100 - len(missing)]
    assert [table[f"dir_{axis}"][0] for axis in "xyz"] == pytest.approx([1, 0, 0], abs=1e-6)


def test_tracks_that_are_left_out() -> None:
    event = _track([])
    for change in ({"length_threshold": 30.0}, {"include_pids": (Pid.PROTON,)}):
        cfg = TrackCompletenessConfig(run_mode="reco").model_copy(update=change)
        assert len(track_completeness(Block([event]), cfg)["track_completeness_reco"]["size"]) == 0
    event["meta"] = row_of("meta", lower=[0.0] * 3, upper=[1.0] * 3, size=[0.3, 0.3, 0.4], count=[1] * 3)
    with pytest.raises(DataError, match="not cubes"):
        track_completeness(Block([event]), TrackCompletenessConfig(run_mode="reco"))


def _depositions() -> Event:
    """True particles: two of three points near both depositions; no depositions; no points; like the first, shifted."""
    points = np.array([[0, 0, 0], [1, 0, 0], [9, 0, 0], [0, 0, 0], [0, 5, 0]], dtype=np.float32)
    true = np.array([[0, 0.2, 0], [1.1, 0, 0], [50, 0, 0], [0, 0, 0]], dtype=np.float32)
    particles = Table(
        TruthParticle,
        4,
        {
            "id": np.arange(4),
            "shape": [1, 0, 2, 1],
            "t": [0.0, 10.0, 20.0, np.nan],
            "index": _lists([3, 1, 0, 1]),
            "index_g4": Ragged.from_list([[0, 1], [], [2], [3]], np.int32),
        },
    )
    return Event({"points_label": points, "points_g4": true, "meta": META, "truth_particles": particles})


def test_shares_of_near_points() -> None:
    cfg = PointCompletenessConfig(match_distance=0.25)
    table = point_completeness(Block([_depositions(), _depositions()]), cfg)["point_completeness_particle"]
    np.testing.assert_array_equal(table["purity"][:4], [2 / 3, 0, np.nan, 0])
    np.testing.assert_array_equal(table["efficiency"][4:], [1, np.nan, 0, 0])
    assert table["num_points_g4"].tolist() == [2, 0, 1, 1] * 2
    by_voxel = point_completeness(Block([_depositions()]), PointCompletenessConfig())["point_completeness_particle"]
    np.testing.assert_array_equal(by_voxel["purity"], table["purity"][:4])  # a diagonal is 0.52 cm
    timed = cfg.model_copy(update={"time_window": (5.0, 30.0)})
    assert point_completeness(Block([_depositions()]), timed)["point_completeness_particle"]["id"].tolist() == [1, 2]


def _shower(**changes: Any) -> Event:
    points = np.array([[0, 0, 0], [1, 0, 0], [2, 0, 0], [-2, 0, 0], [0, 9, 0]], dtype=np.float32)
    columns = {"shape": [0], "index": _lists([5]), "start_point": [[0.0, 0, 0]], "start_dir": [[2.0, 0, 0]], "id": [3]}
    return Event(
        {
            "points": points,
            "depositions": np.array([1.0, 2, 4, 8, 16], dtype=np.float32),
            "reco_particles": Table(RecoParticle, 1, columns | changes),
            "reco_fragments": Table(RecoFragment, 1, columns | changes),
        }
    )


def test_energy_loss_of_a_made_up_shower() -> None:
    cfg = ShowerStartDedxConfig(radius=(1.5, 2.5), mode=("default", "direction"), run_mode="reco")
    table = shower_start_dedx(Block([_shower()]), cfg)["shower_start_dedx_reco_particles"]
    assert table["dedx"].tolist() == [3.0, 15 / 2, 3.0, 7 / 2]
    assert table["mode"].tolist() == ["default", "default", "direction", "direction"]
    assert table["radius"].tolist() == [1.5, 2.5, 1.5, 2.5]
    fragments = shower_start_dedx(Block([_shower()]), cfg.model_copy(update={"obj_type": ("fragment",)}))
    assert fragments["shower_start_dedx_reco_fragments"]["pid"].tolist() == [-1] * 4
    lost = _shower(start_dir=[[np.nan] * 3])
    table = shower_start_dedx(Block([lost]), cfg)["shower_start_dedx_reco_particles"]
    np.testing.assert_array_equal(np.isnan(table["dedx"]), [False, False, True, True])


def test_points_and_depositions_of_different_sets_are_refused() -> None:
    particles = Table(
        TruthParticle, 1, {"shape": [0], "index": _lists([2]), "index_adapt": _lists([1]), "start_point": [[0.0, 0, 0]]}
    )
    points = np.zeros((2, 3), np.float32)
    event = Event({"truth_particles": particles, "points": points, "depositions_label": np.ones(2, np.float32)})
    cfg = ShowerStartDedxConfig(radius=(3.0,), run_mode="truth", truth_point_mode="points_adapt")
    with pytest.raises(DataError, match="not of the same set"):
        shower_start_dedx(Block([event]), cfg)


POSITIONS = st.lists(st.tuples(*[st.integers(0, 20)] * 3), min_size=0, max_size=4)
PARTS = st.lists(st.tuples(POSITIONS, st.integers(0, 2)), min_size=0, max_size=5)


def _groups(parts: list[tuple[list[tuple[int, int, int]], int]], side: str) -> Event:
    """One particle made of all the fragments, in an interaction of its own, and one without."""
    clouds = [np.array(cloud, dtype=np.float32).reshape(-1, 3) for cloud, _ in parts]
    fragment, particle = (RecoFragment, RecoParticle) if side == "reco" else (TruthFragment, TruthParticle)
    interaction = RecoInteraction if side == "reco" else TruthInteraction
    n = len(parts)
    lists = {"index": _lists([len(cloud) for cloud in clouds]), "shape": [shape for _, shape in parts]}
    members = Ragged.from_list([[], np.arange(n)], np.int32)
    points = np.concatenate([np.empty((0, 3), np.float32), *clouds])
    return Event(
        {
            f"{side}_fragments": Table(fragment, n, {"id": np.arange(n), **lists}),
            f"{side}_particles": Table(particle, 2, {"id": [0, 1], "fragment_ids": members}),
            f"{side}_interactions": Table(interaction, 0),
            "points": points,
            "points_label": points,
        }
    )


@settings(deadline=None, max_examples=40)
@given(PARTS, st.sampled_from(["reco", "truth"]))
def test_edges_equal_brute_force(parts: list[tuple[list[tuple[int, int, int]], int]], side: str) -> None:
    cfg = GraphEdgeLengthConfig(obj_type=("particle",), run_mode=side)
    table = graph_edge_length(Block([_groups(parts, side)]), cfg)[f"graph_edge_length_{side}_particles"]
    want = {}
    for i, (cloud, shape) in enumerate(parts):
        for other in {s for _, s in parts if s >= shape}:
            gaps = [cdist(cloud, c).min() for j, (c, s) in enumerate(parts) if s == other and j != i and c and cloud]
            if gaps:
                want[i, shape, other] = min(gaps)
    keys = zip(table["source_id"], table["source_shape"], table["sink_shape"], strict=True)
    found = dict(zip(((int(a), int(b), int(c)) for a, b, c in keys), table["length"], strict=True))
    assert found == pytest.approx(want, abs=1e-5)
    assert set(table["id"]) <= {1}


@settings(deadline=None, max_examples=20)
@given(st.permutations(range(6)))
def test_the_order_of_proposed_points_does_not_matter(order: list[int]) -> None:
    found = np.zeros((6, 13), dtype=np.float32)
    found[:, 1:4] = np.arange(18).reshape(6, 3) ** 1.5
    found[:, 12] = np.arange(6) % 4
    truth = point_eval(Block([_with_points(found)]), PointEvalConfig())
    turned = point_eval(Block([_with_points(found[order])]), PointEvalConfig())
    for column, values in truth["point_eval_truth_to_reco"].items():
        np.testing.assert_array_equal(values, turned["point_eval_truth_to_reco"][column], err_msg=column)
    for column, values in truth["point_eval_reco_to_truth"].items():
        np.testing.assert_array_equal(values[order], turned["point_eval_reco_to_truth"][column], err_msg=column)


def _with_points(found: np.ndarray[Any, Any]) -> Event:
    coords = np.array([[1, 2, 3], [30, 20, 10]], dtype=np.float32)
    label = Tensor(coords, np.array([[0, 0, 0], [3, 1, 1]], dtype=np.float32), ("shape", "particle", "endpoint"))
    return Event({"ppn_label": label, "ppn_pred": found})


def test_endpoints_need_their_scores() -> None:
    with pytest.raises(DataError, match="no scores of start and end"):
        point_eval(Block([_with_points(np.zeros((1, 13)))]), PointEvalConfig(endpoints=True))


def test_scattering_of_a_bent_line() -> None:
    """Two straight arms at 0.2 rad in the plane xy: the signed angles add up to that."""
    steps = np.arange(0, 50, 0.1)
    arms = [
        np.stack([steps, 0 * steps, 0 * steps], 1),
        np.stack([steps * np.cos(0.2), steps * np.sin(0.2), 0 * steps], 1),
    ]
    points = np.concatenate([arms[0], arms[0][-1] + arms[1]]).astype(np.float32)
    columns = {"index": _lists([len(points)]), "start_point": [[0.0, 0, 0]], "pid": Pid.MUON, "shape": 1}
    event = Event(
        {
            "points": points,
            "points_label": points,
            "reco_particles": Table(RecoParticle, 1, columns | {"csda_ke": 500.0, "is_contained": True}),
        }
    )
    cfg = CalibMcsConfig(min_ke=100, segment_length=(10.0,), segment_method="step", run_mode="reco")
    table = calib_mcs(Block([event]), cfg)["calib_mcs_reco_mcs_sl10.0"]
    assert table["ke"].tolist() == [500.0] * len(table["angle"])
    assert table["angle_xy"].sum() == pytest.approx(0.2, abs=0.01)
    np.testing.assert_allclose(table["angle"], np.abs(table["angle_xy"]), atol=1e-5)
    assert (
        len(calib_mcs(Block([event]), cfg.model_copy(update={"min_ke": 501}))["calib_mcs_reco_mcs_sl10.0"]["ke"]) == 0
    )


@pytest.mark.parametrize(
    ("config", "options"),
    [
        (TrackCompletenessConfig, {"time_window": [0, 1]}),
        (GraphEdgeLengthConfig, {"time_window": [0, 1], "run_mode": "both"}),
        (GraphEdgeLengthConfig, {"obj_type": "fragment"}),
        (CalibMcsConfig, {"min_ke": 1, "segment_length": 5, "time_window": [0, 1], "run_mode": "reco"}),
        (CalibMcsConfig, {"min_ke": 1, "segment_length": []}),
        (ShowerStartDedxConfig, {"radius": -1.0}),
        (ShowerStartDedxConfig, {"radius": 1.0, "obj_type": "interaction"}),
        (PointCompletenessConfig, {"match_distance": 0}),
    ],
)
def test_impossible_options_are_refused(config: Any, options: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        config.model_validate(options)
