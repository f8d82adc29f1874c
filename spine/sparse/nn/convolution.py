"""Convolution layers."""

from __future__ import annotations

import math

import torch
from torch import nn

from spine.sparse.convolution import channelwise, convolve, convolve_transposed
from spine.sparse.kernel import Kernel
from spine.sparse.tensor import SparseTensor

__all__ = ["ChannelwiseConvolution", "Convolution", "ConvolutionTranspose"]


def _uniform(parameter: nn.Parameter | None, count: int) -> None:
    """Fill uniformly in +-1/sqrt(count), as MinkowskiEngine does for weights and biases."""
    if parameter is not None:
        bound = 1 / math.sqrt(count)
        nn.init.uniform_(parameter, -bound, bound)


class Convolution(nn.Module):
    """Sparse convolution.

    Parameters
    ----------
    in_channels, out_channels : Channels
    kernel : Geometry; a number is the size of a three-dimensional kernel of stride one
    bias : Whether to add a bias
    expand_coordinates : Write to every site that the kernel reaches

    Attributes
    ----------
    kernel : (K, in, out) weights; (in, out) for a kernel of one offset and stride one
    bias : (1, out)
    """

    transposed = False

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel: Kernel | int,
        bias: bool = False,
        expand_coordinates: bool = False,
    ) -> None:
        super().__init__()
        self.geometry = kernel if isinstance(kernel, Kernel) else Kernel(kernel)
        self.expand_coordinates = expand_coordinates
        shape = (in_channels, out_channels)
        if not self.geometry.pointwise:
            shape = (self.geometry.volume, *shape)  # type: ignore[assignment]
        self.kernel = nn.Parameter(torch.empty(shape))
        self.bias = nn.Parameter(torch.empty(1, out_channels)) if bias else None
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw new weights."""
        channels = self.kernel.shape[-1] if self.transposed else self.kernel.shape[-2]
        _uniform(self.kernel, channels * self.geometry.volume)
        _uniform(self.bias, channels * self.geometry.volume)

    def forward(self, tensor: SparseTensor) -> SparseTensor:
        """Convolve ``(N, in)`` to ``(M, out)``."""
        return convolve(tensor, self.kernel, self.geometry, self.bias, self.expand_coordinates)

    def extra_repr(self) -> str:
        """Return what is printed inside the brackets."""
        shape = tuple(self.kernel.shape[-2:])
        return f"{shape[0]}, {shape[1]}, {self.geometry}, bias={self.bias is not None}"


class ConvolutionTranspose(Convolution):
    """Transposed sparse convolution, onto the earlier set of the finer stride or onto all children.

    Parameters and attributes are those of `Convolution`; with ``expand_coordinates`` new sites are made even when
    the finer set exists.
    """

    transposed = True

    def forward(self, tensor: SparseTensor) -> SparseTensor:
        """Convolve ``(N, in)`` to ``(M, out)`` at the finer stride."""
        return convolve_transposed(tensor, self.kernel, self.geometry, self.bias, self.expand_coordinates)


class ChannelwiseConvolution(nn.Module):
    """Sparse convolution of every channel by itself.

    Attributes
    ----------
    kernel : (K, channels) weights
    bias : (1, channels)
    """

    def __init__(self, channels: int, kernel: Kernel | int, bias: bool = False) -> None:
        super().__init__()
        self.geometry = kernel if isinstance(kernel, Kernel) else Kernel(kernel)
        self.kernel = nn.Parameter(torch.empty(self.geometry.volume, channels))
        self.bias = nn.Parameter(torch.empty(1, channels)) if bias else None
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw new weights."""
        count = self.kernel.shape[1] * self.geometry.volume
        _uniform(self.kernel, count)
        _uniform(self.bias, count)

    def forward(self, tensor: SparseTensor) -> SparseTensor:
        """Convolve ``(N, C)`` to ``(M, C)``."""
        return channelwise(tensor, self.kernel, self.geometry, self.bias)
