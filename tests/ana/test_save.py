from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from spine.ana.save import SaveConfig, save
from spine.ana.tables import concatenated, csv_text, with_base_columns
from spine.schema import Block, Event, Ragged, Table
from spine.schema.object_records import RecoParticle, TruthParticle
from tests.ana.frozen import frozen_block, same_as_peer

ALL = SaveConfig(obj_type=("particle", "interaction"))
PLAIN = SaveConfig.model_validate(
    {
        "obj_type": "particle",
        "match_mode": None,
        "particle": ["id", "ke", "start_point", "match_ids", "match_overlaps", "reco_length"],
        "lengths": {"match_ids": 2, "match_overlaps": 3},
    }
)


@pytest.mark.parametrize("table", save.tables(ALL) if save.tables else ())
def test_matched_tables_equal_the_peer(table: str) -> None:
    block = frozen_block()
    same_as_peer(block, save(block, ALL)[table], table)


def test_chosen_columns_and_lists_equal_the_peer() -> None:
    block = frozen_block()
    for side in ("reco", "truth"):
        table = save(block, PLAIN)[f"save_{side}_particles"]
        same_as_peer(block, table, f"plain_save_{side}_particles", ("match_ids_0", "match_ids_1"))


def test_one_direction_equals_the_peer() -> None:
    cfg = SaveConfig(
        obj_type=("particle",),
        match_mode="truth_to_reco",
        run_mode="truth",
        particle=("shape", "pid", "energy_init"),
    )
    block = frozen_block()
    tables = save(block, cfg)
    assert list(tables) == ["save_truth_particles"]
    same_as_peer(block, tables["save_truth_particles"], "t2r_save_truth_particles")


def test_a_direction_without_matches_has_plain_names() -> None:
    cfg = SaveConfig(obj_type=("particle",), match_mode="reco_to_truth", particle=("id", "pid"))
    tables = save(frozen_block(0), cfg)
    assert list(tables["save_truth_particles"]) == ["_row", "id", "pid"]
    assert list(tables["save_reco_particles"])[1:] == ["reco_id", "reco_pid", "truth_id", "truth_pid", "match_overlap"]


@settings(deadline=None, max_examples=8)
@given(st.integers(1, 7))
def test_split_blocks_give_the_same_text(cut: int) -> None:
    cfg = SaveConfig(obj_type=("particle",), particle=("id", "ke", "pid"), lengths={"match_ids": 2})
    parts = [frozen_block(*range(cut)), frozen_block(*range(cut, 8))]
    pieces = [with_base_columns(b, save(b, cfg)["save_reco_particles"]) for b in parts]
    whole = frozen_block()
    text = csv_text(with_base_columns(whole, save(whole, cfg)["save_reco_particles"]))
    assert csv_text(concatenated(pieces)) == text


@settings(deadline=None, max_examples=8)
@given(st.permutations(range(8)))
def test_order_of_events_is_the_order_of_rows(order: list[int]) -> None:
    cfg = SaveConfig(obj_type=("interaction",), interaction=("id", "size", "topology"))
    whole = frozen_block()
    columns = with_base_columns(whole, save(whole, cfg)["save_reco_interactions"])
    turned = frozen_block(*order)
    rows = np.concatenate([np.flatnonzero(columns["index"] == turned.events[i].entry) for i in range(8)])
    found = with_base_columns(turned, save(turned, cfg)["save_reco_interactions"])
    assert csv_text({k: v[rows] for k, v in columns.items()}) == csv_text(found)


def _pair(order: list[int]) -> Block:
    """Three reconstructed particles of which the second has no match, in any order, and two true ones."""
    match_ids = Ragged.from_list([[1], [], [0, 1]], np.int32)[np.array(order)]
    reco = Table(RecoParticle, 3, {"id": np.arange(3), "pid": np.arange(3)[order], "match_ids": match_ids})
    truth = Table(TruthParticle, 2, {"id": np.arange(2), "energy_init": [10.0, 20.0]})
    return Block([Event({"reco_particles": reco, "truth_particles": truth})])


@settings(deadline=None, max_examples=6)
@given(st.permutations(range(3)))
def test_matches_follow_their_objects(order: list[int]) -> None:
    cfg = SaveConfig(obj_type=("particle",), particle=("pid", "energy_init"))
    table = save(_pair(order), cfg)["save_reco_particles"]
    np.testing.assert_array_equal(table["reco_pid"], order)
    np.testing.assert_array_equal(table["truth_energy_init"], np.array([20.0, np.nan, 10.0])[order])


def test_events_without_objects_and_blocks_without_events() -> None:
    nothing = {f"{side}_particles": record for side, record in (("reco", RecoParticle), ("truth", TruthParticle))}
    blank = Block([Event({name: Table(record, 0) for name, record in nothing.items()})] * 2)
    cfg = SaveConfig(obj_type=("particle",), lengths={"match_ids": 1})
    full = save(_pair([0, 1, 2]), cfg)
    for block in (blank, Block([])):
        for name, columns in save(block, cfg).items():
            table = with_base_columns(block, columns)
            assert all(len(values) == 0 for values in table.values())
            assert list(columns) == list(full[name])
            assert {k: v.dtype for k, v in columns.items()} == {k: v.dtype for k, v in full[name].items()}


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"obj_type": []}, "at least 1"),
        ({"obj_type": "vertex"}, "'fragment', 'particle' or 'interaction'"),
        ({"obj_type": "particle", "particle": ["lenght"]}, "did you mean 'length'"),
        ({"obj_type": "particle", "particle": ["match_ids"]}, "how many values"),
        ({"obj_type": "particle", "run_mode": "reco"}, "needs run_mode 'both'"),
        ({"obj_type": "particle", "run_mode": "reco", "match_mode": "truth_to_reco"}, "'truth' or 'both'"),
    ],
)
def test_impossible_options_are_refused(options: dict[str, object], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        SaveConfig.model_validate(options)
