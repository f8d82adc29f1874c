"""Inputs as files, globs and lists."""

from __future__ import annotations

from pathlib import Path

import pytest

from spine.config.inputs import SHARD, expand_inputs, named_inputs
from spine.errors import ConfigError


def test_files_globs_and_lists(tmp_path: Path) -> None:
    for name in ("b.root", "a.root", "c.h5"):
        (tmp_path / name).write_text("")
    listed = tmp_path / "files.txt"
    listed.write_text(f"# comment\n\n{tmp_path}/c.h5\n{tmp_path}/*.root\n")
    expected = [f"{tmp_path}/{n}" for n in ("c.h5", "a.root", "b.root")]
    assert expand_inputs(str(listed)) == expected
    assert expand_inputs([f"{tmp_path}/*.root", expected[0]]) == [*expected[1:], expected[0]]
    assert expand_inputs(f"{expected[0]}, {tmp_path}/*.root") == expected
    assert expand_inputs([]) == []


def test_nothing_found(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no file matches"):
        expand_inputs(f"{tmp_path}/*.root")
    with pytest.raises(ConfigError, match="list of inputs"):
        expand_inputs(f"{tmp_path}/absent.txt")


def test_names() -> None:
    assert named_inputs(["x/a.b.root"], 1) == {
        "simulated_0000": "results/simulate/simulated_0000.h5",
        "a.b": "x/a.b.root",
    }
    with pytest.raises(ConfigError, match="same name"):
        named_inputs(["x/a.root", "y/a.h5"])
    many = named_inputs([f"f{i}.root" for i in range(SHARD + 1)])
    assert next(iter(many)) == "0000/f0"
    assert list(many)[-1] == f"0001/f{SHARD}"
