"""Layers that treat every site by itself, and normalisations. Parameter names are those of MinkowskiEngine."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from spine.sparse.convolution import linear
from spine.sparse.normalisation import affine, batch_norm, is_supported
from spine.sparse.segments import segment_mean, spread
from spine.sparse.tensor import SparseTensor

__all__ = [
    "CELU",
    "ELU",
    "SELU",
    "BatchNorm",
    "Dropout",
    "InstanceNorm",
    "LeakyReLU",
    "Linear",
    "Mish",
    "PReLU",
    "PixelNorm",
    "ReLU",
    "Sigmoid",
    "Softplus",
    "Tanh",
]


class Linear(nn.Module):
    """Linear map of the channels.

    Attributes
    ----------
    linear : Holds ``weight`` (out, in) and ``bias`` (out)
    """

    def __init__(self, in_features: int, out_features: int, bias: bool = True) -> None:
        super().__init__()
        self.linear = nn.Linear(in_features, out_features, bias=bias)

    def forward(self, tensor: SparseTensor) -> SparseTensor:
        """Map ``(N, in)`` to ``(N, out)``."""
        return tensor.replace_features(linear(tensor.features, self.linear.weight.t(), self.linear.bias))


class BatchNorm(nn.Module):
    """Batch normalisation over all rows of all batch entries.

    Parameters
    ----------
    num_features : Channels
    eps, momentum : As in `torch.nn.BatchNorm1d`
    affine, track_running_stats : As in `torch.nn.BatchNorm1d`

    Attributes
    ----------
    bn : Holds the parameters and the running statistics
    """

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float = 0.1,
        affine: bool = True,
        track_running_stats: bool = True,
    ) -> None:
        super().__init__()
        self.bn = nn.BatchNorm1d(num_features, eps, momentum, affine, track_running_stats)

    def forward(self, tensor: SparseTensor) -> SparseTensor:
        """Normalise ``(N, C)``.

        Fewer than two rows have no variance: in training they are normalised with the running statistics, which
        stay as they are.
        """
        return self.with_leak(tensor, 1.0)

    def with_leak(self, tensor: SparseTensor, slope: float) -> SparseTensor:
        """Normalise, and multiply what is negative with ``slope``."""
        features, bn = tensor.features, self.bn
        if self.training and len(tensor) > 1 and self._has_own_way(features):
            out, mean, variance = batch_norm(features, bn.weight, bn.bias, bn.eps, slope)
            self._track(mean, variance * len(tensor) / (len(tensor) - 1))
            return tensor.replace_features(out)
        if not (self.training or torch.is_grad_enabled()) and self._has_own_way(features):
            scale = torch.rsqrt(self._buffer("running_var") + bn.eps) * bn.weight
            shift = bn.bias - self._buffer("running_mean") * scale
            return tensor.replace_features(affine(features, scale, shift, slope))
        whole = len(tensor) > 1 or not self.training or type(bn) is not nn.BatchNorm1d
        out = bn(features) if whole else self._with_running_statistics(features)
        return tensor.replace_features(out if slope == 1.0 else nn.functional.leaky_relu(out, slope))

    def _has_own_way(self, features: Tensor) -> bool:
        """Whether `spine.sparse.normalisation` covers this layer."""
        bn = self.bn
        usual = type(bn) is nn.BatchNorm1d or not self.training
        return usual and is_supported(features) and bn.affine and bn.track_running_stats and bool(bn.momentum)

    def _buffer(self, name: str) -> Tensor:
        return self.bn.get_buffer(name)

    def _track(self, mean: Tensor, variance: Tensor) -> None:
        momentum = self.bn.momentum or 0.0
        self._buffer("running_mean").lerp_(mean.to(self.bn.weight.dtype), momentum)
        self._buffer("running_var").lerp_(variance.to(self.bn.weight.dtype), momentum)
        self._buffer("num_batches_tracked").add_(1)

    def _with_running_statistics(self, features: Tensor) -> Tensor:
        bn = self.bn
        if bn.running_mean is None or bn.running_var is None:
            return features
        return nn.functional.batch_norm(
            features, bn.running_mean, bn.running_var, bn.weight, bn.bias, training=False, eps=bn.eps
        )


class InstanceNorm(nn.Module):
    """Normalise every batch entry by itself, with the biased variance.

    Attributes
    ----------
    weight, bias : (1, C)
    """

    def __init__(self, num_features: int, eps: float = 1e-8) -> None:
        super().__init__()
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(1, num_features))
        self.bias = nn.Parameter(torch.zeros(1, num_features))

    def forward(self, tensor: SparseTensor) -> SparseTensor:
        """Normalise ``(N, C)``."""
        bounds = tensor.bounds
        centred = tensor.features - spread(segment_mean(tensor.features, bounds), bounds)
        scale = torch.rsqrt(segment_mean(centred**2, bounds) + self.eps)
        return tensor.replace_features(centred * spread(scale, bounds) * self.weight + self.bias)


class PixelNorm(nn.Module):
    """Scale the features of every site to unit length, ``x / sqrt(sum(x^2) + eps)``.

    Karras et al., "Progressive Growing of GANs", arXiv:1710.10196, but with the sum in place of the mean, as SPINE
    has it.
    """

    def __init__(self, eps: float = 1e-8) -> None:
        super().__init__()
        self.eps = eps

    def forward(self, tensor: SparseTensor) -> SparseTensor:
        """Scale ``(N, C)``."""
        square = (tensor.features**2).sum(dim=1, keepdim=True)
        return tensor.replace_features(tensor.features / torch.sqrt(square + self.eps))


class _Elementwise(nn.Module):
    """A torch module applied to the features; like MinkowskiEngine's, it is called ``module``."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, tensor: SparseTensor) -> SparseTensor:
        """Apply to ``(N, C)``."""
        return tensor.replace_features(self.module(tensor.features))


