"""Three reconstructed events, and what SPINE 1.4.3 made of them; see data/peer_objects.md."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from spine.schema import Event, Ragged, Table, offsets_of, product, row_of
from spine.schema.detector_records import CRTHit, Flash
from spine.steps import Step

__all__ = [
    "LOWER",
    "SIZE",
    "answer",
    "answers",
    "applied",
    "column",
    "empty_event",
    "event_of",
    "events_in_sbnd",
    "peer_events",
]

Array = np.ndarray[Any, Any]
DATA = Path(__file__).parent / "data"
TABLES = ("reco_particles", "truth_particles", "reco_interactions", "truth_interactions")
LOWER, SIZE = -115.2, 0.3


@cache
def _arrays(name: str) -> dict[str, Array]:
    with np.load(DATA / f"{name}.npz") as file:
        return dict(file)


def _table(name: str, events: Array) -> Table:
    """Rows of the given events."""
    arrays = _arrays("peer_objects")
    chosen = np.flatnonzero(np.isin(arrays[f"{name}/events"], events))
    record = product(name).record
    assert record is not None
    columns: dict[str, Any] = {}
    for key, values in arrays.items():
        owner, _, column = key.partition("/")
        if owner != name:
            continue
        if column in record.columns:
            columns[column] = values[chosen]
        elif column.endswith("/values"):
            column = column.removesuffix("/values")
            columns[column] = Ragged(values, offsets_of(arrays[f"{name}/{column}/lengths"]))[chosen]
    return Table(record, len(chosen), columns)


def _event(i: int) -> Event:
    arrays = _arrays("peer_objects")
    bounds = offsets_of(arrays["sizes"])
    rows = slice(bounds[i], bounds[i + 1])
    voxels = arrays["voxels"][rows].astype(np.float64)
    points = (arrays["meta/lower"] + (voxels + 0.5) * arrays["meta/size"].astype(np.float64)).astype(np.float32)
    products: dict[str, Any] = {
        "run_info": row_of("run_info", run=1, subrun=0, event=i),
        "meta": row_of("meta", **{name: arrays[f"meta/{name}"] for name in ("lower", "upper", "size", "count")}),
        "points": points,
        "points_label": points,
        "depositions": arrays["depositions"][rows],
        "depositions_label": arrays["depositions"][rows],
    }
    return Event(products | {name: _table(name, np.array([i])) for name in TABLES}, i, "peer objects")


def peer_events() -> list[Event]:
    """The events, new at each call."""
    return [_event(i) for i in range(len(_arrays("peer_objects")["sizes"]))]


def event_of(points: Array, depositions: Array, particles: dict[str, Any], interactions: dict[str, Any]) -> Event:
    """An event of some reconstructed objects; ``index`` (of particles) and ``particle_ids`` are lists of lists."""
    inner = product("reco_particles").record, product("reco_interactions").record
    assert inner[0] is not None
    assert inner[1] is not None
    table = Table(inner[0], len(particles["index"]), {"id": np.arange(len(particles["index"]))} | particles)
    members = interactions.get("particle_ids", [])
    above = Table(inner[1], len(members), {"id": np.arange(len(members))} | interactions)
    above["index"] = [np.concatenate([np.empty(0), *[table["index"][j] for j in row]]) for row in members]
    products = {
        "points": np.asarray(points, dtype=np.float32).reshape(-1, 3),
        "depositions": np.asarray(depositions, dtype=np.float32),
        "points_label": np.empty((0, 3), dtype=np.float32),
        "depositions_label": np.empty(0, dtype=np.float32),
    }
    empty = {name: Table(record, 0) for name in TABLES[1::2] if (record := product(name).record) is not None}
    return Event(products | empty | {"reco_particles": table, "reco_interactions": above})


def empty_event() -> Event:
    """An event without any point or object."""
    return event_of(np.empty((0, 3)), np.empty(0), {"index": []}, {"particle_ids": []})


def applied(one: Step, *args: Any, events: list[Event] | None = None, **options: Any) -> list[Event]:
    """Events after a step with the given options; further arguments (a detector) follow the options."""
    events = peer_events() if events is None else events
    for event in events:
        one.run(event, one.config.model_validate(options), *args)
    return events


def column(events: list[Event], table: str, name: str) -> Array:
    """A column of a table of all events."""
    return np.concatenate([event.table(table)[name] for event in events])


def answers(case: str) -> dict[str, Array]:
    """Columns that the peer filled in a case; minus infinity and -1 of its floats stay as they are."""
    return {
        key.removeprefix(f"{case}/"): value
        for key, value in _arrays("peer_answers").items()
        if key.startswith(f"{case}/")
    }


def answer(case: str, name: str) -> Array:
    """One column of a case."""
    return answers(case)[name]


def events_in_sbnd() -> list[Event]:
    """The events moved by 250 cm along z, so that SBND's cathode (x = 0) cuts them, with flashes and tagger hits."""
    events, hits = peer_events(), answers("hits")
    for i, event in enumerate(events):
        shift = np.array([0.0, 0.0, 250.0])
        event["points"] = event["points_label"] = (event["points"] + shift).astype(np.float32)
        for name, columns in zip(
            TABLES, (("start_point", "end_point"),) * 2 + (("vertex",), ("reco_vertex",)), strict=True
        ):
            for one in columns:
                event.table(name)[one] = event.table(name)[one] + shift
        event["sources"] = _sbnd_sources(event["points"])
        rows = slice(40 * i, 40 * i + 40)
        lights = answers("flashes")
        event["flashes"] = Table(Flash, 8, {name: list(values[8 * i : 8 * i + 8]) for name, values in lights.items()})
        event["crthits"] = Table(CRTHit, 40, {name: values[rows] for name, values in hits.items()})
    return events


def _sbnd_sources(points: Array) -> Array:
    """(n, 2) module 0, TPC 0 below x = 0 and 1 above."""
    return np.column_stack([np.zeros(len(points), dtype=np.int64), points[:, 0] > 0])
