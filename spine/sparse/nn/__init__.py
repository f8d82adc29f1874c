"""Layers on sparse tensors; ``y = layer(x)``."""

from __future__ import annotations

from spine.sparse.nn.convolution import ChannelwiseConvolution, Convolution, ConvolutionTranspose
from spine.sparse.nn.pointwise import (
    CELU,
    ELU,
    SELU,
    BatchNorm,
    Dropout,
    InstanceNorm,
    LeakyReLU,
    Linear,
    PReLU,
    ReLU,
    Sigmoid,
    Softplus,
    Tanh,
)
from spine.sparse.nn.pooling import (
    AvgPooling,
    Broadcast,
    BroadcastAddition,
    BroadcastConcatenation,
    BroadcastMultiplication,
    GlobalAvgPooling,
    GlobalMaxPooling,
    GlobalPooling,
    GlobalSumPooling,
    MaxPooling,
    PoolingTranspose,
    SumPooling,
)
from spine.sparse.nn.structure import Concatenation, Pruning, Union

__all__ = [
    "CELU",
    "ELU",
    "SELU",
    "AvgPooling",
    "BatchNorm",
    "Broadcast",
    "BroadcastAddition",
    "BroadcastConcatenation",
    "BroadcastMultiplication",
    "ChannelwiseConvolution",
    "Concatenation",
    "Convolution",
    "ConvolutionTranspose",
    "Dropout",
    "GlobalAvgPooling",
    "GlobalMaxPooling",
    "GlobalPooling",
    "GlobalSumPooling",
    "InstanceNorm",
    "LeakyReLU",
    "Linear",
    "MaxPooling",
    "PReLU",
    "PoolingTranspose",
    "Pruning",
    "ReLU",
    "Sigmoid",
    "Softplus",
    "SumPooling",
    "Tanh",
    "Union",
]
