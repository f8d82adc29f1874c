"""Normalisation and activation in one pass over the features."""

from __future__ import annotations

from torch import nn

from spine.sparse.nn.pointwise import BatchNorm, LeakyReLU, ReLU
from spine.sparse.normalisation import is_supported
from spine.sparse.tensor import SparseTensor

__all__ = ["PreActivated", "normalise_activate"]


class PreActivated(nn.Sequential):
    """Normalisation, activation and further layers; the first two in one pass where that is possible."""

    def forward(self, tensor: SparseTensor) -> SparseTensor:
        """Apply all layers to ``(N, C)``."""
        tensor = normalise_activate(self[0], self[1], tensor)
        for layer in list(self)[2:]:
            tensor = layer(tensor)
        return tensor


def normalise_activate(norm: nn.Module, activation: nn.Module, tensor: SparseTensor) -> SparseTensor:
    """Apply a normalisation and an activation to ``(N, C)``.

    Batch normalisation followed by a (leaky) ReLU is done in one pass on CPUs, everything else one after the other.
    Hooks on the two layers are not called then.
    """
    slope = _slope(activation)
    if slope is not None and isinstance(norm, BatchNorm) and is_supported(tensor.features):
        return norm.with_leak(tensor, slope)
    out: SparseTensor = activation(norm(tensor))
    return out


def _slope(activation: nn.Module) -> float | None:
    """Slope below zero of a (leaky) ReLU, None for other layers."""
    if isinstance(activation, ReLU):
        return 0.0
    module = activation.module if isinstance(activation, LeakyReLU) else None
    return module.negative_slope if isinstance(module, nn.LeakyReLU) else None
