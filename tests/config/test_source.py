"""YAML files with line numbers, presets and overrides."""

from __future__ import annotations

from pathlib import Path

import pytest

from spine.config.source import Source, apply_overrides, merge, read_source
from spine.errors import ConfigError


def test_lines_are_known(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text("base:\n  seed: 3\npost:\n  stages:\n    - name: direction\n")
    source = read_source(path)
    assert source.tree == {"base": {"seed": 3}, "post": {"stages": [{"name": "direction"}]}}
    assert source.place(("base", "seed")) == f"{path}:2"
    assert source.place(("post", "stages", "0", "name")) == f"{path}:5"
    assert source.place(("base", "seed", "deeper")) == f"{path}:2"
    assert source.place(("nothing",)) == ""


def test_presets_lie_below(tmp_path: Path) -> None:
    (tmp_path / "low.yaml").write_text("base: {seed: 1, threads: 2}\nio: {x: [1, 2]}\n")
    (tmp_path / "mid.yaml").write_text("extends: low\nbase: {threads: 3}\n")
    (tmp_path / "top.yaml").write_text("extends: [mid]\nio: {x: [5]}\n")
    source = read_source(tmp_path / "top.yaml")
    assert source.tree == {"base": {"seed": 1, "threads": 3}, "io": {"x": [5]}}
    assert source.place(("base", "seed")) == f"{tmp_path / 'low.yaml'}:1"


def test_cycles_and_unknown_presets(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("extends: b\n")
    (tmp_path / "b.yaml").write_text("extends: a\n")
    with pytest.raises(ConfigError, match="extends itself") as error:
        read_source(tmp_path / "a.yaml")
    assert "a.yaml -> b.yaml -> a.yaml" in str(error.value)
    (tmp_path / "c.yaml").write_text("extends: labl\n")
    with pytest.raises(ConfigError, match="did you mean 'label'"):
        read_source(tmp_path / "c.yaml")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: 1\na: 2\n", "stands twice"),
        ("a: [1\n", "not valid YAML"),
        ("- 1\n", "mapping of blocks"),
        ("a: !unknown 1\n", "not valid YAML"),
    ],
)
def test_broken_files_are_named(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "broken.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=message) as error:
        read_source(path)
    assert "broken.yaml" in str(error.value)
    with pytest.raises(ConfigError, match="cannot be read"):
        read_source(tmp_path / "absent.yaml")


def test_overrides() -> None:
    source = Source({"post": {"direction": {"radius": 1}}, "ana": {"stages": [{"name": "save"}]}})
    done = apply_overrides(source, "post.direction.radius=5; ana.stages.0.match_mode=null;base.seed=-1;")
    assert done.tree == {
        "post": {"direction": {"radius": 5}},
        "ana": {"stages": [{"name": "save", "match_mode": None}]},
        "base": {"seed": -1},
    }
    assert done.place(("post", "direction", "radius")) == "--set post.direction.radius=5"
    assert source.tree["post"]["direction"]["radius"] == 1
    for text, message in (
        ("a", "key=value"),
        ("ana.stages.4=1", "no entry '4'"),
        ("post.direction.radius.x=1", "plain"),
    ):
        with pytest.raises(ConfigError, match=message):
            apply_overrides(source, text)


def test_merge_keeps_its_inputs() -> None:
    below = {"a": {"b": 1, "c": [1]}}
    assert merge(below, {"a": {"c": [2], "d": 3}}) == {"a": {"b": 1, "c": [2], "d": 3}}
    assert below == {"a": {"b": 1, "c": [1]}}
