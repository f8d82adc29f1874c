"""Reading events: one file, or a chain of stage files read as one event."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Any, ClassVar, Self

import h5py
import numpy as np
import yaml
from numpy.typing import NDArray

from spine.errors import DataError, did_you_mean
from spine.schema import Block, Event, Product, Ragged, Table
from spine.schema.products import PRODUCTS
from spine.store.foreign import product_of_group
from spine.store.layout import event_bounds
from spine.store.stored import StoredProduct, read_product
from spine.store.writer import Failure

__all__ = ["EventFile", "StoredBlock", "layout_version", "open_hdf5"]

Array = NDArray[Any]


class _EventProducts(Mapping[str, Any]):
    """Products of one event of a block, read when asked for."""

    def __init__(self, block: StoredBlock, i: int) -> None:
        self._block, self._i = block, i

    def __contains__(self, name: object) -> bool:
        return name in self._block.names

    def __iter__(self) -> Iterator[str]:
        return iter(self._block.names)

    def __len__(self) -> int:
        return len(self._block.names)

    def __getitem__(self, name: str) -> Any:
        return self._block.product_of(name, self._i)


class StoredBlock(Block):
    """A range of events of a file, read product by product when asked for.

    Parameters
    ----------
    file : EventFile
        The file.
    start, stop : int
        Range of entries.
    """

    def __init__(self, file: EventFile, start: int, stop: int) -> None:
        self.file, self.start, self.stop = file, start, stop
        self.names = dict.fromkeys(file.names())
        self._own = frozenset(file.own_names())
        self._stored: dict[str, StoredProduct] = {}
        self._parent: StoredBlock | None = None
        source = str(file.path)
        super().__init__([Event(_EventProducts(self, i), start + i, source) for i in range(stop - start)])

    def stored(self, name: str) -> StoredProduct:
        """A product of the whole range, from this file."""
        if name not in self._stored:
            self._stored[name] = self.file.read(self.file.declared(name), self.start, self.stop)
        return self._stored[name]

    def product_of(self, name: str, i: int) -> Any:
        """A product of the i-th event of the range, from this file or one that it continues."""
        if name in self._own:
            return self.stored(name).event(i)
        if name not in self.names:
            raise KeyError(name)
        if self._parent is None:
            entries = self.file.parent_entries[self.start : self.stop]
            self._parent = StoredBlock(self.file.parent(), int(entries.min()), int(entries.max()) + 1)
        return self._parent.product_of(name, int(self.file.parent_entries[self.start + i]) - self._parent.start)

    def table(self, name: str) -> Table:
        """Objects of all events of a table product, event after event."""
        untouched = not any(name in event.changed for event in self.events)
        if untouched and name in self._own and len(self):
            rows: Table = self.stored(name).rows
            return rows
        return super().table(name)


class EventFile:
    """A file of events.

    Parameters
    ----------
    path : Path
        HDF5 file of format version 2, written by a stage or by another producer of the format (`RegionFile` reads
        version 1, `open_events` tells them apart).
    allow_incomplete : bool
        Open a file whose writer did not finish.

    Raises
    ------
    DataError
        When the file is missing, truncated, foreign or incomplete.
    """

    version: ClassVar[int] = 2

    def __init__(self, path: Path | str, allow_incomplete: bool = False) -> None:
        self.path = Path(path)
        self._file = self._opened()
        self._parent_file: EventFile | None = None
        try:
            self._check(allow_incomplete)
            self._declared = self._declarations()
        except BaseException:
            self._release()
            raise
        self._length = len(self._file["events"])

    def _opened(self) -> h5py.File:
        return open_hdf5(self.path)

    def _release(self) -> None:
        """Give the handle of the file back."""
        self._file.close()

    def _stored_names(self) -> Iterable[str]:
        """Everything that the file holds, known or not."""
        return self._file["products"] if "products" in self._file else ()

    def _check(self, allow_incomplete: bool) -> None:
        if "info" not in self._file or "events" not in self._file:
            raise DataError(
                "not a file of events", where=self.path, got=f"groups {sorted(self._file)}",
                expected="HDF5 with the groups info, events, products",
            )  # fmt: skip
        version = self.attribute("format_version", "1")
        if version != str(self.version):
            raise DataError(
                "the file has another layout", where=self.path, got=f"version {version}", expected=self.version,
                mend="open it with spine.store.source.open_events, which knows versions 1 and 2",
            )  # fmt: skip
        if not allow_incomplete and not self._file["info"].attrs.get("complete", True):
            raise DataError(
                "the file is incomplete: its writer did not finish", where=self.path, mend="make the file again"
            )

    def attribute(self, name: str, default: str = "") -> str:
        """An attribute of the ``info`` group as text."""
        value = self._file["info"].attrs.get(name, default)
        return value.decode() if isinstance(value, bytes) else str(value)

    @property
    def identity(self) -> str:
        """What tells this file from another one: who made it, from what, how."""
        names = ("stage", "config", "code", "inputs", "parent_id", "seed", "weights", "version")
        return json.dumps([self.attribute(name) for name in names])

    @property
    def steps(self) -> tuple[str, ...]:
        """Steps that were run on the events, over all stages."""
        return tuple(yaml.safe_load(self.attribute("post_processors", "[]")) or ())

    @cached_property
    def parent_entries(self) -> NDArray[np.int64]:
        """(n,) entry of the parent file which each event continues."""
        entries: NDArray[np.int64] = self._file["parent_entry"][:]
        return entries

    def input_entries(self) -> NDArray[np.int64]:
        """(n,) entry in the input of the chain from which each event was made."""
        if "parent_entry" not in self._file:
            return np.arange(len(self), dtype=np.int64)
        if self.attribute("stage") == "infer" or not self.attribute("parent"):
            return self.parent_entries
        return self.parent().input_entries()[self.parent_entries]

    def parent(self) -> EventFile:
        """The file that holds the products which this one passes on.

        Raises
        ------
        DataError
            When it is not there or has been made again since.
        """
        from spine.store.source import open_events

        if self._parent_file is None:
            path = self.path.parent / self.attribute("parent")
            if not path.exists():
                raise DataError(
                    "the file that this one continues is missing", where=self.path, got=path,
                    mend="keep the files of all stages, or export the file to a self-contained one",
                )  # fmt: skip
            parent = open_events(path)
            if self.attribute("parent_id") not in ("", parent.identity):
                parent.close()
                raise DataError(
                    "the file that this one continues was made anew", where=self.path, got=path, mend="rerun the stage"
                )
            self._parent_file = parent
        return self._parent_file

    def __len__(self) -> int:
        return self._length

    def _declarations(self) -> dict[str, Product]:
        """Products that the file holds: as declared, or as they are stored when nothing here knows them."""
        found = {name: PRODUCTS.get(name) or self._foreign(name) for name in self._stored_names()}
        return {name: declared for name, declared in found.items() if declared is not None}

    def _foreign(self, name: str) -> Product | None:
        """Declaration of a product from the way in which it is stored."""
        return product_of_group(name, self._file["products"][name])

    def declared(self, name: str) -> Product:
        """Declaration of a product of the events.

        Raises
        ------
        DataError
            When no file of the chain has the product.
        """
        if name in self._declared:
            return self._declared[name]
        if name not in self.names():
            raise DataError(f"no product {name!r}", where=self.path, mend=did_you_mean(name, self.names()))
        return self.parent().declared(name)

    def own_names(self) -> tuple[str, ...]:
        """Products which this file itself holds."""
        return tuple(self._declared)

    def names(self) -> tuple[str, ...]:
        """Products of the events, those of the files which this one continues included."""
        if not self.attribute("parent"):
            return tuple(self._declared)
        return tuple(dict.fromkeys([*self._declared, *self.parent().names()]))

    def read(self, declared: Product, start: int, stop: int) -> StoredProduct:
        """One product of a range of entries, which this file itself holds."""
        return read_product(declared, self._file["products"][declared.name], start, stop)

    def row_counts(self, name: str) -> NDArray[np.int64]:
        """(n,) rows of a product in each event, those of files which this one continues included."""
        if name not in self._declared:
            if not self.attribute("parent"):
                raise DataError(f"no product {name!r}", where=self.path, mend=did_you_mean(name, self._declared))
            return self.parent().row_counts(name)[self.parent_entries]
        return np.diff(self._bounds(name))

    def _bounds(self, name: str) -> NDArray[np.int64]:
        return event_bounds(self._file["products"][name], 0, len(self))

    def failures(self) -> list[Failure]:
        """Events which the stage skipped."""
        if "failures" not in self._file:
            return []
        group = self._file["failures"]
        columns = [group[name][:] for name in ("entry", "run", "subrun", "event")]
        texts = [group[name].asstr()[:] for name in ("step", "error")]
        rows = zip(*columns, *texts, strict=True)
        return [Failure(int(a), int(b), int(c), int(d), str(e), str(f)) for a, b, c, d, e, f in rows]

    def block(self, start: int, stop: int) -> StoredBlock:
        """Events of a range of entries."""
        return StoredBlock(self, max(0, start), min(stop, len(self)))

    def blocks(self, size: int = 64) -> Iterator[StoredBlock]:
        """All events, ``size`` at a time."""
        for start in range(0, len(self), size):
            yield self.block(start, start + size)

    def event(self, entry: int) -> Event:
        """One event by its entry number.

        Raises
        ------
        DataError
            When the file has fewer events.
        """
        if not 0 <= entry < len(self):
            raise DataError("no such entry", where=self.path, got=entry, expected=f"0 to {len(self) - 1}")
        return self.block(entry, entry + 1).events[0]

    def column(self, name: str, start: int = 0, stop: int | None = None) -> Array | Ragged:
        """One column of an object product for all events, nothing else being read.

        Parameters
        ----------
        name : str
            ``product.column``, such as ``reco_particles.length``.
        start, stop : int
            Range of entries.

        Raises
        ------
        DataError
            When no file of the chain has the product.
        """
        key, _, column = name.partition(".")
        if key not in self.names():
            raise DataError(f"no product {key!r}", where=self.path, mend=did_you_mean(key, self.names()))
        block = self.block(start, len(self) if stop is None else stop)
        values: Array | Ragged = block.table(key)[column]
        return values

    def close(self) -> None:
        """Close the file and those it continues."""
        self._release()
        if self._parent_file is not None:
            self._parent_file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def layout_version(path: Path) -> int:
    """Version of the layout of a file; 1 where a file of events does not say, 2 where it is no file of events.

    Raises
    ------
    DataError
        When the file is missing or no HDF5.
    """
    with open_hdf5(path) as file:
        if "info" not in file or "events" not in file:
            return EventFile.version
        return int(file["info"].attrs.get("format_version", 1))


def open_hdf5(path: Path) -> h5py.File:
    """The handle of an HDF5 file, or an error that says why there is none."""
    if not path.exists():
        raise DataError("no such file", where=path)
    try:
        return h5py.File(path, "r")
    except OSError as error:
        raise DataError(
            "the file cannot be opened as HDF5: it is truncated or of another kind",
            where=path, got=str(error), mend="make or fetch the file again",
        ) from error  # fmt: skip
