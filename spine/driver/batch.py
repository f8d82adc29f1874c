"""Events that are processed together, as a Driver with a loader hands them out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from spine.errors import DataError, did_you_mean
from spine.schema import Event

__all__ = ["Batch", "first_entry", "scalars_of"]


class Batch(Mapping[str, Any]):
    """Products of several events by name: a list with that of each event.

    Parameters
    ----------
    events : sequence of Event
        In order.
    scalars : mapping of str to float, optional
        Numbers of the batch as a whole, such as ``loss``.

    Examples
    --------
    >>> batch = next(driver)  # doctest: +SKIP
    >>> batch["reco_particles"][0]  # doctest: +SKIP
    """

    def __init__(self, events: Sequence[Event], scalars: Mapping[str, float] | None = None) -> None:
        self.events = list(events)
        self.scalars = dict(scalars or {})

    def __getitem__(self, name: str) -> Any:
        if name in self.scalars:
            return self.scalars[name]
        if name not in self:
            raise DataError(f"the events have no product {name!r}", mend=did_you_mean(name, list(self)))
        return [event[name] for event in self.events]

    def __iter__(self) -> Iterator[str]:
        yield from self.scalars
        if self.events:
            yield from (name for name in self.events[0] if all(name in event for event in self.events[1:]))

    def __contains__(self, name: object) -> bool:
        return name in self.scalars or (bool(self.events) and all(name in event for event in self.events))

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __repr__(self) -> str:
        return f"Batch({len(self.events)} events: {', '.join(sorted(self))})"


def first_entry(data: Event | Batch) -> int:
    """Number of the first event, -1 when there is none."""
    events = data.events if isinstance(data, Batch) else [data]
    return int(events[0]["index"]) if events else -1


def scalars_of(data: Event | Batch) -> dict[str, Any]:
    """Numbers that the log takes: those of a batch, or those of a single event."""
    if isinstance(data, Batch):
        return dict(data.scalars)
    return {name: data[name] for name in data if np.isscalar(data[name]) and not isinstance(data[name], str)}
