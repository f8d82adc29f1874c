"""What reruns after which edit: exactly the stages that it touches."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.workflow.campaign import Campaign

pytestmark = [pytest.mark.workflow, pytest.mark.xdist_group("workflow")]

CHAIN = ("infer", "build", "post", "ana")


def jobs(first: str, inputs: int = 2) -> dict[str, int]:
    """Jobs from a stage on, for so many inputs."""
    return dict.fromkeys(CHAIN[CHAIN.index(first) :], inputs) | {"merge": 1, "report": 1}


@contextmanager
def edited(path: Path, old: str, new: str) -> Iterator[None]:
    """A file with a piece replaced, put back afterwards."""
    text = path.read_text()
    assert re.search(old, text), f"{old!r} is not in {path}"
    path.write_text(re.sub(old, new, text, count=1))
    try:
        yield
    finally:
        path.write_text(text)


def append(path: Path, text: str) -> tuple[Path, str, str]:
    """An edit that adds code at the end."""
    return path, r"\Z", text


CODE = "\n\nEXTRA = 1\n"
COMMENT = "\n# a comment\n"


def test_a_second_run_does_nothing(finished: Campaign) -> None:
    assert finished.planned() == {}
    done = finished.snakemake()
    assert "Nothing to be done" in done.stdout + done.stderr


@pytest.mark.parametrize(
    ("setting", "first"),
    [
        ("ana.save.match_mode=null", "ana"),
        ("ana.mine.scale=3", "ana"),
        ("post.direction.radius=5", "post"),
        ("build.fragments=false", "build"),
        ("model.modules.chain.stages.1.config.mode=dbscan", "infer"),
    ],
)
def test_options(finished: Campaign, setting: str, first: str) -> None:
    assert finished.planned(setting) == jobs(first)


@pytest.mark.parametrize(
    ("file", "first"),
    [
        ("spine/ana/save.py", "ana"),
        ("spine/ana/tables.py", "ana"),
        ("spine/stages/ana.py", "ana"),
        ("spine/post/direction.py", "post"),
        ("spine/build/truth.py", "build"),
        ("spine/model/chain/plan.py", "infer"),
        ("spine/model/chain/fragmentation.py", "infer"),
        ("spine/sparse/convolution.py", "infer"),
        ("spine/stages/infer.py", "infer"),
    ],
)
def test_modules(finished: Campaign, file: str, first: str) -> None:
    with edited(*append(finished.clone / file, CODE)):
        assert finished.planned() == jobs(first)


def test_an_analysis_file_of_a_user(finished: Campaign) -> None:
    with edited(finished.run_dir / "mine.py", "len\\(event", "1 + len(event"):
        assert finished.planned() == jobs("ana")


def test_a_file_of_a_user_in_post(finished: Campaign) -> None:
    with edited(finished.run_dir / "scaled.py", "1.5", "1.6"):
        assert finished.planned() == jobs("post")
    with edited(finished.run_dir / "scaled.py", "times a factor", "with a factor"):
        assert finished.planned() == {}


def test_an_input_added(finished: Campaign) -> None:
    extra = finished.home / "extra.root"
    shutil.copy(finished.inputs[0], extra)
    finished.inputs.append(extra)
    try:
        assert finished.planned() == jobs("infer", 1)
    finally:
        finished.inputs.remove(extra)


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("README.md", "\nMore.\n"),
        ("spine/ana/save.py", COMMENT),
        ("spine/post/direction.py", COMMENT),
        ("spine/sim/argon.py", COMMENT),
        ("spine/model/chain/plan.py", COMMENT),
        ("spine/post/match.py", COMMENT),
    ],
)
def test_edits_that_touch_nothing(finished: Campaign, file: str, text: str) -> None:
    with edited(*append(finished.clone / file, text)):
        assert finished.planned() == {}


def test_code_of_a_step_that_is_not_configured(finished: Campaign) -> None:
    unused = finished.clone / "spine" / "ana" / "point_eval.py"
    if not unused.exists():
        unused = finished.clone / "spine" / "driver.py"
    with edited(*append(unused, CODE)):
        assert finished.planned() == {}


def test_touched_sources(finished: Campaign) -> None:
    for path in (finished.clone / "spine").rglob("*.py"):
        os.utime(path)
    os.utime(finished.inputs[0])
    assert finished.planned() == {}


def test_a_moved_checkout(finished: Campaign) -> None:
    before = finished.clone
    finished.clone = before.with_name("moved")
    before.rename(finished.clone)
    try:
        assert finished.planned() == {}
    finally:
        finished.clone.rename(before)
        finished.clone = before
