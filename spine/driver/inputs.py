"""Inputs of a Driver: files opened, events chosen and loaded one by one or in batches."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from math import ceil
from pathlib import Path
from typing import Any

import numpy as np

from spine.config.inputs import expand_inputs
from spine.config.model import Config, DatasetBlock, ReaderBlock
from spine.errors import ConfigError, DataError
from spine.schema import Event
from spine.store.selection import EventIndex, Selected
from spine.store.source import BadEvent, EventSource, open_source

__all__ = ["Inputs", "Share", "selected"]

EVERYWHERE = ("index", "file_index", "file_entry_index", "source_file_index", "source_file_entry_index")


class Share:
    """The part of the events that one process takes of each batch.

    Parameters
    ----------
    rank, world : int
        Number of the process, and how many there are.
    """

    def __init__(self, rank: int | None, world: int) -> None:
        self.rank, self.world = rank or 0, max(1, world)

    def of(self, entries: Sequence[int]) -> list[int]:
        """Its events."""
        return [int(entry) for entry in np.array_split(np.asarray(entries, dtype=np.int64), self.world)[self.rank]]


class Inputs:
    """Events of one or more files.

    Parameters
    ----------
    config : Config
        Uses the block io.
    share : Share
        What this process takes.

    Raises
    ------
    ConfigError
        When no input is named, or events that do not exist are chosen.
    DataError
        When an input is missing or broken.
    """

    def __init__(self, config: Config, share: Share) -> None:
        io = config.io
        self.has_loader = io.loader is not None
        self.dataset: DatasetBlock | ReaderBlock = io.reader or io.dataset
        self.columnar = io.reader is not None and io.reader.columnar
        self.watch = "read" if io.reader is not None else "load"
        self.batch_size = _batch_size(config)
        self.sources: list[EventSource] = []
        self._share = share
        self._position = 0
        try:
            for path in _files(self.dataset):
                self.sources.append(_open(path, self.dataset))
        except BaseException:
            self.close()
            raise
        self.index = EventIndex(self.sources)
        self.choose(selected(self.dataset))

    @property
    def paths(self) -> list[Path]:
        """Input files."""
        return [source.path for source in self.sources]

    def __len__(self) -> int:
        return len(self.index)

    @property
    def iterations(self) -> int:
        """Batches, or single events, in one pass."""
        return ceil(len(self) / self.batch_size)

    def choose(self, events: Selected) -> None:
        """Choose events anew, among all of the inputs."""
        self.index.choose(events)
        self.selected = events
        self.reset()

    def reset(self) -> None:
        """Go back to the first batch."""
        self._position = 0

    def next(self) -> list[Event | BadEvent]:
        """The next batch, or the share of this process in it.

        Raises
        ------
        StopIteration
            At the end of a pass.
        """
        if self._position >= self.iterations:
            raise StopIteration
        self._position += 1
        return self.batch(self._position - 1)

    def batch(self, number: int) -> list[Event | BadEvent]:
        """A batch by its number."""
        first = number * self.batch_size
        entries = range(first, min(first + self.batch_size, len(self)))
        return [self.event(entry) for entry in self._share.of(entries)]

    def load(
        self, entry: int | None = None, run: int | None = None, subrun: int | None = None, event: int | None = None
    ) -> list[Event | BadEvent]:
        """The next batch of a loader; without one, the event (or block of events) that is named.

        Raises
        ------
        ConfigError
            When an event is named with a loader, or not named without.
        DataError
            When there is no such event.
        StopIteration
            When a loader has come to the end.
        """
        numbered = run is not None and subrun is not None and event is not None
        if self.has_loader:
            if entry is not None or any(number is not None for number in (run, subrun, event)):
                raise ConfigError(
                    "a loader gives batches in order, no single event", where="io.loader",
                    mend="choose events with apply_filter, or use io.dataset or io.reader",
                )  # fmt: skip
            return self.next()
        if (entry is None) != numbered:
            raise ConfigError("name the event by entry, or by run, subrun and event", where="process")
        if entry is None:
            entry = self.index.find((int(run or 0), int(subrun or 0), int(event or 0)))
        return self.batch(entry) if self.columnar else [self.event(entry)]

    def event(self, entry: int) -> Event | BadEvent:
        """An event by its number among the chosen ones.

        Raises
        ------
        DataError
            When there is no such event.
        """
        if not 0 <= entry < len(self):
            raise DataError("no such entry", got=entry, expected=f"0 to {len(self) - 1}")
        place = self.index[entry]
        found = self.sources[place.file].events(place.entry, place.entry + 1)[0]
        if isinstance(found, BadEvent):
            return found
        event = _restricted(found, self.dataset)
        event["index"], event["file_index"], event["file_entry_index"] = place.number, place.file, place.entry
        return event

    def close(self) -> None:
        """Close the files."""
        for source in self.sources:
            source.close()


def _batch_size(config: Config) -> int:
    if config.io.loader is not None:
        return config.io.loader.minibatch_size * max(1, config.base.world_size)
    reader = config.io.reader
    return reader.chunk_size if reader is not None and reader.columnar else 1


def selected(options: DatasetBlock | ReaderBlock) -> Selected:
    """The events that a block chooses."""
    return Selected(
        options.n_entry, options.n_skip, options.entry_list, options.skip_entry_list, options.run_event_list,
        options.skip_run_event_list, options.entry_fraction_range,
    )  # fmt: skip


def _files(dataset: DatasetBlock | ReaderBlock) -> list[Path]:
    if (dataset.file_keys is None) == (dataset.file_list is None):
        raise ConfigError(
            "the input is not named", where="io", expected="one of file_keys and file_list",
            mend="name the files there, or with --source on the command line",
        )  # fmt: skip
    names = expand_inputs(dataset.file_keys or [str(dataset.file_list)])
    return [Path(name) for name in names[: dataset.limit_num_files]]


def _open(path: Path, dataset: DatasetBlock | ReaderBlock) -> EventSource:
    if isinstance(dataset, ReaderBlock):
        return open_source(path, "hdf5", allow_incomplete=dataset.ignore_incomplete)
    return open_source(path, dataset.provider, dataset.parsers, dataset.has_truth, dataset.ignore_incomplete)


class _Chosen(Mapping[str, Any]):
    """Some products of an event, still read when they are asked for."""

    def __init__(self, event: Event, names: Sequence[str]) -> None:
        self._event, self._names = event, names

    def __getitem__(self, name: str) -> Any:
        if name not in self._names:
            raise KeyError(name)
        return self._event[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


def _restricted(event: Event, dataset: DatasetBlock | ReaderBlock) -> Event:
    """The event with the products that ``keys`` and ``skip_keys`` leave."""
    if dataset.keys is None and dataset.skip_keys is None:
        return event
    missing = [key for key in dataset.keys or () if key not in event]
    if missing:
        raise DataError(
            f"the input lacks the product {missing[0]!r}", where=event.label, got=", ".join(sorted(event)),
            mend="change keys of the input",
        )  # fmt: skip
    skipped = set(dataset.skip_keys or ())
    wanted = [*(n for n in EVERYWHERE if n in event), *dataset.keys] if dataset.keys is not None else list(event)
    names = [name for name in dict.fromkeys(wanted) if name not in skipped]
    return Event(_Chosen(event, names), event.entry, event.source)
