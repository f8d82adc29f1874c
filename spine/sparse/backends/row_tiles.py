"""Convolution on CPUs: tiles of output rows that stay in the cache, one gather, one BLAS call and one add per offset.

Tiles depend on the shapes alone, and a tile is the work of one thread, so the number of threads never changes a bit
of the result.
"""

from __future__ import annotations

import functools
import threading
from typing import Any, TypeAlias

import numpy as np
import scipy.linalg.cython_blas  # noqa: F401  (numba takes its BLAS from here; it must be loaded before the limits)
from numpy.typing import NDArray
from threadpoolctl import ThreadpoolController
from torch import Tensor

from spine.sparse.compiled import compiled, in_threads
from spine.sparse.maps import KernelMap

__all__ = ["forward", "weight_gradient"]

Real: TypeAlias = NDArray[np.floating[Any]]
Rows: TypeAlias = NDArray[np.int32]
Pairs: TypeAlias = tuple[Rows, Rows, NDArray[np.int64]]

CHUNK = 512
_scratch = threading.local()


def forward(features: Tensor, weight: Tensor, kernel_map: KernelMap) -> Tensor:
    """Compute the output features; see `spine.sparse.backends.Backend`."""
    out = features.new_empty((kernel_map.n_out, weight.shape[2]))
    x, w, y = features.detach().numpy(), weight.detach().numpy(), out.numpy()
    rows = _tile_rows(weight.shape[1], weight.shape[2])
    pairs = _tiled(kernel_map, rows)
    n_tiles = pairs[2].shape[1] - 1

    def task(first: int, last: int) -> None:
        buffers = _buffers(x.dtype, weight.shape[1], weight.shape[2])
        convolve_tiles(x, w, y, pairs, (first, last, rows, kernel_map.identity), buffers)

    with _single_blas_thread():
        in_threads(task, n_tiles)
    return out


