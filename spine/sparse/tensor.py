"""Sparse tensors: features on a coordinate set of a pyramid."""

from __future__ import annotations

import itertools
import operator
from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor

from spine.errors import DataError
from spine.sparse.coordinates import CoordinateSet, MapKey, Origin, Pyramid
from spine.sparse.kernel import Spatial, per_axis

__all__ = ["Duplicates", "SparseTensor", "sparse_tensor"]

Duplicates = Literal["sum", "mean", "first"]


class SparseTensor:
    """Features on sorted coordinates.

    Rows are always in the order of (batch, x, y, ..): results do not depend on the order in which the caller gave
    them. `aligned_features` gives the rows back in the caller's order.

    Parameters
    ----------
    features : (N, C) features
    key : Coordinate set of the rows
    pyramid : Where the set lives
    """

    __slots__ = ("features", "key", "pyramid")

    def __init__(self, features: Tensor, key: MapKey, pyramid: Pyramid) -> None:
        if features.ndim != 2 or len(features) != len(pyramid[key]):
            raise DataError(
                "features do not fit the coordinates",
                got=tuple(features.shape),
                expected=(len(pyramid[key]), "C"),
            )
        self.features = features
        self.key = key
        self.pyramid = pyramid

    @property
    def coordinates(self) -> Tensor:
        """(N, 1 + D) int32 coordinates, batch index first."""
        return self.sites.coordinates

    @property
    def sites(self) -> CoordinateSet:
        """Coordinate set of the rows."""
        return self.pyramid[self.key]

    @property
    def tensor_stride(self) -> tuple[int, ...]:
        """Distance of neighbouring sites along each axis, in voxels."""
        return self.key.stride

    @property
    def dimension(self) -> int:
        """Number of spatial axes."""
        return self.pyramid.dimension

    @property
    def batch_size(self) -> int:
        """Number of batch entries, empty ones included."""
        return self.pyramid.batch_size

    @property
    def bounds(self) -> list[int]:
        """First row of every batch entry, and the number of rows at the end."""
        return self.sites.bounds(self.batch_size)

    @property
    def counts(self) -> Tensor:
        """(B,) int64 rows of every batch entry."""
        return torch.tensor(self.bounds, device=self.device).diff()

    @property
    def shape(self) -> torch.Size:
        """Shape of the features."""
        return self.features.shape

    @property
    def dtype(self) -> torch.dtype:
        """Type of the features."""
        return self.features.dtype

    @property
    def device(self) -> torch.device:
        """Device of the features."""
        return self.features.device

    @property
    def requires_grad(self) -> bool:
        """Whether gradients flow to the features."""
        return self.features.requires_grad

    def __len__(self) -> int:
        return len(self.features)

    def __repr__(self) -> str:
        rows, channels = self.shape
        return f"SparseTensor({rows} rows, {channels} channels, stride {self.tensor_stride}, batch {self.batch_size})"

    def replace_features(self, features: Tensor) -> SparseTensor:
        """Return other features on the same coordinates."""
        return SparseTensor(features, self.key, self.pyramid)

    def detach(self) -> SparseTensor:
        """Return the same tensor without its history."""
        return self.replace_features(self.features.detach())

    def alignment(self) -> tuple[Tensor, Tensor]:
        """Where the caller's rows are.

        Returns
        -------
        caller : torch.Tensor
            (M,) int64 numbers of the caller's rows, in their order; those that were pruned away are left out.
        rows : torch.Tensor
            (M,) int64 rows of this tensor.

        Raises DataError when the caller gave no sites of this tensor stride.
        """
        for key, origin in self.pyramid.origins.items():
            if key == self.key:
                return torch.arange(len(origin.inverse), device=self.device), origin.inverse
        for key, origin in self.pyramid.origins.items():
            if key.stride == self.tensor_stride:
                return self.sites.find(self.pyramid[key].keys[origin.inverse])
        raise DataError("the caller gave no sites of this stride", got=self.tensor_stride)

    def aligned_features(self) -> Tensor:
        """(M, C) features in the order, and with the repetitions, of the caller's rows (see `alignment`)."""
        return self.features.index_select(0, self.alignment()[1])

    @property
    def canonical_coordinates(self) -> Tensor:
        """(N, 1 + D) int32 coordinates before a translation by `translated`."""
        shift = self.pyramid.shift
        if shift is None:
            return self.coordinates
        moved = self.coordinates.clone()
        moved[:, 1:] -= shift[self.sites.batch].int()
        return moved

    def decomposed(self) -> list[tuple[Tensor, Tensor]]:
        """Spatial coordinates and features of every batch entry, empty ones included."""
        bounds = self.bounds
        spans = [slice(a, b) for a, b in itertools.pairwise(bounds)]
        return [(self.coordinates[span, 1:], self.features[span]) for span in spans]

    def translated(self, shift: Tensor) -> SparseTensor:
        """Move every batch entry by its own offset, on a pyramid of its own.

        Parameters
        ----------
        shift : (B, D) int64 voxels. Row order does not change. Only for tensors on the caller's sites.

        Returns same features; `canonical_coordinates` are those of the caller.
        """
        coordinates = self.coordinates.long()
        coordinates[:, 1:] += shift[self.sites.batch]
        old = self.pyramid
        total = shift if old.shift is None else old.shift + shift
        pyramid = Pyramid(self.dimension, self.batch_size, total)
        key = pyramid.place(pyramid.layout.pack(coordinates), self.tensor_stride, old.origins[self.key])
        return SparseTensor(self.features, key, pyramid)

    def __add__(self, other: SparseTensor | Tensor | float) -> SparseTensor:
        return self._combine(other, operator.add)

    def __sub__(self, other: SparseTensor | Tensor | float) -> SparseTensor:
        return self._combine(other, operator.sub)

    def __mul__(self, other: SparseTensor | Tensor | float) -> SparseTensor:
        return self._combine(other, operator.mul)

    def __truediv__(self, other: SparseTensor | Tensor | float) -> SparseTensor:
        return self._combine(other, operator.truediv)

    __radd__ = __add__
    __rmul__ = __mul__

    def _combine(
        self, other: SparseTensor | Tensor | float, function: Callable[[Tensor, Tensor], Tensor]
    ) -> SparseTensor:
        if not isinstance(other, SparseTensor):
            value = other if isinstance(other, Tensor) else self.features.new_tensor(other)
            return self.replace_features(function(self.features, value))
        if self.shares_sites(other):
            return self.replace_features(function(self.features, other.features))
        from spine.sparse.structure import combine

        return combine(self, other, function)

    def shares_sites(self, other: SparseTensor) -> bool:
        """Whether both tensors have the same rows at the same places."""
        if self.pyramid is other.pyramid and self.key == other.key:
            return True
        return self.tensor_stride == other.tensor_stride and torch.equal(self.sites.keys, other.sites.keys)


