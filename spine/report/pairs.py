"""True objects with what was found of them."""

from __future__ import annotations

from spine.report.tables import Columns, Tables

__all__ = ["RECO_PARTICLES", "TRUTH_INTERACTIONS", "TRUTH_PARTICLES", "first_matched", "lacks_matches", "true_energy"]

RECO_PARTICLES = "save_reco_particles"
TRUTH_PARTICLES = "save_truth_particles"
TRUTH_INTERACTIONS = "save_truth_interactions"

ENERGIES = {
    "truth_ke": "true kinetic energy",
    "truth_energy_deposit": "true deposited energy",
}
"""Columns that can serve as the true energy of a particle, the better ones first."""


def lacks_matches(tables: Tables, table: str, columns: Columns | None) -> str:
    """Why a table cannot tell what was found of its objects; empty when it can."""
    if columns is None:
        return f"The table {table} was not written (data without truth, or not asked for in the analysis)."
    if "match_overlap" not in tables.header(table):
        empty = not len(next(iter(columns.values())))
        return f"The table {table} has no rows." if empty else f"The table {table} was written without matches."
    return ""


def first_matched(tables: Tables, *names: str) -> str:
    """The first of some tables that was written with matches; the first of all when none was."""
    return next((name for name in names if "match_overlap" in tables.header(name)), names[0])


def true_energy(columns: Columns) -> tuple[str, str]:
    """Column that holds the true energy of particles, and what it is called: the first one with a value."""
    for name, label in ENERGIES.items():
        if (columns[name] > 0).any():
            return name, label
    return "truth_ke", ENERGIES["truth_ke"]