def weight_gradient(features: Tensor, gradient: Tensor, kernel_map: KernelMap) -> Tensor:
    """Compute the gradient of the weights; see `spine.sparse.backends.Backend`."""
    x, g = features.detach().numpy(), gradient.detach().numpy()
    rows = 2 * _tile_rows(x.shape[1], g.shape[1])
    pairs = _tiled(kernel_map, rows)
    n_tiles = pairs[2].shape[1] - 1
    parts = max(1, min(8, n_tiles // 4))
    out = features.new_zeros((parts, kernel_map.volume, x.shape[1], g.shape[1]))
    sums = out.numpy()

    def task(first: int, last: int) -> None:
        product = np.empty((x.shape[1], g.shape[1]), x.dtype)
        for part in range(first, last):
            span = (n_tiles * part // parts, n_tiles * (part + 1) // parts, rows, kernel_map.identity)
            multiply_tiles(x, g, sums[part], pairs, span, product)

    with _single_blas_thread():
        in_threads(task, parts)
    return out.sum(dim=0) if parts > 1 else out[0]


def _tile_rows(channels_in: int, channels_out: int) -> int:
    """Output rows of a tile: small enough for the second-level cache, large enough for the matrix products."""
    return 2048 if max(channels_in, channels_out) <= 64 else 1024


def _tiled(kernel_map: KernelMap, rows: int) -> Pairs:
    """Pairs as arrays, and (K, T + 1) where the pairs of each offset enter each tile."""
    found = kernel_map.derived.get(("tiles", rows))
    if found is None:
        n_tiles = -(-kernel_map.n_out // rows)
        edges = np.arange(n_tiles + 1, dtype=np.int32) * rows
        out = kernel_map.rows_out.numpy()
        splits = kernel_map.splits
        starts = np.empty((kernel_map.volume, n_tiles + 1), np.int64)
        for k in range(kernel_map.volume):
            starts[k] = splits[k] + np.searchsorted(out[splits[k] : splits[k + 1]], edges)
        found = kernel_map.derived["tiles", rows] = (kernel_map.rows_in.numpy(), out, starts)
    return found  # type: ignore[return-value]


def _buffers(dtype: np.dtype[Any], channels_in: int, channels_out: int) -> tuple[Real, Real]:
    """Scratch arrays of this thread, kept between calls."""
    found: dict[object, tuple[Real, Real]] = _scratch.__dict__.setdefault("buffers", {})
    key = (dtype, channels_in, channels_out)
    if key not in found:
        found[key] = np.empty((CHUNK, channels_in), dtype), np.empty((CHUNK, channels_out), dtype)
    return found[key]


@functools.cache
def _blas() -> ThreadpoolController:
    return ThreadpoolController().select(internal_api="openblas")


def _single_blas_thread() -> Any:
    """Keep the matrix products inside our threads from starting threads of their own."""
    return _blas().limit(limits=1)


@compiled
def convolve_tiles(
    x: Real, w: Real, out: Real, pairs: Pairs, span: tuple[int, int, int, int], buffers: tuple[Real, Real]
) -> None:
    """Fill the output rows of tiles ``span[0]`` to ``span[1] - 1``."""
    rows_in, rows_out, starts = pairs
    first, last, rows, identity = span
    gathered, product = buffers
    chunk = gathered.shape[0]
    for tile in range(first, last):
        low, high = tile * rows, min((tile + 1) * rows, out.shape[0])
        if identity >= 0:
            np.dot(x[low:high], w[identity], out[low:high])
        else:
            out[low:high] = 0
        for k in range(w.shape[0]):
            if k == identity:
                continue
            for begin in range(starts[k, tile], starts[k, tile + 1], chunk):
                n = min(chunk, starts[k, tile + 1] - begin)
                for i in range(n):
                    row = rows_in[begin + i]
                    for c in range(x.shape[1]):
                        gathered[i, c] = x[row, c]
                np.dot(gathered[:n], w[k], product[:n])
                for i in range(n):
                    row = rows_out[begin + i]
                    for c in range(out.shape[1]):
                        out[row, c] += product[i, c]


@compiled
def multiply_tiles(x: Real, g: Real, out: Real, pairs: Pairs, span: tuple[int, int, int, int], product: Real) -> None:
    """Add the products of tiles ``span[0]`` to ``span[1] - 1`` to the gradient of the weights."""
    rows_in, rows_out, starts = pairs
    first, last, rows, identity = span
    for tile in range(first, last):
        for k in range(out.shape[0]):
            if k == identity:
                low, high = tile * rows, min((tile + 1) * rows, g.shape[0])
                np.dot(x[low:high].T, g[low:high], product)
                out[k] += product
            else:
                begin, end = starts[k, tile], starts[k, tile + 1]
                add_outer_products(x, g, out[k], rows_in[begin:end], rows_out[begin:end])


@compiled
def add_outer_products(x: Real, g: Real, out: Real, rows_in: Rows, rows_out: Rows) -> None:
    """Add ``x[i]^T g[j]`` over pairs of rows, eight pairs for each pass over ``out``.

    For these narrow matrices this is faster than a gather and a BLAS call.
    """
    n = len(rows_in) // 8 * 8
    for p in range(0, n, 8):
        x0, x1, x2, x3 = x[rows_in[p]], x[rows_in[p + 1]], x[rows_in[p + 2]], x[rows_in[p + 3]]
        x4, x5, x6, x7 = x[rows_in[p + 4]], x[rows_in[p + 5]], x[rows_in[p + 6]], x[rows_in[p + 7]]
        g0, g1, g2, g3 = g[rows_out[p]], g[rows_out[p + 1]], g[rows_out[p + 2]], g[rows_out[p + 3]]
        g4, g5, g6, g7 = g[rows_out[p + 4]], g[rows_out[p + 5]], g[rows_out[p + 6]], g[rows_out[p + 7]]
        for i in range(out.shape[0]):
            row = out[i]
            for j in range(out.shape[1]):
                low = x0[i] * g0[j] + x1[i] * g1[j] + x2[i] * g2[j] + x3[i] * g3[j]
                high = x4[i] * g4[j] + x5[i] * g5[j] + x6[i] * g6[j] + x7[i] * g7[j]
                row[j] += low + high
    for p in range(n, len(rows_in)):
        left, right = x[rows_in[p]], g[rows_out[p]]
        for i in range(out.shape[0]):
            for j in range(out.shape[1]):
                out[i, j] += left[i] * right[j]
