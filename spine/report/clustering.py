"""Agreement of clusters: purity, efficiency, adjusted Rand index per event."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from spine.report import figures
from spine.report.content import Figure, Grid, Section
from spine.report.options import ReportOptions
from spine.report.species import CLUSTERED
from spine.report.statistics import Metric, spread
from spine.report.tables import Columns, Tables, csv_text

__all__ = ["clustering"]

LEVELS = ("fragment", "particle", "interaction")
MEASURES = {
    "pur": "purity",
    "eff": "efficiency",
    "ari": "adjusted Rand index",
    "ami": "adjusted mutual information",
    "sbd": "symmetric best Dice",
}
CLASSES = {"": "all", **{f"_{int(shape)}": name for shape, name in CLUSTERED.items()}}
"""Suffix of the columns of each class, and its name."""

EDGES = np.linspace(0.0, 1.0, 26)


def _numbers(level: str, columns: Columns) -> dict[str, Metric]:
    """Mean and median over events of each measure and class."""
    out: dict[str, Metric] = {}
    for key, values in columns.items():
        measure, _, shape = key.partition("_")
        where = CLASSES[f"_{shape}" if shape else ""]
        s = spread(values)
        label = f"{level}, {where}: {MEASURES[measure]}"
        name = f"{level}_{where}_{measure}"
        spreading = float(np.nanstd(values)) / np.sqrt(s.n) if s.n > 1 else np.nan
        out[f"{name}_mean"] = Metric(f"{label}, mean", s.mean, s.n, "", s.mean - spreading, s.mean + spreading)
        out[f"{name}_median"] = Metric(f"{label}, median", s.median, s.n, "", s.median - s.error, s.median + s.error)
    return out


def _counts(values: NDArray[np.float64]) -> NDArray[np.int64]:
    """Entries per bin; an adjusted index below zero counts in the first bin."""
    return np.histogram(np.clip(values[np.isfinite(values)], 0.0, 1.0), EDGES)[0]


def _figure(level: str, columns: Columns) -> Figure:
    measures = [m for m in MEASURES if m in columns]
    counts = {key: _counts(values) for key, values in columns.items()}

    def draw(axes: figures.Panels) -> None:
        for panel, measure in zip(axes, measures, strict=True):
            lines = {name: counts[measure + end] for end, name in CLASSES.items() if measure + end in counts}
            lines = {f"{name} ({int(v.sum())})": v for name, v in lines.items() if v.sum()}
            figures.histogram(panel, lines, EDGES, figures.Axis(MEASURES[measure], limits=(0.0, 1.0)))
            panel.set_ylabel("events")

    csv = csv_text({"low": EDGES[:-1], "high": EDGES[1:], **counts})
    caption = f"{level.capitalize()}s: agreement of found and true clusters in each event, by true class (events)."
    return Figure(f"clustering_{level}", caption, figures.drawing(draw, len(measures), (3.7, 3.0)), csv)


def _grid(level: str, columns: Columns) -> Grid:
    measures = [m for m in MEASURES if m in columns]
    rows: list[tuple[str, ...]] = []
    for end, name in CLASSES.items():
        known = [spread(columns[m + end]) for m in measures if m + end in columns]
        if known:
            cells = [text for s in known for text in (_number(s.mean), _number(s.median), str(s.n))]
            rows.append((name, *cells))
    header = ("class", *(f"{MEASURES[m]}: {part}" for m in measures for part in ("mean", "median", "N")))
    csv = csv_text({name: [row[i] for row in rows] for i, name in enumerate(header)})
    return Grid(f"clustering_{level}_table", f"{level.capitalize()}s. N: events.", header, tuple(rows), csv)


def _number(value: float) -> str:
    return "–" if np.isnan(value) else f"{value:.4f}"


def _columns(tables: Tables, level: str) -> Columns | None:
    table = f"cluster_eval_{level}"
    known = {measure + end for measure in MEASURES for end in CLASSES}
    return tables.numbers(table, [name for name in tables.header(table) if name in known])


def clustering(tables: Tables, options: ReportOptions) -> Section:
    """Clusters of each level, found against true."""
    metrics: dict[str, Metric] = {}
    shown: list[Figure] = []
    grids: list[Grid] = []
    missing: list[str] = []
    for level in LEVELS:
        columns = _columns(tables, level)
        if not columns:
            why = "was not written" if columns is None else "has no rows"
            missing.append(f"The table cluster_eval_{level} {why}.")
            continue
        metrics |= _numbers(level, columns)
        shown.append(_figure(level, columns))
        grids.append(_grid(level, columns))
    text = (
        "Purity: how much of a found cluster belongs to one true cluster. Efficiency: how much of a true cluster is in "
        "one found cluster. Adjusted Rand index: agreement of pairs of voxels, 0 for chance, 1 for equal clusters. "
        "One entry per event in which the measure is defined."
    )
    return Section("clustering", "Clustering", text, metrics, tuple(shown), tuple(grids), tuple(missing))
