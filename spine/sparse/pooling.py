"""Pooling over kernels and its way back, and pooling and broadcasting per batch entry."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor
from torch.autograd.function import FunctionCtx, once_differentiable

from spine.errors import DataError
from spine.sparse.kernel import Kernel
from spine.sparse.maps import KernelMap
from spine.sparse.segments import segment_max, segment_mean, segment_sum
from spine.sparse.tensor import SparseTensor

__all__ = ["Reduction", "broadcast", "global_pool", "pool", "unpool"]

Reduction = Literal["max", "avg", "sum"]


def pool(tensor: SparseTensor, kernel: Kernel, reduction: Reduction) -> SparseTensor:
    """Reduce the sites under a kernel.

    Parameters
    ----------
    tensor : (N, C) input
    kernel : Kernel
        Geometry. When size and stride are equal the sites of each stride cell are taken, also for odd sizes, as
        MinkowskiEngine does; otherwise the window of the convolution.
    reduction : {"max", "avg", "sum"}: what to do with the sites present; "avg" divides by their number

    Returns (M, C) output.
    """
    pyramid = tensor.pyramid
    out = pyramid.strided(tensor.key, kernel.strides)
    kernel_map = pyramid.kernel_map(tensor.key, out, kernel, cell=kernel.sizes == kernel.strides)
    if reduction == "max":
        return SparseTensor(_max(tensor.features, kernel_map), out, pyramid)
    total = _sum(tensor.features, kernel_map)
    if reduction == "avg":
        total = total / kernel_map.fan_in.clamp(min=1)[:, None]
    return SparseTensor(total, out, pyramid)


def unpool(tensor: SparseTensor, kernel: Kernel) -> SparseTensor:
    """Copy every coarse row to the finer sites under the kernel and add up, without dividing.

    Returns (M, C) output on the earlier set of the finer stride; when there is none, on all children.
    """
    pyramid = tensor.pyramid
    out = pyramid.refined(tensor.key, kernel)
    kernel_map = pyramid.kernel_map(out, tensor.key, kernel, cell=kernel.sizes == kernel.strides)
    return SparseTensor(_sum(tensor.features, kernel_map.transposed), out, pyramid)


def global_pool(tensor: SparseTensor, reduction: Reduction) -> SparseTensor:
    """Reduce every batch entry to one row.

    Returns one row at the origin per batch entry that has sites, in the order of the batch; tensor stride 0.
    """
    pyramid = tensor.pyramid
    key = pyramid.per_batch(tensor.key)
    bounds = [tensor.bounds[b] for b in pyramid[key].batch.tolist()] + [len(tensor)]
    reduce = {"max": segment_max, "avg": segment_mean, "sum": segment_sum}[reduction]
    return SparseTensor(reduce(tensor.features, bounds), key, pyramid)


def broadcast(tensor: SparseTensor, rows: SparseTensor) -> Tensor:
    """Features of the batch entry of each site.

    Parameters
    ----------
    tensor : (N, C) sites
    rows : One row of D channels per batch entry, as from `global_pool`

    Returns (N, D) row of the batch entry of each site.
    Raises DataError when a batch entry with sites has no row.
    """
    batch = rows.sites.batch
    place = torch.searchsorted(batch, tensor.sites.batch)
    if len(place) and (len(batch) == 0 or not torch.equal(batch[place.clamp(max=len(batch) - 1)], tensor.sites.batch)):
        raise DataError("a batch entry has no row to broadcast", got=batch.tolist())
    return rows.features.index_select(0, place)


def _sum(features: Tensor, kernel_map: KernelMap) -> Tensor:
    total = features.new_zeros((kernel_map.n_out, features.shape[1]))
    for k in range(kernel_map.volume):
        rows_in, rows_out = kernel_map.pairs(k)
        total = total.index_add(0, rows_out, features.index_select(0, rows_in))
    return total


def _max(features: Tensor, kernel_map: KernelMap) -> Tensor:
    out: Tensor = _Maximum.apply(features, kernel_map)  # type: ignore[no-untyped-call]
    return out


class _Context(FunctionCtx):
    rows: int
    saved_tensors: tuple[Tensor, ...]


class _Maximum(torch.autograd.Function):
    """Largest value per output row and channel; the gradient goes to the first of equal values in kernel order."""

    @staticmethod
    def forward(ctx: _Context, features: Tensor, kernel_map: KernelMap) -> Tensor:
        best = features.new_full((kernel_map.n_out, features.shape[1]), -torch.inf)
        where = torch.zeros_like(best, dtype=torch.int64)
        for k in range(kernel_map.volume):
            rows_in, rows_out = (rows.long() for rows in kernel_map.pairs(k))
            values, before = features[rows_in], best[rows_out]
            better = values > before
            best[rows_out] = torch.where(better, values, before)
            where[rows_out] = torch.where(better, rows_in[:, None], where[rows_out])
        ctx.rows = len(features)
        ctx.save_for_backward(where)
        return best

    @staticmethod
    @once_differentiable
    def backward(ctx: _Context, gradient: Tensor) -> tuple[Tensor, None]:
        (where,) = ctx.saved_tensors
        out = gradient.new_zeros((ctx.rows, gradient.shape[1]))
        return out.scatter_add_(0, where, gradient), None
