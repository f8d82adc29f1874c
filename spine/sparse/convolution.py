"""Sparse convolutions as functions of tensors, with their gradients."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.autograd.function import FunctionCtx, once_differentiable

from spine.errors import DataError
from spine.sparse.backends import Backend, choose_backend
from spine.sparse.kernel import Kernel
from spine.sparse.maps import KernelMap
from spine.sparse.normalisation import add_row, is_supported
from spine.sparse.tensor import SparseTensor

__all__ = ["channelwise", "convolve", "convolve_transposed", "linear"]


class _Context(FunctionCtx):
    kernel_map: KernelMap
    backend: Backend
    needs_input_grad: tuple[bool, ...]
    saved_tensors: tuple[Tensor, ...]


class _Convolution(torch.autograd.Function):
    """Convolution over a kernel map. The gradient of the input is a convolution over the transposed map."""

    @staticmethod
    def forward(ctx: _Context, features: Tensor, weight: Tensor, kernel_map: KernelMap) -> Tensor:
        features, weight = features.contiguous(), weight.contiguous()
        ctx.kernel_map, ctx.backend = kernel_map, choose_backend(features)
        ctx.save_for_backward(features, weight)
        return ctx.backend.forward(features, weight, kernel_map)

    @staticmethod
    @once_differentiable
    def backward(ctx: _Context, gradient: Tensor) -> tuple[Tensor | None, Tensor | None, None]:
        features, weight = ctx.saved_tensors
        gradient = gradient.contiguous()
        to_features = to_weight = None
        if ctx.needs_input_grad[0]:
            to_features = _input_gradient(ctx.backend, gradient, weight, ctx.kernel_map)
        if ctx.needs_input_grad[1]:
            to_weight = ctx.backend.weight_gradient(features, gradient, ctx.kernel_map)
        return to_features, to_weight, None


def _input_gradient(backend: Backend, gradient: Tensor, weight: Tensor, kernel_map: KernelMap) -> Tensor:
    swapped = weight.transpose(1, 2)
    if kernel_map.mirrored:
        return backend.forward(gradient, swapped.flip(0).contiguous(), kernel_map)
    return backend.forward(gradient, swapped.contiguous(), kernel_map.transposed)


def _apply(features: Tensor, weight: Tensor, kernel_map: KernelMap) -> Tensor:
    out: Tensor = _Convolution.apply(features, weight, kernel_map)  # type: ignore[no-untyped-call]
    return out


def convolve(
    tensor: SparseTensor, weight: Tensor, kernel: Kernel, bias: Tensor | None = None, expand: bool = False
) -> SparseTensor:
    """Sparse convolution.

    ``out[u] = sum_k in[u + offset_k * dilation * tensor_stride] @ weight[k]`` over the sites that exist
    (Choy, Gwak, Savarese, CVPR 2019, equation 3). With stride 1 the output has the sites of the input.

    Parameters
    ----------
    tensor : (N, Cin) input
    weight : (K, Cin, Cout); or (Cin, Cout) for a kernel of one offset and stride one
    kernel : Size, stride and dilation
    bias : (1, Cout) added to every output row (optional)
    expand : Write to every site that the kernel reaches, instead of the strided input sites

    Returns (M, Cout) output.
    Raises DataError when channels, types or dimensions do not fit.
    """
    _check(tensor, weight, kernel)
    if weight.ndim == 2:
        return tensor.replace_features(linear(tensor.features, weight, bias))
    pyramid = tensor.pyramid
    out = pyramid.expanded(tensor.key, kernel) if expand else pyramid.strided(tensor.key, kernel.strides)
    kernel_map = pyramid.kernel_map(tensor.key, out, kernel)
    return SparseTensor(_add_bias(_apply(tensor.features, weight, kernel_map), bias), out, pyramid)


def convolve_transposed(
    tensor: SparseTensor, weight: Tensor, kernel: Kernel, bias: Tensor | None = None, expand: bool = False
) -> SparseTensor:
    """Transposed sparse convolution: the pairs of the strided one with the sides exchanged.

    Parameters
    ----------
    tensor : (N, Cin) input
    weight : (K, Cin, Cout); or (Cin, Cout) for a kernel of one offset and stride one
    kernel : Size, stride and dilation
    bias : (1, Cout) added to every output row (optional)
    expand : Make all sites that the kernel reaches, even if the finer set exists

    Returns (M, Cout) output on the earlier set of the finer stride; when there is none, on all children.
    Raises DataError when channels, types or dimensions do not fit.
    """
    _check(tensor, weight, kernel)
    if weight.ndim == 2:
        return tensor.replace_features(linear(tensor.features, weight, bias))
    pyramid = tensor.pyramid
    out = pyramid.refined(tensor.key, kernel, expand)
    kernel_map = pyramid.kernel_map(out, tensor.key, kernel).transposed
    return SparseTensor(_add_bias(_apply(tensor.features, weight, kernel_map), bias), out, pyramid)


def linear(features: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """Multiply (N, Cin) features with (Cin, Cout) weights and add a bias, as a convolution of one offset.

    Unlike a plain matrix product this gives the same bits for any number of threads; other devices have no need of it.
    """
    if not is_supported(features):
        return _add_bias(features @ weight, bias)
    rows = torch.arange(len(features), dtype=torch.int32, device=features.device)
    same = KernelMap(rows, rows, (0, len(rows)), len(rows), len(rows), identity=0, mirrored=True)
    return _add_bias(_apply(features, weight[None], same), bias)


def channelwise(tensor: SparseTensor, weight: Tensor, kernel: Kernel, bias: Tensor | None = None) -> SparseTensor:
    """Convolve every channel by itself. Returns (M, C) output."""
    pyramid = tensor.pyramid
    out = pyramid.strided(tensor.key, kernel.strides)
    kernel_map = pyramid.kernel_map(tensor.key, out, kernel)
    total = tensor.features.new_zeros((kernel_map.n_out, tensor.shape[1]))
    for k in range(kernel_map.volume):
        rows_in, rows_out = kernel_map.pairs(k)
        total = total.index_add(0, rows_out, tensor.features.index_select(0, rows_in) * weight[k])
    return SparseTensor(_add_bias(total, bias), out, pyramid)


def _add_bias(features: Tensor, bias: Tensor | None) -> Tensor:
    return features if bias is None else add_row(features, bias.reshape(-1))


def _check(tensor: SparseTensor, weight: Tensor, kernel: Kernel) -> None:
    if kernel.dimension != tensor.dimension:
        raise DataError("kernel of another dimension", got=kernel.dimension, expected=tensor.dimension)
    if weight.shape[-2] != tensor.shape[1] or weight.dtype != tensor.dtype:
        raise DataError(
            "features do not fit the layer",
            got=(tensor.shape[1], tensor.dtype),
            expected=(weight.shape[-2], weight.dtype),
        )
