"""Normalisation and activation in one pass over the features, where no gradient is wanted."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from spine.sparse.compiled import compiled, in_threads
from spine.sparse.nn.pointwise import BatchNorm, LeakyReLU, ReLU
from spine.sparse.tensor import SparseTensor

__all__ = ["PreActivated", "normalise_activate"]

Real: TypeAlias = NDArray[np.floating[Any]]
BLOCK = 4096


class PreActivated(nn.Sequential):
    """Normalisation, activation and further layers; the first two in one pass in evaluation."""

    def forward(self, tensor: SparseTensor) -> SparseTensor:
        """Apply all layers to ``(N, C)``."""
        tensor = normalise_activate(self[0], self[1], tensor)
        for layer in list(self)[2:]:
            tensor = layer(tensor)
        return tensor


def normalise_activate(norm: nn.Module, activation: nn.Module, tensor: SparseTensor) -> SparseTensor:
    """Apply a normalisation and an activation.

    Parameters
    ----------
    norm, activation : torch.nn.Module
        Layers on sparse tensors. Batch normalisation with running statistics followed by a (leaky) ReLU is done in
        one pass on CPUs when gradients are off; everything else one after the other.
    tensor : (N, C) input

    Returns (N, C) output.
    """
    slope = _slope(activation)
    if slope is None or not isinstance(norm, BatchNorm) or not _fits(norm, tensor):
        out: SparseTensor = activation(norm(tensor))
        return out
    return tensor.replace_features(_affine_rectified(tensor.features, *_affine(norm.bn), slope))


def _fits(norm: BatchNorm, tensor: SparseTensor) -> bool:
    """Whether the fast path covers this call."""
    fixed = not norm.training and norm.bn.running_mean is not None
    on_cpu = tensor.device.type == "cpu" and tensor.dtype in (torch.float32, torch.float64)
    return fixed and on_cpu and not torch.is_grad_enabled()


def _slope(activation: nn.Module) -> float | None:
    if isinstance(activation, ReLU):
        return 0.0
    module = activation.module if isinstance(activation, LeakyReLU) else None
    return module.negative_slope if isinstance(module, nn.LeakyReLU) else None


def _affine(bn: nn.BatchNorm1d) -> tuple[Tensor, Tensor]:
    """Scale and shift per channel of a batch normalisation in evaluation."""
    buffers = dict(bn.named_buffers(recurse=False))
    parameters = dict(bn.named_parameters(recurse=False))
    scale = torch.rsqrt(buffers["running_var"] + bn.eps) * parameters.get("weight", 1.0)
    return scale, parameters.get("bias", 0.0) - buffers["running_mean"] * scale


def _affine_rectified(features: Tensor, scale: Tensor, shift: Tensor, slope: float) -> Tensor:
    out = torch.empty_like(features, memory_format=torch.contiguous_format)
    x, y = features.detach().contiguous().numpy(), out.numpy()
    factor, summand = scale.detach().numpy(), shift.detach().numpy()
    leak = x.dtype.type(slope)

    def task(first: int, last: int) -> None:
        rows = slice(first * BLOCK, last * BLOCK)
        affine_rectified(x[rows], factor, summand, leak, y[rows])

    in_threads(task, -(-len(x) // BLOCK))
    return out


@compiled
def affine_rectified(x: Real, scale: Real, shift: Real, slope: np.floating[Any], out: Real) -> None:
    """Write ``v`` where ``v = x * scale + shift`` is positive, else ``slope * v``."""
    for i in range(x.shape[0]):
        for c in range(x.shape[1]):
            value = x[i, c] * scale[c] + shift[c]
            out[i, c] = value if value > 0 else slope * value
