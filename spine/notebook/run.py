"""A run: the events of some files, looked at as a whole or one by one."""

from __future__ import annotations

import glob
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, overload

import numpy as np
from numpy.typing import NDArray

from spine.errors import DataError, SpineError
from spine.notebook.event import RunEvent
from spine.notebook.matching import Way, matched_pairs
from spine.notebook.objects import Objects
from spine.notebook.parts import Part, checked, open_part
from spine.schema import Product, Ragged
from spine.schema.cards import card
from spine.store.columns import joined

if TYPE_CHECKING:
    import pandas as pd

    from spine.store.stored import StoredProduct

__all__ = ["Run", "open_run"]

I8 = NDArray[np.int64]
NUMBERS = ("run", "subrun", "event")


class Run:
    """Events of one or more files. Nothing is read before it is asked for.

    Parameters
    ----------
    parts : sequence of Part
        The files.
    places : (n, 3) int64
        Number of each event over all files, number of its file, entry there.

    Notes
    -----
    ``run.reco_particles`` are the objects of all events, ``run.points`` the rows of each event, ``run[3]`` is an event
    and ``run[10:20]`` a shorter run.
    """

    def __init__(self, parts: Sequence[Part], places: I8) -> None:
        self._parts = parts
        self._places = places
        self._objects: dict[str, Objects] = {}

    def __len__(self) -> int:
        return len(self._places)

    def __iter__(self) -> Iterator[RunEvent]:
        return (self[i] for i in range(len(self)))

    @overload
    def __getitem__(self, item: int) -> RunEvent: ...
    @overload
    def __getitem__(self, item: slice | NDArray[Any] | list[int]) -> Run: ...
    def __getitem__(self, item: int | slice | NDArray[Any] | list[int]) -> RunEvent | Run:
        if not isinstance(item, int | np.integer):
            return Run(self._parts, self._places[item])
        if not -len(self) <= item < len(self):
            raise IndexError(f"no event {item} in a run of {len(self)}")
        _, part, entry = self._places[item].tolist()
        return RunEvent(self._parts[part].event(entry))

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        try:
            return self.product(name)
        except SpineError as error:
            raise AttributeError(str(error)) from None

    def __dir__(self) -> list[str]:
        return [*super().__dir__(), *self.products]

    @cached_property
    def products(self) -> tuple[str, ...]:
        """Products that the events of all files have."""
        first, *others = [part.names() for part in self._parts]
        return tuple(name for name in first if all(name in names for names in others))

    @property
    def files(self) -> tuple[Path, ...]:
        """The files, in order."""
        return tuple(part.path for part in self._parts)

    @cached_property
    def numbers(self) -> dict[str, I8]:
        """What identifies the events: ``index, file_index, file_entry_index, run, subrun, event``, each (n,).

        ``index`` counts over all files as they were opened, also in a part of the run; run numbers are -1 where the
        files have none.
        """
        found = {name: np.full(len(self), -1, dtype=np.int64) for name in NUMBERS}
        if "run_info" in self.products:
            table = self.objects("run_info").table
            found = {name: np.asarray(table[name], dtype=np.int64) for name in NUMBERS}
        names = ("index", "file_index", "file_entry_index")
        return {name: self._places[:, i] for i, name in enumerate(names)} | found

    def product(self, name: str) -> Objects | Ragged | NDArray[Any] | list[Any]:
        """A product of all events.

        Parameters
        ----------
        name : str
            One of `products`.

        Returns
        -------
        Objects
            Of a table.
        (n,) ndarray
            Of a single number.
        Ragged
            Of an array or image: the rows of each event; an image has coordinates and features side by side.
        list
            Of anything else, event by event.

        Raises
        ------
        DataError
            When the events do not have it; the nearest names are suggested.
        """
        kind = self.declared(name).kind
        if kind in ("objects", "object"):
            return self.objects(name)
        if kind in ("index_list", "list", "array_list", "text"):
            return [event[name] for event in self]
        lengths, rows = self._rows(name)
        if kind == "scalar":
            return rows
        return Ragged(rows, np.concatenate([[0], np.cumsum(lengths)]))

    def objects(self, name: str) -> Objects:
        """Objects of all events; see `product`."""
        if name not in self._objects:
            if self.declared(name).kind not in ("objects", "object"):
                raise DataError(f"product {name!r} holds no objects")
            stored = self._stored(name)
            lengths = np.concatenate([np.diff(one.bounds) for one in stored])
            table = joined([one.rows for one in stored])
            self._objects[name] = Objects(self, name, table, np.repeat(np.arange(len(self)), lengths))
        return self._objects[name]

    def where(self, expression: str, of: str = "reco_particles") -> Objects:
        """The objects for which an expression is true: ``run.where("is_contained & pid == 2")``.

        Parameters
        ----------
        expression : str
            See `Objects.where`.
        of : str
            Product of the objects.
        """
        return self.objects(of).where(expression)

    def matches(
        self, kind: str = "particle", min_overlap: float = 0.0, way: Way = "r2t", unmatched: bool = False
    ) -> pd.DataFrame:
        """Objects beside their best matches.

        Parameters
        ----------
        kind : {'particle', 'interaction', 'fragment'}
            Kind of objects.
        min_overlap : float
            Smallest overlap with the best match.
        way : {'r2t', 't2r'}
            Best true match of each reconstructed object, or the other way round.
        unmatched : bool
            Also the objects without such a match, with missing values on the other side.

        Returns
        -------
        pandas.DataFrame
            Numbers of the event, ``overlap``, columns of both sides with ``reco_`` and ``truth_`` in front.
        """
        return matched_pairs(self, kind, min_overlap, way, unmatched)

    def close(self) -> None:
        """Close the files."""
        for part in self._parts:
            part.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"Run of {len(self)} events in {len(self._parts)} files: {', '.join(sorted(self.products))}"

    def _repr_html_(self) -> str:
        files = ", ".join(path.name for path in self.files[:3]) + (" …" if len(self.files) > 3 else "")
        about = [(label, "", text) for label, text in self._parts[0].about().items() if text]
        counts = [(name, self.declared(name).doc, self._count(name)) for name in sorted(self.products)]
        return card(f"{len(self)} events", [("files", "", f"{len(self.files)}: {files}"), *about], counts)

    def _count(self, name: str) -> str:
        """How many objects there are, where counting them is cheap."""
        kind = self.declared(name).kind
        return str(len(self.objects(name))) if kind == "objects" else kind.replace("_", " ")

    def declared(self, name: str) -> Product:
        """Declaration of a product: its kind, type and meaning.

        Raises
        ------
        DataError
            When the events do not have it; the nearest names are suggested.
        """
        return self._parts[0].declared(checked(name, self.products, ", ".join(map(str, self.files[:3]))))

    def _stored(self, name: str) -> list[StoredProduct]:
        """The product by runs of events that lie in one file."""
        changes = np.flatnonzero(np.diff(self._places[:, 1])) + 1
        groups = np.split(self._places, changes)
        return [self._parts[int(g[0, 1]) if len(g) else 0].stored(name, g[:, 2]) for g in groups]

    def _rows(self, name: str) -> tuple[I8, NDArray[Any]]:
        """Number of rows of each event, and the rows."""
        stored = self._stored(name)
        rows = np.concatenate([one.rows for one in stored])
        return np.concatenate([np.diff(one.bounds) for one in stored]), rows.astype(
            stored[0].declared.numpy, copy=False
        )


def _paths(sources: Iterable[str | Path]) -> list[Path]:
    """Files that names and patterns stand for, in order."""
    found: list[Path] = []
    for source in sources:
        text = str(Path(source).expanduser())
        matches = sorted(glob.glob(text, recursive=True)) if glob.has_magic(text) else [text]  # noqa: PTH207
        if not matches:
            raise DataError("no file fits the pattern", where=source)
        found += map(Path, matches)
    if not found:
        raise DataError("no files were named")
    return found


def open_run(*sources: str | Path, has_truth: bool = True) -> Run:
    """Open files of events; see `spine.open`."""
    parts = [open_part(path, has_truth) for path in _paths(sources)]
    places = [np.column_stack([np.full(len(p), i), np.arange(len(p))]) for i, p in enumerate(parts)]
    rows = np.concatenate(places).astype(np.int64)
    return Run(parts, np.column_stack([np.arange(len(rows)), rows]))
