"""Batch normalisation and activation together, with sums over rows that do not depend on the number of threads."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.autograd.function import FunctionCtx, once_differentiable

from spine.sparse.compiled import compiled, in_threads

__all__ = ["add_row", "affine", "batch_norm", "is_supported"]

Real: TypeAlias = NDArray[np.floating[Any]]
Double: TypeAlias = NDArray[np.float64]
BLOCK = 2048


def is_supported(features: Tensor) -> bool:
    """Whether the compiled functions here take these features."""
    return features.device.type == "cpu" and features.dtype in (torch.float32, torch.float64)


def affine(features: Tensor, scale: Tensor, shift: Tensor, slope: float) -> Tensor:
    """Compute ``v`` where ``v = features * scale + shift`` is positive and ``slope * v`` elsewhere, without gradient.

    Parameters
    ----------
    features : (N, C)
    scale, shift : (C,)
    """
    out = torch.empty_like(features, memory_format=torch.contiguous_format)
    x, y = features.detach().contiguous().numpy(), out.numpy()
    factor, summand = scale.detach().to(out.dtype).numpy(), shift.detach().to(out.dtype).numpy()
    leak = x.dtype.type(slope)

    def task(first: int, last: int) -> None:
        rows = slice(first * BLOCK, last * BLOCK)
        affine_rectified(x[rows], factor, summand, leak, y[rows])

    in_threads(task, _blocks(x))
    return out


class _Context(FunctionCtx):
    slope: float
    saved_tensors: tuple[Tensor, ...]


class _BatchNorm(torch.autograd.Function):
    """Normalisation with the statistics of the batch, and leaky ReLU; only the input is kept for the gradient."""

    @staticmethod
    def forward(
        ctx: _Context, features: Tensor, weight: Tensor, bias: Tensor, eps: float, slope: float
    ) -> tuple[Tensor, Tensor, Tensor]:
        features = features.contiguous()
        pivot = features[0].double()
        sums = _moments(features, pivot)
        mean = sums[0] / len(features)
        variance = (sums[1] / len(features) - mean**2).clamp_(min=0)
        mean += pivot
        rate = torch.rsqrt(variance + eps)
        scale = rate * weight
        shift = bias - mean * scale
        ctx.slope = slope
        ctx.save_for_backward(features, mean, rate, scale, shift)
        ctx.mark_non_differentiable(mean, variance)
        return affine(features, scale, shift, slope), mean, variance

    @staticmethod
    @once_differentiable
    def backward(ctx: _Context, gradient: Tensor, *_: Tensor) -> tuple[Tensor | None, ...]:
        features, mean, rate, scale, shift = ctx.saved_tensors
        gradient = gradient.contiguous()
        columns = torch.stack([scale, shift, mean, rate]).to(features.dtype).numpy()
        x, g, leak = features.numpy(), gradient.numpy(), features.numpy().dtype.type(ctx.slope)
        parts = np.zeros((_blocks(x), 2, x.shape[1]))
        in_threads(lambda a, b: gradient_sums(x, g, columns, leak, (a, b, BLOCK), parts), len(parts))
        sums = _total(parts)
        out = torch.empty_like(features)
        means, y = (sums / len(features)).to(features.dtype).numpy(), out.numpy()

        def task(first: int, last: int) -> None:
            rows = slice(first * BLOCK, last * BLOCK)
            input_gradient(x[rows], g[rows], columns, leak, means, y[rows])

        in_threads(task, len(parts))
        to_bias, to_weight = sums.to(features.dtype)
        return out, to_weight, to_bias, None, None


def batch_norm(
    features: Tensor, weight: Tensor, bias: Tensor, eps: float, slope: float
) -> tuple[Tensor, Tensor, Tensor]:
    """Normalise with the mean and the variance of the rows, scale, shift, and apply a leaky ReLU.

    Ioffe and Szegedy, arXiv:1502.03167. Sums are taken in double precision, block by block.

    Parameters
    ----------
    features : (N, C), N > 0, of a type that `is_supported` accepts
    weight, bias : (C,)
    eps : Added to the variance
    slope : Of the leaky ReLU; 1 for none

    Returns the (N, C) result, and the (C,) mean and biased variance in double precision, without gradient.
    """
    out: tuple[Tensor, Tensor, Tensor] = _BatchNorm.apply(features, weight, bias, eps, slope)  # type: ignore[no-untyped-call]
    return out


class _AddRow(torch.autograd.Function):
    """Add a row to all rows; its gradient is the sum over the rows."""

    @staticmethod
    def forward(ctx: FunctionCtx, features: Tensor, row: Tensor) -> Tensor:
        return features + row

    @staticmethod
    @once_differentiable
    def backward(ctx: FunctionCtx, gradient: Tensor) -> tuple[Tensor, Tensor]:
        zeros = torch.zeros(gradient.shape[1], dtype=torch.float64)
        return gradient, _moments(gradient.contiguous(), zeros)[0].to(gradient.dtype)


def add_row(features: Tensor, row: Tensor) -> Tensor:
    """Add a (C,) row to (N, C) features."""
    if not is_supported(features):
        return features + row
    out: Tensor = _AddRow.apply(features, row)  # type: ignore[no-untyped-call]
    return out


def _blocks(x: Real) -> int:
    return -(-len(x) // BLOCK)


def _moments(features: Tensor, pivot: Tensor) -> Tensor:
    """(2, C) sums of the features and of their squares, relative to a pivot."""
    x, origin = features.detach().numpy(), pivot.numpy()
    parts = np.zeros((_blocks(x), 2, x.shape[1]))
    in_threads(lambda first, last: moments(x, origin, (first, last, BLOCK), parts), len(parts))
    return _total(parts)


def _total(parts: Double) -> Tensor:
    """Sum over the blocks, in their order."""
    return torch.from_numpy(np.add.reduce(parts, axis=0))


@compiled
def affine_rectified(x: Real, scale: Real, shift: Real, slope: np.floating[Any], out: Real) -> None:
    """Write ``v`` where ``v = x * scale + shift`` is positive, else ``slope * v``."""
    for i in range(x.shape[0]):
        for c in range(x.shape[1]):
            value = x[i, c] * scale[c] + shift[c]
            out[i, c] = value if value > 0 else slope * value


@compiled
def moments(x: Real, pivot: Double, span: tuple[int, int, int], out: Double) -> None:
    """Sums of ``x - pivot`` and of its square over each block of rows."""
    first, last, size = span
    for block in range(first, last):
        for i in range(block * size, min((block + 1) * size, x.shape[0])):
            for c in range(x.shape[1]):
                value = np.float64(x[i, c]) - pivot[c]
                out[block, 0, c] += value
                out[block, 1, c] += value * value


@compiled
def gradient_sums(
    x: Real, g: Real, columns: Real, slope: np.floating[Any], span: tuple[int, int, int], out: Double
) -> None:
    """Sums of the gradient behind the activation, and of its product with the normalised input, for each block."""
    first, last, size = span
    scale, shift, mean, rate = columns[0], columns[1], columns[2], columns[3]
    for block in range(first, last):
        for i in range(block * size, min((block + 1) * size, x.shape[0])):
            for c in range(x.shape[1]):
                value = g[i, c] if x[i, c] * scale[c] + shift[c] > 0 else slope * g[i, c]
                out[block, 0, c] += value
                out[block, 1, c] += value * (x[i, c] - mean[c]) * rate[c]


@compiled
def input_gradient(x: Real, g: Real, columns: Real, slope: np.floating[Any], means: Real, out: Real) -> None:
    """Gradient of the input from that of the output and the means of `gradient_sums`."""
    scale, shift, mean, rate = columns[0], columns[1], columns[2], columns[3]
    for i in range(x.shape[0]):
        for c in range(x.shape[1]):
            value = g[i, c] if x[i, c] * scale[c] + shift[c] > 0 else slope * g[i, c]
            normal = (x[i, c] - mean[c]) * rate[c]
            out[i, c] = scale[c] * (value - means[0, c] - normal * means[1, c])
