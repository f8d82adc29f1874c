"""What was found: particles by class and species."""

from __future__ import annotations

import numpy as np

from spine.report.content import Grid, Section
from spine.report.options import ReportOptions
from spine.report.pairs import RECO_PARTICLES
from spine.report.species import CLUSTERED, PIDS
from spine.report.statistics import Metric, typical
from spine.report.tables import Tables, csv_text

__all__ = ["composition"]

UNKNOWN = -1


def composition(tables: Tables, options: ReportOptions) -> Section:
    """Found particles by class and species, with or without truth."""
    title, text = "Found particles", "Particles that were found, by class (rows) and species (columns)."
    columns = tables.numbers(RECO_PARTICLES, ["reco_shape", "reco_pid", "reco_ke", "reco_length"])
    if columns is None:
        return Section("found", title, text, missing=(f"The table {RECO_PARTICLES} was not written.",))
    shape, pid = (np.nan_to_num(columns[name], nan=UNKNOWN) for name in ("reco_shape", "reco_pid"))
    shapes, pids = {**CLUSTERED, UNKNOWN: "no class"}, {**PIDS, UNKNOWN: "no species"}
    counts = {name: [int(((shape == s) & (pid == p)).sum()) for s in shapes] for p, name in pids.items()}
    metrics: dict[str, Metric] = {}
    for number, name in CLUSTERED.items():
        energy = typical(f"{name}: kinetic energy", columns["reco_ke"][shape == number], "MeV")
        metrics |= {f"ke_{name}_{key}": metric for key, metric in energy.items()}
    track = columns["reco_length"][shape == 1]
    metrics |= {f"length_track_{k}": m for k, m in typical("track: length", track, "cm").items()}
    rows = tuple((name, *(str(counts[p][i]) for p in counts)) for i, name in enumerate(shapes.values()))
    csv = csv_text({"class": list(shapes.values()), **counts})
    grid = Grid("found", f"N = {len(shape)} found particles.", ("class", *counts), rows, csv)
    return Section("found", title, text, metrics, grids=(grid,), data={"by_species": counts})