def sparse_tensor(
    features: Tensor,
    coordinates: Tensor,
    tensor_stride: Spatial = 1,
    batch_size: int | None = None,
    duplicates: Duplicates = "sum",
    pyramid: Pyramid | None = None,
) -> SparseTensor:
    """Make a sparse tensor from rows in any order.

    Parameters
    ----------
    features : (M, C) or (M,) features
    coordinates : (M, 1 + D) batch index and voxel coordinates, negative ones allowed. Real numbers are rounded down.
    tensor_stride : Distance of neighbouring sites
    batch_size : Number of batch entries; by default the largest batch index plus one (optional)
    duplicates : {"sum", "mean", "first"}: what becomes of the features of equal coordinates
    pyramid : Put the sites into this pyramid, next to those of other tensors (optional)

    Returns rows in canonical order.
    Raises DataError when shapes disagree or a coordinate is out of range.
    """
    features = features[:, None] if features.ndim == 1 else features
    if coordinates.ndim != 2 or features.ndim != 2 or len(features) != len(coordinates):
        raise DataError(
            "features and coordinates need the same rows",
            got=(tuple(features.shape), tuple(coordinates.shape)),
            expected="(M, C) and (M, 1 + D)",
        )
    dimension = coordinates.shape[1] - 1
    if pyramid is None:
        pyramid = Pyramid(dimension, 0)
    stride = per_axis(tensor_stride, dimension, "tensor stride")
    packed = pyramid.layout.pack(coordinates)
    keys, inverse = torch.unique(packed, return_inverse=True)
    found = int(pyramid.layout.batch(keys[-1:]).item()) + 1 if len(keys) else 0
    pyramid.batch_size = max(pyramid.batch_size, _checked_batch_size(batch_size, found))
    origin = Origin(inverse, _first_rows(inverse, len(keys)))
    key = pyramid.place(keys, stride, origin)
    return SparseTensor(_reduce(features, origin, duplicates), key, pyramid)


def _checked_batch_size(batch_size: int | None, found: int) -> int:
    if batch_size is not None and batch_size < found:
        raise DataError("more batch entries than the batch size", got=found, expected=batch_size)
    return found if batch_size is None else batch_size


def _first_rows(inverse: Tensor, count: int) -> Tensor:
    """First of the caller's rows of each site."""
    rows = torch.arange(len(inverse), device=inverse.device)
    first = torch.full((count,), len(inverse), dtype=torch.int64, device=inverse.device)
    return first.scatter_reduce(0, inverse, rows, "amin")


def _reduce(features: Tensor, origin: Origin, duplicates: Duplicates) -> Tensor:
    """One row per site; sums are taken in double precision, so that their order hardly matters."""
    if duplicates not in ("sum", "mean", "first"):
        raise DataError("unknown rule for duplicates", got=duplicates, expected="sum, mean or first")
    if len(origin.first) == len(features) or duplicates == "first":
        return features.index_select(0, origin.first)
    total = features.new_zeros((len(origin.first), features.shape[1]), dtype=torch.float64)
    total = total.index_add(0, origin.inverse, features.double())
    if duplicates == "mean":
        total = total / torch.bincount(origin.inverse)[:, None]
    return total.to(features.dtype)
