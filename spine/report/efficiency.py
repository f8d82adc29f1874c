"""Efficiency and purity of particles and interactions against energy, length and angle."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spine.report import figures
from spine.report.content import Figure, Section
from spine.report.options import ReportOptions
from spine.report.pairs import (
    RECO_PARTICLES,
    TRUTH_INTERACTIONS,
    TRUTH_PARTICLES,
    first_matched,
    lacks_matches,
    true_energy,
)
from spine.report.species import CLUSTERED
from spine.report.statistics import Metric, clopper_pearson, fraction, in_bins
from spine.report.tables import Tables, csv_of_parts

__all__ = ["ANGLE_EDGES", "ENERGY_EDGES", "LENGTH_EDGES", "efficiency", "purity"]

F8 = NDArray[np.float64]

ENERGY_EDGES: F8 = np.geomspace(1.0, 10_000.0, 17)
LENGTH_EDGES: F8 = np.geomspace(0.5, 5_000.0, 17)
ANGLE_EDGES: F8 = np.linspace(-1.0, 1.0, 11)


@dataclass(frozen=True)
class Variable:
    """What a share is drawn against.

    Parameters
    ----------
    name, label, unit : str
        Name for files, name for readers, unit.
    edges : (n,) float64
        Bins.
    shapes : tuple of int
        Classes for which it means something.
    log : bool
        Scale of the axis.
    """

    name: str
    label: str
    unit: str
    edges: F8
    shapes: tuple[int, ...]
    log: bool = True

    @property
    def axis(self) -> str:
        """Label of the axis."""
        return f"{self.label} [{self.unit}]" if self.unit else self.label


ANGLES = ("truth_start_dir_z", "truth_reco_start_dir_z", "truth_cos")
"""Columns with the cosine of the true direction to z, the better ones first."""

ALL = tuple(int(shape) for shape in CLUSTERED)
TRACKS = (1,)


def _variables(energy: str) -> tuple[Variable, ...]:
    return (
        Variable("energy", energy, "MeV", ENERGY_EDGES, ALL),
        Variable("length", "length of the track", "cm", LENGTH_EDGES, TRACKS),
        Variable("angle", "cosine of the angle to z at the start", "", ANGLE_EDGES, (0, 1), False),
    )


def _curve(
    label: str, values: F8, passed: NDArray[np.bool_], variable: Variable
) -> tuple[figures.Curve, dict[str, NDArray[Any]]]:
    """Share that passed in each bin, and the numbers behind it."""
    edges, bins = variable.edges, in_bins(values, variable.edges)
    total = np.bincount(bins[bins >= 0], minlength=len(edges) - 1)
    right = np.bincount(bins[(bins >= 0) & passed], minlength=len(edges) - 1)
    share = np.divide(right, total, out=np.full(len(total), np.nan), where=total > 0)
    low, high = clopper_pearson(right, total)
    numbers: dict[str, NDArray[Any]] = {"low": edges[:-1], "high": edges[1:], "passed": right, "total": total}
    numbers |= {"share": share, "share_low": low, "share_high": high}
    named = f"{label} ({int(total.sum())})"
    return figures.Curve(named, share, low, high, np.stack([edges[:-1], edges[1:]], axis=1)), numbers


def _figure(
    name: str, what: str, columns: Mapping[str, F8], passed: NDArray[np.bool_], variables: Sequence[Variable]
) -> Figure:
    """One panel per variable, one curve per class."""
    shape = columns["shape"]
    panels: list[list[figures.Curve]] = []
    rows: list[tuple[dict[str, str], dict[str, NDArray[Any]]]] = []
    for variable in variables:
        panels.append([])
        for number in variable.shapes:
            mine = shape == number
            curve, numbers = _curve(CLUSTERED[number], columns[variable.name][mine], passed[mine], variable)
            if numbers["total"].sum():
                panels[-1].append(curve)
                rows.append(({"variable": variable.name, "class": CLUSTERED[number]}, numbers))

    def draw(axes: figures.Panels) -> None:
        for panel, shown, variable in zip(axes, panels, variables, strict=True):
            x = figures.Axis(variable.axis, variable.log)
            figures.curves(panel, shown, x, figures.Axis(what, limits=(0.0, 1.05)))

    caption = (
        f"{what.capitalize()} with 68.3 % Clopper-Pearson bands. In brackets: particles in the range of the figure "
        f"(of N = {len(shape)} particles of all classes)."
    )
    return Figure(name, caption, figures.drawing(draw, len(variables), (3.9, 3.2)), csv_of_parts(rows))


def _by_class(what: str, shape: F8, passed: NDArray[np.bool_]) -> dict[str, Metric]:
    metrics = {"all": fraction(f"{what}, all particles", passed)}
    return metrics | {
        name: fraction(f"{what}, {name}", passed[shape == number]) for number, name in CLUSTERED.items()
    }  # fmt: skip


def efficiency(tables: Tables, options: ReportOptions) -> Section:
    """Share of true objects that were found."""
    title = "Efficiency"
    text = f"Share of true objects whose best match overlaps by at least {options.min_overlap:g}."
    table = first_matched(tables, TRUTH_PARTICLES, "efficiency_particle")
    names = ["truth_shape", "truth_ke", "truth_energy_deposit", "truth_length", *ANGLES]
    columns = tables.numbers(table, [*names, "match_overlap"])
    missing = lacks_matches(tables, table, columns)
    if columns is None or missing:
        return Section("efficiency", title, text, missing=(missing,))
    energy, label = true_energy(columns)
    passed = columns["match_overlap"] >= options.min_overlap
    angle = columns[ANGLES[0]]
    for name in ANGLES[1:]:
        angle = np.where(np.isfinite(angle), angle, columns[name])
    drawn = {"shape": columns["truth_shape"], "energy": columns[energy], "length": columns["truth_length"]}
    metrics = _by_class("efficiency", columns["truth_shape"], passed) | _interactions(tables, options)
    shown = _figure("efficiency", "efficiency", {**drawn, "angle": angle}, passed, _variables(label))
    return Section("efficiency", title, text, metrics, (shown,))


def _interactions(tables: Tables, options: ReportOptions) -> dict[str, Metric]:
    table = first_matched(tables, TRUTH_INTERACTIONS, "efficiency_interaction")
    columns = tables.numbers(table, ["match_overlap"])
    if columns is None or lacks_matches(tables, table, columns):
        return {}
    return {"interactions": fraction("efficiency, interactions", columns["match_overlap"] >= options.min_overlap)}


def purity(tables: Tables, options: ReportOptions) -> Section:
    """Share of found objects that are true."""
    title = "Purity"
    text = f"Share of found particles whose best match overlaps by at least {options.min_overlap:g}."
    names = ["reco_shape", "reco_ke", "reco_length", "reco_start_dir_z", "match_overlap"]
    columns = tables.numbers(RECO_PARTICLES, names)
    missing = lacks_matches(tables, RECO_PARTICLES, columns)
    if columns is None or missing:
        return Section("purity", title, text, missing=(missing,))
    passed = columns["match_overlap"] >= options.min_overlap
    drawn = dict(zip(("shape", "energy", "length", "angle"), (columns[name] for name in names), strict=False))
    shown = _figure("purity", "purity", drawn, passed, _variables("found kinetic energy"))
    return Section("purity", title, text, _by_class("purity", columns["reco_shape"], passed), (shown,))
