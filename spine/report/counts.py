"""How much went through, and what was left out."""

from __future__ import annotations

from collections import Counter

import numpy as np

from spine.report.content import Grid, Section
from spine.report.options import ReportOptions
from spine.report.tables import Tables, csv_text
from spine.store.provenance import BESIDE, read_lineage

__all__ = ["counts", "failures"]

LEVELS = ("fragments", "particles", "interactions")


def counts(tables: Tables) -> dict[str, int | None]:
    """Numbers of files, events, failures and objects; None where the table was not written."""
    found: dict[str, int | None] = {
        "files": _files(tables), "events": tables.count("events"), "failures": tables.count("failures"),
    }  # fmt: skip
    for side in ("reco", "truth"):
        found |= {f"{side}_{level}": tables.count(f"save_{side}_{level}") for level in LEVELS}
    return found


def _files(tables: Tables) -> int | None:
    """Input files, as the tables tell; or those with an event that went through or failed, numbered from 0."""
    if (tables.folder / BESIDE).exists():
        return len(read_lineage(tables.folder)["stages"][-1]["inputs"])
    events = tables.numbers("events", ["file_index"])
    if events is None:
        return None
    known = events["file_index"][np.isfinite(events["file_index"])]
    header, rows = tables.texts("failures")
    failed = {row[header.index("file")] for row in rows} if "file" in header else set()
    return max(int(known.max(initial=-1)) + 1, len(failed))


def failures(tables: Tables, options: ReportOptions) -> Section:
    """Events that a stage could not process."""
    text = "Events which a stage could not process and left out."
    section = Section("failures", "Failures", text)
    if not tables.has("failures"):
        return Section("failures", "Failures", text, missing=("There is no table failures.csv.",))
    header, rows = tables.texts("failures")
    if not rows:
        return Section("failures", "Failures", text + " None: N = 0.", data={"by_step": {}})
    where = next((name for name in ("step", "stage") if name in header), None)
    steps = Counter(row[header.index(where)] for row in rows) if where else Counter[str]()
    shown = tuple(tuple(row) for row in rows[: options.max_failures])
    csv = csv_text({name: [row[i] for row in rows] for i, name in enumerate(header)})
    caption = f"The first {len(shown)} of N = {len(rows)} failures."
    grids = (_by_step(steps), Grid("failures", caption, tuple(header), shown, csv))
    return Section(section.name, section.title, text, grids=grids, data={"by_step": dict(sorted(steps.items()))})


def _by_step(steps: Counter[str]) -> Grid:
    rows = sorted(steps.items())
    csv = csv_text({"step": [name for name, _ in rows], "events": [n for _, n in rows]})
    caption = f"Failed events by step (N = {steps.total()})."
    return Grid("failures_by_step", caption, ("step", "events"), tuple((name, str(n)) for name, n in rows), csv)
