from __future__ import annotations

import io
import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from spine.errors import DataError
from spine.report.tables import Tables, csv_of_parts, csv_text


def write(folder: Path, name: str, frame: pd.DataFrame) -> None:
    frame.to_csv(folder / f"{name}.csv", index=False, na_rep="nan")


def test_columns_are_read_as_numbers_and_missing_ones_are_nan(tmp_path: Path) -> None:
    write(tmp_path, "t", pd.DataFrame({"a": [1, 2], "b": [True, False], "c": ["x", "2.5"]}))
    columns = Tables(tmp_path).numbers("t", ["a", "b", "c", "d"])
    assert columns is not None
    np.testing.assert_array_equal(columns["a"], [1.0, 2.0])
    np.testing.assert_array_equal(columns["b"], [1.0, 0.0])
    np.testing.assert_array_equal(columns["c"], [np.nan, 2.5])
    np.testing.assert_array_equal(columns["d"], [np.nan, np.nan])


def test_a_table_of_one_side_may_leave_out_the_prefix(tmp_path: Path) -> None:
    write(tmp_path, "save_reco_particles", pd.DataFrame({"index": [0], "pid": [3]}))
    columns = Tables(tmp_path).numbers("save_reco_particles", ["reco_pid", "truth_pid"])
    assert columns is not None
    assert columns["reco_pid"].tolist() == [3.0]
    assert np.isnan(columns["truth_pid"]).all()


def test_parquet_is_read_when_it_is_not_older(tmp_path: Path) -> None:
    write(tmp_path, "t", pd.DataFrame({"a": [1, 2]}))
    pd.DataFrame({"a": [5, 6], "b": [None, None]}).to_parquet(tmp_path / "t.parquet")
    newer = (tmp_path / "t.csv").stat().st_mtime_ns + 10**9
    os.utime(tmp_path / "t.parquet", ns=(newer, newer))
    columns = Tables(tmp_path).numbers("t", ["a"])
    assert columns is not None
    assert columns["a"].tolist() == [5.0, 6.0]
    os.utime(tmp_path / "t.parquet", ns=(0, 0))
    columns = Tables(tmp_path).numbers("t", ["a"])
    assert columns is not None
    assert columns["a"].tolist() == [1.0, 2.0]


def test_absent_and_empty_tables(tmp_path: Path) -> None:
    (tmp_path / "blank.csv").write_text("")
    (tmp_path / "head.csv").write_text("a,b\n")
    tables = Tables(tmp_path)
    assert tables.numbers("none", ["a"]) is None
    assert tables.count("none") is None
    for name in ("blank", "head"):
        columns = tables.numbers(name, ["a"])
        assert columns is not None
        assert len(columns["a"]) == tables.count(name) == 0
        assert tables.texts(name)[1] == []


def test_a_broken_table_is_named(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text('a,b\n1,2\n3,4,5,6\n7,"8\n')
    with pytest.raises(DataError, match=r"t\.csv: the table cannot be read"):
        Tables(tmp_path).numbers("t", ["a"])


def test_csv_goes_back_through_pandas() -> None:
    frame = pd.read_csv(io.StringIO(csv_text({"a, b": ['say "no"', "x\ny"], "n": np.array([1.5, np.nan])})))
    assert frame["a, b"].tolist() == ['say "no"', "x\ny"]
    assert frame["n"][0] == 1.5
    assert np.isnan(frame["n"][1])


def test_parts_stand_below_each_other() -> None:
    parts = [({"class": name}, {"n": np.arange(k)}) for name, k in (("x", 2), ("y", 0), ("z", 1))]
    frame = pd.read_csv(io.StringIO(csv_of_parts(parts)))
    assert frame.to_dict("list") == {"class": ["x", "x", "z"], "n": [0, 1, 0]}
    assert csv_of_parts([]) == "\n"
