"""The language of SPINE configurations: every rule gives what the SPINE distribution gives."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from spine.config.peer import compose_file, compose_text
from spine.config.peer.document import Download
from spine.errors import ConfigError
from tests.config.peer.language_cases import CASES

HERE = Path(__file__).parent
ANSWERS: dict[str, Any] = json.loads((HERE / "data" / "language.json").read_text())
PYTHON = Path(os.environ.get("SPINE_PEER_PYTHON", HERE.parents[2] / ".venv-peer" / "bin" / "python"))
VARIABLES = {"CASE_VARIABLE": "value"}


def written(folder: Path, name: str) -> Path:
    """The files of a case; its main file."""
    for file, text in CASES[name].items():
        path = folder / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder / "main.yaml"


def plain(value: object, folder: Path) -> object:
    """Values as the answers hold them: without the directory of the case."""
    if isinstance(value, Download):
        return {"!download": {"url": value.url, "hash": value.sha256} if value.sha256 else value.url}
    if isinstance(value, dict):
        return {str(key): plain(item, folder) for key, item in value.items()}
    if isinstance(value, list):
        return [plain(item, folder) for item in value]
    return value.replace(str(folder), "FOLDER") if isinstance(value, str) else value


@pytest.mark.parametrize("name", CASES)
def test_rule(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPINE_CONFIG_PATH", str(tmp_path / "search"))
    for variable, value in VARIABLES.items():
        monkeypatch.setenv(variable, value)
    main = written(tmp_path, name)
    expected = ANSWERS[name]
    if isinstance(expected, str):
        with pytest.raises(ConfigError):
            compose_file(main)
    else:
        assert plain(compose_file(main).tree, tmp_path) == expected


@pytest.mark.peer
@pytest.mark.skipif(not PYTHON.exists(), reason="make peer could not install the SPINE distribution")
def test_the_answers_are_those_of_spine(tmp_path: Path) -> None:
    mains = {name: written(tmp_path / str(i), name) for i, name in enumerate(CASES)}
    for i, name in enumerate(CASES):
        environment = {"SPINE_CONFIG_PATH": str(tmp_path / str(i) / "search")}
        if name != "search path":
            continue
        assert peer_answers([mains[name]], environment)[0] == ANSWERS[name]
    others = [name for name in CASES if name != "search path"]
    found = peer_answers([mains[name] for name in others], {})
    assert dict(zip(others, found, strict=True)) == {name: ANSWERS[name] for name in others}


def peer_answers(mains: list[Path], environment: dict[str, str]) -> list[object]:
    """What SPINE composes from files."""
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    command = [str(PYTHON), str(HERE / "peer_composer.py"), *map(str, mains)]
    done = subprocess.run(
        command, env=kept | VARIABLES | environment, cwd=mains[0].parent, check=True, capture_output=True, text=True
    )
    answers = json.loads(done.stdout[done.stdout.index("{") :])
    return [plain(answers[str(main)], main.parent) for main in mains]


def test_errors_name_file_and_line(tmp_path: Path) -> None:
    main = written(tmp_path, "edit of a missing entry")
    with pytest.raises(ConfigError, match="no entry 'b'") as caught:
        compose_file(main)
    assert str(caught.value.where) == f"{main}:2"
    main = written(tmp_path, "cycle")
    with pytest.raises(ConfigError, match="includes itself") as caught:
        compose_file(main)
    assert caught.value.got == f"{main} -> {tmp_path / 'other.yaml'} -> {main}"


def test_places_and_notes(tmp_path: Path) -> None:
    composed = compose_file(written(tmp_path, "inline"))
    assert composed.place(("a", "x", "y")) == f"{tmp_path / 'part.yaml'}:3"
    assert composed.place(("b", "0", "z")) == f"{tmp_path / 'part.yaml'}:4"
    composed = compose_file(written(tmp_path, "assignment to a missing parent is left out"))
    assert composed.notes == [f"{tmp_path / 'main.yaml'}:2: b.c is left out: there is no 'b'"]
    composed = compose_file(written(tmp_path, "unknown kind is a bundle"))
    assert composed.notes == [f"{tmp_path / 'main.yaml'}:1: __meta__.kind is 'thing', not one of bundle, fragment, mod"]


def test_text(tmp_path: Path) -> None:
    (tmp_path / "base.yaml").write_text("__meta__: {description: base}\na: 1\n")
    assert compose_text("include: base\nb: 2\n", tmp_path).tree == {"a": 1, "b": 2}
