from __future__ import annotations

import csv
import io
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from spine.ana.tables import BASE_COLUMNS, concatenated, csv_text, with_base_columns, write_csv
from spine.errors import DataError
from spine.schema import Block, Event, row_of


@settings(deadline=None, max_examples=60)
@given(hnp.arrays(np.float64, st.integers(1, 20)), hnp.arrays(np.float32, st.integers(1, 20)))
def test_floats_come_back_bit_for_bit(wide: np.ndarray, narrow: np.ndarray) -> None:
    for values in (wide, narrow):
        lines = csv_text({"x": values}).splitlines()
        assert lines[0] == "x"
        np.testing.assert_array_equal(np.array([float(line) for line in lines[1:]]).astype(values.dtype), values)


@settings(deadline=None, max_examples=60)
@given(st.lists(st.text(st.characters(exclude_categories=["Cs"])), min_size=1, max_size=5))
def test_any_text_comes_back(texts: list[str]) -> None:
    rows = list(csv.reader(io.StringIO(csv_text({"a": np.array(texts, dtype=object), "b": np.arange(len(texts))}))))
    assert [row[0] for row in rows[1:]] == texts
    assert [row[1] for row in rows[1:]] == [str(i) for i in range(len(texts))]


def test_the_text_of_each_type() -> None:
    columns = {
        "flag": np.array([True, False]),
        "small": np.array([0.1, np.nan], dtype=np.float32),
        "wide": np.array([0.1, -np.inf]),
        "byte": np.array([255, 0], dtype=np.uint8),
        "word": np.array(["1mu1p", ""], dtype=object),
    }
    assert csv_text(columns) == "flag,small,wide,byte,word\nTrue,0.1,0.1,255,1mu1p\nFalse,nan,-inf,0,\n"
    assert csv_text({name: values[:0] for name, values in columns.items()}) == "flag,small,wide,byte,word\n"


def test_rows_are_added_only_under_the_same_columns(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    write_csv(path, {"a": np.array([1]), "b": np.array([2.5])})
    write_csv(path, {"a": np.array([3]), "b": np.array([4.0])}, append=True)
    assert path.read_bytes() == b"a,b\n1,2.5\n3,4.0\n"
    with pytest.raises(DataError, match="columns differ"):
        write_csv(path, {"b": np.array([3]), "a": np.array([4.0])}, append=True)


def test_base_columns_come_first() -> None:
    info = row_of("run_info", run=7, subrun=8, event=9)
    block = Block([Event({"index": 4, "file_index": 2, "file_entry_index": 3, "run_info": info}), Event({}, entry=5)])
    table = with_base_columns(block, {"_row": np.array([1, 0, 0]), "x": np.array([0.0, 1.0, 2.0])})
    assert tuple(table) == (*BASE_COLUMNS, "x")
    assert [table[name].tolist() for name in BASE_COLUMNS] == [
        [5, 4, 4],
        [0, 2, 2],
        [5, 3, 3],
        [-1, 7, 7],
        [-1, 8, 8],
        [-1, 9, 9],
    ]


def test_broken_tables_are_refused() -> None:
    block = Block([Event({})])
    with pytest.raises(DataError, match="to which events"):
        with_base_columns(block, {"x": np.arange(2)})
    with pytest.raises(DataError, match="different lengths"):
        with_base_columns(block, {"_row": np.zeros(2), "x": np.arange(3)})
    with pytest.raises(DataError, match="not flat"):
        csv_text({"x": np.zeros((2, 3))})
    with pytest.raises(DataError, match="columns differ"):
        concatenated([{"x": np.arange(2)}, {"y": np.arange(2)}])
