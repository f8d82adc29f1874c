"""Pooling, normalisation, structure and interpolation against dense torch and plain look-ups."""

from __future__ import annotations

import itertools
import operator
from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from spine.errors import DataError
from spine.sparse import (
    Kernel,
    SparseTensor,
    concatenate,
    features_at_coordinates,
    nn,
    prune,
    sparse_tensor,
    union,
)
from spine.sparse.pooling import Reduction, broadcast, pool

from .dense import dense_convolution, random_image, random_tensor, strided_sites, to_dense


def rows_by_site(tensor: SparseTensor) -> dict[tuple[int, ...], Tensor]:
    """Features by coordinate."""
    return dict(zip(map(tuple, tensor.coordinates.tolist()), tensor.features, strict=True))


@pytest.mark.parametrize("dimension", [2, 3])
@pytest.mark.parametrize("size", [2, 3])
@pytest.mark.parametrize("reduction", ["max", "avg", "sum"])
def test_pooling_of_stride_cells(reduction: Reduction, size: int, dimension: int) -> None:
    tensor = random_tensor(dimension, rows=90)
    layer = {"max": nn.MaxPooling, "avg": nn.AvgPooling, "sum": nn.SumPooling}[reduction]
    out = layer(Kernel(size, stride=size, dimension=dimension))(tensor)
    members: dict[tuple[int, ...], list[Tensor]] = {}
    for site, row in rows_by_site(tensor).items():
        cell = (site[0], *(x // size * size for x in site[1:]))
        members.setdefault(cell, []).append(row)
    assert torch.equal(out.coordinates.long(), strided_sites(tensor.coordinates, (size,) * dimension))
    for site, row in rows_by_site(out).items():
        stack = torch.stack(members[site])
        wanted = {"max": stack.amax(0), "avg": stack.mean(0), "sum": stack.sum(0)}[reduction]
        torch.testing.assert_close(row, wanted)


@pytest.mark.parametrize("kernel", [Kernel(3), Kernel(3, stride=2), Kernel(2), Kernel((3, 2, 1))], ids=str)
def test_pooling_of_windows_is_that_of_the_convolution(kernel: Kernel) -> None:
    tensor = random_tensor()
    weight = torch.eye(3, dtype=torch.float64).expand(kernel.volume, 3, 3).contiguous()
    total = pool(tensor, kernel, "sum")
    torch.testing.assert_close(total.features, dense_convolution(tensor, weight, kernel, total.coordinates))
    present = tensor.replace_features(torch.ones_like(tensor.features))
    count = dense_convolution(present, weight, kernel, total.coordinates)
    mean = pool(tensor, kernel, "avg")
    torch.testing.assert_close(mean.features, total.features / count.clamp(min=1))


def test_windowed_maximum_is_that_of_torch() -> None:
    tensor = random_tensor()
    grid, low = to_dense(tensor)
    occupied, _ = to_dense(tensor.replace_features(torch.ones_like(tensor.features)))
    best = functional.max_pool3d(grid.masked_fill(occupied == 0, -torch.inf), 3, stride=1, padding=1)
    place = (tensor.coordinates[:, 0].long(), *(tensor.coordinates[:, 1:].long() - low).T)
    out = pool(tensor, Kernel(3), "max")
    torch.testing.assert_close(out.features, best.movedim(1, -1)[place])


def test_maximum_hands_its_gradient_to_the_first_of_equals() -> None:
    sites = torch.tensor([[0, 0, 0, 1], [0, 1, 0, 0], [0, 1, 1, 1]])
    features = torch.tensor([[2.0], [2.0], [1.0]], requires_grad=True)
    out = nn.MaxPooling(2)(sparse_tensor(features, sites)).features
    (gradient,) = torch.autograd.grad(out.sum(), features)
    assert gradient.tolist() == [[0.0], [1.0], [0.0]]  # offset (1, 0, 0) comes before (0, 0, 1)


@pytest.mark.parametrize("size", [2, 3])
def test_unpooling_copies_the_parent(size: int) -> None:
    tensor = random_tensor()
    coarse = nn.AvgPooling(size)(tensor)
    fine = nn.PoolingTranspose(size)(coarse)
    assert fine.shares_sites(tensor)
    parents = rows_by_site(coarse)
    for site, row in rows_by_site(fine).items():
        assert torch.equal(row, parents[(site[0], *(x // size * size for x in site[1:]))])


def test_unpooling_makes_all_children_when_there_are_no_sites() -> None:
    coarse = sparse_tensor(torch.tensor([[3.0]]), torch.tensor([[0, 2, 4]]), tensor_stride=2)
    fine = nn.PoolingTranspose(Kernel(2, stride=2, dimension=2))(coarse)
    assert fine.coordinates.tolist() == [[0, 2, 4], [0, 2, 5], [0, 3, 4], [0, 3, 5]]
    assert fine.features.flatten().tolist() == [3.0] * 4


def test_global_pooling_and_broadcast() -> None:
    coordinates, features = random_image()
    coordinates[:, 0] *= 2
    tensor = sparse_tensor(features, coordinates, batch_size=4)
    entries = [tensor.features[tensor.coordinates[:, 0] == b] for b in (0, 2)]
    for layer, wanted in (
        (nn.GlobalAvgPooling(), [entry.mean(0) for entry in entries]),
        (nn.GlobalPooling(), [entry.mean(0) for entry in entries]),
        (nn.GlobalSumPooling(), [entry.sum(0) for entry in entries]),
        (nn.GlobalMaxPooling(), [entry.amax(0) for entry in entries]),
    ):
        rows = layer(tensor)
        assert rows.coordinates.tolist() == [[0, 0, 0, 0], [2, 0, 0, 0]]
        assert rows.tensor_stride == (0, 0, 0)
        torch.testing.assert_close(rows.features, torch.stack(wanted))
        repeated = torch.cat([row.expand(len(e), -1) for row, e in zip(rows.features, entries, strict=True)])
        torch.testing.assert_close(nn.Broadcast()(tensor, rows).features, repeated)
        torch.testing.assert_close(nn.BroadcastAddition()(tensor, rows).features, tensor.features + repeated)
        torch.testing.assert_close(nn.BroadcastMultiplication()(tensor, rows).features, tensor.features * repeated)
        joined = nn.BroadcastConcatenation()(tensor, rows).features
        torch.testing.assert_close(joined, torch.cat([tensor.features, repeated], 1))


def test_broadcast_needs_a_row_for_each_entry() -> None:
    tensor = random_tensor()
    one = sparse_tensor(tensor.features[:1], tensor.coordinates[:1])
    with pytest.raises(DataError, match="no row to broadcast"):
        broadcast(tensor, nn.GlobalPooling()(one))


def test_pruning_keeps_the_masked_rows_and_ups_back_to_all() -> None:
    tensor = random_tensor()
    keep = torch.rand(len(tensor)) < 0.5
    kept = nn.Pruning()(tensor, keep)
    assert torch.equal(kept.features, tensor.features[keep])
    assert torch.equal(kept.coordinates, tensor.coordinates[keep])
    down, up = nn.Convolution(3, 3, Kernel(2, 2)).double(), nn.ConvolutionTranspose(3, 3, Kernel(2, 2)).double()
    assert up(down(kept)).shares_sites(tensor)  # as in MinkowskiEngine: transposed layers write to the default set
    with pytest.raises(DataError, match="one boolean per row"):
        prune(tensor, keep[:-1])


@pytest.mark.parametrize("function", [operator.add, operator.sub, operator.mul, operator.truediv])
def test_binary_operations_on_other_sites(function: Callable[..., SparseTensor]) -> None:
    one, other = random_tensor(seed=1), random_tensor(seed=2)
    out = function(one, other)
    left, right = rows_by_site(one), rows_by_site(other)
    assert [tuple(site) for site in out.coordinates.tolist()] == sorted({*left, *right})
    zero = torch.zeros(3, dtype=torch.float64)
    for site, row in rows_by_site(out).items():
        wanted = left[site] if site not in right else function(left.get(site, zero), right[site])
        torch.testing.assert_close(row, wanted)
    same = function(one, one)
    torch.testing.assert_close(same.features, function(one.features, one.features))
    torch.testing.assert_close(function(one, 2.0).features, function(one.features, 2.0))


def test_union_adds_several_tensors() -> None:
    tensors = [random_tensor(seed=seed) for seed in range(3)]
    out = nn.Union()(*tensors)
    torch.testing.assert_close(out.features, union(tensors[2], tensors[0], tensors[1]).features)
    torch.testing.assert_close(out.features.sum(0), sum(t.features.sum(0) for t in tensors))
    with pytest.raises(DataError, match="different stride"):
        union(tensors[0], nn.MaxPooling(2)(tensors[0]))


def test_concatenation_needs_the_same_sites() -> None:
    one, other = random_tensor(seed=1), random_tensor(seed=2)
    joined = nn.Concatenation()(one, one.replace_features(one.features[:, :1]))
    assert torch.equal(joined.features, torch.cat([one.features, one.features[:, :1]], 1))
    with pytest.raises(DataError, match="same sites"):
        concatenate(one, other)


@pytest.mark.parametrize("dimension", [2, 3])
@pytest.mark.parametrize("stride", [1, 2])
def test_interpolation_is_multilinear_with_zeros_outside(stride: int, dimension: int) -> None:
    coordinates, features = random_image(dimension)
    coordinates[:, 1:] *= stride
    tensor = sparse_tensor(features, coordinates, tensor_stride=stride)
    generator = torch.Generator().manual_seed(0)
    points = (torch.rand(60, dimension, generator=generator, dtype=torch.float64) - 0.5) * 10 * stride
    points = torch.cat([torch.arange(60)[:, None] % 2, points], 1)
    rows, zero = rows_by_site(tensor), torch.zeros(3, dtype=torch.float64)
    for point, value in zip(points.tolist(), features_at_coordinates(tensor, points), strict=True):
        wanted = zero
        for corner in itertools.product((0, 1), repeat=dimension):
            site = [int((x // stride + c) * stride) for x, c in zip(point[1:], corner, strict=True)]
            weight = 1.0
            for x, s in zip(point[1:], site, strict=True):
                weight *= 1 - abs(x - s) / stride
            wanted = wanted + weight * rows.get((int(point[0]), *site), zero)
        torch.testing.assert_close(value, wanted)
    torch.testing.assert_close(features_at_coordinates(tensor, tensor.coordinates), tensor.features)


def test_instance_norm_is_that_of_torch_entry_by_entry() -> None:
    tensor, layer = random_tensor(), nn.InstanceNorm(3).double()
    torch.nn.init.uniform_(layer.weight)
    torch.nn.init.uniform_(layer.bias)
    entries = [
        functional.instance_norm(rows.T[None], weight=layer.weight[0], bias=layer.bias[0], eps=1e-8)[0].T
        for _, rows in tensor.decomposed()
    ]
    torch.testing.assert_close(layer(tensor).features, torch.cat(entries))


def test_batch_norm_of_one_row_uses_and_keeps_the_running_statistics() -> None:
    layer = nn.BatchNorm(2)
    layer.bn.running_mean = torch.tensor([1.0, 2.0])
    one = sparse_tensor(torch.tensor([[3.0, 3.0]]), torch.zeros(1, 4))
    out = layer(one).features
    torch.testing.assert_close(out, torch.tensor([[2.0, 1.0]]), rtol=1e-4, atol=0)
    assert layer.bn.running_mean.tolist() == [1.0, 2.0]


@pytest.mark.parametrize(
    ("layer", "function"),
    [
        (nn.ReLU(), functional.relu),
        (nn.LeakyReLU(0.3), lambda x: torch.where(x > 0, x, 0.3 * x)),
        (nn.PReLU(), lambda x: torch.where(x > 0, x, 0.25 * x)),
        (nn.SELU(), functional.selu),
        (nn.CELU(0.5), lambda x: functional.celu(x, 0.5)),
        (nn.ELU(0.5), lambda x: functional.elu(x, 0.5)),
        (nn.Tanh(), torch.tanh),
        (nn.Sigmoid(), torch.sigmoid),
        (nn.Mish(), lambda x: x * torch.tanh(torch.log1p(x.exp()))),
        (nn.PixelNorm(), lambda x: functional.normalize(x, dim=1)),
        (nn.Softplus(), lambda x: torch.log1p(x.exp())),
        (nn.Dropout(0.5).eval(), lambda x: x),
    ],
    ids=lambda value: type(value).__name__,
)
def test_activations(layer: torch.nn.Module, function: Callable[[Tensor], Tensor]) -> None:
    tensor = random_tensor()
    torch.testing.assert_close(layer.double()(tensor).features, function(tensor.features))


def test_parameter_names_and_shapes_are_those_of_minkowski_engine() -> None:
    net = torch.nn.Sequential(
        nn.Convolution(1, 2, 3, bias=True),
        nn.Convolution(2, 2, 1),
        nn.Convolution(2, 2, Kernel(1, stride=2)),
        nn.BatchNorm(2),
        nn.Linear(2, 3),
        nn.PReLU(),
        nn.InstanceNorm(3),
        nn.ConvolutionTranspose(3, 2, Kernel(2, stride=2)),
        nn.ChannelwiseConvolution(2, 3),
    )
    assert {name: tuple(value.shape) for name, value in net.state_dict().items()} == {
        "0.kernel": (27, 1, 2),
        "0.bias": (1, 2),
        "1.kernel": (2, 2),
        "2.kernel": (1, 2, 2),
        "3.bn.weight": (2,),
        "3.bn.bias": (2,),
        "3.bn.running_mean": (2,),
        "3.bn.running_var": (2,),
        "3.bn.num_batches_tracked": (),
        "4.linear.weight": (3, 2),
        "4.linear.bias": (3,),
        "5.module.weight": (1,),
        "6.weight": (1, 3),
        "6.bias": (1, 3),
        "7.kernel": (8, 3, 2),
        "8.kernel": (27, 2),
    }


def test_weights_are_drawn_within_the_bounds_of_minkowski_engine() -> None:
    torch.manual_seed(0)
    plain = nn.Convolution(4, 100, 3, bias=True)
    up = nn.ConvolutionTranspose(4, 100, Kernel(2, stride=2))
    for values, count in ((plain.kernel, 4 * 27), (plain.bias, 4 * 27), (up.kernel, 100 * 8)):
        assert values is not None
        bound = count**-0.5
        assert 0.9 * bound < values.abs().max().item() <= bound


def test_every_layer_takes_an_empty_tensor() -> None:
    empty = sparse_tensor(torch.zeros(0, 3), torch.zeros(0, 4), batch_size=2)
    layers: list[torch.nn.Module] = [
        *(nn.BatchNorm(3), nn.InstanceNorm(3), nn.Linear(3, 3), nn.Dropout(), nn.ReLU(), nn.PReLU()),
        *(nn.MaxPooling(2), nn.AvgPooling(Kernel(3)), nn.SumPooling(3), nn.GlobalMaxPooling()),
        *(nn.GlobalAvgPooling(), nn.GlobalSumPooling(), nn.ChannelwiseConvolution(3, 3)),
        nn.Convolution(3, 3, 3, expand_coordinates=True),
    ]
    for layer in layers:
        assert layer(empty).shape == (0, 3)
    assert nn.PoolingTranspose(2)(nn.MaxPooling(2)(empty)).shape == (0, 3)
    assert nn.Broadcast()(empty, nn.GlobalPooling()(empty)).shape == (0, 3)
    assert prune(empty, torch.zeros(0, dtype=torch.bool)).shape == (0, 3)
    assert union(empty, sparse_tensor(torch.ones(1, 3), torch.zeros(1, 4))).shape == (1, 3)
    assert features_at_coordinates(empty, torch.zeros(5, 4)).tolist() == [[0.0] * 3] * 5
