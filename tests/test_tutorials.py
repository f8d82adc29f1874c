"""The tutorials run as they stand: their cells, one after the other, in an empty directory."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

FOLDER = Path(__file__).parents[1] / "docs" / "tutorials"
TUTORIALS = sorted(FOLDER.glob("*.md"))
CELL = re.compile(r"^```\{code-cell\} python\n(.*?)^```$", re.MULTILINE | re.DOTALL)

RUNNER = """
import ast, sys, warnings
warnings.simplefilter("error")
names = {"__name__": "__main__"}
for number, path in enumerate(sys.argv[1:]):
    with open(path) as file:
        tree = ast.parse(file.read(), filename=f"cell {number}")
    last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
    exec(compile(tree, f"cell {number}", "exec"), names)
    if last is not None:
        value = eval(compile(ast.Expression(last.value), f"cell {number}", "eval"), names)
        shown = getattr(value, "_repr_html_", None) or value.__repr__
        print(f"[{number}]", len(shown()), repr(value)[:2000])
"""


def cells(text: str) -> list[str]:
    """Code of the cells that are to be run."""
    return [code for code in CELL.findall(text) if "skip-execution" not in code.partition("\n")[0]]


@pytest.mark.parametrize("path", TUTORIALS, ids=lambda path: path.stem)
def test_cells_run(path: Path, tmp_path: Path) -> None:
    code = cells(path.read_text())
    assert len(code) >= 4
    files = []
    for number, text in enumerate(code):
        files.append(tmp_path / f"cell_{number}.py")
        files[-1].write_text(text)
    (tmp_path / "run").mkdir()
    environment = os.environ | {"XDG_CACHE_HOME": str(tmp_path / "cache"), "PYTHONPATH": str(FOLDER.parents[1])}
    command = [sys.executable, "-c", RUNNER, *map(str, files)]
    done = subprocess.run(
        command, cwd=tmp_path / "run", env=environment, capture_output=True, text=True, timeout=600, check=False
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"


def test_there_are_six_with_headers_that_notebooks_understand() -> None:
    assert len(TUTORIALS) == 6
    for path in TUTORIALS:
        header = yaml.safe_load(path.read_text().split("---\n")[1])
        assert header["jupytext"]["text_representation"]["format_name"] == "myst"
        assert header["kernelspec"]["name"] == "python3"
        assert path.read_text().count("```") == 2 * path.read_text().count("```{code-cell} python")


def test_index_names_each_tutorial() -> None:
    index = (FOLDER.parent / "index.md").read_text()
    assert [path.name for path in TUTORIALS if f"tutorials/{path.name}" not in index] == []
