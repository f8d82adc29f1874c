"""Points and depositions of objects of a block of events."""

from __future__ import annotations

from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from spine.ana.objects import event_rows_of, objects_of
from spine.errors import DataError
from spine.schema import Block, Ragged, offsets_of

__all__ = ["DepositionMode", "PointMode", "depositions_of", "lists_in_block", "points_of", "sizes_of"]

Array = NDArray[Any]
PointMode: TypeAlias = Literal["points", "points_adapt", "points_g4"]
DepositionMode: TypeAlias = Literal[
    "depositions", "depositions_q", "depositions_adapt", "depositions_adapt_q", "depositions_g4"
]

POINTS: dict[PointMode, tuple[str, str]] = {
    "points": ("index", "points_label"),
    "points_adapt": ("index_adapt", "points"),
    "points_g4": ("index_g4", "points_g4"),
}
DEPOSITIONS: dict[DepositionMode, tuple[str, str]] = {
    "depositions": ("index", "depositions_label"),
    "depositions_q": ("index", "depositions_q_label"),
    "depositions_adapt": ("index_adapt", "depositions_label_adapt"),
    "depositions_adapt_q": ("index_adapt", "depositions"),
    "depositions_g4": ("index_g4", "depositions_g4"),
}


def sizes_of(block: Block, name: str) -> NDArray[np.int64]:
    """(events,) number of rows of a product in each event."""
    return np.array([len(event[name]) for event in block], dtype=np.int64)


def lists_in_block(lists: Ragged, events: NDArray[np.int64], sizes: NDArray[np.int64], name: str) -> Ragged:
    """Lists of rows of one event each as lists of rows of all events.

    Parameters
    ----------
    lists : Ragged
        Row numbers in an event.
    events : (n,) int64
        Position in the block of the event of each list.
    sizes : (events,) int64
        Number of rows of each event.
    name : str
        Product that holds the lists, for messages.

    Raises
    ------
    DataError
        When a list names a row that its event does not have.
    """
    owners = events[lists.rows]
    if ((lists.values < 0) | (lists.values >= sizes[owners])).any():
        raise DataError(
            f"{name!r} has points which the image does not have", mend="check which points of true objects are used"
        )
    return Ragged(lists.values + offsets_of(sizes)[:-1][owners], lists.offsets)


def points_of(block: Block, name: str, mode: PointMode = "points") -> Ragged:
    """Points of each object.

    Parameters
    ----------
    block : Block
        The events.
    name : str
        Product such as ``truth_particles``.
    mode : str
        Which points of true objects: those of the labelled image, of the image with adapted labels, or of the true
        depositions.

    Returns
    -------
    Ragged of (m, 3) float32
        In cm.
    """
    index, product = POINTS[mode] if name.startswith("truth") else ("index", "points")
    return _taken(block, name, index, product, np.empty((0, 3), dtype=np.float32))


def depositions_of(block: Block, name: str, mode: DepositionMode = "depositions") -> Ragged:
    """Energy (or charge, for ``_q``) at each point of each object, MeV; see `points_of`."""
    index, product = DEPOSITIONS[mode] if name.startswith("truth") else ("index", "depositions")
    return _taken(block, name, index, product, np.empty(0, dtype=np.float32))


def _taken(block: Block, name: str, index: str, product: str, empty: Array) -> Ragged:
    lists: Ragged = objects_of(block, name)[index]
    rows = lists_in_block(lists, event_rows_of(block, name), sizes_of(block, product), name)
    values = np.concatenate([empty, *(event[product] for event in block)])
    return Ragged(values[rows.values], rows.offsets)
