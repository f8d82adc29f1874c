"""Point proposal loss against k-d trees, closed formulas and the peer."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.spatial import cKDTree
from torch import Tensor
from torch.nn import functional

from spine.errors import ConfigError, DataError
from spine.model.ppn import PPN, PointOutput, ProposalTask, UResNetPPN
from spine.model.ppn_loss import PointLabels, PPNLoss, PPNLossOptions, UResNetPPNLoss, VertexLoss, nearest_points
from spine.model.uresnet import image_tensor
from spine.model.uresnet_loss import SegmentationLoss, class_weights

from .dense_net import EXTENT
from .golden import SHAPE as GOLDEN_SHAPE
from .golden import golden_arrays, golden_network, golden_product, needs_golden
from .test_uresnet import SHAPE, STYLE, segmentation_network, trained, voxels


def labels(count: int = 12, seed: int = 0) -> PointLabels:
    generator = torch.Generator().manual_seed(seed)
    position = torch.rand(count, 3, generator=generator, dtype=torch.float64) * EXTENT
    particle = torch.randint(-1, 4, (count,), generator=generator)
    return PointLabels(position, torch.arange(count) % 2, torch.arange(count) % 4, particle, torch.arange(count) % 2)


def network(endpoints: bool = True) -> UResNetPPN:
    torch.manual_seed(1)
    decoder = PPN(SHAPE, STYLE, 5, classify_endpoints=endpoints, vertex=ProposalTask("vertex_pred"))
    net = trained(UResNetPPN(segmentation_network(), decoder))
    assert isinstance(net, UResNetPPN)
    return net


def output(table: Tensor) -> PointOutput:
    out: PointOutput = network()(image_tensor(table, SHAPE)).ppn
    return out


@pytest.mark.parametrize("resolution", [1.0, 3.0, 50.0])
def test_nearest_points_are_those_of_a_tree(resolution: float) -> None:
    tensor, points = image_tensor(voxels(), SHAPE), labels()
    nearest = nearest_points(tensor, points, resolution)
    for entry in (0, 1):
        rows = tensor.coordinates[:, 0] == entry
        mine = torch.nonzero(points.batch == entry).squeeze(1).numpy()
        centres = tensor.coordinates[rows, 1:].numpy() + 0.5
        distance, place = cKDTree(points.position.numpy()[mine]).query(centres)
        assert np.array_equal(nearest[rows].numpy(), np.where(distance < resolution, mine[place], -1))


def test_nearest_points_of_the_own_particle() -> None:
    tensor, points = image_tensor(voxels(), SHAPE), labels()
    assert points.particle is not None
    particle = torch.arange(len(tensor)) % 5 - 1
    nearest = nearest_points(tensor, points, 6.0, particle)
    centres = tensor.coordinates[:, 1:].double() + 0.5
    for row, found in enumerate(nearest.tolist()):
        owner = (points.particle == particle[row]) & (particle[row] >= 0)
        allowed = owner & (points.batch == tensor.coordinates[row, 0])
        distance = torch.where(allowed, (centres[row] - points.position).norm(dim=1), torch.inf)
        assert found == (int(distance.argmin()) if distance.min() < 6.0 else -1)


def test_loss_is_the_sum_of_its_parts() -> None:
    out, points = output(voxels()), labels()
    options = PPNLossOptions(3.0, None, True, "sqrt", True, "log", 2.0, 3.0, 5.0, 7.0)
    score = PPNLoss(options)(out, points)
    nearest = nearest_points(out.points, points, 3.0)
    rows = nearest >= 0
    types = points.shape[nearest[rows]]
    type_loss = functional.cross_entropy(out.type_logits[rows], types, class_weights(points.shape, 5, "log").double())
    centres = out.points.coordinates[rows, 1:].double() + 0.5
    position = (centres + out.offsets[rows] - points.position[nearest[rows]]).square().mean()
    cells, masks = {tuple(c) for c in out.points.coordinates[rows].tolist()}, []
    for i, level in reversed(list(enumerate(out.proposals.logits))):
        step = level.tensor_stride[0]
        cells = {(b, *(v // step * step for v in c)) for b, *c in cells}
        truth = torch.tensor([tuple(c) in cells for c in level.coordinates.tolist()]).long()
        masks.append(functional.cross_entropy(level.features, truth, class_weights(truth, 2, "sqrt").double()))
        assert score.details[f"mask_loss_layer_{i}"] == pytest.approx(masks[-1].item())
        right = (level.features.argmax(1) == truth).double().mean().item()
        assert score.details[f"mask_accuracy_layer_{i}"] == pytest.approx(right)
    assert out.endpoints is not None
    assert points.endpoint is not None
    track = types == 1
    ends = functional.cross_entropy(out.endpoints.features[rows][track], points.endpoint[nearest[rows]][track])
    expected = 5.0 * torch.stack(masks).mean() + 3.0 * type_loss + 2.0 * position + 7.0 * ends
    torch.testing.assert_close(score.loss, expected)
    assert set(score.terms) == {"ppn_mask", "ppn_type", "ppn_regression", "ppn_endpoint"}


def test_vertex_loss() -> None:
    out = network()(image_tensor(voxels(), SHAPE)).vertex
    points = labels(2)
    score = VertexLoss(PPNLossOptions(resolution=4.0))(out, points)
    nearest = nearest_points(out.points, points, 4.0)
    rows = nearest >= 0
    missed = out.points.coordinates[rows, 1:] + 0.5 + out.offsets[rows] - points.position[nearest[rows]]
    assert score.details["reg_loss"] == pytest.approx(missed.square().mean().item())
    assert score.details["reg_accuracy"] == pytest.approx((missed.norm(dim=1) < 4.0).double().mean().item())
    assert score.loss.item() == pytest.approx(score.details["mask_loss"] + score.details["reg_loss"])


def test_only_points_of_the_wished_types_count() -> None:
    out, points = output(voxels()), labels()
    some = PPNLoss(PPNLossOptions(point_classes=(1, 3)))(out, points)
    other = PPNLoss()(out, points.select((points.shape == 1) | (points.shape == 3)))
    assert some.flat() == other.flat()


def test_restriction_to_clusters_follows_the_caller_s_rows() -> None:
    table, points = voxels(), labels()
    particle = torch.arange(len(table)) % 4
    order = torch.randperm(len(table))
    loss = PPNLoss(PPNLossOptions(restrict_to_clusters=True))
    one = loss(output(table), points, particle)
    assert loss(output(table[order]), points, particle[order]).flat() == one.flat()
    assert one.flat() != PPNLoss()(output(table), points).flat()
    with pytest.raises(DataError, match="particles of voxels and points"):
        loss(output(table), points)


@pytest.mark.parametrize("rows", [0, 50])
def test_without_points_there_is_nothing_to_find(rows: int) -> None:
    net = network()
    none = PointLabels(torch.zeros(0, 3).double(), *[torch.zeros(0, dtype=torch.int64)] * 4)
    table = voxels()[:rows]
    loss = UResNetPPNLoss(SegmentationLoss(5), PPNLoss(), VertexLoss())
    classes = torch.zeros(rows, dtype=torch.int64)
    score = loss(net(image_tensor(table, SHAPE, batch_size=2)), classes, none, none)
    assert score.details["ppn_reg_loss"] == 0.0
    assert score.details["ppn_type_accuracy"] == 1.0
    torch.autograd.backward(score.loss)
    assert all(p.grad is not None and bool(torch.isfinite(p.grad).all()) for p in net.parameters())


def test_missing_parts_are_reported() -> None:
    net, table = network(endpoints=False), voxels()
    loss = UResNetPPNLoss(SegmentationLoss(5), PPNLoss())
    with pytest.raises(DataError, match="without its output or its labels"):
        loss(net(image_tensor(table, SHAPE)), torch.zeros(len(table), dtype=torch.int64))
    points = labels()
    blind = PointLabels(points.position, points.batch, points.shape)
    with pytest.raises(DataError, match="labels have none"):
        PPNLoss()(output(table), blind)
    with pytest.raises(ConfigError, match="negative"):
        PPNLossOptions(reg_loss_weight=-1.0)
    with pytest.raises(ConfigError, match="positive"):
        PPNLossOptions(resolution=0.0)


AFTER_THE_COARSE_MASKS = (
    "uresnet.output",
    "uresnet.linear_segmentation",
    "uresnet.backbone.decoder.decoding_conv.3",
    "uresnet.backbone.decoder.decoding_block.3",
    "ppn.decoding_conv.3",
    "ppn.decoding_block.3",
    "ppn.final_block",
    "ppn.ppn_pixel_pos",
    "ppn.ppn_type",
    "ppn.ppn_masks.3",
)


@needs_golden
@pytest.mark.parametrize("mode", ["train", "eval"])
def test_golden_step(mode: str) -> None:
    """Losses of a batch of two events, and the gradients of the training step.

    The peer loses labels of the masks at the coarse resolutions in batches of several events: it takes the batch
    index of a row from its position, while MinkowskiEngine's rows there are not in the order of the batch. So its
    numbers for these masks, and the gradients of the layers before them, cannot be compared.
    """
    golden, net = golden_arrays("train_step_ev5k.npz", "uresnet_ppn"), golden_network().train(mode == "train")
    data, seg, ppn = (golden_product(name, 2) for name in ("data", "seg_label", "ppn_label"))
    points = PointLabels(ppn[:, 1:4], ppn[:, 0].long(), ppn[:, 4].long(), ppn[:, 5].long())
    loss = UResNetPPNLoss(SegmentationLoss(5), PPNLoss(PPNLossOptions(resolution=5.0)))
    score = loss(net(image_tensor(data, GOLDEN_SHAPE)), seg[:, 4].long(), points)
    numbers = score.flat()
    scalars = {k.removeprefix(f"{mode}/scalar/"): v for k, v in golden.items() if k.startswith(f"{mode}/scalar/")}
    assert set(scalars) == set(numbers)
    coarse = {f"ppn_mask_{what}_layer_{i}" for what in ("loss", "accuracy") for i in range(3)}
    affected = coarse | {"loss", "accuracy", "ppn_loss", "ppn_accuracy", "ppn_mask_loss", "ppn_mask_accuracy"}
    for name in set(scalars) - affected:
        assert numbers[name] == pytest.approx(scalars[name].item(), rel=1e-5, abs=1e-6), name
    if mode == "train":
        torch.autograd.backward(score.loss)
        parameters = {k: v for k, v in net.named_parameters() if k.startswith(AFTER_THE_COARSE_MASKS)}
        assert len(parameters) == 48
        for name, parameter in parameters.items():
            assert parameter.grad is not None
            assert parameter.grad.norm().item() == pytest.approx(golden[f"grad/{name}"][0].item(), rel=3e-4), name
            found = parameter.grad.flatten()[[0, parameter.numel() // 2, -1]]
            scale = parameter.grad.abs().max().item()
            torch.testing.assert_close(found, golden[f"grad/{name}"][3:].float(), rtol=3e-4, atol=3e-4 * scale)
