"""Samples of events: loaded, prepared for each network, kept in memory as far as it goes, by other processes too."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeAlias

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset, get_worker_info

from spine.schema import Event
from spine.train.cache import Cache
from spine.train.events import TrainingEvents
from spine.train.tasks import Task

__all__ = ["Draw", "Sample", "Samples", "ahead"]

Sample: TypeAlias = dict[str, Any]
"""What each network is given of an event, by the name of the network."""


@dataclass(frozen=True)
class Draw:
    """One use of an event.

    Parameters
    ----------
    entry : int
        Event.
    number : int
        What tells this use from others of the event; with the entry and the seed it decides everything that is drawn.
    """

    entry: int
    number: int = 0


class Samples(Dataset[Sample]):
    """Samples of events.

    Parameters
    ----------
    events : TrainingEvents
        Events.
    tasks : mapping of str to Task
        What each network is trained on.
    seed : int
        Of everything that is drawn.
    augment : callable, optional
        Changes an event; drawn anew at each use.
    cache_size : float
        Memory for events or samples that are kept (MB).
    """

    def __init__(
        self,
        events: TrainingEvents,
        tasks: Mapping[str, Task],
        seed: int,
        augment: Callable[[Event, np.random.Generator], Event] | None = None,
        cache_size: float = 0.0,
    ) -> None:
        self.events, self.tasks, self.seed, self.augment = events, dict(tasks), seed, augment
        self.cache_size = cache_size
        self._cache: Cache | None = None

    def __len__(self) -> int:
        return len(self.events)

    def __getitem__(self, draw: Draw) -> Sample:
        random = np.random.default_rng([self.seed, 2, draw.entry, draw.number])
        kept = self._kept(draw.entry)
        if self.augment is not None:
            kept = self._prepared(self.augment(kept, random))
        return {name: task.vary(kept[name], random) for name, task in self.tasks.items()}

    def _kept(self, entry: int) -> Any:
        """The event where it is changed at each use, else its samples; from memory if it is there."""
        if self._cache is None:
            info = get_worker_info()
            self._cache = Cache(self.cache_size / (info.num_workers if info is not None else 1))
        found = self._cache.get(entry)
        if found is None:
            event = self.events.load(entry)
            found = event if self.augment is not None else self._prepared(event)
            self._cache.put(entry, found)
        return found

    def _prepared(self, event: Event) -> Sample:
        try:
            return {name: task.prepare(event) for name, task in self.tasks.items()}
        except Exception as error:
            error.add_note(f"while preparing {event.label}")
            raise


def _as_list(samples: Sequence[Sample]) -> list[Sample]:
    return list(samples)


def ahead(
    samples: Samples, draws: Sequence[list[Draw]] | Iterator[list[Draw]], workers: int, prefetch: int
) -> Iterator[list[Sample]]:
    """Minibatches of samples, prepared ahead by other processes.

    Parameters
    ----------
    samples : Samples
        Events.
    draws : iterable of list of Draw
        What is in each minibatch.
    workers : int
        Processes; 0 for none.
    prefetch : int
        Minibatches that each of them prepares ahead.
    """
    options: dict[str, Any] = {"prefetch_factor": prefetch} if workers else {}
    loader = DataLoader(
        samples, batch_sampler=draws, num_workers=workers, collate_fn=_as_list,
        generator=torch.Generator().manual_seed(0), worker_init_fn=partial(_one_thread), **options,
    )  # fmt: skip
    yield from loader


def _one_thread(worker: int) -> None:
    del worker
    torch.set_num_threads(1)
