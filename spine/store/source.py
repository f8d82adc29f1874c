"""Inputs of the chain, whatever their format: events with their products."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self

from spine.errors import DataError
from spine.schema import Event
from spine.store.reader import EventFile, layout_version
from spine.store.regions import RegionFile

__all__ = ["BadEvent", "EventSource", "HDF5Source", "LarcvSource", "open_events", "open_source"]


@dataclass(frozen=True)
class BadEvent:
    """An event that could not be read, and why."""

    event: Event
    error: Exception


class EventSource(Protocol):
    """A file of events.

    ``new`` names the products that the source had to make itself, so that no file of ours holds them yet.
    """

    path: Path
    new: tuple[str, ...]

    def __len__(self) -> int: ...
    def names(self) -> tuple[str, ...]:
        """Products of the events."""

    def events(self, start: int, stop: int) -> Sequence[Event | BadEvent]:
        """Events of a range of entries."""

    def close(self) -> None:
        """Close the file."""

    def __enter__(self) -> Self: ...
    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


class _Closing:
    """Closes itself at the end of a ``with`` block."""

    def close(self) -> None:
        raise NotImplementedError

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class HDF5Source(_Closing):
    """Events of an HDF5 file.

    Parameters
    ----------
    path : Path
        The file.
    allow_incomplete : bool
        Open a file whose writer did not finish.
    """

    def __init__(self, path: Path, allow_incomplete: bool = False) -> None:
        self.path = path
        self.file = open_events(path, allow_incomplete)
        self.new: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.file)

    def names(self) -> tuple[str, ...]:
        """Products of the events."""
        return self.file.names()

    def events(self, start: int, stop: int) -> Sequence[Event | BadEvent]:
        """Events of a range of entries."""
        return self.file.block(start, stop).events

    def close(self) -> None:
        """Close the file."""
        self.file.close()


class LarcvSource(_Closing):
    """Events of a larcv ROOT file, parsed.

    Parameters
    ----------
    path : Path
        The file.
    parsers : mapping, optional
        Parser of each product; those of the usual simulation products by default.
    has_truth : bool
        False to read the image alone.
    """

    def __init__(self, path: Path, parsers: Mapping[str, Mapping[str, Any]] | None, has_truth: bool) -> None:
        from spine.store.larcv import DEFAULT_SCHEMA, LArCVReader, data_schema

        usual = DEFAULT_SCHEMA if has_truth else data_schema()
        self.path = path
        self.reader = LArCVReader(path, parsers if parsers is not None else usual)
        self.new = ("index", "file_index", "file_entry_index", *self.reader.names)

    def __len__(self) -> int:
        return len(self.reader)

    def names(self) -> tuple[str, ...]:
        """Products of the events."""
        return self.new

    def events(self, start: int, stop: int) -> Sequence[Event | BadEvent]:
        """Events of a range of entries."""
        stop = min(stop, len(self))
        parsed = self.reader.attempts(start, stop)
        return [self._event(start + i, products) for i, products in enumerate(parsed)]

    def _event(self, entry: int, products: Mapping[str, Any] | Exception) -> Event | BadEvent:
        event = Event({}, entry, str(self.path))
        for name in ("index", "file_entry_index"):
            event[name] = entry
        event["file_index"] = 0
        if isinstance(products, Exception):
            return BadEvent(event, products)
        for name, value in products.items():
            event[name] = value
        return event

    def close(self) -> None:
        """Close the file."""
        self.reader.close()


def _format(path: Path) -> str:
    """``hdf5`` or ``larcv``, by the first bytes of a file."""
    if not path.is_file():
        raise DataError("no such file", where=path)
    try:
        with path.open("rb") as stream:
            head = stream.read(8)
    except OSError as error:
        raise DataError("the file cannot be read", where=path, got=error.strerror) from error
    if head == b"\x89HDF\r\n\x1a\n":
        return "hdf5"
    if head[:4] == b"root":
        return "larcv"
    raise DataError(
        "the file is neither ROOT nor HDF5", where=path, got=f"first bytes {head!r}", expected="larcv2 ROOT or HDF5"
    )


def open_events(path: Path | str, allow_incomplete: bool = False) -> EventFile:
    """Open an HDF5 file of events of either layout.

    Parameters
    ----------
    path : Path
        File of format version 2 (columns) or 1 (region references; files without a version are such).
    allow_incomplete : bool
        Open a file whose writer did not finish.

    Raises
    ------
    DataError
        When the file is missing, truncated, foreign or incomplete.
    """
    if layout_version(Path(path)) != RegionFile.version:
        return EventFile(path, allow_incomplete)
    return RegionFile(path, allow_incomplete)


def open_source(
    path: Path,
    provider: str = "auto",
    parsers: Mapping[str, Mapping[str, Any]] | None = None,
    has_truth: bool = True,
    allow_incomplete: bool = False,
) -> EventSource:
    """Open an input file.

    Parameters
    ----------
    path : Path
        larcv2 ROOT or HDF5 file.
    provider : {'auto', 'larcv', 'hdf5'}
        Format; ``auto`` goes by the content.
    parsers : mapping, optional
        Parsers of larcv products (see `LarcvSource`).
    has_truth : bool
        False when a larcv file holds no truth.
    allow_incomplete : bool
        Open an HDF5 file whose writer did not finish.

    Raises
    ------
    DataError
        When the file is missing, truncated or of another kind.
    """
    found = _format(Path(path))
    if provider not in ("auto", found):
        raise DataError("the file has another format than configured", where=path, got=found, expected=provider)
    if found == "hdf5":
        return HDF5Source(Path(path), allow_incomplete)
    return LarcvSource(Path(path), parsers, has_truth)


def all_events(
    source: EventSource, size: int, first: int = 0, last: int | None = None
) -> Iterator[Sequence[Event | BadEvent]]:
    """All events of a source, or those of a range of entries, ``size`` at a time."""
    end = len(source) if last is None else min(last, len(source))
    for start in range(first, end, size):
        yield source.events(start, min(start + size, end))
