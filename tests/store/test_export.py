"""Export of chains of stage files, in both layouts."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from spine.cli import app
from spine.config.model import Config
from spine.errors import ConfigError, DataError
from spine.stages import post
from spine.store.export import Layout, export
from spine.store.regions import RegionFile
from spine.store.source import open_events
from spine.store.writer import EventWriter, Failure, FileInfo
from tests.store.events import assert_same_events, random_event

PEER = Path(__file__).parents[1] / "golden" / "data" / "post" / "reco" / "events3_v1.h5"
CONFIG = Config.model_validate({"post": {"calo_ke": {"scaling": 2.0}, "children_count": {}}})


@pytest.fixture
def chain(tmp_path: Path) -> Path:
    """Post-processed events of SPINE, whose points are in the file before."""
    source = Path(shutil.copy(PEER, tmp_path / "spine.h5"))
    post.run(source, tmp_path / "post.h5", CONFIG)
    return tmp_path / "post.h5"


@pytest.mark.parametrize("layout", ["v1", "v2"])
def test_chain_becomes_one_file(chain: Path, tmp_path: Path, layout: Layout) -> None:
    out = tmp_path / "elsewhere" / "all.h5"
    assert export(chain, out, layout, block=2) == 3
    with open_events(out) as file, open_events(chain) as before:
        assert isinstance(file, RegionFile) is (layout == "v1")
        assert set(file.names()) == set(before.names())
        assert file.steps == before.steps
        for left, right in zip(before.block(0, 3), file.block(0, 3), strict=True):
            assert_same_events(left, right, before.names())
    chain.unlink()
    (tmp_path / "spine.h5").unlink()
    with open_events(out) as file:
        assert file.attribute("parent") == ""
        assert len(file.event(2)["points"]) > 1000


def test_both_layouts_hold_the_same(tmp_path: Path) -> None:
    events = [random_event(i) for i in range(6)]
    with EventWriter(tmp_path / "a.h5", FileInfo()) as writer:
        writer.append(events)
    export(tmp_path / "a.h5", tmp_path / "b.h5", "v1", block=4)
    export(tmp_path / "b.h5", tmp_path / "c.h5", "v2", block=5)
    with open_events(tmp_path / "c.h5") as file:
        for left, right in zip(events, file.block(0, 6), strict=True):
            assert_same_events(left, right, tuple(left))


def test_chosen_products(tmp_path: Path) -> None:
    export(PEER, tmp_path / "few.h5", "v2", keys=("run_info", "reco_particles", "run_info"))
    with open_events(tmp_path / "few.h5") as file:
        assert set(file.names()) == {"run_info", "reco_particles"}
    export(PEER, tmp_path / "old.h5", "v1", keys=("reco_particles",))
    with open_events(tmp_path / "old.h5") as file:
        assert set(file.names()) == {"index", "reco_particles"}
        assert [event["index"] for event in file.block(0, 3)] == [0, 1, 2]


def test_provenance_and_failures_are_kept(tmp_path: Path) -> None:
    info = FileInfo(stage="post", config='{"post": {"match": {}}}', code="abc", steps=("build", "match"), seed=3)
    with EventWriter(tmp_path / "a.h5", info) as writer:
        writer.append([random_event(0)])
        writer.failures = [Failure(1, 1, 2, 3, "match", "no points")]
    for layout in ("v1", "v2"):
        export(tmp_path / "a.h5", tmp_path / f"{layout}.h5", layout)
        with open_events(tmp_path / f"{layout}.h5") as file:
            assert [(f.entry, f.error) for f in file.failures()] == [(1, "no points")]
            assert json.loads(file.attribute("config")) == {"post": {"match": {}}}
            assert (file.attribute("stage"), file.attribute("code")) == ("export", "abc")
            assert (file.attribute("seed"), file.steps) == ("3", ("build", "match"))


def test_configuration_of_spine_is_kept(tmp_path: Path) -> None:
    export(PEER, tmp_path / "out.h5")
    with open_events(tmp_path / "out.h5") as file:
        assert json.loads(file.attribute("config"))["post"]["calo_ke"]["shower_fudge"] == "1/0.83"


def test_command(tmp_path: Path) -> None:
    runner = CliRunner()
    out = tmp_path / "out.h5"
    done = runner.invoke(app, ["export", str(PEER), "-o", str(out), "--to", "v1", "--keys", "run_info,meta"])
    assert done.exit_code == 0, done.output
    with open_events(out) as file:
        assert set(file.names()) == {"index", "run_info", "meta"}
    assert runner.invoke(app, ["export", str(PEER), "-o", str(out), "--to", "v9"]).exit_code != 0


def test_wrong_requests(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="did you mean 'reco_particles'"):
        export(PEER, tmp_path / "out.h5", keys=("reco_particle",))
    with pytest.raises(ConfigError, match="no such layout"):
        export(PEER, tmp_path / "out.h5", "v3")  # type: ignore[arg-type]
    copy = shutil.copy(PEER, tmp_path / "copy.h5")
    with pytest.raises(ConfigError, match="onto itself"):
        export(copy, copy)
    assert not (tmp_path / "out.h5").exists()
    assert np.array_equal(Path(copy).read_bytes(), PEER.read_bytes())
