"""Gradients of every operation against finite differences, in double precision."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from spine.sparse import (
    Kernel,
    SparseTensor,
    concatenate,
    features_at_coordinates,
    nn,
    prune,
    sparse_tensor,
    union,
    use_backend,
)

from .dense import random_image

COORDINATES, FEATURES = random_image(rows=14, channels=2, extent=2)
OTHER = random_image(rows=10, extent=2, seed=1)[0]
POINTS = torch.cat([torch.arange(5)[:, None] % 2, torch.linspace(-2, 2, 15, dtype=torch.float64).view(5, 3)], 1)


def pooled(layer: torch.nn.Module) -> Callable[[SparseTensor], SparseTensor]:
    rows = nn.GlobalSumPooling()
    return lambda x: layer(x, rows(x))


def other(x: SparseTensor) -> SparseTensor:
    return sparse_tensor(torch.ones(len(OTHER), 2, dtype=torch.float64) * x.features[0], OTHER)


OPERATIONS: dict[str, Callable[[SparseTensor], SparseTensor]] = {
    "convolution": nn.Convolution(2, 3, 3, bias=True).double(),
    "pointwise": nn.Convolution(2, 3, 1, bias=True).double(),
    "strided": nn.Convolution(2, 3, Kernel(2, stride=2)).double(),
    "dilated": nn.Convolution(2, 3, Kernel(3, dilation=2)).double(),
    "expanded": nn.Convolution(2, 1, 3, expand_coordinates=True).double(),
    "transposed": torch.nn.Sequential(
        nn.Convolution(2, 3, Kernel(3, stride=2)), nn.ConvolutionTranspose(3, 2, Kernel(3, stride=2), bias=True)
    ).double(),
    "channelwise": nn.ChannelwiseConvolution(2, 3, bias=True).double(),
    "linear": nn.Linear(2, 3).double(),
    "batch norm": nn.BatchNorm(2).double(),
    "instance norm": nn.InstanceNorm(2).double(),
    "leaky relu": nn.LeakyReLU(0.33),
    "prelu": nn.PReLU().double(),
    "elu": nn.ELU(),
    "max": nn.MaxPooling(2),
    "max in a window": nn.MaxPooling(Kernel(3)),
    "avg": nn.AvgPooling(2),
    "sum": nn.SumPooling(Kernel(3, stride=2)),
    "unpooling": torch.nn.Sequential(nn.MaxPooling(2), nn.PoolingTranspose(2)),
    "global avg": nn.GlobalAvgPooling(),
    "global sum": nn.GlobalSumPooling(),
    "global max": nn.GlobalMaxPooling(),
    "broadcast": pooled(nn.Broadcast()),
    "broadcast addition": pooled(nn.BroadcastAddition()),
    "broadcast multiplication": pooled(nn.BroadcastMultiplication()),
    "broadcast concatenation": pooled(nn.BroadcastConcatenation()),
    "pruning": lambda x: prune(x, x.coordinates[:, 1] > 0),
    "concatenation": lambda x: concatenate(x, x * x),
    "union": lambda x: union(x, other(x)),
    "product": lambda x: x * other(x),
    "interpolation": lambda x: sparse_tensor(features_at_coordinates(x, POINTS), POINTS.floor()),
    "duplicates": lambda x: sparse_tensor(x.features, COORDINATES // 2, duplicates="mean"),
}


CONVOLUTIONS = ["convolution", "strided", "dilated", "expanded", "transposed"]


@pytest.mark.parametrize(
    ("name", "backend"), [(name, "torch") for name in OPERATIONS] + [(name, "numba") for name in CONVOLUTIONS]
)
def test_gradient(name: str, backend: str) -> None:
    operation = OPERATIONS[name]
    parameters = list(operation.parameters()) if isinstance(operation, torch.nn.Module) else []

    def function(features: Tensor, *_: Tensor) -> Tensor:
        return operation(sparse_tensor(features, COORDINATES)).features

    with use_backend(backend):
        inputs = (FEATURES.clone().requires_grad_(), *parameters)
        assert torch.autograd.gradcheck(function, inputs, fast_mode=False)
