"""Answers to yes-or-no questions about found objects: primaries, species of long tracks."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from spine.report.content import Section
from spine.report.options import ReportOptions
from spine.report.pairs import TRUTH_PARTICLES, lacks_matches
from spine.report.statistics import Metric, fraction
from spine.report.tables import Columns, Tables
from spine.schema import Shape

__all__ = ["decisions"]

TRUTH_FRAGMENTS = "save_truth_fragments"

LONG = 30
"""Voxels from which a track is asked for its species."""


def _found(columns: Columns, options: ReportOptions) -> NDArray[np.bool_]:
    return np.asarray(columns["match_overlap"] >= options.min_overlap)


def _primaries(label: str, columns: Columns, use: NDArray[np.bool_], truth: str) -> dict[str, Metric]:
    """Right answers, and primaries found as such; ``truth`` is the column that knows."""
    true, found = columns[truth][use] > 0, columns["reco_is_primary"][use] > 0
    return {
        "accuracy": fraction(f"{label}: primary or not told right", true == found),
        "efficiency": fraction(f"{label}: true primaries found as such", found[true]),
        "purity": fraction(f"{label}: found primaries truly such", true[found]),
    }


def _of_particles(columns: Columns, found: NDArray[np.bool_]) -> dict[str, Metric]:
    primaries = _primaries("particles", columns, found, "truth_is_primary")
    numbers = {f"particle_primary_{key}": metric for key, metric in primaries.items()}
    named = found & (columns["truth_pid"] >= 0) & (columns["reco_pid"] >= 0)
    long = named & (columns["truth_shape"] == int(Shape.TRACK)) & (columns["truth_size"] >= LONG)
    right = columns["truth_pid"] == columns["reco_pid"]
    numbers["pid_long_tracks"] = fraction(f"right species of found tracks of {LONG} voxels or more", right[long])
    numbers["pid_showers"] = fraction(
        "right species of found showers", right[named & (columns["truth_shape"] == int(Shape.SHOWER))]
    )
    return numbers


def decisions(tables: Tables, options: ReportOptions) -> Section:
    """Primaries among particles and among the pieces of showers, species of long tracks."""
    title = "Primaries and species of long tracks"
    text = f"Asked of true objects whose best match overlaps by at least {options.min_overlap:g}."
    sides = ["truth_is_primary", "truth_group_primary", "reco_is_primary", "truth_shape", "match_overlap"]
    metrics: dict[str, Metric] = {}
    missing: list[str] = []
    particles = tables.numbers(TRUTH_PARTICLES, [*sides, "truth_pid", "reco_pid", "truth_size"])
    why = lacks_matches(tables, TRUTH_PARTICLES, particles)
    if particles is None or why:
        missing.append(why)
    else:
        metrics |= _of_particles(particles, _found(particles, options))
    pieces = tables.numbers(TRUTH_FRAGMENTS, sides)
    why = lacks_matches(tables, TRUTH_FRAGMENTS, pieces)
    if pieces is None or why:
        missing.append(why)
    else:
        use = _found(pieces, options) & (pieces["truth_shape"] == int(Shape.SHOWER))
        found = _primaries("pieces of showers", pieces, use, "truth_group_primary")
        metrics |= {f"shower_primary_{key}": metric for key, metric in found.items()}
    return Section("decisions", title, text, metrics, missing=tuple(missing))