class Dropout(_Elementwise):
    """Set features to zero with probability ``p`` in training, and scale the others by ``1 / (1 - p)``."""

    def __init__(self, p: float = 0.5) -> None:
        super().__init__(nn.Dropout(p))


class ReLU(_Elementwise):
    """``max(x, 0)``."""

    def __init__(self) -> None:
        super().__init__(nn.ReLU())


class LeakyReLU(_Elementwise):
    """``x`` where positive, ``negative_slope * x`` elsewhere."""

    def __init__(self, negative_slope: float = 0.01) -> None:
        super().__init__(nn.LeakyReLU(negative_slope))


class Mish(_Elementwise):
    """``x tanh(log(1 + exp(x)))`` (Misra, arXiv:1908.08681)."""

    def __init__(self) -> None:
        super().__init__(nn.Mish())


class PReLU(_Elementwise):
    """Leaky ReLU with a slope to be learnt (``module.weight``)."""

    def __init__(self, num_parameters: int = 1, init: float = 0.25) -> None:
        super().__init__(nn.PReLU(num_parameters, init))


class SELU(_Elementwise):
    """Scaled exponential linear unit."""

    def __init__(self) -> None:
        super().__init__(nn.SELU())


class CELU(_Elementwise):
    """Continuously differentiable exponential linear unit."""

    def __init__(self, alpha: float = 1.0) -> None:
        super().__init__(nn.CELU(alpha))


class ELU(_Elementwise):
    """Exponential linear unit."""

    def __init__(self, alpha: float = 1.0) -> None:
        super().__init__(nn.ELU(alpha))


class Tanh(_Elementwise):
    """Hyperbolic tangent."""

    def __init__(self) -> None:
        super().__init__(nn.Tanh())


class Sigmoid(_Elementwise):
    """Logistic function."""

    def __init__(self) -> None:
        super().__init__(nn.Sigmoid())


class Softplus(_Elementwise):
    """``log(1 + exp(beta x)) / beta``."""

    def __init__(self, beta: float = 1.0, threshold: float = 20.0) -> None:
        super().__init__(nn.Softplus(beta, threshold))
