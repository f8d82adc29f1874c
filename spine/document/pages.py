"""The generated files: made, written, compared with what is there."""

from __future__ import annotations

import difflib
from pathlib import Path

from spine.document.configuration_page import configuration_page
from spine.document.default_file import default_file
from spine.document.editor_schema import editor_schema
from spine.document.schema_page import schema_page

__all__ = ["differences", "pages", "write"]


def pages(docs: Path) -> dict[Path, str]:
    """Every generated file and its text.

    Parameters
    ----------
    docs : Path
        Directory of the pages; the configuration files go into ``config`` beside it.
    """
    config = docs.resolve().parent / "config"
    return {
        docs / "schema.md": schema_page(),
        docs / "configuration.md": configuration_page(),
        config / "default.yaml": default_file(),
        config / "schema.json": editor_schema(),
    }


def write(docs: Path) -> list[Path]:
    """Write the generated files that are not up to date.

    Returns
    -------
    list of Path
        Files that were written.
    """
    stale = {path: text for path, text in pages(docs).items() if _read(path) != text}
    for path, text in stale.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return list(stale)


def differences(docs: Path) -> str:
    """Unified difference between the files that are there and those that declarations give; empty when none."""
    lines: list[str] = []
    for path, text in pages(docs).items():
        old, new = _read(path).splitlines(), text.splitlines()
        lines += difflib.unified_diff(old, new, str(path), "generated", lineterm="", n=1)
    return "\n".join(lines)


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8") if path.is_file() else ""
