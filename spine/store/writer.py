"""Writing events: one file, complete or not there at all."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, ClassVar, Self

import h5py
import numpy as np
import yaml

import spine
from spine.errors import DataError
from spine.schema import Event, Product, product
from spine.store.atomic import atomic_file
from spine.store.layout import FORMAT, FORMAT_VERSION, append_product, create_product
from spine.store.provenance import versions
from spine.store.sink import Sink

__all__ = ["NO_ENTRY", "EventWriter", "Failure", "FileInfo"]

NO_ENTRY = -1
"""Entry of a failure that concerns a whole file."""


@dataclass(frozen=True)
class Failure:
    """An event that could not be processed.

    Parameters
    ----------
    entry : int
        Number of the event in the file it was read from.
    run, subrun, event : int
        Its numbers, -1 when unknown.
    step : str
        What was being done.
    error : str
        The message.
    """

    entry: int
    run: int
    subrun: int
    event: int
    step: str
    error: str


@dataclass(frozen=True)
class FileInfo:
    """Who made a file, and from what.

    Parameters
    ----------
    stage : str
        Stage that wrote it.
    config : str
        Canonical JSON of the part of the configuration that the stage used.
    code : str
        Fingerprint of the code of the stage.
    inputs : tuple of (name, fingerprint)
        Files it was made from.
    parent : str
        File that holds the products which this one passes on, relative to it; empty when none.
    parent_id : str
        Identity of that file.
    steps : tuple of str
        Steps that were run, over all stages.
    seed : int
        Seed, -1 when the stage draws no random numbers.
    weights : str
        sha256 of the network weights, empty when none.
    origin : str
        File from outside the chain that was read, relative to the output; empty when none.
    arguments : str
        Arguments of the command besides input, output and configuration.
    history : str
        JSON list of the records of the stages before.
    """

    stage: str = ""
    config: str = "{}"
    code: str = ""
    inputs: tuple[tuple[str, str], ...] = ()
    parent: str = ""
    parent_id: str = ""
    steps: tuple[str, ...] = ()
    seed: int = -1
    weights: str = ""
    origin: str = ""
    arguments: str = ""
    history: str = "[]"
    extra: dict[str, str] = field(default_factory=dict)

    def attributes(self) -> dict[str, Any]:
        """Attributes of the ``info`` group."""
        return {
            "version": spine.__version__,
            "spine_version": spine.__version__,
            "format": FORMAT,
            "cfg": yaml.safe_dump(json.loads(self.config)),
            "config": self.config,
            "post_processors": yaml.safe_dump(list(self.steps)),
            "stage": self.stage,
            "code": self.code,
            "inputs": json.dumps(self.inputs),
            "parent": self.parent,
            "parent_id": self.parent_id,
            "seed": self.seed,
            "weights": self.weights,
            "origin": self.origin,
            "arguments": self.arguments,
            "history": self.history,
            "versions": versions(networks=self.weights not in ("", "{}")),
            **self.extra,
        }


class EventWriter:
    """Writes events to a file that appears when all is well.

    Parameters
    ----------
    path : Path
        The output.
    info : FileInfo
        Provenance.
    keys : sequence of str, optional
        Products to store; by default those set on the first event. Every event must have them.
    declared : mapping of str to Product, optional
        Declarations of products that only the file they come from knows.

    Raises
    ------
    StageError
        When the directory cannot be written.
    SchemaError
        When a product is not declared.
    """

    version: ClassVar[int] = FORMAT_VERSION

    def __init__(
        self,
        path: Path,
        info: FileInfo,
        keys: Sequence[str] | None = None,
        declared: Mapping[str, Product] | None = None,
    ) -> None:
        self.path = Path(path)
        self.info = info
        self.keys = tuple(dict.fromkeys(keys)) if keys is not None else None
        self.failures: list[Failure] = []
        self._declared = dict(declared or {})
        self._entries: list[int] = []
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        temporary = self._stack.enter_context(atomic_file(self.path))
        self._sink = Sink(temporary)
        self._stack.callback(self._sink.check, self.path)
        self._stack.callback(self._sink.close)
        self._file = self._stack.enter_context(h5py.File(self._sink, "w", libver=("v108", "v110")))
        self._products = self._place()
        info = self._file.create_group("info")
        info.attrs["complete"] = False
        for name, value in self.info.attributes().items():
            info.attrs[name] = value
        info.attrs["format_version"] = self.version
        if self.keys is not None:
            self.select(self.keys)
        return self

    def _place(self) -> h5py.Group:
        """The group for the products."""
        return self._file.create_group("products")

    def select(self, keys: Sequence[str]) -> None:
        """Choose the products to store, before the first event is appended."""
        self.keys = tuple(dict.fromkeys(keys))
        self._create([self._declaration(name) for name in self.keys])

    def _declaration(self, name: str) -> Product:
        return self._declared.get(name) or product(name)

    def _create(self, products: Sequence[Product]) -> None:
        """Make what the products are stored in."""
        for declared in products:
            create_product(self._products, declared)

    def _store(self, events: Sequence[Event]) -> None:
        """Append the products of events, which are complete."""
        for name in self.keys or ():
            append_product(self._products, self._declaration(name), events)

    def append(self, events: Sequence[Event]) -> None:
        """Append events.

        Parameters
        ----------
        events : sequence of Event
            In order. Their ``entry`` says which event of the parent file each one continues.

        Raises
        ------
        DataError
            When an event lacks a product that the others have.
        """
        if not events:
            return
        if self.keys is None:
            self.select(events[0].changed)
        for event in events:
            missing = [key for key in self.keys or () if key not in event]
            if missing:
                raise DataError(
                    f"the event lacks the product {missing[0]!r} which other events have", where=event.label
                )
        self._store(events)
        self._sink.check(self.path)
        self._entries += [event.entry for event in events]

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            self._stack.__exit__(kind, error, trace)
            return
        with self._stack:
            self._finish()

    def _close_events(self) -> None:
        """Store what tells the events apart."""
        self._file.create_dataset("events", data=np.arange(len(self._entries), dtype=np.int64))
        self._file.create_dataset("parent_entry", data=np.array(self._entries, dtype=np.int64))

    def _finish(self) -> None:
        self._close_events()
        group = self._file.create_group("failures")
        for name in ("entry", "run", "subrun", "event"):
            group.create_dataset(name, data=np.array([getattr(f, name) for f in self.failures], dtype=np.int64))
        for name in ("step", "error"):
            values = [getattr(f, name) for f in self.failures]
            group.create_dataset(name, data=np.array(values, dtype=object), dtype=h5py.string_dtype())
        self._file["info"].attrs["complete"] = True
