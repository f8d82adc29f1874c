"""Batch normalisation with the statistics of the minibatches of all processes together."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, distributed, nn
from torch.autograd.function import FunctionCtx, once_differentiable

__all__ = ["SharedBatchNorm", "share_statistics", "shares_statistics"]


class _Context(FunctionCtx):
    count: float
    saved_tensors: tuple[Tensor, ...]


class _Normalise(torch.autograd.Function):
    """Subtract the mean and divide by the spread of the rows of all processes; sums are in double precision."""

    @staticmethod
    def forward(ctx: _Context, rows: Tensor, mean: Tensor, rate: Tensor, count: float) -> Tensor:
        normal = ((rows.double() - mean) * rate).to(rows.dtype)
        ctx.count = count
        ctx.save_for_backward(normal, rate)
        return normal

    @staticmethod
    @once_differentiable
    def backward(ctx: _Context, gradient: Tensor) -> tuple[Tensor | None, ...]:
        normal, rate = ctx.saved_tensors
        grad = gradient.double()
        sums = torch.stack([grad.sum(dim=0), (grad * normal).sum(dim=0)])
        distributed.all_reduce(sums)
        sums /= ctx.count
        out = rate * (grad - sums[0] - normal * sums[1])
        return out.to(gradient.dtype), None, None, None


def _statistics(rows: Tensor) -> tuple[Tensor, Tensor, float]:
    """(C,) mean and biased variance of the rows of all processes, and their number."""
    exact = rows.detach().double()
    sums = torch.cat([exact.sum(dim=0), (exact**2).sum(dim=0), exact.new_tensor([len(rows)])])
    distributed.all_reduce(sums)
    count = float(sums[-1])
    mean, square = (sums[:-1] / max(count, 1.0)).chunk(2)
    return mean, (square - mean**2).clamp(min=0), count


class SharedBatchNorm(nn.BatchNorm1d):
    """Batch normalisation whose statistics in training are those of all processes.

    Fewer than two rows in all have no variance: they are normalised with the running statistics, which stay.
    """

    def forward(self, rows: Tensor) -> Tensor:
        """Normalise (N, C); N may be 0."""
        if not self.training:
            return super().forward(rows)
        mean, variance, count = _statistics(rows)
        if count < 2:
            return nn.functional.batch_norm(
                rows, self.running_mean, self.running_var, self.weight, self.bias, training=False, eps=self.eps
            )
        self._track(mean, variance * count / (count - 1))
        normal: Tensor = _Normalise.apply(rows, mean, torch.rsqrt(variance + self.eps), count)  # type: ignore[no-untyped-call]
        return normal * self.weight + self.bias if self.affine else normal

    def _track(self, mean: Tensor, variance: Tensor) -> None:
        if self.running_mean is None or self.running_var is None or self.num_batches_tracked is None:
            return
        self.num_batches_tracked.add_(1)
        share = self.momentum if self.momentum is not None else 1.0 / float(self.num_batches_tracked)
        self.running_mean.lerp_(mean.to(self.running_mean.dtype), share)
        self.running_var.lerp_(variance.to(self.running_var.dtype), share)


def share_statistics(network: nn.Module) -> None:
    """Let batch normalisation of a network share its statistics; parameters, their names, and frozen layers stay."""
    for parent in list(network.modules()):
        for name, child in list(parent.named_children()):
            if type(child) is nn.BatchNorm1d and "train" not in vars(child):
                setattr(parent, name, _shared(child))


def _shared(norm: nn.BatchNorm1d) -> SharedBatchNorm:
    made = SharedBatchNorm(
        norm.num_features, norm.eps, norm.momentum, norm.affine, norm.track_running_stats
    )  # fmt: skip
    parts: dict[str, Any] = {**norm._parameters, **norm._buffers}
    for name, value in parts.items():
        setattr(made, name, value)
    return made.train(norm.training)


def shares_statistics(network: nn.Module) -> bool:
    """Whether the statistics of a network are those of all processes."""
    return any(isinstance(module, SharedBatchNorm) for module in network.modules())
