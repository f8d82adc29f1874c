"""Fingerprints change with code that matters, and with nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest

from spine.config import fingerprint


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small package in place of ours."""
    monkeypatch.setattr(fingerprint, "ROOT", tmp_path)
    files = {
        "spine/__init__.py": "",
        "spine/a.py": "from spine import b\nfrom .deep.c import f\n\n\ndef g():\n    return f()\n",
        "spine/b.py": "X = 1\n",
        "spine/deep/__init__.py": "",
        "spine/deep/c.py": "def f():\n    import spine.lazy\n    return spine.lazy.Y\n",
        "spine/lazy.py": "Y = 2\n",
        "spine/other.py": "Z = 3\n",
        "spine/typed.py": "T = int\n",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


def value(*modules: str) -> str:
    fingerprint._read.cache_clear()
    return fingerprint.code_fingerprint(*modules)


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("a.py", "return f()", "return f() + 1"),
        ("b.py", "X = 1", "X = 2"),
        ("deep/c.py", "Y", "Z"),
        ("lazy.py", "Y = 2", "Y = 5"),
    ],
)
def test_code_that_matters(package: Path, name: str, old: str, new: str) -> None:
    before = value("spine.a")
    edit(package / "spine" / name, old, new)
    assert value("spine.a") != before


def test_code_that_does_not_matter(package: Path) -> None:
    before = value("spine.a")
    edit(package / "spine" / "other.py", "Z = 3", "Z = 4")
    edit(package / "spine" / "b.py", "X = 1", "# a comment\nX  =  1")
    edit(package / "spine" / "deep" / "c.py", "def f():\n", 'def f():\n    """A docstring."""\n')
    (package / "spine" / "a.py").touch()
    assert value("spine.a") == before
    edit(
        package / "spine" / "a.py",
        "from spine import b\n",
        "from spine import b\nfrom typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from spine import typed\n",
    )
    after = value("spine.a")
    edit(package / "spine" / "typed.py", "int", "str")
    assert value("spine.a") == after


def test_files_of_users_count(package: Path) -> None:
    user = package / "mine.py"
    user.write_text("from spine import other\n\nW = 1\n")
    before = value("spine.b", str(user))
    assert before != value("spine.b")
    edit(package / "spine" / "other.py", "Z = 3", "Z = 4")
    assert value("spine.b", str(user)) != before


def test_the_name_of_the_checkout_does_not_count(package: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = value("spine.a")
    moved = package.with_name("elsewhere")
    package.rename(moved)
    monkeypatch.setattr(fingerprint, "ROOT", moved)
    assert value("spine.a") == before
