"""Convolution on CUDA devices with Triton: one program per tile of output rows and channels, no atomics.

Sums run over the kernel offsets in a fixed order, so results are the same in every run. Half precision is summed in
float32. The kernels also run without a GPU under ``TRITON_INTERPRET=1``.
"""

from __future__ import annotations

import torch
import triton
import triton.language as tl
from torch import Tensor

from spine.sparse.maps import KernelMap

__all__ = ["forward", "weight_gradient"]

ROWS, CHANNELS, SPLITS = 64, 32, 16


def forward(features: Tensor, weight: Tensor, kernel_map: KernelMap) -> Tensor:
    """Compute the output features; see `spine.sparse.backends.Backend`."""
    out = features.new_zeros((kernel_map.n_out, weight.shape[2]))
    if out.numel() and features.numel():
        grid = (triton.cdiv(out.shape[0], ROWS), triton.cdiv(out.shape[1], CHANNELS))
        convolve[grid](features, weight, kernel_map.table, out, out.shape[0], *weight.shape, *_blocks())
    return out


def weight_gradient(features: Tensor, gradient: Tensor, kernel_map: KernelMap) -> Tensor:
    """Compute the gradient of the weights; see `spine.sparse.backends.Backend`."""
    shape = (kernel_map.volume, features.shape[1], gradient.shape[1])
    if not gradient.numel() or not features.numel():
        return features.new_zeros(shape)
    span = triton.cdiv(triton.cdiv(len(gradient), SPLITS), ROWS) * ROWS
    splits = triton.cdiv(len(gradient), span)
    parts = torch.empty((splits, *shape), dtype=torch.float32, device=features.device)
    grid = (shape[0] * splits, triton.cdiv(shape[1], CHANNELS), triton.cdiv(shape[2], CHANNELS))
    multiply[grid](features, gradient, kernel_map.table, parts, len(gradient), span, *shape, *_blocks())
    return parts.sum(dim=0).to(features.dtype)


def _blocks() -> tuple[int, int, str]:
    """Sizes of the tiles, and the precision of float32 products that torch is set to."""
    precision = "tf32" if torch.backends.cuda.matmul.allow_tf32 else "ieee"
    return ROWS, CHANNELS, precision


@triton.jit  # type: ignore[untyped-decorator]
def convolve(  # type: ignore[no-untyped-def]
    x, w, table, out, n_out, volume, width_in, width_out, M: tl.constexpr, C: tl.constexpr, PRECISION: tl.constexpr
):
    """Fill one tile of ``out[j] = sum_k x[table[k, j]] @ w[k]``."""
    rows = tl.program_id(0) * M + tl.arange(0, M)
    columns = tl.program_id(1) * C + tl.arange(0, C)
    total = tl.zeros((M, C), tl.float32)
    for k in range(volume):
        into = tl.load(table + k * n_out + rows, mask=rows < n_out, other=-1).to(tl.int64)
        if tl.max(into, 0) >= 0:
            for begin in range(0, width_in, C):
                inner = begin + tl.arange(0, C)
                a_mask = (into >= 0)[:, None] & (inner < width_in)[None, :]
                a = tl.load(x + into[:, None] * width_in + inner[None, :], mask=a_mask, other=0.0)
                b_mask = (inner < width_in)[:, None] & (columns < width_out)[None, :]
                place = (k * width_in + inner)[:, None] * width_out + columns[None, :]
                b = tl.load(w + place, mask=b_mask, other=0.0)
                total += tl.dot(a, b, input_precision=PRECISION)
    place = rows.to(tl.int64)[:, None] * width_out + columns[None, :]
    tl.store(out + place, total, mask=(rows < n_out)[:, None] & (columns < width_out)[None, :])


@triton.jit  # type: ignore[untyped-decorator]
def multiply(  # type: ignore[no-untyped-def]
    x,
    g,
    table,
    out,
    n_out,
    span,
    volume,
    width_in,
    width_out,
    M: tl.constexpr,
    C: tl.constexpr,
    PRECISION: tl.constexpr,
):
    """Fill one tile of ``out[part, k] = sum_j x[table[k, j]]^T g[j]`` over the rows of a part."""
    k, part = tl.program_id(0) % volume, tl.program_id(0) // volume
    left = tl.program_id(1) * C + tl.arange(0, C)
    right = tl.program_id(2) * C + tl.arange(0, C)
    total = tl.zeros((C, C), tl.float32)
    for begin in range(0, span, M):
        rows = part * span + begin + tl.arange(0, M)
        into = tl.load(table + k * n_out + rows, mask=rows < n_out, other=-1).to(tl.int64)
        if tl.max(into, 0) >= 0:
            a_mask = (into >= 0)[None, :] & (left < width_in)[:, None]
            a = tl.load(x + into[None, :] * width_in + left[:, None], mask=a_mask, other=0.0)
            b_mask = (into >= 0)[:, None] & (right < width_out)[None, :]
            b = tl.load(g + rows.to(tl.int64)[:, None] * width_out + right[None, :], mask=b_mask, other=0.0)
            total += tl.dot(a, b, input_precision=PRECISION)
    place = ((part * volume + k) * width_in + left)[:, None].to(tl.int64) * width_out + right[None, :]
    tl.store(out + place, total, mask=(left < width_in)[:, None] & (right < width_out)[None, :])
