"""Generated documentation: up to date, complete, and of one mind with the loader of configurations."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]
from pydantic import BaseModel, Field

from spine.config import load_config, resolve_config
from spine.config.model import Config
from spine.config.source import read_source
from spine.document import differences, pages, write
from spine.document.options import Option, block_options, options_of
from spine.document.parts import SECTIONS, chain_modes, first_line, kinds_of, optional_model, parsers, steps
from spine.document.schema_page import flat_names, records
from spine.errors import ConfigError
from spine.schema import PRODUCTS, Table

ROOT = Path(__file__).resolve().parents[1]
GENERATED = ("docs/schema.md", "docs/configuration.md", "config/default.yaml", "config/schema.json")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("made")
    write(root / "docs")
    return root


@pytest.fixture(scope="module")
def validator(made: Path) -> Draft202012Validator:
    schema = json.loads((made / "config/schema.json").read_text())
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema)


@pytest.mark.parametrize("name", GENERATED)
def test_committed_files_are_up_to_date(made: Path, name: str) -> None:
    assert (ROOT / name).read_text() == (made / name).read_text(), "run 'make docs'"


def test_second_run_writes_nothing(made: Path) -> None:
    assert write(made / "docs") == []
    assert differences(made / "docs") == ""
    assert len(pages(made / "docs")) == len(GENERATED)


def test_check_names_the_file_that_is_not_up_to_date(tmp_path: Path) -> None:
    write(tmp_path / "docs")
    command = [sys.executable, "-m", "spine.document", str(tmp_path / "docs"), "--check"]
    page = tmp_path / "docs/schema.md"
    page.write_text(page.read_text().replace("| Start point |", "| Beginning |"), encoding="utf-8")
    checked = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    assert checked.returncode == 1
    assert f"--- {page}" in checked.stderr
    assert "-| `start_point` | float32 × 3 | cm |" in checked.stderr
    write(tmp_path / "docs")
    assert subprocess.run(command, capture_output=True, check=False, cwd=ROOT).returncode == 0


@pytest.mark.parametrize("kind", ["post", "ana"])
def test_every_step_is_documented(made: Path, kind: str) -> None:
    text = (made / "docs/configuration.md").read_text()
    headings = {line for line in text.splitlines() if line.startswith("### ")}
    registered = importlib.import_module(f"spine.{kind}").STEPS
    assert {f"### {kind}.{name}" for name in registered} <= headings


def test_flat_names_are_those_of_tables() -> None:
    for record in records():
        assert [n for column in record.columns.values() for n in flat_names(column)] == list(Table(record, 0).flat())


def test_everything_in_files_is_described() -> None:
    assert [p.name for p in PRODUCTS.values() if not p.doc] == []
    assert [(r.__name__, c.name) for r in records() for c in r.columns.values() if not c.doc] == []
    assert [r.__name__ for r in records() if not first_line(r)] == []


def _all_options() -> Iterator[tuple[str, Option]]:
    sections = {name: optional_model(*place) for name, place in SECTIONS.items()}
    models: dict[str, type[BaseModel] | None] = {"": Config, **sections}
    models |= {s.module: s.config for s in (*steps("post"), *steps("ana"))}
    models |= {f"{s.module}.{name}": model for s in steps("post") for name, model in kinds_of(s)}
    models |= {f"{family}.{m.name}": m.config for family, _, modes in chain_modes() for m in modes}
    models |= {f"parser.{name}": options for name, (_, options, _) in parsers().items()}
    for name, model in models.items():
        if model is not None:
            yield from ((f"{name}: {key}", option) for key, option in block_options(model))


def test_every_option_is_described() -> None:
    found = dict(_all_options())
    assert len(found) > 200
    assert [key for key, option in found.items() if not option.doc] == []


def test_every_step_parser_and_mode_is_described() -> None:
    docs = {s.module: s.doc for s in (*steps("post"), *steps("ana"))}
    docs |= {name: first_line(run) for name, (run, _, _) in parsers().items()}
    docs |= {f"{family}.{mode.name}": mode.doc for family, _, modes in chain_modes() for mode in modes}
    assert [name for name, doc in docs.items() if not doc] == []


def test_default_file_is_the_default_configuration() -> None:
    assert load_config(ROOT / "config/default.yaml") == resolve_config({})


def _filled(tree: Any, path: str) -> set[str]:
    """Dotted names of all keys."""
    if not isinstance(tree, dict):
        return set()
    return {f"{path}{key}" for key in tree}.union(*(_filled(value, f"{path}{key}.") for key, value in tree.items()))


def test_default_file_shows_every_key(made: Path) -> None:
    keys = _filled(resolve_config({}).model_dump(mode="json", by_alias=True), "")
    shown = _filled(yaml.safe_load((made / "config/default.yaml").read_text()), "")
    assert keys - shown == {"post.steps", "ana.steps"}
    assert shown <= keys


@pytest.mark.parametrize("kind", ["post", "ana"])
def test_steps_shown_in_the_default_file_have_their_defaults(made: Path, kind: Any) -> None:
    lines = (made / "config/default.yaml").read_text().splitlines()
    begin = lines.index(f"{kind}:")
    block = lines[begin : lines.index("", begin)]
    shown = yaml.safe_load("\n".join(line.replace("#: ", "", 1) for line in block if not line.startswith("  # ")))[kind]
    for step in steps(kind):
        assert set(shown[step.name]) == {option.name for option in options_of(step.config)}
        for option in options_of(step.config):
            if option.block is None:
                assert shown[step.name][option.name] == option.default


def test_configuration_of_the_workflow_is_valid(validator: Draft202012Validator) -> None:
    tree = read_source(ROOT / "config/config.yaml").tree
    assert [error.message for error in validator.iter_errors(tree)] == []


@pytest.mark.parametrize("preset", sorted(p.stem for p in (ROOT / "config/presets").glob("*.yaml")))
def test_presets_are_valid(validator: Draft202012Validator, preset: str) -> None:
    tree = read_source(ROOT / f"config/presets/{preset}.yaml").tree
    assert [error.message for error in validator.iter_errors(tree)] == []


GOOD: tuple[dict[str, Any], ...] = (
    {},
    {"post": None},
    {"base": {"seed": 3, "on_error": "skip"}},
    {"sim": {"files": 2, "gun": {"pdg": 11}, "cosmics": None}},
    {"build": {"sources": {"data_tensor": "data"}}},
    {"ana": {"save": {"obj_type": "particle"}}},
    {"ana": {"save": {"obj_type": ["particle", "interaction"], "match_mode": None}, "segment_eval": False}},
    {"ana": {"mine": {"provider": "save", "config": {"obj_type": "particle"}}}},
    {"ana": {"stages": [{"name": "save", "config": {"obj_type": "particle"}}, {"provider": "event_summary"}]}},
    {"post": {"calibration": {"gain": {"gain": 80.0}, "lifetime": {"lifetime": 3000.0, "driftv": 0.16}}}},
    {"post": {"calo_ke": {"scaling": "1/0.83"}, "direction": {"obj_type": "fragment"}}},
    {"io": {"loader": {"dataset": {"schema": {"data": {"provider": "sparse3d", "sparse_event": "sparse3d_x"}}}}}},
)
BAD: tuple[dict[str, Any], ...] = (
    {"bases": {}},
    {"base": {"sed": 3}},
    {"base": {"threads": 0}},
    {"base": {"on_error": "ignore"}},
    {"sim": {"files": -1}},
    {"sim": {"image": {"voxel": 0.3}}},
    {"build": {"mode": "none"}},
    {"post": {"calo_ke": {"scaling": [1, 2]}}},
    {"post": {"containment": {}}},
    {"ana": {"save": {"obj_types": "particle"}}},
    {"ana": {"save": {"obj_type": "particle", "match_mode": "some"}}},
    {"ana": {"safe": {}}},
    {"ana": {"mine": {"provider": "save", "config": {"obj_type": "partikel"}}}},
    {"ana": {"stages": [{"name": "save", "obj": "particle"}]}},
    {"io": {"loader": {"minibatch_size": 0}}},
)


@pytest.mark.parametrize("tree", GOOD)
def test_schema_accepts_what_the_loader_accepts(validator: Draft202012Validator, tree: dict[str, Any]) -> None:
    resolve_config(tree)
    assert [error.message for error in validator.iter_errors(tree)] == []


@pytest.mark.parametrize("tree", BAD)
def test_schema_refuses_what_the_loader_refuses(validator: Draft202012Validator, tree: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        resolve_config(tree)
    assert not validator.is_valid(tree)


@pytest.mark.parametrize(
    ("schema", "valid"),
    [
        ({"data": {"provider": "sparse3d", "sparse_event": "sparse3d_x"}}, True),
        ({"data": {"provider": "sparse3d", "sparse": "sparse3d_x"}}, False),
        ({"data": {"sparse_event": "sparse3d_x"}}, False),
        ({"data": {"provider": "sparse4d"}}, False),
        ({"image": {"provider": "sparse3d", "sparse_event": "sparse3d_x"}}, False),
    ],
)
def test_schema_knows_parsers(validator: Draft202012Validator, schema: dict[str, Any], valid: bool) -> None:
    assert validator.is_valid({"io": {"loader": {"dataset": {"schema": schema}}}}) is valid


class _Nested(BaseModel):
    size: float = Field(1.5, gt=0, description="Size (cm)")


class _Example(BaseModel):
    count: int = Field(description="How many")
    names: tuple[str, ...] = Field(("a",), description="Names")
    span: tuple[float, float] | None = Field(None, description="Range (us)")
    one: _Nested = Field(default_factory=_Nested, description="One block")
    parts: tuple[_Nested, ...] = Field((), description="Blocks")


def test_options_of_a_block_in_words() -> None:
    found = {key: (option.kind, option.default_text) for key, option in block_options(_Example)}
    assert found == {
        "count": ("integer", "required"),
        "names": ("list of text", "[a]"),
        "span": ("[number, number] or null", "null"),
        "one": ("block", ""),
        "one.size": ("number > 0", "1.5"),
        "parts": ("list of block", "[]"),
        "parts[].size": ("number > 0", "1.5"),
    }
