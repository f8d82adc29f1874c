"""Reductions of consecutive rows, and their opposite; sums run in row order on every device."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.autograd.function import FunctionCtx, once_differentiable

__all__ = ["segment_max", "segment_mean", "segment_sum", "spread"]


class _Context(FunctionCtx):
    bounds: Sequence[int]


class _Spread(torch.autograd.Function):
    """Repeat row ``i`` for all rows of segment ``i``; the gradient is the sum over the segment."""

    @staticmethod
    def forward(ctx: _Context, rows: Tensor, bounds: Sequence[int]) -> Tensor:
        ctx.bounds = bounds
        lengths = torch.tensor(bounds, device=rows.device).diff()
        return rows.repeat_interleave(lengths, dim=0, output_size=bounds[-1] - bounds[0])

    @staticmethod
    @once_differentiable
    def backward(ctx: _Context, gradient: Tensor) -> tuple[Tensor, None]:
        return segment_sum(gradient, ctx.bounds), None


def segment_sum(features: Tensor, bounds: Sequence[int]) -> Tensor:
    """Sum of every segment.

    Parameters
    ----------
    features : (N, C) rows
    bounds : (S + 1) first row of every segment, and N

    Returns (S, C) sums; zero for an empty segment.
    """
    parts = [features[a:b].sum(dim=0) for a, b in itertools.pairwise(bounds)]
    return torch.stack(parts) if parts else features.new_zeros((0, features.shape[1]))


def segment_mean(features: Tensor, bounds: Sequence[int]) -> Tensor:
    """(S, C) mean of every segment; zero for an empty one. Parameters as for `segment_sum`."""
    lengths = torch.tensor(bounds, device=features.device).diff().clamp(min=1)
    return segment_sum(features, bounds) / lengths[:, None]


def segment_max(features: Tensor, bounds: Sequence[int]) -> Tensor:
    """(S, C) maximum of every segment, none of which may be empty. Parameters as for `segment_sum`."""
    parts = [features[a:b].max(dim=0).values for a, b in itertools.pairwise(bounds)]
    return torch.stack(parts) if parts else features.new_zeros((0, features.shape[1]))


def spread(rows: Tensor, bounds: Sequence[int]) -> Tensor:
    """Repeat every row over its segment, the opposite of `segment_sum`. Returns (N, C)."""
    out: Tensor = _Spread.apply(rows, bounds)  # type: ignore[no-untyped-call]
    return out
