"""The numbers of this run beside those of another."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from spine.errors import DataError
from spine.report.content import Grid, Section
from spine.report.statistics import Metric
from spine.report.tables import csv_text

__all__ = ["changes", "changes_text", "comparison"]

NO_SECTIONS = ("title", "provenance", "counts")
"""Entries of ``metrics.json`` that are no sections."""

HEADER = ("section", "number", "unit", "this run", "N", "other run", "other N", "change", "change / error")


def comparison(sections: Mapping[str, Mapping[str, Metric]], other: Path) -> Section:
    """Numbers that differ between two runs, the most significant changes first.

    Parameters
    ----------
    sections : mapping
        Numbers of this run by section and name.
    other : Path
        ``metrics.json`` of the other run.

    Raises
    ------
    DataError
        When the file is not the JSON of a report.
    """
    old = _load(other)
    rows: list[tuple[float, tuple[str, ...]]] = []
    compared = 0
    for section, metrics in sections.items():
        for name, metric in metrics.items():
            before = _metric(old.get(section, {}), name)
            if before is None or np.isnan(metric.value) or np.isnan(before.value):
                continue
            compared += 1
            if metric.value != before.value:
                rows.append(_row(section, name, metric, before))
    rows.sort(key=lambda row: (-row[0], row[1]))
    cells = tuple(row for _, row in rows)
    csv = csv_text({name: [row[i] for row in cells] for i, name in enumerate(HEADER)})
    caption = f"{len(rows)} of N = {compared} numbers changed. Error: both 68.3 % intervals in quadrature."
    grid = Grid("comparison", caption, HEADER, cells, csv)
    return Section("comparison", "Comparison", f"This run against {other.name} of another run.", grids=(grid,))


def changes(new: Path, old: Path) -> Section:
    """Numbers of one report beside those of another, the most significant changes first.

    Parameters
    ----------
    new, old : Path
        ``metrics.json`` of each.

    Raises
    ------
    DataError
        When a file is not the JSON of a report.
    """
    tree = _load(new)
    sections = {name: part for name, part in tree.items() if name not in NO_SECTIONS and isinstance(part, dict)}
    return comparison({section: _metrics(part) for section, part in sections.items()}, old)


def _metrics(section: Mapping[str, Any]) -> dict[str, Metric]:
    """Numbers among the entries of a section."""
    found = {name: _metric(section, name) for name in section}
    return {name: metric for name, metric in found.items() if metric is not None}


def changes_text(old: Path, new: Path) -> str:
    """What changed from one report to another, as lines of text.

    Parameters
    ----------
    old, new : Path
        ``metrics.json`` of each, or the directory that holds it.

    Raises
    ------
    DataError
        When a file is not the JSON of a report.
    """
    files = [path / "metrics.json" if path.is_dir() else path for path in (new, old)]
    grid = changes(*files).grids[0]
    header = tuple({"this run": str(new), "other run": str(old)}.get(name, name) for name in grid.header)
    rows = [header, *grid.rows]
    widths = [max(len(row[i]) for row in rows) for i in range(len(header))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    return "\n".join([grid.caption, *lines])


def _load(path: Path) -> dict[str, Any]:
    try:
        tree = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(
            "the numbers of the other run cannot be read", where=path, got=str(error), mend="give its metrics.json"
        ) from error
    if not isinstance(tree, dict) or "counts" not in tree:
        raise DataError(
            "not the numbers of a report", where=path, expected="a metrics.json", mend="give its metrics.json"
        )
    return tree


def _metric(section: Any, name: str) -> Metric | None:
    entry = section.get(name) if isinstance(section, dict) else None
    if not isinstance(entry, dict) or not {"value", "n"} <= set(entry):
        return None
    value, low, high = (np.nan if entry.get(k) is None else float(entry[k]) for k in ("value", "low", "high"))
    return Metric(name, value, int(entry["n"]), str(entry.get("unit", "")), low, high)


def _row(section: str, name: str, new: Metric, old: Metric) -> tuple[float, tuple[str, ...]]:
    change = new.value - old.value
    error = float(np.hypot((new.high - new.low) / 2.0, (old.high - old.low) / 2.0))
    pull = change / error if error > 0 else np.nan
    texts = (f"{new.value:.5g}", str(new.n), f"{old.value:.5g}", str(old.n), f"{change:+.3g}")
    shown = "–" if np.isnan(pull) else f"{pull:+.1f}"
    return abs(np.nan_to_num(pull, nan=-1.0)), (section, name, new.unit, *texts, shown)
