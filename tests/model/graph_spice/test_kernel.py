"""Kernels against closed formulas and torch's own layers."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from spine.errors import DataError
from spine.model.graph_spice.kernel import MLP, BilinearKernel, DefaultKernel, MLPKernel


def sample(width: int, nodes: int = 20, edges: int = 60) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(3)
    features = torch.randn(nodes, width, generator=generator, dtype=torch.float64)
    return features, torch.randint(0, nodes, (edges, 2), generator=generator)


@pytest.mark.parametrize("bias", [True, False])
def test_bilinear_kernel_is_torch_s_bilinear_layer(bias: bool) -> None:
    torch.manual_seed(0)
    kernel = BilinearKernel(6, bias).double()
    features, edges = sample(6)
    expected = kernel.bilin(features[edges[:, 0]], features[edges[:, 1]]).squeeze(1)
    torch.testing.assert_close(kernel(features, edges), expected)
    assert torch.autograd.gradcheck(lambda f: kernel(f, edges[:5]), features[:, :].clone().requires_grad_())


def test_default_kernel_of_two_voxels() -> None:
    """Gaussians of widths 2 and 3 in space and 1 and 5 in features, occupancies 10 and 4."""
    one = torch.tensor([0.0, 0.0, 0.0, 1.0, 2.0, 1.0, 10.0], dtype=torch.float64)
    other = torch.tensor([1.0, 2.0, 2.0, 3.0, 3.0, 5.0, 4.0], dtype=torch.float64)
    eps = 1e-3
    first = math.exp(-9 / (4 + eps) - 4 / (1 + eps))
    second = math.exp(-9 / (9 + eps) - 4 / (25 + eps))
    chance = (first + second - first * second) / ((10 + eps) / (4 + eps))
    kernel = DefaultKernel(1, eps)
    edges = torch.tensor([[0, 1], [1, 0]])
    logits = kernel(torch.stack([one, other]), edges)
    assert torch.sigmoid(logits).tolist() == pytest.approx([chance, chance])
    same = kernel(torch.stack([one, one]), edges)
    assert torch.sigmoid(same).tolist() == pytest.approx([1 - 1e-6] * 2)


@pytest.mark.parametrize("training", [True, False])
def test_mlp_kernel_maps_both_ends(training: bool) -> None:
    torch.manual_seed(0)
    kernel = MLPKernel(MLP(5, (7, 4)), bias=True).double().train(training)
    features, edges = sample(5)
    layers = nn.Sequential(*kernel.mlp.model)
    ends = [layers(features[edges[:, side]]) for side in (0, 1)]
    expected = nn.functional.linear(torch.cat(ends, 1), kernel.lin.weight, kernel.lin.bias).squeeze(1)
    torch.testing.assert_close(kernel(features, edges), expected)
    assert next(iter(kernel.state_dict())) == "mlp.model.0.weight"


@pytest.mark.parametrize("kernel", [BilinearKernel(4), DefaultKernel(3), MLPKernel(MLP(4, (2,)))])
def test_wrong_features_are_refused_and_no_edges_are_fine(kernel: nn.Module) -> None:
    with pytest.raises(DataError, match="other features"):
        kernel(torch.zeros(3, 5), torch.zeros((1, 2), dtype=torch.int64))
    width = 9 if isinstance(kernel, DefaultKernel) else 4
    kernel.eval()
    assert kernel(torch.zeros(3, width), torch.zeros((0, 2), dtype=torch.int64)).shape == (0,)
