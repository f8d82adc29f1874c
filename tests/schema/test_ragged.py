"""Ragged columns behave as lists of arrays."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spine.errors import SchemaError
from spine.schema import Ragged

lists = st.lists(st.lists(st.integers(-100, 100), max_size=5), max_size=8)


@given(lists)
@settings(deadline=None)
def test_round_trip(rows: list[list[int]]) -> None:
    ragged = Ragged.from_list(rows, np.int32)
    assert ragged.tolist() == rows
    assert ragged.lengths.tolist() == [len(row) for row in rows]
    assert ragged.rows.tolist() == [i for i, row in enumerate(rows) for _ in row]


@given(lists.filter(bool), st.data())
@settings(deadline=None)
def test_picking_equals_lists(rows: list[list[int]], data: st.DataObject) -> None:
    ragged = Ragged.from_list(rows, np.int32)
    picked = data.draw(st.lists(st.integers(0, len(rows) - 1), max_size=6))
    assert ragged[np.array(picked, dtype=int)].tolist() == [rows[i] for i in picked]
    start, stop = sorted(data.draw(st.tuples(st.integers(0, len(rows)), st.integers(0, len(rows)))))
    assert ragged[start:stop].tolist() == rows[start:stop]
    mask = np.array(data.draw(st.lists(st.booleans(), min_size=len(rows), max_size=len(rows))))
    assert ragged[mask].tolist() == [row for row, keep in zip(rows, mask, strict=True) if keep]
    assert ragged[-1].tolist() == rows[-1]


@given(st.lists(st.integers(-2, 5), max_size=20))
@settings(deadline=None)
def test_by_label_partitions_positions(labels: list[int]) -> None:
    groups = Ragged.by_label(labels, 4)
    assert groups.tolist() == [[i for i, label in enumerate(labels) if label == k] for k in range(4)]


@given(lists.filter(bool), lists)
@settings(deadline=None)
def test_concat(first: list[list[int]], second: list[list[int]]) -> None:
    joined = Ragged.concat([Ragged.from_list(first, np.int32), Ragged.from_list(second, np.int32)])
    assert joined.tolist() == first + second


def test_wrong_offsets_are_refused() -> None:
    with pytest.raises(SchemaError, match="offsets"):
        Ragged(np.arange(3), np.array([0, 2]))
    with pytest.raises(SchemaError, match="offsets"):
        Ragged(np.arange(3), np.array([0, 2, 1, 3]))
