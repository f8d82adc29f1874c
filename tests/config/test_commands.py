"""Commands on configurations, in both languages."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from spine.config import load_config
from spine.config.source import PRESETS
from spine.config_cli import app
from spine.errors import ConfigError

LABEL = PRESETS / "presets" / "label.yaml"
SPINE = """\
base: {iterations: -1}
io:
  reader: {name: hdf5, file_keys: a.h5}
post:
  reconstruct_directions: {radius: 7, priority: 1}
"""


@pytest.fixture
def theirs(tmp_path: Path) -> Path:
    path = tmp_path / "theirs.yaml"
    path.write_text(SPINE)
    return path


def output(*words: object, code: int = 0) -> str:
    done = CliRunner().invoke(app, [str(word) for word in words])
    assert done.exit_code == code, done.output
    if isinstance(done.exception, ConfigError):
        raise done.exception
    return done.output


def test_check(theirs: Path) -> None:
    assert output("check", theirs) == f"{theirs}: no problems\n"
    assert output("check", LABEL).endswith("label.yaml: no problems\n")
    theirs.write_text(SPINE.replace("radius", "colour"))
    with pytest.raises(ConfigError, match=r"theirs\.yaml:5: post\.reconstruct_directions\.colour: unknown key"):
        output("check", theirs, code=1)
    with pytest.raises(ConfigError, match="did you mean 'scaling'"):
        output("check", LABEL, "--set", "post.calo_ke.scalin=2", code=1)


def test_show(theirs: Path) -> None:
    shown = yaml.safe_load(output("show", theirs))
    assert shown["post"]["steps"][0]["config"]["radius"] == 7
    assert yaml.safe_load(output("show", theirs, "--composed"))["io"]["reader"]["name"] == "hdf5"
    assert yaml.safe_load(output("show", LABEL)) == load_config(LABEL).model_dump(mode="json", by_alias=True)


def test_diff(theirs: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.yaml"
    other.write_text(SPINE.replace("7", "8"))
    assert output("diff", theirs, theirs) == ""
    lines = output("diff", "-U0", theirs, other, code=1).splitlines()
    assert [line for line in lines if line[1:].strip().startswith("radius")] == [
        "-      radius: 7.0",
        "+      radius: 8.0",
    ]


def test_explain(theirs: Path) -> None:
    text = output("explain", theirs, "post.reconstruct_directions.radius")
    assert text.startswith("post.reconstruct_directions.radius = 7.0\n")
    assert f"set: {theirs}:5" in text
    assert "default: -1.0" in text
    text = output("explain", LABEL, "base.on_error")
    assert "nowhere, this is the default" in text
    assert "meaning: What happens when an event fails" in text
    assert "segmentation" in output("explain", LABEL, "model.modules.chain.stages.0.name")
    with pytest.raises(ConfigError, match="did you mean 'base'"):
        output("explain", LABEL, "bas.seed", code=1)


def test_import(theirs: Path, tmp_path: Path) -> None:
    ours = tmp_path / "ours.yaml"
    output("import", theirs, "-o", ours)
    config = load_config(ours)
    assert config.post.steps[0].config["radius"] == 7
    assert config.io.reader is not None
    assert ours.read_text().startswith("# Made from theirs.yaml.\nextends: []\n")
    assert yaml.safe_load(output("import", theirs))["base"] == {"iterations": -1}
