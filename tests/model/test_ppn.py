"""Point proposal against a dense decoder and against the peer."""

from __future__ import annotations

from functools import partial

import pytest
import torch

from spine.errors import ConfigError
from spine.model.ppn import PPN, PointOutput, ProposalTask, UResNetPPN, UResNetPPNOutput, VertexPPN, true_voxels
from spine.model.uresnet import LatticePhase, UResNet, UResNetSegmentation, image_tensor
from spine.sparse import SparseTensor

from .dense_net import DenseNet
from .golden import SHAPE as GOLDEN_SHAPE
from .golden import golden_arrays, golden_network, in_coordinate_order, needs_golden
from .test_uresnet import SHAPE, STYLE, segmentation_network, trained, voxels


def network(ghost: bool = False, task: ProposalTask | None = None) -> UResNetPPN:
    return UResNetPPN(segmentation_network(ghost), PPN(SHAPE, STYLE, 5, task))


def dense(net: torch.nn.Module, tensor: SparseTensor) -> DenseNet:
    weights = {name: value.detach() for name, value in net.state_dict().items()}
    return DenseNet(weights, tensor.coordinates, tensor.features)


@pytest.mark.parametrize("ghost", [False, True])
def test_network_equals_the_dense_one(ghost: bool) -> None:
    net, tensor = trained(network(ghost)), image_tensor(voxels(), SHAPE)
    out: UResNetPPNOutput = net(tensor)
    oracle = dense(net, tensor)
    encoded = oracle.encode(SHAPE.depth)
    points, layers = oracle.points(encoded[-1], oracle.decode(encoded), ghost)
    assert out.ppn is not None
    assert (len(out.ppn.points) < len(tensor)) == ghost
    for found, grid in zip([out.ppn.points, *out.ppn.proposals.logits], [points, *layers], strict=True):
        place, stride = found.coordinates.long(), found.tensor_stride[0]
        rows = grid.movedim(1, -1)[place[:, 0], *(place[:, 1:] // stride).T]
        torch.testing.assert_close(found.features, rows)


def test_true_ghost_mask_replaces_the_predicted_one() -> None:
    net, table = trained(network(ghost=True)), voxels()
    tensor = image_tensor(table, SHAPE)
    real = tensor.coordinates[:, 1] % 2 == 0
    out: UResNetPPNOutput = net(tensor, tensor.replace_features(real[:, None].double()))
    assert out.ppn is not None
    assert torch.equal(out.ppn.points.coordinates, tensor.coordinates[real])
    caller, _ = out.ppn.points.alignment()
    assert torch.equal(caller, torch.nonzero(table[:, 1] % 2 == 0).squeeze(1))


def test_voxels_are_real_where_the_first_logit_wins() -> None:
    tensor = image_tensor(voxels(), SHAPE)
    ghost = tensor.replace_features(torch.randn(len(tensor), 2).double())
    real = ghost.features[:, 0] >= ghost.features[:, 1]
    assert torch.equal(true_voxels(ghost).features[:, 0] == 1, real)


@pytest.mark.parametrize(
    ("task", "gate"),
    [
        (ProposalTask(), lambda p: p),
        (ProposalTask(propagate_all=True), torch.ones_like),
        (ProposalTask(threshold=0.55, binary=True), lambda p: (p > 0.55).to(p.dtype)),
    ],
)
def test_gate(task: ProposalTask, gate: object) -> None:
    net, tensor = trained(network(task=task)), image_tensor(voxels(), SHAPE)
    assert isinstance(net, UResNetPPN)
    assert callable(gate)
    assert net.ppn is not None
    seen: list[SparseTensor] = []
    net.ppn.decoding_block[0].register_forward_hook(lambda _m, _i, out: seen.append(out))
    net.ppn.get_submodule("decoding_conv.1").register_forward_hook(lambda _m, inputs, _o: seen.append(inputs[0]))
    out = net(tensor)
    chance = torch.softmax(out.ppn.proposals.logits[0].features, 1)[:, 1:]
    torch.testing.assert_close(seen[1].features, seen[0].features * gate(chance))
    assert torch.equal(out.ppn.proposals.masks[0], chance[:, 0] > task.threshold)


def test_a_shared_decoder_passes_what_either_task_wants() -> None:
    decoder = PPN(SHAPE, STYLE, 5, vertex=ProposalTask("vertex_pred"))
    net, tensor = trained(UResNetPPN(segmentation_network(), decoder)), image_tensor(voxels(), SHAPE)
    seen: list[SparseTensor] = []
    decoder.decoding_block[0].register_forward_hook(lambda _m, _i, out: seen.append(out))
    decoder.get_submodule("decoding_conv.1").register_forward_hook(lambda _m, inputs, _o: seen.append(inputs[0]))
    out: UResNetPPNOutput = net(tensor)
    assert out.ppn is not None
    assert out.vertex is not None
    both = [torch.softmax(o.proposals.logits[0].features, 1)[:, 1:] for o in (out.ppn, out.vertex)]
    torch.testing.assert_close(seen[1].features, seen[0].features * torch.maximum(*both))
    assert out.vertex.points.shape == (len(tensor), 5)
    names = {name.split(".")[0] for name, _ in decoder.named_parameters()}
    assert {"vertex_pred", "vertex_regression", "ppn_masks"} <= names


def test_vertices_on_a_decoder_of_their_own() -> None:
    net = trained(UResNetPPN(segmentation_network(), vertex=VertexPPN(SHAPE, STYLE)))
    out: UResNetPPNOutput = net(image_tensor(voxels(), SHAPE))
    assert out.ppn is None
    assert out.vertex is not None
    assert out.vertex.offsets.shape[1] == 3


def test_outputs_are_named_by_column() -> None:
    net = trained(UResNetPPN(segmentation_network(), PPN(SHAPE, STYLE, 5, classify_endpoints=True)))
    out: PointOutput = net(image_tensor(voxels(), SHAPE)).ppn
    columns = torch.cat([out.offsets, out.type_logits, out.proposals.logits[-1].features], 1)
    assert torch.equal(columns, out.points.features)
    assert out.endpoints is not None
    assert out.endpoints.shape[1] == 2


@pytest.mark.parametrize("ghost", [False, True])
@pytest.mark.parametrize("rows", [0, 1])
def test_tiny_images(rows: int, ghost: bool) -> None:
    out = network(ghost).eval()(image_tensor(voxels().float()[:rows], SHAPE, batch_size=2))
    assert out.ppn.points.shape[1] == 10
    assert len(out.ppn.points) <= rows


def test_lattice_phase_reaches_the_points() -> None:
    torch.manual_seed(0)
    backbone = UResNet(SHAPE, STYLE, LatticePhase((4, 4, 4)))
    net = UResNetPPN(UResNetSegmentation(backbone, 5), PPN(SHAPE, STYLE, 5)).double().train()
    tensor = image_tensor(voxels(), SHAPE)
    out = net(tensor)
    assert torch.equal(out.ppn.points.canonical_coordinates, tensor.coordinates)
    assert not torch.equal(out.ppn.points.coordinates, tensor.coordinates)


def test_bad_options_are_refused() -> None:
    with pytest.raises(ConfigError, match="probability"):
        ProposalTask(threshold=1.5)
    with pytest.raises(ConfigError, match="different names"):
        PPN(SHAPE, STYLE, 5, vertex=ProposalTask())
    with pytest.raises(ConfigError, match="two resolutions"):
        PPN(type(SHAPE)(4, 1, 1), STYLE, 5)
    with pytest.raises(ConfigError, match="one of ppn and vertex"):
        UResNetPPN(segmentation_network())


@needs_golden
@pytest.mark.parametrize("event", ["ev0", "ev1", "ev2", "ev3"])
def test_golden_points(event: str) -> None:
    golden, net = golden_arrays("ev5k.npz", event), golden_network().eval()
    with torch.no_grad():
        out = net(image_tensor(golden["input"], GOLDEN_SHAPE))
    close = partial(torch.testing.assert_close, rtol=1e-4, atol=1e-5)
    close(out.segmentation.logits.aligned_features(), golden["segmentation"])
    close(out.ppn.points.aligned_features(), golden["ppn_points"])
    for i, (layer, mask) in enumerate(zip(out.ppn.proposals.logits, out.ppn.proposals.masks, strict=True)):
        place = golden[f"ppn_coords/{i}"]
        assert torch.equal(layer.coordinates, in_coordinate_order(place, place))
        close(layer.features, in_coordinate_order(place, golden[f"ppn_layers/{i}"]))
        assert torch.equal(mask, in_coordinate_order(place, golden[f"ppn_masks/{i}"])[:, 0])
