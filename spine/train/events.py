"""Events of several files, numbered through, each loaded as a whole when it is asked for."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from spine.errors import DataError, did_you_mean
from spine.ops.arrays import IntArray
from spine.schema import Event, Table, Tensor
from spine.schema.table import Row
from spine.store.reader import EventFile
from spine.store.source import open_events

__all__ = ["TrainingEvents"]

IMAGE = "data"


class TrainingEvents:
    """Events to train on.

    Parameters
    ----------
    paths : sequence of Path
        HDF5 files; each may continue others.
    required : sequence of str
        Products that every file must have.
    optional : sequence of str
        Products that are loaded where a file has them.

    Raises
    ------
    DataError
        When there is no file, a file is broken or lacks a product.
    """

    def __init__(self, paths: Sequence[Path], required: Sequence[str], optional: Sequence[str] = ()) -> None:
        self.paths = tuple(Path(path) for path in paths)
        if not self.paths:
            raise DataError("there are no files to train on", mend="name them on the command line")
        self._wanted = tuple(dict.fromkeys((IMAGE, *required, *optional)))
        self._files: dict[int, EventFile] = {}
        self._process = os.getpid()
        self.identities: list[str] = []
        counts = []
        for number in range(len(self.paths)):
            file = self._file(number)
            _check(file, (IMAGE, *required))
            counts.append(file.row_counts(IMAGE))
            self.identities.append(f"{self.paths[number].name} {len(file)} {file.identity}")
        self.sizes: IntArray = np.concatenate(counts)
        self._bounds = np.cumsum([0, *(len(one) for one in counts)])

    def __len__(self) -> int:
        return len(self.sizes)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_files": {}}

    def _file(self, number: int) -> EventFile:
        """An open file of this process; HDF5 must not share files with the process that it was split from."""
        if self._process != os.getpid():
            self._files, self._process = {}, os.getpid()
        if number not in self._files:
            self._files[number] = open_events(self.paths[number])
        return self._files[number]

    def _place(self, entry: int) -> tuple[int, int]:
        """File of an event, and its number there."""
        number = int(np.searchsorted(self._bounds, entry, side="right")) - 1
        return number, entry - int(self._bounds[number])

    def label(self, entry: int) -> str:
        """File and number of an event, for messages."""
        number, place = self._place(entry)
        return f"{self.paths[number]} entry {place}"

    def load(self, entry: int) -> Event:
        """One event with its products in memory."""
        number, place = self._place(entry)
        stored = self._file(number).event(place)
        products = {name: _in_memory(stored[name]) for name in self._wanted if name in stored}
        return Event(products, stored.entry, stored.source)

    def close(self) -> None:
        """Close all files."""
        for file in self._files.values():
            file.close()
        self._files = {}


def _check(file: EventFile, required: Sequence[str]) -> None:
    names = file.names()
    missing = [name for name in required if name not in names]
    if missing:
        raise DataError(
            f"the file does not have what the training needs: {', '.join(missing)}", where=file.path,
            got=", ".join(sorted(names)), mend=did_you_mean(missing[0], names),
        )  # fmt: skip


def _in_memory(value: Any) -> Any:
    """A product without ties to its file."""
    if isinstance(value, Tensor) and value.particles is not None:
        return Tensor(value.coords, value.features, value.names, value.particles[:])
    if isinstance(value, Table):
        return value[:]
    if isinstance(value, Row):
        return value.table[0]
    return value
