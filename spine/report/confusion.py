"""Confusion of semantic classes and of species."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spine.report import figures
from spine.report.content import Figure, Json, Section
from spine.report.options import ReportOptions
from spine.report.pairs import TRUTH_PARTICLES, lacks_matches
from spine.report.species import PIDS, SHAPES
from spine.report.statistics import Metric, clopper_pearson, roc
from spine.report.tables import Columns, Tables, csv_text

__all__ = ["Confusion", "segmentation", "species"]

SEGMENTS = "segment_eval_summary"


@dataclass(frozen=True)
class Confusion:
    """How often each true class was found as each class.

    Parameters
    ----------
    counts : (n, m) int64
        Entries by true (row) and found (column) class; the first n columns are the classes of the rows.
    rows, columns : tuple of str
        Names of the classes.
    unit : str
        What is counted.
    """

    counts: NDArray[np.int64]
    rows: tuple[str, ...]
    columns: tuple[str, ...]
    unit: str

    @property
    def share(self) -> NDArray[np.float64]:
        """(n, m) share of each true class, NaN where it is empty."""
        total = self.counts.sum(axis=1, keepdims=True).astype(np.float64)
        share = np.full(self.counts.shape, np.nan)
        np.divide(self.counts, total, out=share, where=total > 0)
        return share

    def _ratio(self, label: str, k: int, n: int) -> Metric:
        low, high = clopper_pearson(k, n)
        return Metric(label, k / n if n else np.nan, n, "", float(low), float(high))

    def metrics(self) -> dict[str, Metric]:
        """Share of right answers over all, of each true class (efficiency) and of each found class (purity)."""
        square = self.counts[:, : len(self.rows)]
        right, found, true = np.diag(square), square.sum(axis=0), self.counts.sum(axis=1)
        out = {"accuracy": self._ratio(f"right {self.unit}, all classes", int(right.sum()), int(true.sum()))}
        each = [r / t for r, t in zip(right, true, strict=True) if t]
        out["accuracy_mean"] = Metric(
            "mean of the shares of all true classes", float(np.mean(each or [np.nan])), len(each)
        )
        for i, name in enumerate(self.rows):
            out[f"efficiency_{_key(name)}"] = self._ratio(
                f"true {name}: share found as such", int(right[i]), int(true[i])
            )
        for i, name in enumerate(self.rows):
            out[f"purity_{_key(name)}"] = self._ratio(f"found {name}: share truly such", int(right[i]), int(found[i]))
        return out

    def figure(self, name: str, caption: str) -> Figure:
        """Counts and shares of each row, side by side."""
        share, labels = self.share, (self.rows, self.columns)
        numbers = [[_short(int(v)) for v in row] for row in self.counts]
        percents = [["" if np.isnan(v) else f"{100 * v:.1f}" for v in row] for row in share]

        def draw(axes: figures.Panels) -> None:
            figures.matrix(axes[0], share, numbers, labels)
            figures.matrix(axes[1], share, percents, labels)
            axes[0].set_title(f"{self.unit} (N = {self.counts.sum():,})")
            axes[1].set_title("% of each true class")

        svg = figures.drawing(draw, 2, (1.7 + 0.45 * len(self.columns), 1.2 + 0.36 * len(self.rows)))
        found = {c: self.counts[:, j] for j, c in enumerate(self.columns)}
        return Figure(name, caption, svg, csv_text({"true": self.rows, **found}))

    def data(self) -> dict[str, Json]:
        """The matrix as it goes to ``metrics.json``."""
        return {"true": self.rows, "found": self.columns, "counts": self.counts.tolist(), "unit": self.unit}


def _key(name: str) -> str:
    """Name of a class as part of the name of a number."""
    return name.lower().replace(" ", "_")


def _short(n: int) -> str:
    """A count in at most five characters."""
    for size, letter in ((1_000_000_000, "G"), (1_000_000, "M"), (10_000, "k")):
        if n >= size:
            return f"{n / (1000 if letter == 'k' else size):.3g}{letter}"
    return str(n)


def _segment_counts(columns: Columns, classes: int) -> NDArray[np.int64]:
    """(n, n) voxels by true and found class, over all events; the table names the found class first."""
    sums = [[np.nansum(columns[f"count_{i}{j}"]) for j in range(classes)] for i in range(classes)]
    return np.array(sums, dtype=np.int64).T


def segmentation(tables: Tables, options: ReportOptions) -> Section:
    """Semantic classes of voxels."""
    title, text = "Semantic segmentation", "Class of each voxel, found against true."
    classes = sum(f"count_{i}{i}" in tables.header(SEGMENTS) for i in range(len(SHAPES)))
    names = [f"count_{i}{j}" for i in range(classes) for j in range(classes)]
    columns = tables.numbers(SEGMENTS, names)
    if columns is None or not names:
        why = "was not written" if columns is None else "has no rows"
        return Section("segmentation", title, text, missing=(f"The table {SEGMENTS} {why}.",))
    labels = tuple(SHAPES.values())[:classes]
    confusion = Confusion(_segment_counts(columns, classes), labels, labels, "voxels")
    events = len(columns[names[0]])
    caption = f"Voxels of {events} events by true and found class. Colour: share of the true class."
    return Section(
        "segmentation", title, text, confusion.metrics(), (confusion.figure("segmentation", caption),),
        data={"matrix": confusion.data()},
    )  # fmt: skip


def _pid_counts(columns: Columns, found: NDArray[np.bool_]) -> NDArray[np.int64]:
    """(6, 8) true particles by species and what they were found as; the last two: no species, not found."""
    k = len(PIDS)
    reco = np.nan_to_num(columns["reco_pid"], nan=-1.0).astype(np.int64)
    column = np.where(found, np.where((reco >= 0) & (reco < k), reco, k), k + 1)
    row = np.nan_to_num(columns["truth_pid"], nan=-1.0).astype(np.int64)
    known = (row >= 0) & (row < k)
    flat = np.bincount(row[known] * (k + 2) + column[known], minlength=k * (k + 2))
    return flat.reshape(k, k + 2).astype(np.int64)


def species(tables: Tables, options: ReportOptions) -> Section:
    """Species of particles."""
    title = "Particle identification"
    text = (
        "Species of each true particle against that of its best match. A particle counts as found when the overlap "
        f"with its best match is at least {options.min_overlap:g}."
    )
    scores = [f"reco_pid_scores_{int(pid)}" for pid in PIDS]
    columns = tables.numbers(TRUTH_PARTICLES, ["truth_pid", "reco_pid", "match_overlap", *scores])
    missing = lacks_matches(tables, TRUTH_PARTICLES, columns)
    if columns is None or missing:
        return Section("pid", title, text, missing=(missing,))
    found = columns["match_overlap"] >= options.min_overlap
    confusion = Confusion(
        _pid_counts(columns, found), tuple(PIDS.values()), (*PIDS.values(), "no species", "not found"), "particles"
    )
    metrics = confusion.metrics()
    k = len(PIDS)
    right, named = int(np.trace(confusion.counts[:, :k])), int(confusion.counts[:, :k].sum())
    low, high = clopper_pearson(right, named)
    metrics["accuracy_found"] = Metric(
        "right species among those found with one",
        right / named if named else np.nan,
        named,
        "",
        float(low),
        float(high),
    )
    areas, curve = _score_curves(columns, found)
    caption = "True particles by species and the species of their best match. Colour: share of the true species."
    shown = (confusion.figure("pid", caption), *curve)
    return Section("pid", title, text, metrics | areas, shown, data={"matrix": confusion.data()})


def _score_curves(columns: Columns, found: NDArray[np.bool_]) -> tuple[dict[str, Metric], tuple[Figure, ...]]:
    """Area under the curve of each species against the rest, and the drawing of these curves."""
    areas: dict[str, Metric] = {}
    lines: dict[str, tuple[NDArray[np.float64], NDArray[np.float64]]] = {}
    for pid, name in PIDS.items():
        score = columns[f"reco_pid_scores_{int(pid)}"]
        use = found & (columns["truth_pid"] >= 0) & np.isfinite(score)
        positive = columns["truth_pid"][use] == int(pid)
        kept, wrong, area = roc(score[use], positive)
        areas[f"area_{name}"] = Metric(f"{name} against the rest: area under the curve of scores", area, int(use.sum()))
        if len(kept):
            lines[f"{name} ({int(positive.sum())})"] = (kept, wrong)
    return areas, (_roc_figure(lines),) if lines else ()


def _roc_figure(lines: dict[str, tuple[NDArray[np.float64], NDArray[np.float64]]]) -> Figure:
    def draw(axes: figures.Panels) -> None:
        for (label, (kept, wrong)), color in zip(lines.items(), figures.COLORS, strict=False):
            axes[0].plot(wrong, kept, color=color, label=label, linewidth=1.3)
        axes[0].plot([0, 1], [0, 1], ":", color="0.6", linewidth=1.0)
        axes[0].set(xlabel="share of other species kept", ylabel="share of the species kept")
        axes[0].legend(loc="lower right")

    names = [name for name, (kept, _) in lines.items() for _ in kept]
    kept = np.concatenate([k for k, _ in lines.values()])
    wrong = np.concatenate([w for _, w in lines.values()])
    caption = "Particles kept at each threshold on the score of a species, each species against all others (N of it)."
    csv = csv_text({"species": names, "kept": kept, "others_kept": wrong})
    return Figure("pid_scores", caption, figures.drawing(draw), csv)
