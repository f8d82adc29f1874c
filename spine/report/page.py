"""The report as one page and one file of numbers."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path

import numpy as np

from spine.report.clustering import clustering
from spine.report.comparison import comparison
from spine.report.composition import composition
from spine.report.confusion import segmentation, species
from spine.report.content import Json, Section
from spine.report.counts import counts, failures
from spine.report.decisions import decisions
from spine.report.efficiency import efficiency, purity
from spine.report.energy import energy
from spine.report.options import ReportOptions, ReportOutputs
from spine.report.proposals import proposals
from spine.report.residuals import points, vertices
from spine.report.statistics import Metric
from spine.report.tables import Tables
from spine.report.timing import timing
from spine.store.atomic import atomic_file

__all__ = ["packaged", "rendered", "write_report"]

PARTS = (
    composition,
    segmentation,
    proposals,
    species,
    decisions,
    clustering,
    efficiency,
    purity,
    vertices,
    points,
    energy,
    failures,
)

LONG = 100
"""Characters from which an entry of the provenance is folded behind its hash."""


def write_report(
    tables: Path,
    outputs: ReportOutputs,
    options: ReportOptions,
    benchmarks: Path | None = None,
    provenance: Mapping[str, str] | None = None,
) -> dict[str, Json]:
    """Write the page and its numbers.

    Parameters
    ----------
    tables : Path
        Directory of merged tables. A table that is not there leaves its section with a note that says so.
    outputs : ReportOutputs
        Files to write.
    options : ReportOptions
        Title, thresholds, links.
    benchmarks : Path, optional
        Directory with the time and memory of each job.
    provenance : mapping of str to str, optional
        What made the results: versions, configuration, fingerprints.

    Returns
    -------
    dict
        What ``metrics.json`` holds: ``title``, ``provenance``, ``counts`` (numbers of rows), and for each section
        its numbers as ``{"value", "unit", "n", "low", "high"}``.

    Raises
    ------
    DataError
        When a table cannot be read.
    StageError
        When an output cannot be written.
    """
    source, made_by = Tables(tables), dict(provenance or {})
    numbers = counts(source)
    sections = [part(source, options) for part in PARTS]
    sections.append(timing(benchmarks, numbers["events"]))
    if options.compare is not None:
        sections.insert(0, comparison({s.name: s.metrics for s in sections}, options.compare))
    metrics: dict[str, Json] = {"title": options.title, "provenance": made_by, "counts": numbers}
    metrics |= {s.name: _json(s) for s in sections if s.name != "comparison"}
    page = rendered("report.html", options=options, counts=numbers, sections=sections, provenance=_entries(made_by))
    with atomic_file(outputs.html) as path:
        path.write_text(page, encoding="utf-8")
    with atomic_file(outputs.metrics) as path:
        path.write_text(json.dumps(metrics, indent=1, allow_nan=False) + "\n", encoding="utf-8")
    return metrics


def _finite(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def _json(section: Section) -> dict[str, Json]:
    """Numbers of a section; a section without says why."""
    out: dict[str, Json] = {name: _entry(metric) for name, metric in section.metrics.items()}
    out |= section.data
    return out | ({"missing": list(section.missing)} if section.missing else {})


def _entry(metric: Metric) -> dict[str, Json]:
    ends: dict[str, Json] = {"low": _finite(metric.low), "high": _finite(metric.high)}
    return {"value": _finite(metric.value), "unit": metric.unit, "n": metric.n, **ends}


def _entries(provenance: Mapping[str, str]) -> list[tuple[str, str, str]]:
    """Name, short form and full text of each entry; the text is empty where the short form is all."""
    out = []
    for name, text in provenance.items():
        short = f"sha256 {hashlib.sha256(text.encode()).hexdigest()[:16]}" if len(text) > LONG else text
        out.append((name, short, text if short != text else ""))
    return out


def packaged(name: str) -> str:
    """Text of a file of this package."""
    return files("spine.report").joinpath(name).read_text(encoding="utf-8")


def _shown(value: float) -> str:
    return "–" if not np.isfinite(value) else f"{value:.4g}"


def _grouped(value: int) -> str:
    """A count with narrow spaces between thousands."""
    return f"{value:,}".replace(",", "\u202f")


def rendered(template: str, **values: object) -> str:
    """A page from its template and values; texts are escaped.

    Parameters
    ----------
    template : str
        File of this package.
    **values
        What the template shows.
    """
    from jinja2 import DictLoader, Environment, StrictUndefined

    loader = DictLoader({template: packaged(template)})
    environment = Environment(
        loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {"shown": _shown, "grouped": _grouped}
    return environment.get_template(template).render(values)
