"""Bias and resolution of the estimators of energy."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from spine.report import figures
from spine.report.content import Figure, Section
from spine.report.efficiency import ENERGY_EDGES
from spine.report.options import ReportOptions
from spine.report.pairs import TRUTH_PARTICLES, lacks_matches, true_energy
from spine.report.statistics import Metric, in_bins, spread, typical
from spine.report.tables import Columns, Tables, csv_of_parts

__all__ = ["ESTIMATORS", "energy"]

F8 = NDArray[np.float64]

ESTIMATORS: Final = {
    "reco_calo_ke": ("calo", "charge"),
    "reco_csda_ke": ("csda", "range"),
    "reco_mcs_ke": ("mcs", "scattering"),
    "reco_ke": ("best", "best"),
}
"""Columns of each estimator: its name and what it measures."""

GROUPS: Final = {
    "shower": "showers",
    "contained_track": "contained tracks",
    "exiting_track": "exiting tracks",
}

RATIO_EDGES: F8 = np.linspace(-1.5, 1.5, 61)
MIN_PER_BIN = 5
"""Entries from which the median of a bin is drawn."""


def _groups(columns: Columns) -> dict[str, NDArray[np.bool_]]:
    track, contained = columns["truth_shape"] == 1, columns["reco_is_contained"] > 0
    return {
        "shower": columns["truth_shape"] == 0,
        "contained_track": track & contained,
        "exiting_track": track & ~contained,
    }


def energy(tables: Tables, options: ReportOptions) -> Section:
    """Energy of particles by charge, range and scattering."""
    title = "Energy"
    wanted = ["truth_shape", "truth_ke", "truth_energy_deposit", "reco_is_contained", "match_overlap", *ESTIMATORS]
    columns = tables.numbers(TRUTH_PARTICLES, wanted)
    missing = lacks_matches(tables, TRUTH_PARTICLES, columns)
    if columns is None or missing:
        return Section("energy", title, missing=(missing,))
    name, label = true_energy(columns)
    text = (
        f"Estimated energy over {label}, less one, of true particles found with overlap {options.min_overlap:g} or "
        "more. Bias: median. Resolution: half width of the central 68 %."
    )
    found = (columns["match_overlap"] >= options.min_overlap) & (columns[name] > 0)
    metrics: dict[str, Metric] = {}
    shown: list[Figure] = []
    for group, chosen in _groups(columns).items():
        ratios = _ratios(columns, name, found & chosen)
        metrics |= _numbers(group, ratios)
        if ratios:
            shown.append(_figure(group, label, ratios))
    return Section("energy", title, text, metrics, tuple(shown), missing=() if shown else ("No pair: N = 0.",))


def _ratios(columns: Columns, truth: str, use: NDArray[np.bool_]) -> dict[str, tuple[F8, F8]]:
    """True energy and relative deviation of the entries that have an estimate above zero, by estimator."""
    out: dict[str, tuple[F8, F8]] = {}
    for column, (name, _) in ESTIMATORS.items():
        known = use & (columns[column] > 0)
        if known.any():
            out[name] = columns[truth][known], columns[column][known] / columns[truth][known] - 1.0
    return out


def _numbers(group: str, ratios: dict[str, tuple[F8, F8]]) -> dict[str, Metric]:
    labels = dict(ESTIMATORS.values())
    out: dict[str, Metric] = {}
    for name, (_, ratio) in ratios.items():
        both = typical(f"{GROUPS[group]}, energy by {labels[name]}: relative deviation", ratio)
        out[f"{group}_{name}_bias"] = both["median"]
        out[f"{group}_{name}_resolution"] = both["width"]
    return out


def _profile(truth: F8, ratio: F8) -> tuple[figures.Curve, Columns]:
    """Median and central 68 % in bins of true energy."""
    bins = in_bins(truth, ENERGY_EDGES)
    parts = [spread(ratio[bins == i]) for i in range(len(ENERGY_EDGES) - 1)]
    n = np.array([s.n for s in parts])
    median, width = (
        np.where(n >= MIN_PER_BIN, [getattr(s, what) for s in parts], np.nan) for what in ("median", "width")
    )
    edges = np.stack([ENERGY_EDGES[:-1], ENERGY_EDGES[1:]], axis=1)
    curve = figures.Curve("", median, median - width, median + width, edges)
    return curve, {"low_mev": edges[:, 0], "high_mev": edges[:, 1], "n": n, "bias": median, "resolution": width}


def _figure(group: str, label: str, ratios: dict[str, tuple[F8, F8]]) -> Figure:
    profiles = {name: _profile(*pair) for name, pair in ratios.items()}
    counts = {
        f"{name} ({len(r)})": np.histogram(np.clip(r, -1.5, 1.5), RATIO_EDGES)[0] for name, (_, r) in ratios.items()
    }
    deviation = "estimate / truth − 1"

    def draw(axes: figures.Panels) -> None:
        figures.histogram(axes[0], counts, RATIO_EDGES, figures.Axis(deviation))
        axes[0].set_title(GROUPS[group])
        shown = [figures.Curve(name, c.y, c.low, c.high, c.edges) for name, (c, _) in profiles.items()]
        figures.curves(
            axes[1], shown, figures.Axis(f"{label} [MeV]", log=True), figures.Axis(deviation, limits=(-1.5, 1.5))
        )
        axes[1].axhline(0.0, color="0.6", linewidth=0.8, linestyle=":")

    csv = csv_of_parts([({"estimator": name}, numbers) for name, (_, numbers) in profiles.items()])
    caption = (
        f"{GROUPS[group].capitalize()}. Left: all pairs, the outer bins hold what lies outside. Right: median and "
        f"central 68 % in bins of {label} with at least {MIN_PER_BIN} pairs."
    )
    return Figure(f"energy_{group}", caption, figures.drawing(draw, 2), csv)
