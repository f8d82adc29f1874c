"""U-ResNet against a dense network and against the peer."""

from __future__ import annotations

from functools import partial

import pytest
import torch
from torch import Tensor

from spine.errors import ConfigError, DataError
from spine.model.uresnet import (
    ACTIVATIONS,
    NORMS,
    FeatureMaps,
    LatticePhase,
    LayerStyle,
    ResidualBlock,
    Segmentation,
    UResNet,
    UResNetSegmentation,
    UResNetShape,
    image_tensor,
)
from spine.sparse import SparseTensor, sparse_tensor, use_backend
from spine.sparse import nn as snn

from .dense_net import EXTENT, SLOPE, DenseNet
from .golden import SHAPE as GOLDEN_SHAPE
from .golden import golden_arrays, golden_network, in_coordinate_order, needs_golden

STYLE = LayerStyle(partial(snn.LeakyReLU, SLOPE), partial(snn.BatchNorm, eps=1e-4, momentum=0.01))
SHAPE = UResNetShape(filters=4, depth=3, reps=2)


def voxels(count: int = 400, seed: int = 0, batch: int = 2) -> Tensor:
    """(N, 5) table of distinct voxels in random order."""
    generator = torch.Generator().manual_seed(seed)
    entry = torch.randint(0, batch, (count, 1), generator=generator)
    place = torch.cat([entry, torch.randint(0, EXTENT, (count, 3), generator=generator)], 1)
    place = torch.unique(place, dim=0)
    place = place[torch.randperm(len(place), generator=generator)]
    return torch.cat([place, torch.rand(len(place), 1, generator=generator)], 1).double()


def trained(network: torch.nn.Module, seed: int = 0) -> torch.nn.Module:
    """Give every parameter and running statistic a random value, in double precision."""
    torch.manual_seed(seed)
    network.double()
    for name, value in network.state_dict().items():
        if name.endswith(("bn.weight", "bn.running_var")):
            value.uniform_(0.5, 1.5)
        elif name.endswith(("bias", "running_mean")):
            value.uniform_(-0.5, 0.5)
    return network.eval()


def segmentation_network(ghost: bool = False) -> UResNetSegmentation:
    return UResNetSegmentation(UResNet(SHAPE, STYLE), 5, ghost)


