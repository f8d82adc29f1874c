"""Convolution on CPUs: tiles of output rows that stay in the cache, sums that stay in registers.

Tiles depend on the shapes alone, and every sum is the work of one thread, so the number of threads never changes a
bit of the result.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from spine.sparse.backends.register_blocks import CHANNELS, VECTOR_BYTES, convolve_tiles, multiply_tiles
from spine.sparse.compiled import in_threads
from spine.sparse.maps import KernelMap

__all__ = ["forward", "weight_gradient"]

Rows: TypeAlias = NDArray[np.int32]
Tiles: TypeAlias = tuple[tuple[Rows, Rows], NDArray[np.int64]]

TILE = 1024
"""Output rows of a tile: few enough for the second-level cache, many enough for long loops."""


def forward(features: Tensor, weight: Tensor, kernel_map: KernelMap) -> Tensor:
    """Compute the output features; see `spine.sparse.backends.Backend`."""
    width = weight.shape[2]
    w = _whole_vectors(weight.detach())
    out = features.new_empty((kernel_map.n_out, w.shape[2]))
    arrays = features.detach().numpy(), w.numpy(), out.numpy()
    pairs, starts = _tiled(kernel_map)
    in_threads(lambda first, last: convolve_tiles(*arrays, pairs, (starts, TILE, first, last)), starts.shape[1] - 1)
    return out if out.shape[1] == width else out[:, :width].contiguous()


def weight_gradient(features: Tensor, gradient: Tensor, kernel_map: KernelMap) -> Tensor:
    """Compute the gradient of the weights; see `spine.sparse.backends.Backend`."""
    width = gradient.shape[1]
    g = _whole_vectors(gradient.detach())
    out = features.new_zeros((kernel_map.volume, features.shape[1], g.shape[1]))
    arrays = features.detach().numpy(), g.numpy(), out.numpy()
    pairs, starts = _tiled(kernel_map)
    units = kernel_map.volume * -(-features.shape[1] // CHANNELS)
    in_threads(lambda first, last: multiply_tiles(*arrays, pairs, (starts, first, last)), units)
    return out if out.shape[2] == width else out[:, :, :width].contiguous()


def _whole_vectors(tensor: Tensor) -> Tensor:
    """Append zeros to the last axis until it is a whole number of vectors."""
    lacking = -tensor.shape[-1] % (VECTOR_BYTES // tensor.element_size())
    return torch.nn.functional.pad(tensor, (0, lacking)) if lacking else tensor


def _tiled(kernel_map: KernelMap) -> Tiles:
    """Pairs as arrays, and (K, T + 1) where the pairs of each offset enter each tile."""
    found = kernel_map.derived.get("tiles")
    if found is None:
        edges = np.arange(-(-kernel_map.n_out // TILE) + 1, dtype=np.int32) * TILE
        out = kernel_map.rows_out.numpy()
        splits = kernel_map.splits
        starts = np.empty((kernel_map.volume, len(edges)), np.int64)
        for k in range(kernel_map.volume):
            starts[k] = splits[k] + np.searchsorted(out[splits[k] : splits[k + 1]], edges)
        found = kernel_map.derived["tiles"] = ((kernel_map.rows_in.numpy(), out), starts)
    return found  # type: ignore[return-value]
