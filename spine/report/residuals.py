"""Distances of found points from true ones: vertices, starts and ends."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from spine.report import figures
from spine.report.content import Figure, Grid, Section
from spine.report.options import ReportOptions
from spine.report.pairs import TRUTH_INTERACTIONS, TRUTH_PARTICLES, lacks_matches
from spine.report.species import CLUSTERED
from spine.report.statistics import Metric, fraction, typical
from spine.report.tables import Columns, Tables, csv_text

__all__ = ["points", "vertices"]

F8 = NDArray[np.float64]

AXES = "xyz"
NEAR = 3.0
"""Distance in cm within which a vertex counts as found well."""

DISTANCE_EDGES: F8 = np.geomspace(0.01, 1000.0, 31)
AXIS_EDGES: F8 = np.linspace(-10.0, 10.0, 41)


def _offsets(columns: Columns, name: str) -> F8:
    """(n, 3) found less true position."""
    return np.stack([columns[f"reco_{name}_{a}"] - columns[f"truth_{name}_{a}"] for a in AXES], axis=1)


def _names(name: str) -> list[str]:
    return [f"{side}_{name}_{a}" for side in ("reco", "truth") for a in AXES]


def _counts(values: F8, edges: F8) -> NDArray[np.int64]:
    """Entries per bin; those outside count in the outer bins."""
    return np.histogram(np.clip(values, edges[0], edges[-1]), edges)[0]


def vertices(tables: Tables, options: ReportOptions) -> Section:
    """Vertices of interactions."""
    title = "Vertices"
    text = f"Found less true vertex of true interactions whose best match overlaps by at least {options.min_overlap:g}."
    numbers = ["index", "run", "subrun", "event", "truth_id", "reco_id", "match_overlap"]
    columns = tables.numbers(TRUTH_INTERACTIONS, [*numbers, *_names("vertex")])
    missing = lacks_matches(tables, TRUTH_INTERACTIONS, columns)
    if columns is None or missing:
        return Section("vertices", title, text, missing=(missing,))
    offsets = _offsets(columns, "vertex")
    use = (columns["match_overlap"] >= options.min_overlap) & np.isfinite(offsets).all(axis=1)
    if not use.any():
        return Section("vertices", title, text, missing=("No matched interaction has both vertices: N = 0.",))
    columns, offsets = {name: values[use] for name, values in columns.items()}, offsets[use]
    distance = np.linalg.norm(offsets, axis=1)
    metrics = _vertex_metrics(offsets, distance)
    return Section(
        "vertices", title, text, metrics, (_vertex_figure(offsets, distance),), (_tail(columns, distance, options),)
    )  # fmt: skip


def _vertex_metrics(offsets: F8, distance: F8) -> dict[str, Metric]:
    out = {f"distance_{k}": m for k, m in typical("distance to the true vertex", distance, "cm").items()}
    contained = float(np.quantile(distance, 0.68))
    out["distance_68"] = Metric("distance within which 68 % of the vertices lie", contained, len(distance), "cm")
    out["near"] = fraction(f"vertices within {NEAR:g} cm", distance <= NEAR)
    for i, axis in enumerate(AXES):
        out |= {f"{axis}_{k}": m for k, m in typical(f"residual in {axis}", offsets[:, i], "cm").items()}
    return out


def _vertex_figure(offsets: F8, distance: F8) -> Figure:
    by_axis = {axis: _counts(offsets[:, i], AXIS_EDGES) for i, axis in enumerate(AXES)}
    by_distance = {f"vertices ({len(distance)})": _counts(distance, DISTANCE_EDGES)}

    def draw(axes: figures.Panels) -> None:
        figures.histogram(axes[0], by_distance, DISTANCE_EDGES, figures.Axis("distance [cm]", log=True))
        figures.histogram(axes[1], by_axis, AXIS_EDGES, figures.Axis("residual [cm]"))

    named = [*(("distance", values) for values in by_distance.values()), *by_axis.items()]
    csv = _histogram_csv([(n, DISTANCE_EDGES if n == "distance" else AXIS_EDGES, v) for n, v in named])
    caption = f"Vertex residuals of N = {len(distance)} interactions. The outer bins hold what lies outside."
    return Figure("vertices", caption, figures.drawing(draw, 2), csv)


def _histogram_csv(parts: Sequence[tuple[str, F8, NDArray[np.int64]]]) -> str:
    names = [name for name, _, counts in parts for _ in counts]
    low = np.concatenate([edges[:-1] for _, edges, _ in parts])
    high = np.concatenate([edges[1:] for _, edges, _ in parts])
    counts = np.concatenate([values for _, _, values in parts])
    return csv_text({"quantity": names, "low_cm": low, "high_cm": high, "entries": counts})


def _tail(columns: Columns, distance: F8, options: ReportOptions) -> Grid:
    """The worst vertices, linked to the events that the display shows."""
    worst = np.argsort(-distance, kind="stable")
    names = ("index", "run", "subrun", "event", "truth_id", "reco_id")
    table = {name: columns[name][worst].astype(np.int64) for name in names}
    csv = csv_text({**table, "overlap": columns["match_overlap"][worst], "distance_cm": distance[worst]})
    first = worst[: options.tail]
    rows = tuple(
        (*(str(int(columns[name][i])) for name in names), f"{columns['match_overlap'][i]:.3f}", f"{distance[i]:.2f}")
        for i in first
    )
    numbers = (int(columns["index"][i]) for i in first)
    links = tuple(f"{options.display}#event={n}&color=interaction" if n in options.shown else "" for n in numbers)
    header = ("index", "run", "subrun", "event", "true id", "found id", "overlap", "distance [cm]")
    return Grid("worst_vertices", f"The {len(rows)} worst of N = {len(distance)} vertices.", header, rows, csv, links)


def points(tables: Tables, options: ReportOptions) -> Section:
    """Starts and ends of particles."""
    title = "Start and end points"
    text = f"Distance of found from true points of true particles found with overlap {options.min_overlap:g} or more."
    wanted = ["truth_shape", "match_overlap", *_names("start_point"), *_names("end_point")]
    columns = tables.numbers(TRUTH_PARTICLES, wanted)
    missing = lacks_matches(tables, TRUTH_PARTICLES, columns)
    if columns is None or missing:
        return Section("points", title, text, missing=(missing,))
    found = columns["match_overlap"] >= options.min_overlap
    metrics: dict[str, Metric] = {}
    counts: dict[str, dict[str, NDArray[np.int64]]] = {"start": {}, "end": {}}
    for number, name in CLUSTERED.items():
        for which in ("start", "end") if name == "track" else ("start",):
            offsets = _offsets(columns, f"{which}_point")[found & (columns["truth_shape"] == number)]
            distance = np.linalg.norm(offsets[np.isfinite(offsets).all(axis=1)], axis=1)
            metrics |= {f"{which}_{name}_{k}": m for k, m in typical(f"{name}, {which} point", distance, "cm").items()}
            if len(distance):
                counts[which][f"{name} ({len(distance)})"] = _counts(distance, DISTANCE_EDGES)
    return Section("points", title, text, metrics, (_point_figure(counts),))


def _point_figure(counts: dict[str, dict[str, NDArray[np.int64]]]) -> Figure:
    def draw(axes: figures.Panels) -> None:
        for panel, (which, lines) in zip(axes, counts.items(), strict=True):
            x = figures.Axis(f"distance to the true {which} [cm]", log=True)
            figures.histogram(panel, lines, DISTANCE_EDGES, x)

    parts = [(f"{which}: {name}", DISTANCE_EDGES, v) for which, lines in counts.items() for name, v in lines.items()]
    csv = _histogram_csv(parts) if parts else "quantity,low_cm,high_cm,entries\n"
    caption = "Distance of start points (all classes) and end points (tracks) from the true ones (particles)."
    return Figure("points", caption, figures.drawing(draw, 2), csv)
