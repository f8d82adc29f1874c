"""Several events at once: tables of all their objects, for steps that work on columns."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from spine.schema.event import Event
from spine.schema.table import Table

__all__ = ["Block"]


class Block:
    """A run of events.

    Parameters
    ----------
    events : sequence of Event
        The events, at least one.
    """

    def __init__(self, events: Sequence[Event]) -> None:
        self.events = events

    def __len__(self) -> int:
        return len(self.events)

    def __iter__(self) -> Iterator[Event]:
        return iter(self.events)

    def __contains__(self, name: object) -> bool:
        return len(self.events) > 0 and name in self.events[0]

    def table(self, name: str) -> Table:
        """Objects of all events of a table product, event after event."""
        return Table.concat([event.table(name) for event in self.events])

    def event_rows(self, name: str) -> NDArray[np.int64]:
        """(n,) position in the block of the event of each object."""
        lengths = [len(event.table(name)) for event in self.events]
        return np.repeat(np.arange(len(self.events), dtype=np.int64), lengths)
