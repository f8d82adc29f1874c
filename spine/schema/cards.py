"""Objects and tables as HTML, as notebooks show them: values with their units, names of enumerations."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from spine.schema.columns import Column

if TYPE_CHECKING:
    from spine.schema.table import Row, Table

__all__ = ["card", "object_card", "shown", "table_card"]

FIRST: Final = (
    "run", "subrun", "event", "id", "shape", "pid", "pdg_code", "topology", "is_primary", "is_contained", "is_fiducial",
    "interaction_id", "ke", "energy_init", "energy_deposit", "length", "size", "num_particles", "num_primary_particles",
    "start_point", "end_point", "vertex", "start_dir", "pid_scores", "is_matched", "best_match_id",
    "best_match_overlap",
)  # fmt: skip
"""Columns that a card shows at once, as far as the object has them; the others are folded."""

PREVIEW = 6
"""Rows of the preview of a table."""

STYLE: Final = (
    "font:13px/1.5 system-ui,sans-serif;border:1px solid #8886;border-radius:6px;padding:8px 12px;"
    "display:inline-block;max-width:100%;overflow-x:auto"
)


def _number(value: Any) -> str:
    if isinstance(value, bool | np.bool_):
        return "yes" if value else "no"
    if isinstance(value, int | np.integer):
        return str(int(value))
    return "–" if np.isnan(value) else f"{float(value):.4g}"


def shown(column: Column, value: Any) -> str:
    """A value of a column as text: names of enumerations, units, a dash for what is missing."""
    if column.kind == "text":
        return str(value) or "–"
    if column.kind == "ragged":
        head = ", ".join(_number(v) for v in value[:PREVIEW])
        return f"{len(value)}: {head}{', …' if len(value) > PREVIEW else ''}" if len(value) else "none"
    if column.enum is not None:
        known = {int(member): member.name for member in column.enum}
        return known.get(int(value), str(value))
    if column.shape:
        text = f"({', '.join(_number(v) for v in value)})"
        return "–" if np.isnan(np.asarray(value, dtype=np.float64)).all() else _with_unit(text, column)
    return _with_unit(_number(value), column)


def _with_unit(text: str, column: Column) -> str:
    return f"{text} {column.unit}" if column.unit and text != "–" else text


def _cells(pairs: Iterable[tuple[str, str, str]]) -> str:
    row = '<tr><td style="text-align:left;opacity:.7">{}</td><td style="text-align:left" title="{}">{}</td></tr>'
    return "".join(row.format(escape(name), escape(doc, quote=True), escape(text)) for name, doc, text in pairs)


def card(title: str, rows: Sequence[tuple[str, str, str]], folded: Sequence[tuple[str, str, str]] = ()) -> str:
    """A framed table of names and values.

    Parameters
    ----------
    title : str
        What it is.
    rows : sequence of (name, meaning, text)
        Shown at once; the meaning appears when the pointer rests on the value.
    folded : sequence of (name, meaning, text)
        Shown on a click.
    """
    more = f"<details><summary>{len(folded)} more</summary><table>{_cells(folded)}</table></details>" if folded else ""
    return f'<div style="{STYLE}"><b>{escape(title)}</b><table>{_cells(rows)}</table>{more}</div>'


def object_card(row: Row) -> str:
    """Card of one object: what matters first, the other columns folded."""
    record = row.table.record
    texts = {name: (name, column.doc, shown(column, getattr(row, name))) for name, column in record.columns.items()}
    first = [name for name in FIRST if name in texts]
    return card(record.__name__, [texts[n] for n in first], [text for n, text in texts.items() if n not in first])


def table_card(table: Table) -> str:
    """Preview of a table: its first rows, in the columns that matter most."""
    names = [name for name in FIRST if name in table.record.columns] or list(table.record.columns)[:8]
    columns = [table.record.column(name) for name in names]
    head = "".join(f'<th title="{escape(c.doc, quote=True)}">{escape(c.name)}</th>' for c in columns)
    body = "".join(
        "<tr>" + "".join(f"<td>{escape(shown(c, table[c.name][i]))}</td>" for c in columns) + "</tr>"
        for i in range(min(len(table), PREVIEW))
    )
    rest = f"<div>{len(table) - PREVIEW} more rows</div>" if len(table) > PREVIEW else ""
    title = f"{len(table)} {'row' if len(table) == 1 else 'rows'} of {table.record.__name__}"
    return f'<div style="{STYLE}"><b>{title}</b><table><tr>{head}</tr>{body}</table>{rest}</div>'
