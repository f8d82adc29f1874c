"""Layers on sparse tensors; ``y = layer(x)``."""

from __future__ import annotations

from spine.sparse.nn.convolution import ChannelwiseConvolution, Convolution, ConvolutionTranspose

__all__ = ["ChannelwiseConvolution", "Convolution", "ConvolutionTranspose"]
