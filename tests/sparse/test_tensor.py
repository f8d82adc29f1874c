"""Sparse tensors: order of rows, duplicates, limits, empty images."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from spine.errors import ConfigError, DataError
from spine.sparse import Kernel, nn, prune, sparse_tensor, use_backend
from spine.sparse.keys import KeyLayout

from .dense import random_image


@settings(deadline=None, max_examples=30)
@given(st.integers(1, 4), st.integers(0, 2**31))
def test_keys_pack_order_and_shift(dimension: int, seed: int) -> None:
    layout, random = KeyLayout(dimension), np.random.default_rng(seed)
    rows = random.integers(-layout.limit, layout.limit, (50, dimension + 1))
    rows[:, 0] = random.integers(0, min(layout.batch_limit, 2**31), 50)
    keys = layout.pack(torch.from_numpy(rows))
    assert torch.equal(layout.unpack(keys).long(), torch.from_numpy(rows))
    assert np.array_equal(np.argsort(keys.numpy(), kind="stable"), np.lexsort(rows.T[::-1]))
    offset = random.integers(-layout.limit // 2, layout.limit // 2, dimension)
    inside = ((rows[:, 1:] + offset >= -layout.limit) & (rows[:, 1:] + offset < layout.limit)).all(1)
    moved = layout.pack(torch.from_numpy(rows[inside] + np.array([0, *offset])))
    assert torch.equal(keys[torch.from_numpy(inside)] + layout.delta(offset.tolist()), moved)


def test_neighbours_do_not_wrap_around_the_edge_of_the_range() -> None:
    limit = KeyLayout(3).limit
    edge = torch.tensor([[0, 0, 0, limit - 1], [0, 0, 1, -limit], [0, 0, 1, -limit + 1]])
    image = sparse_tensor(torch.ones(3, 1), edge)
    found = image.pyramid.kernel_map(image.key, image.key, Kernel(3))
    assert found.fan_in.tolist() == [1, 2, 2]


@pytest.mark.parametrize(
    "row", [[0, 0, 0, 2**15], [0, -(2**15) - 1, 0, 0], [-1, 0, 0, 0], [4096, 0, 0, 0], [0, 2**40, 0, 0]]
)
def test_coordinates_out_of_range_are_refused(row: list[int]) -> None:
    with pytest.raises(DataError, match="out of range"):
        sparse_tensor(torch.ones(1, 1), torch.tensor([row]))


def test_bad_input_is_refused() -> None:
    with pytest.raises(DataError, match="not finite"):
        sparse_tensor(torch.ones(1, 1), torch.tensor([[0, 1.0, float("nan"), 0]]))
    with pytest.raises(DataError, match="same rows"):
        sparse_tensor(torch.ones(2, 1), torch.zeros(1, 4))
    with pytest.raises(DataError, match="batch size"):
        sparse_tensor(torch.ones(1, 1), torch.tensor([[3, 0, 0, 0]]), batch_size=2)
    with pytest.raises(DataError, match="duplicates"):
        sparse_tensor(torch.ones(1, 1), torch.zeros(1, 4), duplicates="median")  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="did you mean 'numba'"), use_backend("nunba"):
        pass
    with pytest.raises(ConfigError, match="positive"):
        Kernel(0)


def test_real_coordinates_are_rounded_down() -> None:
    image = sparse_tensor(torch.ones(2, 1), torch.tensor([[0, -0.5, 1.9, 2.0], [0, 0.5, 1.1, 2.0]]))
    assert image.coordinates.tolist() == [[0, -1, 1, 2], [0, 0, 1, 2]]


@pytest.mark.parametrize("rule", ["sum", "mean", "first"])
def test_duplicates_are_joined_and_given_back(rule: str) -> None:
    coordinates, features = random_image(rows=300, extent=3)
    coordinates = coordinates[torch.arange(300) % len(coordinates)]
    features = torch.randn(300, 2, dtype=torch.float64)
    image = sparse_tensor(features, coordinates, duplicates=rule)  # type: ignore[arg-type]
    sites, inverse = np.unique(coordinates.numpy(), axis=0, return_inverse=True)
    assert np.array_equal(image.coordinates.numpy(), sites)
    assert np.array_equal(image.alignment()[1].numpy(), inverse)
    groups = [features[torch.from_numpy(inverse == i)] for i in range(len(sites))]
    expected = {
        "sum": torch.stack([group.sum(0) for group in groups]),
        "mean": torch.stack([group.mean(0) for group in groups]),
        "first": torch.stack([group[0] for group in groups]),
    }
    torch.testing.assert_close(image.features, expected[rule])
    assert torch.equal(image.aligned_features(), image.features[torch.from_numpy(inverse)])
    assert torch.equal(image.coordinates[image.alignment()[1]].long(), coordinates)


@pytest.mark.parametrize("backend", ["torch", "numba"])
def test_order_of_input_rows_does_not_change_a_bit(backend: str) -> None:
    torch.manual_seed(0)
    coordinates, features = random_image(rows=4000, channels=1, extent=12)
    features = features.float()
    layers = torch.nn.ModuleList(
        [nn.Convolution(1, 8, 3), nn.Convolution(8, 8, Kernel(2, 2)), nn.ConvolutionTranspose(8, 4, Kernel(2, 2))]
    )
    results = []
    for order in (torch.arange(len(coordinates)), torch.randperm(len(coordinates))):
        layers.zero_grad()
        tensor = sparse_tensor(features[order], coordinates[order])
        with use_backend(backend):
            for layer in layers:
                tensor = layer(tensor)
            torch.autograd.backward(tensor.features.square().sum())
        rows = torch.empty_like(tensor.features)
        rows[order] = tensor.aligned_features()
        results.append([rows.detach(), *[p.grad.clone() for p in layers.parameters() if p.grad is not None]])
    assert len(results[0]) == 4
    assert all(torch.equal(a, b) for a, b in zip(*results, strict=True))


def test_number_of_threads_does_not_change_a_bit() -> None:
    torch.manual_seed(0)
    coordinates, features = random_image(rows=60_000, channels=4, extent=20)
    tensor = sparse_tensor(features.float().requires_grad_(), coordinates)
    layer = nn.Convolution(4, 4, 3)
    before, results = torch.get_num_threads(), []
    try:
        for threads in (1, 3):
            torch.set_num_threads(threads)
            with use_backend("numba"):
                out = layer(tensor).features
                results.append((out, *torch.autograd.grad(out.sum(), (tensor.features, layer.kernel))))
    finally:
        torch.set_num_threads(before)
    assert all(torch.equal(a, b) for a, b in zip(*results, strict=True))


@pytest.mark.parametrize("backend", ["torch", "numba"])
@pytest.mark.parametrize("dimension", [2, 3])
def test_empty_images_pass_through(dimension: int, backend: str) -> None:
    empty = sparse_tensor(torch.zeros(0, 2), torch.zeros(0, dimension + 1), batch_size=3)
    down = nn.Convolution(2, 5, Kernel(2, 2, dimension=dimension), bias=True)
    up = nn.ConvolutionTranspose(5, 3, Kernel(2, 2, dimension=dimension))
    with use_backend(backend):
        middle = down(empty)
        out = up(middle)
        torch.autograd.backward(out.features.sum())
    assert middle.shape == (0, 5)
    assert middle.tensor_stride == (2,) * dimension
    assert out.aligned_features().shape == (0, 3)
    assert out.counts.tolist() == [0, 0, 0]
    assert float(down.kernel.grad.abs().sum()) == 0.0  # type: ignore[union-attr]


def test_batch_entries_are_split_with_the_empty_ones() -> None:
    coordinates = torch.tensor([[2, 1, 1, 1], [0, 0, 0, 0], [2, 0, 0, 0]])
    image = sparse_tensor(torch.arange(3.0), coordinates, batch_size=4)
    assert image.counts.tolist() == [1, 0, 2, 0]
    assert [rows.tolist() for _, rows in image.decomposed()] == [[[1.0]], [], [[2.0], [0.0]], []]


def test_translation_keeps_the_caller_s_coordinates() -> None:
    coordinates, features = random_image()
    image = sparse_tensor(features, coordinates)
    moved = image.translated(torch.tensor([[1, 2, 3], [-4, 0, 7]]))
    assert torch.equal(moved.canonical_coordinates, image.coordinates)
    assert torch.equal(moved.aligned_features(), features)
    assert not torch.equal(moved.coordinates, image.coordinates)


def test_tensors_with_other_row_orders_share_a_pyramid() -> None:
    coordinates, features = random_image()
    one = sparse_tensor(features, coordinates)
    other = sparse_tensor(features.flip(0), coordinates.flip(0), pyramid=one.pyramid)
    assert torch.equal(one.aligned_features(), features)
    assert torch.equal(other.aligned_features(), features.flip(0))
    torch.testing.assert_close((one + other).features, 2 * one.features)


def test_only_the_caller_s_sites_can_be_given_back() -> None:
    coordinates, features = random_image()
    coarse = nn.Convolution(3, 3, Kernel(2, 2)).double()(sparse_tensor(features, coordinates))
    with pytest.raises(DataError, match="no sites of this stride"):
        coarse.aligned_features()


def test_pruned_rows_keep_the_caller_s_order() -> None:
    coordinates, features = random_image()
    coordinates, features = torch.cat([coordinates, coordinates[:9]]), torch.cat([features, features[:9]])
    keep = coordinates[:, 1] > 0
    image = sparse_tensor(features, coordinates, duplicates="first")
    pruned = prune(image, image.coordinates[:, 1] > 0)
    caller, _ = pruned.alignment()
    assert torch.equal(caller, torch.nonzero(keep).squeeze(1))
    assert torch.equal(pruned.aligned_features(), features[keep])
