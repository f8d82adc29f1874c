"""Normalisation and activation in one pass against torch's two."""

from __future__ import annotations

import pytest
import torch

from spine.sparse import Kernel, nn, sparse_tensor

from .dense import random_tensor


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("affine", [True, False])
@pytest.mark.parametrize("activation", [nn.LeakyReLU(0.33), nn.ReLU(), nn.ELU(), torch.nn.Identity()])
def test_one_pass_equals_two(activation: torch.nn.Module, affine: bool, dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    tensor = random_tensor(rows=400)
    tensor = tensor.replace_features(tensor.features.to(dtype))
    norm = nn.BatchNorm(3, affine=affine).to(dtype)
    for _ in range(3):
        norm(tensor.replace_features(torch.randn_like(tensor.features) * 3 + 1))
    for parameter in norm.parameters():
        torch.nn.init.uniform_(parameter, -2, 2)
    for mode in (True, False):
        norm.train(mode)
        expected = activation(norm(tensor))
        with torch.no_grad():
            out = nn.normalise_activate(norm, activation, tensor)
        torch.testing.assert_close(out.features, expected.features.detach())


def test_gradients_pass_where_they_are_wanted() -> None:
    features = torch.randn(6, 2, dtype=torch.float64, requires_grad=True)
    sites = torch.arange(24).view(6, 4) // 8
    layers = nn.PreActivated(nn.BatchNorm(2), nn.LeakyReLU(0.2), nn.Convolution(2, 3, Kernel(2, 2))).double().eval()
    expected = layers[2](layers[1](layers[0](sparse_tensor(features, sites)))).features
    out = layers(sparse_tensor(features, sites)).features
    torch.testing.assert_close(out, expected)
    (one,), (other,) = (torch.autograd.grad(y.sum(), features) for y in (out, expected))
    torch.testing.assert_close(one, other)


def test_empty_tensor() -> None:
    layers = nn.PreActivated(nn.BatchNorm(2), nn.ReLU()).eval()
    with torch.no_grad():
        assert layers(sparse_tensor(torch.zeros(0, 2), torch.zeros(0, 4))).shape == (0, 2)
