"""Pieces of Markdown pages."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from pydantic import BaseModel

from spine.document.options import block_options
from spine.schema import enums

__all__ = ["NOTICE", "anchor", "code", "option_table", "table"]

NOTICE = "<!-- Made by `python -m spine.document docs`; change the declarations, not this page. -->"

ENUMS = rf"\b({'|'.join(enums.__all__)})\b"


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table; empty when it has no rows."""
    lines = [f"| {' | '.join(map(_cell, row))} |" for row in rows]
    if not lines:
        return ""
    return "\n".join([f"| {' | '.join(head)} |", f"|{'---|' * len(head)}", *lines])


def code(text: str) -> str:
    """Text in the type of code, nothing for nothing."""
    return f"`{text}`" if text else ""


def anchor(heading: str) -> str:
    """A link to a heading of the same page."""
    return f"[{heading}](#{heading.lower().replace(' ', '-')})"


def _linked(kind: str) -> str:
    """Words of a type with links to the enums of the page on files."""
    return re.sub(ENUMS, lambda found: f"[{found[0]}](schema.md#{found[0].lower()})", kind)


def option_table(*models: type[BaseModel], prefix: str = "") -> str:
    """Keys of blocks and of the blocks in them, or a sentence when there are none."""
    rows = [
        (code(path), _linked(option.kind), code(option.default_text), option.doc)
        for model in models
        for path, option in block_options(model, prefix)
    ]
    return table(("key", "type", "default", "meaning"), rows) or "No options."
