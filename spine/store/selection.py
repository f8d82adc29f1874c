"""Choosing events among those of several files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import NamedTuple

from spine.errors import ConfigError, DataError
from spine.store.source import BadEvent, EventSource

__all__ = ["EventIndex", "Place", "Selected"]

Numbers = tuple[int, int, int]


class Place(NamedTuple):
    """Where an event lies: its number over all files, its file, and its entry there."""

    number: int
    file: int
    entry: int


@dataclass(frozen=True)
class Selected:
    """A choice of events; only one kind of choice may be used.

    Parameters
    ----------
    n_entry, n_skip : int, optional
        Number of events to take, after leaving out some.
    entry_list, skip_entry_list : sequence of int, optional
        Entries to take or to leave out.
    run_event_list, skip_run_event_list : sequence of (run, subrun, event), optional
        Events to take or to leave out.
    entry_fraction_range : (float, float), optional
        Share of the events to take, from one fraction of them up to another.
    """

    n_entry: int | None = None
    n_skip: int | None = None
    entry_list: Sequence[int] | None = None
    skip_entry_list: Sequence[int] | None = None
    run_event_list: Sequence[Numbers] | None = None
    skip_run_event_list: Sequence[Numbers] | None = None
    entry_fraction_range: tuple[float, float] | None = None

    def __post_init__(self) -> None:
        used = [f.name for f in fields(self) if getattr(self, f.name) is not None]
        if len(used) > 1 and not set(used) <= {"n_entry", "n_skip"}:
            raise ConfigError("events can be chosen in one way only", got=", ".join(used))
        first, last = self.entry_fraction_range or (0.0, 1.0)
        if not 0 <= first < last <= 1:
            raise ConfigError("a share of the events lies between 0 and 1", got=self.entry_fraction_range)


class EventIndex:
    """Events of several files under one numbering.

    Parameters
    ----------
    sources : sequence of EventSource
        The files, in order.
    """

    def __init__(self, sources: Sequence[EventSource]) -> None:
        self._sources = sources
        pairs = [(file, entry) for file, source in enumerate(sources) for entry in range(len(source))]
        self._all = [Place(number, file, entry) for number, (file, entry) in enumerate(pairs)]
        self._chosen = list(self._all)
        self._numbers: dict[int, Numbers] | None = None

    def __len__(self) -> int:
        return len(self._chosen)

    def __getitem__(self, i: int) -> Place:
        return self._chosen[i]

    def _numbers_of(self) -> dict[int, Numbers]:
        """Run, subrun and event of every event that can be read, by its number."""
        if self._numbers is None:
            self._numbers = {}
            for place in self._all:
                event = self._sources[place.file].events(place.entry, place.entry + 1)[0]
                info = None if isinstance(event, BadEvent) else event.run_info
                if info is not None:
                    self._numbers[place.number] = (info.run, info.subrun, info.event)
        return self._numbers

    def find(self, numbers: Numbers) -> int:
        """Position among the chosen events of a run, subrun and event.

        Raises
        ------
        DataError
            When no chosen event has these numbers, or several have.
        """
        known = self._numbers_of()
        found = [i for i, place in enumerate(self._chosen) if known.get(place.number) == numbers]
        if len(found) != 1:
            what = "several events have" if found else "no event has"
            raise DataError(f"{what} these run, subrun and event numbers", got=numbers)
        return found[0]

    def choose(self, selected: Selected) -> None:
        """Choose events among all.

        Raises
        ------
        ConfigError
            When an entry or event does not exist, or nothing is left.
        """
        chosen = self._picked(selected)
        if not chosen and self._all:
            raise ConfigError("no event is left", got=selected, expected=f"some of {len(self._all)} events")
        self._chosen = chosen

    def _picked(self, selected: Selected) -> list[Place]:
        if selected.entry_list is not None:
            return [self._all[i] for i in self._checked(selected.entry_list)]
        if selected.skip_entry_list is not None:
            left_out = set(self._checked(selected.skip_entry_list))
            return [place for place in self._all if place.number not in left_out]
        if selected.run_event_list is not None or selected.skip_run_event_list is not None:
            return self._by_numbers(selected)
        if selected.entry_fraction_range is not None:
            start, stop = (int(fraction * len(self._all)) for fraction in selected.entry_fraction_range)
            return self._all[start:stop]
        first = selected.n_skip or 0
        last = len(self._all) if selected.n_entry is None else first + selected.n_entry
        if last > len(self._all):
            raise ConfigError("more events are asked for than there are", got=last, expected=len(self._all))
        return self._all[first:last]

    def _checked(self, entries: Sequence[int]) -> Sequence[int]:
        wrong = [i for i in entries if not 0 <= i < len(self._all)]
        if wrong:
            raise ConfigError("no such entry", got=wrong[0], expected=f"0 to {len(self._all) - 1}")
        return entries

    def _by_numbers(self, selected: Selected) -> list[Place]:
        wanted = selected.run_event_list is not None
        listed = [tuple(map(int, n)) for n in (selected.run_event_list or selected.skip_run_event_list or ())]
        known = self._numbers_of()
        missing = [n for n in listed if n not in known.values()]
        if missing:
            raise ConfigError("no such event", got=missing[0], expected="run, subrun, event of the inputs")
        return [place for place in self._all if (known.get(place.number) in listed) == wanted]
