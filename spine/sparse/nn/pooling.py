"""Pooling and broadcasting layers. None has parameters."""

from __future__ import annotations

import torch
from torch import nn

from spine.sparse.kernel import Kernel
from spine.sparse.pooling import Reduction, broadcast, global_pool, pool, unpool
from spine.sparse.tensor import SparseTensor

__all__ = [
    "AvgPooling",
    "Broadcast",
    "BroadcastAddition",
    "BroadcastConcatenation",
    "BroadcastMultiplication",
    "GlobalAvgPooling",
    "GlobalMaxPooling",
    "GlobalPooling",
    "GlobalSumPooling",
    "MaxPooling",
    "PoolingTranspose",
    "SumPooling",
]


class _Pooling(nn.Module):
    """Pooling over a kernel."""

    reduction: Reduction

    def __init__(self, kernel: Kernel | int) -> None:
        super().__init__()
        self.geometry = kernel if isinstance(kernel, Kernel) else Kernel(kernel, stride=kernel)

    def forward(self, tensor: SparseTensor) -> SparseTensor:
        """Reduce ``(N, C)`` to ``(M, C)``."""
        return pool(tensor, self.geometry, self.reduction)


class MaxPooling(_Pooling):
    """Maximum over the sites under a kernel (a `Kernel`, or a number for size and stride)."""

    reduction = "max"


class AvgPooling(_Pooling):
    """Mean over the sites present under a kernel (a `Kernel`, or a number for size and stride)."""

    reduction = "avg"


class SumPooling(_Pooling):
    """Sum over the sites under a kernel (a `Kernel`, or a number for size and stride)."""

    reduction = "sum"


class PoolingTranspose(nn.Module):
    """Copy coarse rows to the finer sites, adding up where kernels overlap."""

    def __init__(self, kernel: Kernel | int) -> None:
        super().__init__()
        self.geometry = kernel if isinstance(kernel, Kernel) else Kernel(kernel, stride=kernel)

    def forward(self, tensor: SparseTensor) -> SparseTensor:
        """Spread ``(N, C)`` to ``(M, C)``."""
        return unpool(tensor, self.geometry)


class _GlobalPooling(nn.Module):
    """Pooling of every batch entry to one row."""

    reduction: Reduction

    def forward(self, tensor: SparseTensor) -> SparseTensor:
        """Reduce ``(N, C)`` to one row per batch entry that has sites."""
        return global_pool(tensor, self.reduction)


class GlobalAvgPooling(_GlobalPooling):
    """Mean of every batch entry."""

    reduction = "avg"


class GlobalPooling(GlobalAvgPooling):
    """Mean of every batch entry (the default of MinkowskiEngine)."""


class GlobalSumPooling(_GlobalPooling):
    """Sum of every batch entry."""

    reduction = "sum"


class GlobalMaxPooling(_GlobalPooling):
    """Maximum of every batch entry."""

    reduction = "max"


class Broadcast(nn.Module):
    """Give every site the row of its batch entry."""

    def forward(self, tensor: SparseTensor, rows: SparseTensor) -> SparseTensor:
        """Return the (N, D) rows on the sites of the (N, C) tensor."""
        return tensor.replace_features(broadcast(tensor, rows))


class BroadcastAddition(nn.Module):
    """Add the row of its batch entry to every site."""

    def forward(self, tensor: SparseTensor, rows: SparseTensor) -> SparseTensor:
        """Add (B, C) rows to an (N, C) tensor."""
        return tensor.replace_features(tensor.features + broadcast(tensor, rows))


class BroadcastMultiplication(nn.Module):
    """Multiply every site with the row of its batch entry."""

    def forward(self, tensor: SparseTensor, rows: SparseTensor) -> SparseTensor:
        """Multiply an (N, C) tensor with (B, C) rows."""
        return tensor.replace_features(tensor.features * broadcast(tensor, rows))


class BroadcastConcatenation(nn.Module):
    """Append the row of its batch entry to the channels of every site."""

    def forward(self, tensor: SparseTensor, rows: SparseTensor) -> SparseTensor:
        """Join an (N, C) tensor and (B, D) rows to (N, C + D)."""
        return tensor.replace_features(torch.cat([tensor.features, broadcast(tensor, rows)], dim=1))
