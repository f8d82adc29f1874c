"""Coordinate sets of one batch at all tensor strides, and the kernel maps between them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from spine.errors import DataError
from spine.sparse.kernel import Kernel
from spine.sparse.keys import KeyLayout
from spine.sparse.maps import KernelMap, search_pairs, search_pairs_mirrored

__all__ = ["CoordinateSet", "MapKey", "Origin", "Pyramid"]


@dataclass(frozen=True)
class MapKey:
    """Name of a coordinate set within a pyramid."""

    stride: tuple[int, ...]
    name: str = ""


@dataclass(frozen=True, eq=False)
class CoordinateSet:
    """Sorted, unique coordinates."""

    layout: KeyLayout
    keys: Tensor

    def __len__(self) -> int:
        return len(self.keys)

    @cached_property
    def coordinates(self) -> Tensor:
        """(N, 1 + D) int32 coordinates, batch index first."""
        return self.layout.unpack(self.keys)

    @cached_property
    def batch(self) -> Tensor:
        """(N,) int64 batch index of every row."""
        return self.layout.batch(self.keys)

    def find(self, wanted: Tensor) -> tuple[Tensor, Tensor]:
        """Rows of keys.

        Parameters
        ----------
        wanted : (M,) int64 keys

        Returns
        -------
        found : torch.Tensor
            (K,) int64 positions in ``wanted`` of the keys that are here.
        rows : torch.Tensor
            (K,) int64 rows of those.
        """
        if len(self) == 0:
            return wanted[:0], wanted[:0]
        rows = torch.searchsorted(self.keys, wanted).clamp_(max=len(self) - 1)
        found = torch.nonzero(self.keys[rows] == wanted).squeeze(1)
        return found, rows[found]

    def bounds(self, batch_size: int) -> list[int]:
        """First row of every batch entry, and the number of rows at the end."""
        starts = [self.layout.batch_start(b) for b in range(batch_size)]
        edges = torch.tensor(starts, dtype=torch.int64, device=self.keys.device)
        return [*torch.searchsorted(self.keys, edges).tolist(), len(self)]


@dataclass(frozen=True, eq=False)
class Origin:
    """How the rows of a coordinate set came from the caller's rows.

    Parameters
    ----------
    inverse : (M,) int64 row of the set for each of the caller's rows
    first : (N,) int64 first of the caller's rows for each row of the set
    """

    inverse: Tensor
    first: Tensor


class Pyramid:
    """All coordinate sets that belong together, with the kernel maps between them.

    Sets are made when a layer first needs them and are shared by every tensor of the pyramid; so are kernel maps.

    Parameters
    ----------
    dimension : Number of spatial axes
    batch_size : Number of batch entries, empty ones included
    shift : (B, D) int64 translation that was added to the caller's coordinates of each batch entry (optional)

    The rules which set a layer writes to are those of MinkowskiEngine's ``CoordinateMapManager``: a strided layer
    keeps the name of its input set, a transposed layer writes to the set with the empty name.
    """

    def __init__(self, dimension: int, batch_size: int, shift: Tensor | None = None) -> None:
        self.layout = KeyLayout(dimension)
        self.batch_size = batch_size
        self.shift = shift
        self.origins: dict[MapKey, Origin] = {}
        self._sets: dict[MapKey, CoordinateSet] = {}
        self._maps: dict[tuple[MapKey, MapKey, Kernel, bool], KernelMap] = {}

    @property
    def dimension(self) -> int:
        """Number of spatial axes."""
        return self.layout.dimension

    def __getitem__(self, key: MapKey) -> CoordinateSet:
        return self._sets[key]

    def __contains__(self, key: MapKey) -> bool:
        return key in self._sets

    def insert(self, keys: Tensor, stride: tuple[int, ...], name: str = "") -> MapKey:
        """Add a coordinate set, or find the equal one of the same stride.

        Parameters
        ----------
        keys : (N,) sorted unique int64 keys
        stride : Tensor stride
        name : Wished name; a number is added when another set has it

        Returns where the set is.
        """
        for key, known in self._sets.items():
            if key.stride == stride and len(known) == len(keys) and torch.equal(known.keys, keys):
                return key
        return self._add(keys, stride, name)

    def place(self, keys: Tensor, stride: tuple[int, ...], origin: Origin) -> MapKey:
        """Add the sites of a caller's tensor, with the way back to the caller's rows.

        Returns an equal set that exists already, unless its rows came from the caller in another order.
        """
        key = self.insert(keys, stride)
        known = self.origins.get(key)
        if known is not None and not torch.equal(known.inverse, origin.inverse):
            key = self._add(keys, stride, "")
        self.origins[key] = origin
        return key

    def _add(self, keys: Tensor, stride: tuple[int, ...], name: str) -> MapKey:
        key, count = MapKey(stride, name), 1
        while key in self._sets:
            key, count = MapKey(stride, f"{name}-{count}"), count + 1
        self._sets[key] = CoordinateSet(self.layout, keys)
        return key

    def strided(self, source: MapKey, stride: Sequence[int]) -> MapKey:
        """Set of the cells of ``stride`` input cells that hold at least one row.

        Coordinates are rounded down to multiples of the new tensor stride. A set of that stride and the same name
        that exists already is used as it is.
        """
        coarse = tuple(a * b for a, b in zip(source.stride, stride, strict=True))
        key = MapKey(coarse, source.name)
        if coarse == source.stride:
            return source
        if key not in self._sets:
            keys = torch.unique(self.layout.floor(self._sets[source].keys, coarse))
            self._sets[key] = CoordinateSet(self.layout, keys)
        return key

    def expanded(self, source: MapKey, kernel: Kernel) -> MapKey:
        """Set of all outputs that a convolution can reach from the input (``expand_coordinates``)."""
        stride = tuple(a * b for a, b in zip(source.stride, kernel.strides, strict=True))
        moved = self._moved(source, kernel, source.stride)
        if max(kernel.strides) > 1:
            moved = torch.unique(self.layout.floor(moved, stride))
        return self.insert(moved, stride, source.name)

    def refined(self, source: MapKey, kernel: Kernel, expand: bool = False) -> MapKey:
        """Set that a transposed layer writes to.

        The existing set of the finer stride with the empty name; when there is none, or with ``expand``, all
        voxels that the kernel reaches from the coarse rows.

        Raises DataError when the tensor stride is no multiple of the layer's stride.
        """
        if any(a % b for a, b in zip(source.stride, kernel.strides, strict=True)):
            raise DataError(
                "a transposed layer cannot undo this stride",
                got=source.stride,
                expected=f"multiple of {kernel.strides}",
            )
        stride = tuple(a // b for a, b in zip(source.stride, kernel.strides, strict=True))
        if not expand and stride == source.stride:
            return source
        key = MapKey(stride)
        if not expand and key in self._sets:
            return key
        return self.insert(self._moved(source, kernel, stride), stride)

    def per_batch(self, source: MapKey) -> MapKey:
        """Set with one row at the origin for each batch entry that has rows in ``source``."""
        rows = torch.unique_consecutive(self._sets[source].batch)
        coordinates = torch.zeros((len(rows), self.dimension + 1), dtype=torch.int64, device=rows.device)
        coordinates[:, 0] = rows
        return self.insert(self.layout.pack(coordinates), (0,) * self.dimension)

    def kernel_map(self, fine: MapKey, coarse: MapKey, kernel: Kernel, cell: bool = False) -> KernelMap:
        """Pairs of a convolution from ``fine`` to ``coarse``; its ``transposed`` serves the way back.

        Parameters
        ----------
        fine, coarse : Input and output set of the (not transposed) layer
        kernel : Kernel; offsets are multiples of the tensor stride of ``fine``
        cell : Take the members of the stride cell instead of the centred window
        """
        request = (fine, coarse, kernel, cell)
        found = self._maps.get(request)
        if found is None:
            found = self._maps[request] = self._build(fine, coarse, kernel, cell)
        return found

    def _build(self, fine: MapKey, coarse: MapKey, kernel: Kernel, cell: bool) -> KernelMap:
        offsets = kernel.cell(fine.stride) if cell else kernel.offsets(fine.stride)
        deltas = [self.layout.delta(offset) for offset in offsets]
        if fine == coarse and kernel.symmetric and not cell:
            return search_pairs_mirrored(self._sets[fine].keys, deltas)
        return search_pairs(self._sets[fine].keys, self._sets[coarse].keys, deltas)

    def _moved(self, source: MapKey, kernel: Kernel, step: Sequence[int]) -> Tensor:
        deltas = [self.layout.delta(offset) for offset in kernel.offsets(step)]
        return self.layout.shift(self._sets[source].keys, deltas)
