"""The command line: light to start, one message for what goes wrong."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import spine

ROOT = Path(__file__).resolve().parents[1]
GENUINE = ROOT / "tests" / "data" / "larcv2_sample.root"
HEAVY = ("torch", "pandas", "uproot", "numba", "plotly", "matplotlib", "scipy", "h5py", "pydantic")


def command(*arguments: object, folder: Path | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "spine", *map(str, arguments)], text=True, capture_output=True, cwd=folder or ROOT
    )


def modules_after(code: str) -> set[str]:
    done = subprocess.run(
        [sys.executable, "-c", f"{code}\nimport sys\nprint(*sys.modules)"], text=True, capture_output=True, check=True
    )
    return {name.partition(".")[0] for name in done.stdout.split()}


def test_starting_is_light() -> None:
    assert not modules_after("import spine") & {*HEAVY, "numpy"}
    assert not modules_after("import spine.cli") & set(HEAVY)


@pytest.mark.parametrize("module", ["spine.stages.build", "spine.stages.post", "spine.stages.ana", "spine.driver"])
def test_stages_after_inference_do_without_torch(module: str) -> None:
    assert "torch" not in modules_after(f"import {module}")


def test_help_and_version() -> None:
    assert command("--version").stdout.strip() == spine.__version__
    text = command("--help").stdout
    for name in ("simulate", "infer", "build", "post", "ana", "merge", "report", "config"):
        assert name in text


def test_which_geant4_data(tmp_path: Path) -> None:
    done = command("sim", "data", tmp_path)
    assert done.returncode == 1
    assert "not a complete set of Geant4 11.4 data" in done.stderr
    pytest.importorskip("xraydb", reason="data for argon need the extra 'sim'")
    done = command("sim", "data")
    assert done.returncode == 0, done.stderr
    assert "geant4_data: " in done.stdout


def test_a_stage_by_hand(tmp_path: Path) -> None:
    done = command("infer", GENUINE, "-o", tmp_path / "infer.h5", "-c", ROOT / "config" / "presets" / "label.yaml")
    assert done.returncode == 0, done.stderr
    assert "infer: 20 events" in done.stderr
    done = command("build", tmp_path / "infer.h5", "-o", tmp_path / "build.h5")
    assert done.returncode == 0, done.stderr


def test_one_message_for_what_goes_wrong(tmp_path: Path) -> None:
    cases = [
        (("infer", tmp_path / "absent.root", "-o", tmp_path / "x.h5"), "absent.root: no such file"),
        (("build", GENUINE, "-o", tmp_path / "x.h5"), "cannot be opened as HDF5"),
        (("post", GENUINE, "-o", "x.h5", "-c", "absent.yaml"), "absent.yaml: the configuration cannot be read"),
        (("ana", GENUINE, "-o", "x", "--set", "ana.svae.x=1"), "did you mean 'save'"),
    ]
    for arguments, message in cases:
        done = command(*arguments)
        assert done.returncode == 1
        assert done.stderr.startswith("error: ")
        assert message in done.stderr
        assert "Traceback" not in done.stderr
    assert not list(tmp_path.iterdir())


def test_configurations(tmp_path: Path) -> None:
    path = tmp_path / "my.yaml"
    path.write_text("extends: label\npost:\n  direction: {raduis: 3}\nbsae: {}\n")
    done = command("config", "check", path)
    assert done.returncode == 1
    assert f"{path}:3: post.direction.raduis: unknown key; did you mean 'radius'?" in done.stderr
    assert f"{path}:4: bsae: unknown key; did you mean 'base'?" in done.stderr
    path.write_text("extends: label\n")
    assert "no problems" in command("config", "check", path).stdout
    shown = command("config", "show", path, "--set", "post.direction.radius=7").stdout
    assert "radius: 7" in shown
