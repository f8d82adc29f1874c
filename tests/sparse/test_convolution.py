"""Convolutions against torch's dense ones on the full grid."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from spine.errors import DataError
from spine.sparse import Kernel, SparseTensor, sparse_tensor, use_backend
from spine.sparse.convolution import channelwise, convolve, convolve_transposed

from .dense import dense_convolution, dense_transposed, random_image, random_tensor, strided_sites

BACKENDS = ["torch", "numba"]
KERNELS = [
    Kernel(1, stride=2),
    Kernel(2),
    Kernel(2, stride=2),
    Kernel(3),
    Kernel(3, dilation=2),
    Kernel(3, stride=2),
    Kernel(3, stride=3),
    Kernel(4, stride=2),
    Kernel(5),
    Kernel((1, 3, 2)),
    Kernel((3, 2, 1), stride=(1, 2, 3), dilation=(2, 1, 1)),
    Kernel(3, dimension=2),
    Kernel(2, stride=2, dimension=2),
    Kernel((5, 2), stride=(1, 3), dilation=(3, 1), dimension=2),
]


def gradients(out: Tensor, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    weights = torch.linspace(-1, 1, out.numel(), dtype=out.dtype).view_as(out)
    return torch.autograd.grad((out * weights).sum() + (out**2).sum(), inputs)


def compare(
    tensor: SparseTensor,
    kernel: Kernel,
    function: Callable[[SparseTensor, Tensor, Kernel], SparseTensor],
    oracle: Callable[[SparseTensor, Tensor, Kernel, Tensor], Tensor],
) -> SparseTensor:
    """Check values and both gradients; return the output."""
    features = tensor.features.detach().requires_grad_()
    weight = torch.randn(kernel.volume, tensor.shape[1], 5, dtype=torch.float64).requires_grad_()
    tensor = tensor.replace_features(features)
    out = function(tensor, weight, kernel)
    expected = oracle(tensor, weight, kernel, out.coordinates)
    torch.testing.assert_close(out.features, expected)
    for got, wanted in zip(
        gradients(out.features, (features, weight)), gradients(expected, (features, weight)), strict=True
    ):
        torch.testing.assert_close(got, wanted)
    return out


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("kernel", KERNELS, ids=str)
def test_convolution_is_the_dense_one_on_the_support(kernel: Kernel, backend: str) -> None:
    torch.manual_seed(1)
    tensor = random_tensor(kernel.dimension)
    with use_backend(backend):
        out = compare(tensor, kernel, convolve, dense_convolution)
    assert torch.equal(out.coordinates.long(), strided_sites(tensor.coordinates, kernel.strides))
    assert out.tensor_stride == kernel.strides


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("kernel", [k for k in KERNELS if max(k.strides) > 1], ids=str)
def test_transposed_convolution_returns_to_the_earlier_sites(kernel: Kernel, backend: str) -> None:
    torch.manual_seed(2)
    fine = random_tensor(kernel.dimension)
    with use_backend(backend):
        coarse = convolve(fine, torch.randn(kernel.volume, 3, 3, dtype=torch.float64), kernel).detach()
        out = compare(coarse, kernel, convolve_transposed, dense_transposed)
    assert out.shares_sites(fine)


@pytest.mark.parametrize("size", [2, 3])
def test_transposed_convolution_makes_all_children_when_there_are_no_sites(size: int) -> None:
    torch.manual_seed(3)
    coordinates, features = random_image(rows=40)
    coordinates[:, 1:] *= 2
    coarse = sparse_tensor(features, coordinates, tensor_stride=2)
    kernel = Kernel(size, stride=2)
    out = compare(coarse, kernel, convolve_transposed, dense_transposed)
    span = torch.arange(size) - (size // 2 if size % 2 else 0)
    offsets = torch.nn.functional.pad(torch.cartesian_prod(span, span, span), (1, 0))
    children = torch.unique((coordinates[:, None] + offsets[None]).view(-1, 4), dim=0)
    assert torch.equal(out.coordinates.long(), children)
    assert out.tensor_stride == (1, 1, 1)


@pytest.mark.parametrize("kernel", [Kernel(3), Kernel(3, dimension=2), Kernel(3, stride=2)], ids=str)
def test_expanded_convolution_reaches_every_site(kernel: Kernel) -> None:
    torch.manual_seed(4)
    tensor = random_tensor(kernel.dimension, rows=30)

    def expanded(x: SparseTensor, w: Tensor, k: Kernel) -> SparseTensor:
        return convolve(x, w, k, expand=True)

    out = compare(tensor, kernel, expanded, dense_convolution)
    span = torch.arange(-1, 2)
    offsets = torch.nn.functional.pad(torch.cartesian_prod(*[span] * kernel.dimension), (1, 0))
    reached = (tensor.coordinates[:, None] + offsets[None]).view(-1, kernel.dimension + 1)
    assert torch.equal(out.coordinates.long(), strided_sites(reached, kernel.strides))


def test_second_level_uses_the_stride_of_its_input() -> None:
    torch.manual_seed(5)
    down, kernel = Kernel(2, stride=2), Kernel(3, dilation=2)
    middle = convolve(random_tensor(), torch.randn(8, 3, 4, dtype=torch.float64), down)
    compare(middle.detach(), kernel, convolve, dense_convolution)
    deep = compare(middle.detach(), down, convolve, dense_convolution)
    assert deep.tensor_stride == (4, 4, 4)


def test_pointwise_convolution_is_a_matrix_product() -> None:
    tensor = random_tensor()
    weight, bias = torch.randn(3, 7, dtype=torch.float64), torch.randn(1, 7, dtype=torch.float64)
    for function in (convolve, convolve_transposed):
        out = function(tensor, weight, Kernel(1), bias)
        torch.testing.assert_close(out.features, tensor.features @ weight + bias)


@pytest.mark.parametrize("kernel", [Kernel(3), Kernel(2, stride=2)], ids=str)
def test_channelwise_convolution_is_a_diagonal_convolution(kernel: Kernel) -> None:
    tensor = random_tensor()
    weight = torch.randn(kernel.volume, 3, dtype=torch.float64)
    expected = convolve(tensor, torch.diag_embed(weight), kernel)
    torch.testing.assert_close(channelwise(tensor, weight, kernel).features, expected.features)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("kernel", [Kernel(3), Kernel(2, stride=2)], ids=str)
def test_backends_agree_on_several_tiles(kernel: Kernel, dtype: torch.dtype) -> None:
    torch.manual_seed(6)
    coordinates, features = random_image(rows=60_000, channels=11, extent=24)
    tensor = sparse_tensor(features.to(dtype), coordinates)
    weight = torch.randn(kernel.volume, 11, 37, dtype=dtype).requires_grad_()
    results = []
    for backend in BACKENDS:
        with use_backend(backend):
            values = tensor.features.clone().requires_grad_()
            out = convolve(tensor.replace_features(values), weight, kernel).features
            results.append((out, *torch.autograd.grad(out.square().mean(), (values, weight))))
    tolerance = 1e-5 if dtype == torch.float32 else 1e-12
    for one, other in zip(*results, strict=True):
        torch.testing.assert_close(one, other, rtol=tolerance, atol=tolerance * one.abs().max().item())


def test_layers_refuse_what_does_not_fit() -> None:
    tensor = random_tensor()
    weight = torch.randn(27, 3, 4, dtype=torch.float64)
    with pytest.raises(DataError, match="do not fit"):
        convolve(tensor, weight.float(), Kernel(3))
    with pytest.raises(DataError, match="do not fit"):
        convolve(tensor, torch.randn(27, 2, 4, dtype=torch.float64), Kernel(3))
    with pytest.raises(DataError, match="dimension"):
        convolve(tensor, weight, Kernel(3, dimension=2))
    with pytest.raises(DataError, match="cannot undo"):
        convolve_transposed(tensor, weight, Kernel(3, stride=2))
