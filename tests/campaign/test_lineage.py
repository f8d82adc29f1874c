"""Every output says where it comes from, and the commands printed for it make the same bytes."""

from __future__ import annotations

import hashlib
import json
import shlex
import shutil
from pathlib import Path

import pytest

from spine.campaign.lineage import commands, described, result_of
from spine.cli import app
from spine.errors import DataError
from spine.store.writer import EventWriter, FileInfo

GENUINE = Path(__file__).parents[1] / "data" / "larcv2_sample.root"

CONFIG = """\
extends: label
sim: {events_per_file: 1, bomb: {multiplicity: [1, 1]}, cosmics: null}
post: {direction: {optimize: false}}
ana: {save: {obj_type: [particle]}}
"""


def spine(lines: list[str], monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """Run commands as a shell would."""
    monkeypatch.chdir(folder)
    for line in lines:
        words = shlex.split(line, comments=True)
        if words:
            assert words.pop(0) == "spine"
            app(words, standalone_mode=False)


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Results of three events of a genuine file, and of a simulated one."""
    folder = tmp_path_factory.mktemp("run")
    shutil.copy(GENUINE, folder / "genuine.root")
    (folder / "my.yaml").write_text(CONFIG)
    given = "--config my.yaml"
    lines = [
        f"spine infer genuine.root --output results/infer/genuine.h5 {given} --entries 2:5",
        f"spine simulate --number 2 --output results/simulate/simulated_0002.h5 {given}",
        f"spine infer results/simulate/simulated_0002.h5 --output results/infer/simulated_0002.h5 {given}",
    ]
    for name in ("genuine", "simulated_0002"):
        lines.append(f"spine build results/infer/{name}.h5 --output results/build/{name}.h5 {given}")
        lines.append(f"spine ana results/build/{name}.h5 --output results/ana/{name} {given}")
    with pytest.MonkeyPatch.context() as monkeypatch:
        spine([*lines, f"spine merge results/ana/genuine results/ana/simulated_0002 --output results/tables {given}"],
              monkeypatch, folder)  # fmt: skip
    return folder / "results"


def files(folder: Path) -> dict[str, str]:
    """sha256 of the files of a directory; hidden ones hold times."""
    found = [path for path in folder.rglob("*") if path.is_file() and not path.name.startswith(".")]
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in found}


def test_the_same_bytes_again(results: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = commands(result_of(results / "tables" / "events.csv"))
    spine(lines, monkeypatch, results.parent)
    made = files(results.with_name("results.again"))
    assert len(made) > 20
    assert made == files(results)


def test_what_is_known(results: Path) -> None:
    text = described(result_of(results / "ana" / "genuine" / "events.csv"))
    digest = hashlib.sha256(GENUINE.read_bytes()).hexdigest()
    known = (
        "made 20",
        "infer: code",
        "ana: code",
        f"genuine.root sha256 {digest}",
        "--entries 2:5",
        "seed 0",
        "numpy",
    )
    for part in known:
        assert part in text, part
    stages = result_of(results / "tables").stages
    assert [record["stage"] for record in stages][-1] == "merge"
    assert [name for name, _ in stages[-1]["inputs"]] == ["genuine.root", "simulated_0002.h5"]
    infer = result_of(results / "infer" / "simulated_0002.h5").stages
    assert [record["stage"] for record in infer] == ["simulate", "infer"]
    assert infer[1]["config"]["base"]["seed"] == 0
    json.dumps(infer)


def test_other_code_is_said(results: Path) -> None:
    result = result_of(results / "infer" / "genuine.h5")
    result.stages[0]["code"] = "0" * 16
    assert commands(result)[0].startswith("# infer was made by version")


def test_files_that_do_not_say(tmp_path: Path) -> None:
    with EventWriter(tmp_path / "foreign.h5", FileInfo(), ()):
        pass
    with pytest.raises(DataError, match="does not say how it was made"):
        result_of(tmp_path / "foreign.h5")
    with pytest.raises(DataError, match="no such file"):
        result_of(tmp_path / "nothing.h5")
    with pytest.raises(DataError, match="do not say how they were made"):
        result_of(tmp_path)
