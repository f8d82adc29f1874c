"""Layers that change or join coordinates. None has parameters."""

from __future__ import annotations

from torch import Tensor, nn

from spine.sparse.structure import concatenate, prune, union
from spine.sparse.tensor import SparseTensor

__all__ = ["Concatenation", "Pruning", "Union"]


class Pruning(nn.Module):
    """Keep the sites where a mask is true."""

    def forward(self, tensor: SparseTensor, keep: Tensor) -> SparseTensor:
        """Keep rows of ``(N, C)`` by an (N,) boolean mask."""
        return prune(tensor, keep)


class Union(nn.Module):
    """Add tensors on the union of their sites."""

    def forward(self, *tensors: SparseTensor) -> SparseTensor:
        """Add tensors of one width and stride."""
        return union(*tensors)


class Concatenation(nn.Module):
    """Join the channels of tensors on the same sites."""

    def forward(self, *tensors: SparseTensor) -> SparseTensor:
        """Join the channels."""
        return concatenate(*tensors)
