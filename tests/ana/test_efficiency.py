from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spine.ana.efficiency import EfficiencyConfig, efficiency
from spine.schema import Block, Event, Ragged, Table
from spine.schema.object_records import RecoParticle, TruthParticle
from tests.ana.frozen import frozen_block, peer_text, read

CFG = EfficiencyConfig()


def test_rows_agree_with_the_peer_and_with_sets() -> None:
    block = frozen_block()
    table = efficiency(block, CFG)["efficiency_particle"]
    peer = read(peer_text("save_truth_particles"))
    for column in ("truth_shape", "truth_pid", "truth_size", "reco_pid", "reco_size", "truth_length", "match_overlap"):
        np.testing.assert_allclose(table[column], peer[column].to_numpy(), rtol=1e-5, err_msg=column)
    np.testing.assert_array_equal(table["is_matched"], peer["truth_is_matched"])
    row = 0
    for event in block:
        reco = event.reco.particles["index"]
        for i, points in enumerate(event.truth.particles["index"]):
            found = set(reco[int(event.truth.particles["best_match_id"][i])].tolist())
            shared = len(found & set(points.tolist()))
            assert table["purity"][row] == shared / len(found)
            assert table["efficiency"][row] == shared / len(points)
            row += 1


def test_interactions_have_the_distance_of_their_vertices() -> None:
    table = efficiency(frozen_block(), CFG)["efficiency_interaction"]
    peer = read(peer_text("save_truth_interactions"))
    gaps = [peer[f"truth_vertex_{axis}"] - peer[f"reco_vertex_{axis}"] for axis in "xyz"]
    np.testing.assert_allclose(table["vertex_distance"], np.sqrt(sum(gap**2 for gap in gaps)), rtol=1e-4)
    assert np.isnan(table["truth_cos"]).all()


def test_thresholds_only_change_what_counts_as_found() -> None:
    loose = efficiency(frozen_block(), CFG)["efficiency_particle"]
    cfg = EfficiencyConfig(min_overlap=0.5, min_purity=0.8, min_efficiency=0.9)
    strict = efficiency(frozen_block(), cfg)["efficiency_particle"]
    want = (loose["match_overlap"] >= 0.5) & (loose["purity"] >= 0.8) & (loose["efficiency"] >= 0.9)
    np.testing.assert_array_equal(strict["is_matched"], want)
    assert 0 < want.sum() < len(want)
    np.testing.assert_array_equal(strict["purity"], loose["purity"])


def _event(order: list[int]) -> Event:
    """Three true particles in any order: found whole with two more points, found by half, not found."""
    index = Ragged.from_list([[0, 1, 2, 3], [4, 5], [6]], np.int32)[np.array(order)]
    matches = Ragged.from_list([[1], [0], []], np.int32)[np.array(order)]
    overlaps = Ragged.from_list([[0.5], [0.5], []], np.float32)[np.array(order)]
    momentum = np.array([[0.0, 3.0, 4.0], [0.0, 0.0, -2.0], [np.nan] * 3])[order]
    truth = Table(
        TruthParticle,
        3,
        {"index": index, "match_ids": matches, "match_overlaps": overlaps, "momentum": momentum, "t": [1.0, 2.0, 3.0]},
    )
    reco = Table(RecoParticle, 2, {"index": Ragged.from_list([[5], [3, 2, 1, 0, 7, 8]], np.int32)})
    return Event({"points": np.zeros((9, 3)), "truth_particles": truth, "reco_particles": reco})


@settings(deadline=None, max_examples=6)
@given(st.permutations(range(3)))
def test_known_overlaps_in_any_order(order: list[int]) -> None:
    cfg = EfficiencyConfig(obj_type=("particle",))
    table = efficiency(Block([_event([0, 1, 2]), _event(order)]), cfg)["efficiency_particle"]
    second = {name: values[3:] for name, values in table.items()}
    np.testing.assert_array_equal(second["purity"], np.array([4 / 6, 1.0, np.nan])[order])
    np.testing.assert_array_equal(second["efficiency"], np.array([1.0, 0.5, np.nan])[order])
    np.testing.assert_array_equal(second["is_matched"], np.array([True, True, False])[order])
    np.testing.assert_allclose(second["truth_cos"], np.array([0.8, -1.0, np.nan])[order], rtol=1e-6)
    assert second["_row"].tolist() == [1, 1, 1]


def test_the_time_window_and_nothing_to_find() -> None:
    block = Block([_event([0, 1, 2])])
    timed = efficiency(block, EfficiencyConfig(obj_type=("particle",), time_window=(1.5, 2.5)))["efficiency_particle"]
    assert timed["efficiency"].tolist() == [0.5]
    block.events[0]["reco_particles"] = Table(RecoParticle, 0)
    unfound = efficiency(block, EfficiencyConfig(obj_type=("particle",)))["efficiency_particle"]
    assert not unfound["is_matched"].any()
    assert np.isnan(unfound["purity"]).all()
    assert unfound["reco_id"].tolist() == [-1, -1, -1]
    for table in efficiency(Block([]), CFG).values():
        assert all(len(values) == 0 for values in table.values())


@pytest.mark.parametrize("split", [1, 4])
def test_split_blocks_give_the_same_rows(split: int) -> None:
    whole = efficiency(frozen_block(), CFG)
    parts = [efficiency(frozen_block(*rows), CFG) for rows in (range(split), range(split, 8))]
    for name, table in whole.items():
        for column in list(table)[1:]:
            joined = np.concatenate([part[name][column] for part in parts])
            np.testing.assert_array_equal(table[column], joined, err_msg=column)
