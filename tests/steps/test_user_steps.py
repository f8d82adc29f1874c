"""Steps in files of users and in other packages: the examples of the tutorial, and how they are checked and ordered."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml

from spine.config import fingerprint, resolve_config
from spine.config.check import steps_of
from spine.config.slices import stage_code
from spine.errors import ConfigError
from spine.schema import Event, Shape
from spine.stages.ana import run as run_ana
from spine.stages.post import run as run_post
from spine.steps.registry import known_steps, load_step
from spine.store.source import open_events

EVENTS = Path(__file__).parents[1] / "golden" / "data" / "post" / "reco" / "events3_v1.h5"
TUTORIAL = (Path(__file__).parents[2] / "docs" / "user_steps.md").read_text(encoding="utf-8")
CODE = re.findall(r"```python\n(.*?)```", TUTORIAL, re.S)
YAML = [yaml.safe_load(text) for text in re.findall(r"```yaml\n(.*?)```", TUTORIAL, re.S)]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory with the files of the tutorial, in which the process is."""
    for name, text in zip(("how_many.py", "shower_scale.py"), CODE, strict=True):
        (tmp_path / name).write_text(text)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def blocks(i: int) -> dict[str, Any]:
    return {key: value for key, value in YAML[i].items() if key != "extends"}


def test_table_of_the_tutorial(folder: Path) -> None:
    config = resolve_config(blocks(0))
    run_ana(EVENTS, folder / "tables", config)
    table = pd.read_csv(folder / "tables" / "how_many.csv")
    assert list(table)[:6] == ["index", "file_index", "file_entry_index", "run", "subrun", "event"]
    with open_events(EVENTS) as file:
        events = [event for block in file.blocks(8) for event in block]
        found = [leaving(event) for event in events]
    assert table["leaving"].tolist() == [n for row in found for n in row]


def leaving(event: Event) -> list[int]:
    """Particles of each interaction that leave with more than 25 MeV, one by one."""
    particles = list(event.reco.particles)
    return [
        sum(not particles[i].is_contained and particles[i].calo_ke > 25.0 for i in interaction.particle_ids)
        for interaction in event.reco.interactions
    ]


def test_column_of_the_tutorial(folder: Path) -> None:
    further = {"calo_ke": {}, "topology_threshold": {"ke_thresholds": 10}}
    config = resolve_config({"post": {**blocks(1)["post"], **further}})
    names = [step.name for _, step in steps_of("post", config.post)]
    assert names == ["calo_ke", "shower_scale", "topology_threshold"]
    plain = resolve_config({"post": {"calo_ke": {}}})
    for name, chosen in (("plain", plain), ("scaled", config)):
        run_post(EVENTS, folder / f"{name}.h5", chosen)
    with open_events(folder / "plain.h5") as one, open_events(folder / "scaled.h5") as other:
        assert list(other.steps)[-3:] == names
        for before, after in zip(one.blocks(8), other.blocks(8), strict=True):
            old, new = before.table("reco_particles"), after.table("reco_particles")
            shower = (old["shape"] == Shape.SHOWER) & (old["size"] > 0)
            factor = np.where(shower, 1 + 0.01 * np.log10(np.maximum(old["size"], 1)), 1.0)
            np.testing.assert_allclose(new["calo_ke"], factor * old["calo_ke"])


def test_options_are_checked_and_edits_count(folder: Path) -> None:
    with pytest.raises(ConfigError, match=r"unknown key; did you mean 'least'"):
        resolve_config({"ana": {"how_many": {"provider": "how_many.py", "config": {"last": 2.0}}}})
    with pytest.raises(ConfigError, match="no such file for a step"):
        resolve_config({"ana": {"how_many": {"provider": "how_few.py"}}})
    config = resolve_config(blocks(0))
    before = {stage: stage_code(config, stage) for stage in ("post", "ana")}
    (folder / "how_many.py").write_text(CODE[0] + "\n# a remark\n")
    fingerprint._read.cache_clear()
    assert {stage: stage_code(config, stage) for stage in before} == before
    (folder / "how_many.py").write_text(CODE[0].replace("~particles", "particles"))
    fingerprint._read.cache_clear()
    assert stage_code(config, "ana") != before["ana"]
    assert stage_code(config, "post") == before["post"]


def test_steps_of_a_file_are_told_apart(folder: Path) -> None:
    (folder / "both.py").write_text(CODE[0] + CODE[1])
    assert load_step("ana", "both.py:how_many").name == "how_many"
    assert load_step("post", "both.py:shower_scale").name == "shower_scale"
    with pytest.raises(ConfigError, match="cannot be told"):
        load_step("ana", "both.py")


def test_steps_of_other_packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "counting_steps.py").write_text(CODE[0])
    info = tmp_path / "counting-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: counting\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[spine.steps]\nana.how_many = counting_steps\n")
    monkeypatch.syspath_prepend(tmp_path)
    known_steps.cache_clear()
    try:
        assert "how_many" not in known_steps("post")
        config = resolve_config({"ana": {"how_many": {"least": 5.0}}})
        [(entry, step)] = [pair for pair in steps_of("ana", config.ana) if pair[1].name == "how_many"]
        assert step.module == "counting_steps"
        assert entry.config == {"least": 5.0}
    finally:
        known_steps.cache_clear()
