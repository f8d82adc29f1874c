"""One event in memory: its products by name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spine.errors import DataError, did_you_mean
from spine.schema.products import PRODUCTS, product
from spine.schema.ragged import Ragged
from spine.schema.table import Row, Table

__all__ = ["Event", "Level", "Tensor"]

LEVELS = ("fragments", "particles", "interactions")


@dataclass(frozen=True, eq=False)
class Tensor:
    """Sparse image: rows of coordinates and features.

    Parameters
    ----------
    coords : (n, 3 k) ndarray
        Voxel numbers (int32) or positions in voxel units (float32), three columns per named point.
    features : (n, f) float32
        Values of each row.
    names : tuple of str
        Names of the feature columns.
    particles : Table, optional
        Labels to which the ``particle_index`` feature of a cluster label points.
    """

    coords: NDArray[Any]
    features: NDArray[np.float32]
    names: tuple[str, ...] = ("value",)
    particles: Table | None = None

    def __len__(self) -> int:
        return len(self.coords)

    def feature(self, name: str) -> NDArray[np.float32]:
        """(n,) values of a feature by name.

        Raises
        ------
        DataError
            When the tensor has no such feature.
        """
        if name not in self.names:
            raise DataError(f"no feature {name!r} in the tensor", mend=did_you_mean(name, self.names))
        return self.features[:, self.names.index(name)]

    def label(self, name: str) -> NDArray[Any]:
        """(n,) column of the label table for each row, its missing value where a row has no particle."""
        if self.particles is None:
            raise DataError("the tensor has no table of labels", got=name)
        rows = self.feature("particle_index").astype(np.int64)
        column = self.particles[name]
        missing = self.particles.record.column(name).missing
        if len(column) == 0:
            return np.full((len(rows), *column.shape[1:]), missing, dtype=column.dtype)
        known = (rows >= 0) & (rows < len(column))
        values = column[np.where(known, rows, 0)]
        values[~known] = missing
        return np.asarray(values)

    def take(self, rows: NDArray[Any]) -> Tensor:
        """The tensor of the chosen rows (mask or row numbers)."""
        return Tensor(self.coords[rows], self.features[rows], self.names, self.particles)


class Level:
    """Objects of one side of an event: ``event.reco.particles`` is ``event["reco_particles"]``."""

    __slots__ = ("_event", "_prefix")

    def __init__(self, event: Event, prefix: str) -> None:
        self._event = event
        self._prefix = prefix

    @property
    def fragments(self) -> Table:
        """Fragments of this side."""
        return self._event.table(f"{self._prefix}_fragments")

    @property
    def particles(self) -> Table:
        """Particles of this side."""
        return self._event.table(f"{self._prefix}_particles")

    @property
    def interactions(self) -> Table:
        """Interactions of this side."""
        return self._event.table(f"{self._prefix}_interactions")


class Event:
    """Products of one event by name.

    Parameters
    ----------
    products : mapping
        Values by product name; a mapping which loads on access keeps the event lazy.
    entry : int
        Number of the event in its file.
    source : str
        File of the event, for messages.

    Notes
    -----
    Tensors are `Tensor`, tables `Table`, index lists `Ragged`, single objects `Row`, everything else arrays or
    scalars. What a step sets hides what the file holds; ``changed`` lists the names set since.
    """

    def __init__(self, products: Mapping[str, Any], entry: int = 0, source: str = "") -> None:
        self._source_products = products
        self._set: dict[str, Any] = {}
        self.entry = entry
        self.source = source

    def __contains__(self, name: object) -> bool:
        return name in self._set or name in self._source_products

    def __iter__(self) -> Iterator[str]:
        yield from self._source_products
        yield from (name for name in self._set if name not in self._source_products)

    def __getitem__(self, name: str) -> Any:
        if name in self._set:
            return self._set[name]
        if name in self._source_products:
            return self._source_products[name]
        known = list(self)
        mend = did_you_mean(name, known)
        if name in PRODUCTS and not mend.startswith("did"):
            mend = f"the event has: {', '.join(sorted(known))}"
        raise DataError(f"the event has no product {name!r}", where=self.label, mend=mend)

    def __setitem__(self, name: str, value: Any) -> None:
        product(name)
        self._set[name] = value

    def get(self, name: str, default: Any = None) -> Any:
        """The product, or the default when the event does not have it."""
        return self[name] if name in self else default

    def table(self, name: str) -> Table:
        """A product that must be a table."""
        value = self[name]
        if not isinstance(value, Table):
            raise DataError(f"product {name!r} is not a table", where=self.label, got=type(value).__name__)
        return value

    @property
    def changed(self) -> tuple[str, ...]:
        """Names of the products that were set on this event."""
        return tuple(self._set)

    def restore(self, products: Mapping[str, Any]) -> None:
        """Forget all products that were set on this event but these."""
        self._set = dict(products)

    def snapshot(self) -> dict[str, Any]:
        """Products that were set on this event, for `restore`."""
        return dict(self._set)

    @property
    def reco(self) -> Level:
        """Reconstructed objects."""
        return Level(self, "reco")

    @property
    def truth(self) -> Level:
        """True objects."""
        return Level(self, "truth")

    @property
    def run_info(self) -> Row | None:
        """Run, subrun and event number, None when the file has none."""
        value: Row | None = self.get("run_info")
        return value

    @property
    def label(self) -> str:
        """What identifies the event in a message."""
        place = f"{self.source} entry {self.entry}" if self.source else f"entry {self.entry}"
        info = self._set.get("run_info") or self._source_products.get("run_info")
        return place if info is None else f"{place} (run {info.run}, subrun {info.subrun}, event {info.event})"

    def __repr__(self) -> str:
        return f"Event({self.label}: {', '.join(sorted(self))})"


def row_of(record_name: str, **values: Any) -> Row:
    """A single object of a declared product, from its values.

    Parameters
    ----------
    record_name : str
        Name of an ``object`` product, such as ``run_info``.
    **values
        Columns of the object.
    """
    record = product(record_name).record
    if record is None:
        raise DataError(f"product {record_name!r} holds no objects")
    return Table.from_rows(record, [values])[0]


def ragged_like(rows: list[NDArray[Any]]) -> Ragged:
    """Index list product of the given arrays."""
    return Ragged.from_list(rows, np.int32)
