"""Normalisation and activation in one pass against torch's two."""

from __future__ import annotations

from functools import partial

import pytest
import torch
from torch.nn import functional

from spine.sparse import Kernel, SparseTensor, nn, sparse_tensor
from spine.sparse.convolution import linear

from .dense import random_tensor


def noisy(tensor: SparseTensor, dtype: torch.dtype) -> SparseTensor:
    """Features with a mean far from zero, on the same sites."""
    return tensor.replace_features((torch.randn(tensor.shape, dtype=torch.float64) * 3 + 40).to(dtype))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("activation", [nn.LeakyReLU(0.33), nn.ReLU(), nn.ELU(), torch.nn.Identity()])
@pytest.mark.parametrize("options", [{}, {"affine": False}, {"track_running_stats": False}, {"momentum": 0.01}])
def test_one_pass_equals_two(options: dict[str, bool], activation: torch.nn.Module, dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    tensor = random_tensor(rows=5000)
    norm, oracle = (nn.BatchNorm(3, **options).to(dtype) for _ in range(2))
    for parameter in norm.parameters():
        torch.nn.init.uniform_(parameter, -2, 2)
    oracle.load_state_dict(norm.state_dict())
    tolerance = 2e-4 if dtype == torch.float32 else 1e-9
    close = partial(torch.testing.assert_close, rtol=tolerance, atol=tolerance)
    for training in (True, True, False):
        norm.train(training)
        oracle.train(training)
        features = noisy(tensor, dtype).features.requires_grad_()
        expected = activation(tensor.replace_features(oracle.bn(features))).features
        out = nn.normalise_activate(norm, activation, tensor.replace_features(features)).features
        close(out, expected)
        weights = torch.randn_like(out)
        found = torch.autograd.grad((out * weights).sum(), (features, *norm.parameters()))
        wanted = torch.autograd.grad((expected * weights).sum(), (features, *oracle.parameters()))
        for one, other in zip(found, wanted, strict=True):
            torch.testing.assert_close(one, other, rtol=tolerance, atol=tolerance * 30)
        with torch.no_grad():
            out = nn.normalise_activate(norm.eval(), activation, tensor.replace_features(features)).features
            expected = activation(tensor.replace_features(oracle.eval().bn(features))).features
            close(out, expected)
    for name, value in oracle.state_dict().items():
        torch.testing.assert_close(norm.state_dict()[name], value, rtol=1e-5, atol=1e-5)


def test_gradient_of_one_pass() -> None:
    features = (torch.randn(9, 2, dtype=torch.float64) + 3).requires_grad_()
    norm, sites = nn.BatchNorm(2).double(), torch.arange(9)[:, None] * torch.tensor([0, 1, 0, 0])
    torch.nn.init.uniform_(norm.bn.bias)
    tensor = sparse_tensor(torch.zeros(9, 2, dtype=torch.float64), sites)

    def function(values: torch.Tensor, *_: torch.Tensor) -> torch.Tensor:
        return nn.normalise_activate(norm, nn.LeakyReLU(0.2), tensor.replace_features(values)).features

    assert torch.autograd.gradcheck(function, (features, norm.bn.weight, norm.bn.bias))


def test_layers_after_the_activation_follow() -> None:
    features = torch.randn(6, 2, dtype=torch.float64, requires_grad=True)
    sites = torch.arange(24).view(6, 4) // 8
    layers = nn.PreActivated(nn.BatchNorm(2), nn.LeakyReLU(0.2), nn.Convolution(2, 3, Kernel(2, 2))).double().eval()
    expected = layers[2](layers[1](layers[0](sparse_tensor(features, sites)))).features
    out = layers(sparse_tensor(features, sites)).features
    torch.testing.assert_close(out, expected)
    (one,), (other,) = (torch.autograd.grad(y.sum(), features) for y in (out, expected))
    torch.testing.assert_close(one, other)


def test_linear_is_a_matrix_product() -> None:
    x, w, b = (torch.randn(*shape, dtype=torch.float64).requires_grad_() for shape in ((5000, 4), (4, 3), (3,)))
    results = []
    for out in (linear(x, w, b), functional.linear(x, w.t(), b)):
        results.append((out, *torch.autograd.grad(out.square().sum(), (x, w, b))))
    for one, other in zip(*results, strict=True):
        torch.testing.assert_close(one, other)


def test_number_of_threads_does_not_change_a_bit_of_a_training_step() -> None:
    torch.manual_seed(0)
    tensor = random_tensor(rows=9000)
    tensor = tensor.replace_features(tensor.features.float())
    layers = torch.nn.Sequential(
        nn.Convolution(3, 8, 3), nn.PreActivated(nn.BatchNorm(8), nn.LeakyReLU(0.33), nn.Linear(8, 4))
    )
    before, results = torch.get_num_threads(), []
    try:
        for threads in (1, 3):
            torch.set_num_threads(threads)
            out = layers(tensor).features
            results.append((out, *torch.autograd.grad((out**2).sum(), list(layers.parameters()))))
    finally:
        torch.set_num_threads(before)
    assert all(torch.equal(one, other) for one, other in zip(*results, strict=True))


@pytest.mark.parametrize("training", [True, False])
def test_empty_tensor(training: bool) -> None:
    layers = nn.PreActivated(nn.BatchNorm(2), nn.ReLU(), nn.Linear(2, 3)).train(training)
    with torch.set_grad_enabled(training):
        assert layers(sparse_tensor(torch.zeros(0, 2), torch.zeros(0, 4))).shape == (0, 3)
