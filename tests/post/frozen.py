"""Events after SPINE's post-processors, and its answers with other options."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spine.schema import PRODUCTS, Event, Ragged, Table, offsets_of

__all__ = ["DATA", "EVENTS", "TABLES", "answer", "event", "names"]

DATA = Path(__file__).parent / "data"
EVENTS = (2, 23, 40)
TABLES = ("reco_particles", "truth_particles", "reco_interactions", "truth_interactions")
Array = NDArray[Any]


@cache
def arrays(number: int) -> dict[str, Array]:
    with np.load(DATA / f"event{number}.npz") as file:
        return dict(file)


def ragged(number: int, key: str) -> Ragged | None:
    frozen = arrays(number)
    if f"{key}/lengths" not in frozen:
        return None
    return Ragged(frozen[f"{key}/values"], offsets_of(frozen[f"{key}/lengths"]))


def table(number: int, name: str) -> Table:
    record = PRODUCTS[name].record
    assert record is not None
    fixed = arrays(number)[f"in/{name}/fixed"]
    out = Table(record, len(fixed), {column: fixed[column] for column in fixed.dtype.names or ()})
    for column, declared in record.columns.items():
        rows = ragged(number, f"in/{name}/{column}")
        if declared.kind == "ragged" and rows is not None:
            out[column] = rows
    return out


def event(number: int) -> Event:
    """A new event as SPINE left it."""
    frozen = arrays(number)
    record = PRODUCTS["meta"].record
    assert record is not None
    out = Event({}, number, "frozen.h5")
    out["meta"] = Table.from_rows(record, [{c: frozen[f"in/meta/{c}"] for c in record.columns}])[0]
    for name in ("points", "points_label"):
        voxels = frozen.get(f"in/{name}_voxels", frozen["in/points_voxels"])
        out[name] = out["meta"].lower + (voxels + 0.5) * out["meta"].size
    for name in ("depositions", "depositions_label"):
        out[name] = frozen.get(f"in/{name}", frozen["in/depositions"])
    out["sources"] = frozen["in/sources"].astype(np.int64)
    for name in TABLES:
        out[name] = table(number, name)
    return out


def names(number: int, case: str) -> list[tuple[str, str]]:
    """Tables and columns of which a case has answers."""
    keys = [key.split("/") for key in arrays(number) if key.startswith(f"out/{case}/")]
    return sorted({(parts[2], parts[3]) for parts in keys})


def answer(number: int, case: str, name: str, column: str) -> Array | Ragged:
    """What SPINE makes of a column."""
    key = f"out/{case}/{name}/{column}"
    rows = ragged(number, key)
    return arrays(number)[key] if rows is None else rows
