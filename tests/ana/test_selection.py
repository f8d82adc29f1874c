from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from spine.ana.selection import SelectionConfig, cut_flow, selection
from spine.ana.tables import concatenated
from spine.schema import Block
from tests.ana.frozen import frozen_block, peer_text, read

CFG = SelectionConfig.model_validate(
    {
        "selections": {
            "muons": {
                "obj_type": "particle",
                "cuts": {
                    "track": "shape == Shape.TRACK",
                    "long": "length > 10 | size > 60",
                    "inside": "is_contained & start_point_x > -110 and truth.length > 5",
                },
                "signal": "truth.pid == Pid.PION",
                "columns": ["pid", "truth.pid", "start_point_z / 100"],
            },
            "vertices": {"side": "truth", "cuts": {"fiducial": "is_fiducial"}},
        }
    }
)


def _frame() -> pd.DataFrame:
    """The peer's table of matched particles, on which pandas repeats the cuts."""
    return read(peer_text("save_reco_particles"))


def test_the_cuts_keep_what_pandas_keeps_of_the_peer_table() -> None:
    frame = _frame()
    table = selection(frozen_block(), CFG)["selection_muons"]
    track = frame["reco_shape"] == 1
    long = (frame["reco_length"] > 10) | (frame["reco_size"] > 60)
    inside = frame["reco_is_contained"] & (frame["reco_start_point_x"] > -110) & (frame["truth_length"] > 5)
    for name, want in (("pass_track", track), ("pass_long", long), ("pass_inside", inside)):
        np.testing.assert_array_equal(table[name], want, err_msg=name)
    np.testing.assert_array_equal(table["selected"], track & long & inside)
    np.testing.assert_array_equal(table["is_signal"], frame["truth_pid"] == 3)
    np.testing.assert_array_equal(table["truth_pid"], frame["truth_pid"])
    assert 0 < np.count_nonzero(table["selected"]) < len(frame)


def test_the_cut_flow_adds_up() -> None:
    frame = _frame()
    total = cut_flow(selection(frozen_block(), CFG)["selection_muons_cut_flow"])
    assert total["cut"].tolist() == ["all", "track", "long", "inside"]
    track = frame[frame["reco_shape"] == 1]
    assert total["num_passed"][:2].tolist() == [len(frame), len(track)]
    assert total["kept"][1] == len(track) / len(frame)
    assert total["signal_passed"][1] == (track["truth_pid"] == 3).sum()
    assert total["purity"][1] == pytest.approx((track["truth_pid"] == 3).mean())
    assert total["signal_efficiency"][0] == 1.0
    assert total["kept_by_cut"][2] == total["num_passed"][2] / len(track)


@settings(deadline=None, max_examples=8)
@given(st.integers(1, 7))
def test_split_blocks_give_the_same_rows(cut: int) -> None:
    whole = selection(frozen_block(), CFG)
    parts = [selection(frozen_block(*rows), CFG) for rows in (range(cut), range(cut, 8))]
    for name, table in whole.items():
        joined = concatenated([part[name] for part in parts])
        for column in table:
            if column != "_row":
                np.testing.assert_array_equal(table[column], joined[column], err_msg=column)


def test_no_objects_and_no_events() -> None:
    block = frozen_block(0)
    for name in ("reco_particles", "truth_particles", "truth_interactions"):
        block.events[0][name] = block.events[0].table(name)[:0]
    tables = selection(block, CFG)
    assert len(tables["selection_muons"]["id"]) == 0
    flow = cut_flow(tables["selection_muons_cut_flow"])
    assert flow["num_passed"].tolist() == [0, 0, 0, 0]
    assert np.isnan(flow["kept"]).all()
    for table in selection(Block([]), CFG).values():
        assert all(len(values) == 0 for values in table.values())
    assert len(cut_flow(selection(Block([]), CFG)["selection_muons_cut_flow"])["step"]) == 0


@pytest.mark.parametrize(
    ("cuts", "words"),
    [
        ({"cuts": {}}, "at least 1"),
        ({"cuts": {"a": "lenght > 2"}, "obj_type": "particle"}, "did you mean 'length'"),
        ({"cuts": {"a": "truth.nu > 2"}}, "truth interactions have no column"),
        ({"cuts": {"a": "true.nu_id > 2"}}, "write reco.nu_id or truth.nu_id"),
        ({"cuts": {"a": "match_ids > 2"}}, "no column 'match_ids'"),
        ({"cuts": {"a": "vertex > 2"}}, "no column 'vertex'"),
        ({"cuts": {"a": "size >"}}, "cannot be read"),
        ({"cuts": {"a": "size > 2"}, "signal": "exec('x')"}, "cannot stand"),
    ],
)
def test_impossible_cuts_are_refused(cuts: dict[str, object], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        SelectionConfig.model_validate({"selections": {"a": cuts}})
