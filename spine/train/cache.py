"""A store of objects in memory that forgets the oldest ones when it is full."""

from __future__ import annotations

import dataclasses
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any

import numpy as np

from spine.schema import Event, Ragged, Table

__all__ = ["Cache", "size_of"]

MEGABYTE = 1e6


class Cache:
    """Objects by number.

    Parameters
    ----------
    size : float
        Memory that they may take (MB).
    """

    def __init__(self, size: float) -> None:
        self.size = size * MEGABYTE
        self._held = 0.0
        self._items: OrderedDict[int, tuple[Any, float]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._items)

    def get(self, key: int) -> Any:
        """The object, None when it is not there."""
        if key not in self._items:
            return None
        self._items.move_to_end(key)
        return self._items[key][0]

    def put(self, key: int, value: Any) -> None:
        """Keep an object, in the place of those not used for longest."""
        size = size_of(value)
        if size > self.size:
            return
        while self._held + size > self.size:
            _, (_, freed) = self._items.popitem(last=False)
            self._held -= freed
        self._items[key] = (value, size)
        self._held += size


def size_of(value: Any) -> float:
    """Bytes of the arrays in a value."""
    if isinstance(value, np.ndarray):
        return float(value.nbytes)
    if isinstance(value, Ragged):
        return float(value.values.nbytes + value.offsets.nbytes)
    if isinstance(value, Table):
        return sum(size_of(value[name]) for name in value.record.columns if value.has(name))
    if isinstance(value, Event | Mapping):
        return sum(size_of(value[name]) for name in value)
    if isinstance(value, list | tuple):
        return sum(map(size_of, value))
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return sum(size_of(getattr(value, field.name)) for field in dataclasses.fields(value))
    return sum(map(size_of, vars(value).values())) if hasattr(value, "__dict__") else 32.0
