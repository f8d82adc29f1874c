"""Losses against closed formulas, scikit-learn, and SPINE's training step where it is at hand."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from sklearn.metrics import adjusted_rand_score
from torch.nn import functional

from spine.errors import ConfigError
from spine.model.graph_spice import GraphSpiceConfig, GraphSpiceLossConfig, build_graph_spice, build_graph_spice_loss
from spine.model.graph_spice.binary_loss import BINARY_LOSSES, LogDiceCE, dice_loss, focal_loss, mincut_loss
from spine.model.graph_spice.loss import EdgeSampling, GraphSpiceLoss

from ..golden import GOLDEN, golden_arrays, golden_product, needs_golden
from .nets import image, network

LOGITS = torch.tensor([-2.0, 0.5, 3.0, 0.0], dtype=torch.float64)
TARGETS = torch.tensor([0.0, 1.0, 1.0, 0.0], dtype=torch.float64)


def test_losses_by_hand() -> None:
    p = [1 / (1 + math.exp(-x)) for x in LOGITS.tolist()]
    overlap, power = p[1] + p[2], sum(x * x for x in p) + 2
    assert dice_loss(LOGITS, TARGETS).item() == pytest.approx(1 - (2 * overlap + 1e-6) / (power + 1e-6))
    plain = 1 - (2 * overlap + 1e-6) / (sum(p) + 2 + 1e-6)
    assert dice_loss(LOGITS, TARGETS, squared_pred=False).item() == pytest.approx(plain)
    right = [1 - p[0], p[1], p[2], 1 - p[3]]
    entropy = [-math.log(x) for x in right]
    log_dice = -math.log((2 * overlap + 1e-6) / (power + 1e-6))
    mixed = [0.8 * log_dice + 0.2 * x for x in entropy]
    assert LogDiceCE()(LOGITS, TARGETS).tolist() == pytest.approx(mixed)
    cut = LogDiceCE(w_mincut=1.0)(LOGITS, TARGETS)
    assert cut.tolist() == pytest.approx([x + 1 - overlap for x in mixed])
    assert mincut_loss(LOGITS, TARGETS).item() == pytest.approx(1 - overlap)
    expected = [2 * (1 - x) ** 3 * e for x, e in zip(right, entropy, strict=True)]
    assert focal_loss(LOGITS, TARGETS, 2.0, 3.0).tolist() == pytest.approx(expected)


@pytest.mark.parametrize("invert", [True, False])
@pytest.mark.parametrize("balance", [True, False])
def test_edges_of_one_cluster_are_asked_to_join(invert: bool, balance: bool) -> None:
    table, classes = image()
    out = network()(table, classes)
    truth = torch.randint(0, 3, (len(table),), generator=torch.Generator().manual_seed(1))
    sampling = EdgeSampling(balance_loss=balance)
    score = GraphSpiceLoss(BINARY_LOSSES["bce_logits"](), invert, sampling)(out, truth)
    ends = truth[out.rows][out.edges]
    labels = ((ends[:, 0] != ends[:, 1]) if invert else (ends[:, 0] == ends[:, 1])).double()
    losses = functional.binary_cross_entropy_with_logits(out.logits, labels, reduction="none")
    kinds = [losses[labels == kind].mean() for kind in (0, 1)]
    expected = (kinds[0] + kinds[1]) / 2 if balance else losses.mean()
    torch.testing.assert_close(score.loss, expected)
    said = out.logits > 0
    assert score.accuracy == pytest.approx((said == (labels > 0.5)).double().mean().item())
    both, either = (said & (labels > 0.5)).sum(), (said | (labels > 0.5)).sum()
    assert score.details["iou"] == pytest.approx((both / either).item())
    assert score.details["count"] == len(out.edges)


def test_equal_sampling_draws_as_many_of_each_kind() -> None:
    torch.manual_seed(0)
    labels = torch.cat([torch.zeros(50), torch.ones(20)]).long()
    drawn = EdgeSampling(equal_sampling=True, min_sample_edges=5).draw(labels)
    assert labels[drawn].bincount().tolist() == [20, 20]
    assert len(set(drawn.tolist())) == 40
    many = EdgeSampling(equal_sampling=True, min_sample_edges=30).draw(labels)
    assert labels[many].bincount().tolist() == [30, 30]
    single = EdgeSampling(equal_sampling=True).draw(torch.ones(7).long())
    assert single.tolist() == list(range(7))


def test_clusters_are_compared_by_event_and_class() -> None:
    table, classes = image()
    net = network()
    out = net(table, classes)
    truth = torch.randint(0, 4, (len(table),), generator=torch.Generator().manual_seed(2))
    found = net.cluster(out)
    details = GraphSpiceLoss()(out, truth, found).details
    labels, groups = truth[out.rows].numpy(), out.voxels[:, 0].numpy()
    events = [adjusted_rand_score(labels[groups // 4 == e], found.labels[groups // 4 == e]) for e in (0, 1)]
    assert details["ari"] == pytest.approx(np.mean(events))
    tracks = [adjusted_rand_score(labels[groups == 4 * e + 1], found.labels[groups == 4 * e + 1]) for e in (0, 1)]
    assert details["ari_1"] == pytest.approx(np.mean(tracks))
    perfect = found._replace(labels=labels.astype(np.int64))
    best = GraphSpiceLoss()(out, truth, perfect).details
    assert [best[n] for n in ("ari", "purity", "efficiency", "purity_0", "efficiency_3")] == [1.0] * 5


def test_without_edges_the_loss_is_zero_and_has_a_gradient() -> None:
    table, classes = image()
    net = network()
    score = build_graph_spice_loss(GraphSpiceLossConfig())(net(table[:0], classes[:0]), classes[:0])
    assert (score.loss.item(), score.accuracy, score.details["count"]) == (0.0, 1.0, 0)
    torch.autograd.backward(score.loss)


@pytest.mark.parametrize("name", BINARY_LOSSES)
def test_every_loss_is_built_from_its_name(name: str) -> None:
    table, classes = image()
    loss = build_graph_spice_loss(GraphSpiceLossConfig.model_validate({"loss": {"name": name}}))
    score = loss(network()(table, classes), classes)
    assert math.isfinite(score.loss.item())


def test_unknown_losses_and_options_are_refused() -> None:
    with pytest.raises(ConfigError, match="unknown loss"):
        build_graph_spice_loss(GraphSpiceLossConfig.model_validate({"loss": "binary_dise"}))
    with pytest.raises(ConfigError, match="options of loss"):
        build_graph_spice_loss(GraphSpiceLossConfig.model_validate({"loss": {"name": "binary_dice", "epsilon": 1}}))


@needs_golden
@pytest.mark.parametrize("mode", ["train", "eval"])
def test_golden_step(mode: str) -> None:
    golden = golden_arrays("train_step_ev5k.npz", "graph_spice")
    modules: dict[str, Any] = yaml.safe_load((GOLDEN / "reco" / "ev5k.yaml").read_text())["model"]["modules"]
    net = build_graph_spice(GraphSpiceConfig.model_validate(modules["graph_spice"])).train(mode == "train")
    state = torch.load(GOLDEN / "full_chain.ckpt", map_location="cpu")["state_dict"]
    net.load_state_dict({k[12:]: v.float() for k, v in state.items() if k.startswith("graph_spice.")})
    data, seg, clusters = (golden_product(name, 2) for name in ("data", "seg_label", "clust_label"))
    loss = build_graph_spice_loss(GraphSpiceLossConfig.model_validate(modules["graph_spice_loss"]))
    score = loss(net(data, seg[:, 4].long()), clusters[:, 5].long())
    expected = {
        k.removeprefix(f"{mode}/scalar/"): v.item() for k, v in golden.items() if k.startswith(f"{mode}/scalar")
    }
    assert score.flat() == pytest.approx(expected, rel=1e-5)
    if mode == "train":
        torch.autograd.backward(score.loss)
        for name, parameter in net.named_parameters():
            assert parameter.grad is not None
            assert parameter.grad.norm().item() == pytest.approx(golden[f"grad/{name}"][0].item(), rel=3e-4), name
