"""Convolution in plain torch: gather, multiply and add once per kernel offset. Any device, any real type."""

from __future__ import annotations

import torch
from torch import Tensor

from spine.sparse.maps import KernelMap

__all__ = ["forward", "weight_gradient"]


def forward(features: Tensor, weight: Tensor, kernel_map: KernelMap) -> Tensor:
    """Compute the output features; see `spine.sparse.backends.Backend`.

    Each offset touches an output row at most once, so the order of the sum is fixed on every device.
    """
    centre = kernel_map.identity
    out = features @ weight[centre] if centre >= 0 else features.new_zeros((kernel_map.n_out, weight.shape[2]))
    for k in range(kernel_map.volume):
        rows_in, rows_out = kernel_map.pairs(k)
        if k != centre and len(rows_in):
            out.index_add_(0, rows_out, features.index_select(0, rows_in) @ weight[k])
    return out


def weight_gradient(features: Tensor, gradient: Tensor, kernel_map: KernelMap) -> Tensor:
    """Compute the gradient of the weights; see `spine.sparse.backends.Backend`."""
    out = features.new_zeros((kernel_map.volume, features.shape[1], gradient.shape[1]))
    for k in range(kernel_map.volume):
        rows_in, rows_out = kernel_map.pairs(k)
        if len(rows_in):
            torch.mm(features.index_select(0, rows_in).t(), gradient.index_select(0, rows_out), out=out[k])
    return out
