"""Points of interest: how near proposed points are to true ones, and the reverse."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from spine.report import figures
from spine.report.content import Figure, Section
from spine.report.options import ReportOptions
from spine.report.species import CLUSTERED
from spine.report.statistics import Metric, fraction, typical
from spine.report.tables import Columns, Tables, csv_text

__all__ = ["proposals"]

F8 = NDArray[np.float64]

NEAR = 5.0
"""Distance in voxels within which a point counts as found: 1.5 cm for voxels of 3 mm."""

EDGES: F8 = np.linspace(0.0, 20.0, 41)
WAYS = {
    "truth_to_reco": ("found", "true points with a proposal", "proposal"),
    "reco_to_truth": ("right", "proposals with a true point", "true point"),
}
"""Table, name of the fraction, its label, and to what distances are measured."""


def _reached(distance: F8) -> F8:
    """Distances, infinite where there is no point at all (-1 in the table)."""
    return np.where(distance < 0, np.inf, distance)


def _metrics(way: str, columns: Columns) -> dict[str, Metric]:
    key, label, _ = WAYS[way]
    distance = _reached(columns["dist"])
    out = {key: fraction(f"{label} within {NEAR:g} voxels", distance <= NEAR)}
    for number, name in CLUSTERED.items():
        of_class = columns["shape"] == number
        out[f"{key}_{name}"] = fraction(f"{name}: {label} within {NEAR:g} voxels", distance[of_class] <= NEAR)
        same = _reached(columns[f"dist_{int(number)}"][of_class])
        out[f"{key}_{name}_same_class"] = fraction(f"{name}: the same, of the same class", same <= NEAR)
    near = distance[distance <= EDGES[-1]]
    return out | {
        f"{way}_distance_{k}": m for k, m in typical("distance, where below 20 voxels", near, "voxels").items()
    }


def _figure(tables: dict[str, Columns]) -> Figure:
    counts: dict[str, dict[str, NDArray[np.int64]]] = {}
    for way, columns in tables.items():
        distance = np.clip(_reached(columns["dist"]), EDGES[0], EDGES[-1])
        of_class = {name: distance[columns["shape"] == number] for number, name in CLUSTERED.items()}
        counts[way] = {f"{name} ({len(v)})": np.histogram(v, EDGES)[0] for name, v in of_class.items() if len(v)}

    def draw(axes: figures.Panels) -> None:
        for panel, (way, lines) in zip(axes, counts.items(), strict=True):
            figures.histogram(panel, lines, EDGES, figures.Axis(f"distance to the nearest {WAYS[way][2]} [voxels]"))
            panel.set_ylabel("points")

    parts = [(f"{way}: {name}", v) for way, lines in counts.items() for name, v in lines.items()]
    csv = csv_text({
        "quantity": [name for name, v in parts for _ in v],
        "low_voxels": np.tile(EDGES[:-1], len(parts)),
        "high_voxels": np.tile(EDGES[1:], len(parts)),
        "entries": np.concatenate([np.empty(0, np.int64), *(v for _, v in parts)]),
    })  # fmt: skip
    caption = "Distance between proposed and true points, by class of the point. The last bin holds what lies beyond."
    return Figure("proposals", caption, figures.drawing(draw, len(counts)), csv)


def proposals(tables: Tables, options: ReportOptions) -> Section:
    """Points of interest that networks propose."""
    del options
    wanted = ["dist", "shape", *(f"dist_{int(number)}" for number in CLUSTERED)]
    columns = {way: tables.numbers(f"point_eval_{way}", wanted) for way in WAYS}
    known = {way: found for way, found in columns.items() if found}
    missing = tuple(f"The table point_eval_{way} was not written or has no rows." for way in WAYS if way not in known)
    metrics = {key: metric for way, found in known.items() for key, metric in _metrics(way, found).items()}
    text = f"A point counts as found within {NEAR:g} voxels of another. Classes are those of the point asked about."
    shown = (_figure(known),) if known else ()
    return Section("proposals", "Points of interest", text, metrics, shown, missing=missing)