def test_network_equals_the_dense_one() -> None:
    network = trained(segmentation_network())
    table = voxels()
    tensor = image_tensor(table, SHAPE)
    out: Segmentation = network(tensor)
    weights = {f"uresnet.{name}": value.detach() for name, value in network.state_dict().items()}
    dense = DenseNet(weights, tensor.coordinates, tensor.features)
    encoded = dense.encode(SHAPE.depth)
    decoded = dense.decode(encoded)
    for sparse_map, grid in zip(
        out.maps.encoder_tensors[1:] + out.maps.decoder_tensors, encoded + decoded, strict=True
    ):
        place = sparse_map.coordinates.long()
        stride = sparse_map.tensor_stride[0]
        rows = grid.movedim(1, -1)[place[:, 0], *(place[:, 1:] // stride).T]
        torch.testing.assert_close(sparse_map.features, rows)
    logits = dense.classes(decoded[-1]).movedim(1, -1)[*table[:, :4].long().T]
    torch.testing.assert_close(out.logits.aligned_features(), logits)


def test_order_of_rows_does_not_change_a_bit() -> None:
    network, table = trained(segmentation_network()).float(), voxels().float()
    order = torch.randperm(len(table))
    with torch.no_grad():
        one = network(image_tensor(table, SHAPE)).logits.aligned_features()
        other = network(image_tensor(table[order], SHAPE)).logits.aligned_features()
    assert torch.equal(one[order], other)


def test_a_batch_equals_its_events_one_by_one() -> None:
    network, table = trained(segmentation_network()), voxels(batch=3)
    together = network(image_tensor(table, SHAPE)).logits.aligned_features()
    for b in range(3):
        rows = table[:, 0] == b
        alone = network(image_tensor(table[rows] * torch.tensor([0, 1, 1, 1, 1]), SHAPE)).logits.aligned_features()
        torch.testing.assert_close(together[rows], alone)


def test_translation_by_the_deepest_stride_changes_nothing() -> None:
    network, table = trained(segmentation_network()), voxels()
    moved = table + torch.tensor([0.0, -64.0, 4.0, 128.0, 0.0])
    one, other = (network(image_tensor(t, SHAPE)).logits.aligned_features() for t in (table, moved))
    torch.testing.assert_close(one, other, rtol=0, atol=0)
    shifted = table + torch.tensor([0.0, 1.0, 0.0, 0.0, 0.0])
    assert not torch.allclose(one, network(image_tensor(shifted, SHAPE)).logits.aligned_features())


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("rows", [0, 1, 2])
def test_tiny_images(rows: int, training: bool) -> None:
    network = segmentation_network(ghost=True).train(training)
    out: Segmentation = network(image_tensor(voxels().float()[:rows], SHAPE, batch_size=3))
    assert out.logits.aligned_features().shape == (rows, 5)
    assert out.ghost is not None
    assert out.ghost.shape == (rows, 2)
    assert bool(torch.isfinite(out.logits.features).all())
    torch.autograd.backward(out.logits.features.sum())


@pytest.mark.parametrize("backend", ["torch", "numba"])
def test_two_dimensions(backend: str) -> None:
    style = LayerStyle(dimension=2, bias=True)
    network = UResNetSegmentation(UResNet(SHAPE, style), 3)
    table = voxels()[:, [0, 1, 2, 4]].float()
    with use_backend(backend):
        out = network(image_tensor(table, SHAPE, dimension=2))
    assert out.logits.aligned_features().shape == (len(table), 3)
    assert out.maps.final_tensor.tensor_stride == (4, 4)


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_every_kind_of_layer_fits(activation: str, norm: str) -> None:
    block = ResidualBlock(2, 3, LayerStyle(ACTIVATIONS[activation], NORMS[norm]), stride=2)
    out = block(sparse_tensor(torch.randn(30, 2), torch.randint(0, 6, (30, 4)).clamp(max=5)))
    assert out.shape[1] == 3
    assert out.tensor_stride == (2, 2, 2)


def test_lattice_phase_moves_the_voxels_in_training_only() -> None:
    torch.manual_seed(0)
    lattice = LatticePhase((4, 4, 4))
    network = UResNet(SHAPE, STYLE, lattice).double()
    tensor = image_tensor(voxels(), SHAPE)
    assert lattice.eval()(tensor) is tensor
    maps: FeatureMaps = network.train()(tensor)
    moved: SparseTensor = maps.decoder_tensors[-1]
    shift = moved.coordinates - tensor.coordinates
    assert torch.equal(moved.canonical_coordinates, tensor.coordinates)
    assert 0 <= int(shift[:, 1:].min()) <= int(shift[:, 1:].max()) < 4
    assert len(torch.unique(shift, dim=0)) == 2


def test_bad_input_is_refused() -> None:
    with pytest.raises(DataError, match="too few columns"):
        image_tensor(torch.zeros(3, 4), SHAPE)
    with pytest.raises(ConfigError, match="positive"):
        UResNetShape(filters=4, depth=0, reps=2)


@needs_golden
@pytest.mark.parametrize("backend", ["torch", "numba"])
def test_golden_segmentation(backend: str) -> None:
    golden, network = golden_arrays("ev5k.npz", "ev0"), golden_network().eval()
    with torch.no_grad(), use_backend(backend):
        out: Segmentation = network.uresnet(image_tensor(golden["input"], GOLDEN_SHAPE))
    close = partial(torch.testing.assert_close, rtol=1e-4, atol=1e-5)
    close(out.logits.aligned_features(), golden["segmentation"])
    deepest = in_coordinate_order(golden["final_tensor/C"], golden["final_tensor/F"])
    close(out.maps.final_tensor.features, deepest)
    for i, tensor in enumerate(out.maps.encoder_tensors):
        sums = tensor.features.sum(), tensor.features.abs().sum(), tensor.features.square().sum()
        expected = golden[f"encoder_tensors/{i}/checksum"]
        assert abs(sums[0] - expected[0]) < 1e-5 * expected[1]
        torch.testing.assert_close(torch.stack(sums[1:]), expected[1:], rtol=1e-4, atol=0)
