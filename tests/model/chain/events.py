"""Small events with truth, and what SPINE made of them; see data/README.md."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spine.schema import Event, Table, Tensor
from spine.schema.truth_records import ParticleLabel

FROZEN = np.load(Path(__file__).parent / "data" / "events.npz")
EVENTS = 4
COLUMNS = ("particle", "group", "interaction", "pid", "group_primary", "interaction_primary", "shape")


def _labels(rows: NDArray[Any]) -> Table:
    return Table(ParticleLabel, len(rows), {name: rows[:, i] for i, name in enumerate(COLUMNS)})


def event(number: int, rows: NDArray[Any] | None = None) -> Event:
    """A frozen event, its image in the given order of rows (or cut down to them); the truth keeps its order."""
    get = {key.partition("/")[2]: FROZEN[key] for key in FROZEN.files if key.startswith(f"{number}/")}
    coords = get["coords"].astype(np.int32)
    image = Tensor(coords, get["value"][:, None])
    clusters = np.column_stack([get["value"], get["cluster"], get["particle_index"]]).astype(np.float32)
    ends = np.column_stack([get["time"], get["shape"]]).astype(np.float32)
    return Event(
        {
            "data": image if rows is None else image.take(rows),
            "seg_label": Tensor(coords, get["seg"][:, None].astype(np.float32)),
            "clust_label": Tensor(coords, clusters, ("value", "cluster", "particle_index"), _labels(get["label"])),
            "coord_label": Tensor(get["ends"], ends, ("time", "shape")),
        },
        entry=number,
        source="events.npz",
    )


def empty() -> Event:
    """An event without voxels and without particles."""
    whole = event(0)
    none = np.empty(0, dtype=np.int64)
    products = {name: whole[name].take(none) for name in ("data", "seg_label", "coord_label")}
    label = whole["clust_label"].take(none)
    products["clust_label"] = Tensor(label.coords, label.features, label.names, _labels(np.empty((0, 7))))
    return Event(products)


def truth(number: int, name: str) -> NDArray[np.int64]:
    """(N,) label of every voxel of a frozen event, -1 where it has none."""
    index = FROZEN[f"{number}/particle_index"].astype(np.int64)
    values = FROZEN[f"{number}/label"][:, COLUMNS.index(name)].astype(np.int64)
    return np.where(index >= 0, values[index], -1)


def voxel_labels(event: Event, clusts: str, values: NDArray[Any] | None = None) -> NDArray[np.int64]:
    """(N,) value of the cluster that holds each voxel (by default its number), -1 outside all of them."""
    lists = event[clusts]
    labels = np.full(len(event["data"]), -1, dtype=np.int64)
    labels[lists.values] = (np.arange(len(lists)) if values is None else np.asarray(values))[lists.rows]
    return labels


def same_partition(first: NDArray[Any], second: NDArray[Any]) -> bool:
    """Whether two labellings, -1 apart, divide the rows into the same sets."""
    if not np.array_equal(first < 0, second < 0):
        return False
    pairs = np.unique(np.column_stack([first, second]), axis=0)
    return len(pairs) == len(np.unique(first)) == len(np.unique(second))
