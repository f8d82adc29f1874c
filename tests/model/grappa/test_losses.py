"""Losses against closed formulas on small graphs."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional

from spine.errors import ConfigError, DataError
from spine.model.grappa import EventTruth, GraphPredictions, GraphTruth, GrapPALossOptions, Supervision, grappa_loss
from spine.model.grappa.layers import GraphState
from spine.model.grappa.loss_functions import class_score, regression_loss
from spine.model.grappa.vertex import vertex_positions
from spine.model.uresnet_loss import Score
from spine.schema import Ragged, Table
from spine.schema import Tensor as VoxelTensor
from spine.schema.truth_records import ParticleLabel

COUNT = 6
COLUMNS: dict[str, Any] = {
    "particle": np.arange(COUNT),
    "group": np.array([0, 0, 2, 2, 4, -1]),
    "interaction": np.array([0, 0, 0, 1, 1, -1]),
    "pid": np.array([0, 1, 2, 1, 7, -1]),
    "group_primary": np.array([1, 0, 1, 1, 0, -1]),
    "interaction_primary": np.array([1, 0, 1, 1, 0, -1]),
    "shape": np.array([1, 1, 1, 0, 1, 1]),
    "momentum": np.array([100.0, 200.0, 50.0, -1.0, 10.0, 20.0]),
    "vertex": np.arange(3 * COUNT).reshape(COUNT, 3).astype(np.float32),
}


def supervision(ends: np.ndarray[Any, Any] | None = None, **options: Any) -> Supervision:
    """One node of two voxels per particle; edges between each two of the first four."""
    coords = np.column_stack([np.arange(2 * COUNT), np.zeros((2 * COUNT, 2))]).astype(np.int32)
    particle = np.repeat(np.arange(COUNT), 2)
    rows = np.column_stack([np.ones(2 * COUNT), particle, particle]).astype(np.float32)
    clusters = VoxelTensor(
        coords, rows, ("value", "cluster", "particle_index"), Table(ParticleLabel, COUNT, dict(COLUMNS))
    )
    starts = np.column_stack([2.0 * np.arange(COUNT), np.zeros((COUNT, 2))])
    event = EventTruth(
        coords, np.arange(2 * COUNT), clusters, starts, starts + np.array([1, 0, 0]), np.zeros(COUNT),
        contains=lambda points: points[:, 0] < 8, size=np.array([100, 200, 400]), **options,
    )  # fmt: skip
    clusts = Ragged(np.arange(2 * COUNT), 2 * np.arange(COUNT + 1))
    index = np.array([(i, j) for i in range(4) for j in range(4) if i != j])
    return Supervision(GraphTruth([event], [clusts]), index, ends)


def score(block: dict[str, Any], predictions: dict[str, Tensor], given: Supervision | None = None) -> dict[str, float]:
    """All numbers of a loss."""
    none = torch.empty(0, 2)
    state = GraphState(none, none, None, none[:, 0].long(), none[:, 0].long(), none[:, 0].long(), 1)
    loss = grappa_loss(GrapPALossOptions.model_validate(block))
    found: Score = loss(GraphPredictions(predictions, state), given or supervision())
    return found.flat()


def logits(rows: int, columns: int, seed: int = 0) -> Tensor:
    return torch.randn(rows, columns, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_classes_are_weighted_by_their_number() -> None:
    scores = logits(COUNT, 5)
    single = functional.cross_entropy(scores[:4], torch.tensor([0, 1, 2, 1]), reduction="none")
    block: dict[str, Any] = {"name": "class", "target": "pid"}
    plain = score({"node_loss": block}, {"node_pred": scores})
    assert plain["node_loss"] == pytest.approx(float(single.mean()))
    assert plain["node_count"] == 4
    weights = torch.tensor([4 / 5, 4 / 10, 4 / 5, 4 / 10])
    balanced = score({"node_loss": {**block, "balance_loss": True}}, {"node_pred": scores})
    assert balanced["node_loss"] == pytest.approx(float((weights * single).sum() / 4))
    given = score({"node_loss": {**block, "weights": [1, 2, 3, 4, 5]}}, {"node_pred": scores})
    assert given["node_loss"] == pytest.approx(float((torch.tensor([1, 2, 3, 2]) * single).sum() / 4))
    right = scores[:4].argmax(dim=1) == torch.tensor([0, 1, 2, 1])
    assert plain["node_accuracy"] == pytest.approx(float(right.double().mean()))
    with pytest.raises(ConfigError, match="not both"):
        score({"node_loss": {**block, "weights": [1] * 5, "balance_loss": True}}, {"node_pred": scores})


def test_only_the_nearest_node_keeps_its_class() -> None:
    scores = logits(COUNT, 2)
    block = {"name": "class", "target": "inter_primary", "use_closest": True, "secondary_label": 0}
    found = score({"node_loss": block}, {"node_pred": scores})
    wanted = torch.tensor([1, 0, 1, 0, 0])  # node 3 is not the nearest of group 2 any more
    assert found["node_loss"] == pytest.approx(float(functional.cross_entropy(scores[:5], wanted)))


def test_primaries_of_showers_need_pure_groups() -> None:
    scores = logits(COUNT, 2)
    block: dict[str, Any] = {"name": "shower_primary", "high_purity": True}
    found = score({"node_loss": block}, {"node_pred": scores})
    assert found["node_count"] == 2  # group 2 has two primaries, group 4 none
    expected = functional.cross_entropy(scores[:2], torch.tensor([1, 0]))
    assert found["node_loss"] == pytest.approx(float(expected))
    closest = score({"node_loss": {**block, "use_closest": True}}, {"node_pred": scores})
    assert closest["node_count"] == 4
    with pytest.raises(DataError, match="predicted groups"):
        score({"node_loss": {**block, "use_group_pred": True}}, {"node_pred": scores})


def test_tracks_have_a_direction() -> None:
    ends = np.zeros((COUNT, 6))
    ends[:, 3] = [5, -5, 5, 5, 5, -5]
    scores = logits(COUNT, 2)
    found = score({"node_loss": {"orient": {"name": "orientation"}}}, {"node_orient_pred": scores}, supervision(ends))
    rows, wanted = [0, 1, 2, 4, 5], torch.tensor([1, 0, 1, 1, 0])  # node 3 is no track
    assert found["node_orient_loss"] == pytest.approx(float(functional.cross_entropy(scores[rows], wanted)))
    with pytest.raises(DataError, match="ends of the nodes"):
        score({"node_loss": {"orient": {"name": "orient"}}}, {"node_orient_pred": scores})


def test_labels_are_regressed() -> None:
    values = 100 + logits(COUNT, 1)
    found = score({"node_loss": {"name": "reg", "target": "momentum"}}, {"node_pred": values})
    rows, wanted = [0, 1, 2, 4, 5], torch.tensor([[100.0], [200], [50], [10], [20]]).double()
    residual = values[rows] - wanted
    assert found["node_loss"] == pytest.approx(float((residual**2).mean()))
    assert found["node_accuracy"] == pytest.approx(float((residual / wanted).std(correction=0)))


def test_edges_connect_a_group_a_tree_or_a_family() -> None:
    given = supervision(relations=np.array([[0, 1], [2, 3]]))
    scores = logits(12, 2)
    same = torch.from_numpy(COLUMNS["group"][given.index[:, 0]] == COLUMNS["group"][given.index[:, 1]]).long()
    block: dict[str, Any] = {"name": "channel", "target": "group"}
    found = score({"edge_loss": block}, {"edge_pred": scores}, given)
    assert found["edge_loss"] == pytest.approx(float(functional.cross_entropy(scores, same)))
    family = score({"edge_loss": {**block, "mode": "particle_forest"}}, {"edge_pred": scores}, given)
    parents = torch.tensor([1 if tuple(edge) in {(0, 1), (2, 3)} else 0 for edge in given.index.tolist()])
    assert family["edge_loss"] == pytest.approx(float(functional.cross_entropy(scores, parents)))
    tree = score({"edge_loss": {**block, "mode": "forest", "target": "interaction"}}, {"edge_pred": scores}, given)
    assert tree["edge_count"] == 12 - 2  # of three nodes in a triangle, one edge both ways is free
    pure = score({"edge_loss": {**block, "high_purity": True}}, {"edge_pred": scores}, given)
    assert pure["edge_count"] == 10  # both ways between the two nodes of the impure group are left out


def test_nodes_that_match_badly_do_not_count() -> None:
    block: dict[str, Any] = {"name": "class", "target": "pid", "min_efficiency": 0.6, "match_target": "interaction"}
    found = score({"node_loss": block}, {"node_pred": logits(COUNT, 5)})
    assert (found["node_count"], found["node_count_rejected"]) == (0, 4)
    assert found["node_loss"] == 0.0
    edge = {"name": "channel", "target": "group", "min_efficiency": [0.0, 1.0]}
    limited = score({"edge_loss": edge}, {"edge_pred": logits(12, 2)})
    assert (limited["edge_count"], limited["edge_count_rejected"]) == (8, 4)
    with pytest.raises(ConfigError, match="forest"):
        score({"edge_loss": {**edge, "mode": "forest"}}, {"edge_pred": logits(12, 2)})


def test_vertices_are_found_from_primaries() -> None:
    scores = logits(COUNT, 5)
    block: dict[str, Any] = {"name": "vertex", "regression_loss": "mse"}
    found = score({"node_loss": block}, {"node_pred": scores})
    rows = [0, 2]  # primaries whose vertex is inside
    wanted = torch.from_numpy(COLUMNS["vertex"][rows]).double()
    position = float(((scores[rows, 2:] - wanted) ** 2).sum() / 2)
    primary = float(functional.cross_entropy(scores[:5, :2], torch.tensor([1, 0, 1, 1, 0])))
    assert found["node_reg_loss"] == pytest.approx(position)
    assert found["node_primary_loss"] == pytest.approx(primary)
    assert found["node_loss"] == pytest.approx((position + primary) / 2)
    gaps = torch.linalg.vector_norm(scores[rows, 2:] - wanted, dim=1).mean()
    assert found["node_reg_accuracy"] == pytest.approx(float(gaps))
    ends = np.tile(np.array([[0.0, 0, 0, 100, 200, 400]]), (COUNT, 1))
    shares = {**block, "normalize_positions": True, "use_anchor_points": True, "only_contained": False}
    anchored = score({"node_loss": shares}, {"node_pred": scores}, supervision(ends))
    size = torch.tensor([100.0, 200, 400]).double()
    raw = scores[[0, 2, 3], 2:]
    near = torch.linalg.vector_norm(raw, dim=1) <= torch.linalg.vector_norm(raw - 1, dim=1)
    gap = raw + torch.where(near, 0.0, 1.0)[:, None] - torch.from_numpy(COLUMNS["vertex"][[0, 2, 3]]).double() / size
    assert anchored["node_reg_loss"] == pytest.approx(float((gap**2).sum() / 3))
    shared = vertex_positions(torch.ones(2, 3), None, torch.tensor([[2.0, 3, 4]] * 2), absolute=True)
    assert shared.tolist() == [[2, 3, 4]] * 2


def test_losses_of_single_values() -> None:
    values, targets = torch.tensor([1.0, 2.0, 5.0]).double(), torch.tensor([1.1, 4.0, 5.0]).double()
    gaps = [0.1, 2.0, 0.0]
    bound = 0.2 * 2.0
    assert float(regression_loss("berhu")(values, targets)) == pytest.approx(0.1 + (4 + bound**2) / (2 * bound))
    logs = sum(math.sqrt((math.log(a + 1e-7) - math.log(b + 1e-7)) ** 2 + 1e-7) for a, b in [(1, 1.1), (2, 4), (5, 5)])
    assert float(regression_loss("log_rmse")(values, targets)) == pytest.approx(logs)
    assert float(regression_loss("l1")(values, targets)) == pytest.approx(sum(gaps))
    evidence = torch.tensor([[1.0, 2.0, 3.0, 4.0]]).double()
    likelihood = -math.log(_student(1.5, 1.0, 2.0, 3.0, 4.0))
    found = float(regression_loss("edl")(evidence, torch.tensor([1.5]).double()))
    assert found == pytest.approx(likelihood, rel=1e-5)
    with pytest.raises(DataError, match="logarithm"):
        regression_loss("log_rmse")(-values, targets)


def _student(x: float, mean: float, nu: float, alpha: float, beta: float) -> float:
    """Density of the Student t distribution of a normal-inverse-gamma prior (Amini et al., 2020)."""
    scale = beta * (1 + nu) / (nu * alpha)
    ratio = math.gamma(alpha + 0.5) / math.gamma(alpha) / math.sqrt(2 * alpha * math.pi * scale)
    return float(ratio * math.pow(1 + (x - mean) ** 2 / (2 * alpha * scale), -(alpha + 0.5)))


def test_nothing_to_learn_has_a_gradient() -> None:
    scores = logits(3, 2).requires_grad_()
    empty = class_score(scores, np.zeros(3, dtype=np.int64), np.zeros(3, dtype=np.bool_))
    torch.autograd.backward(empty.loss)
    assert scores.grad is not None
    assert float(scores.grad.abs().sum()) == 0
    assert (empty.accuracy, empty.details["count"]) == (1.0, 0.0)


def test_a_loss_needs_its_prediction() -> None:
    with pytest.raises(ConfigError, match="does not predict node_type_pred"):
        score({"node_loss": {"type": {"name": "class", "target": "pid"}}}, {"node_pred": logits(COUNT, 5)})
    with pytest.raises(ConfigError, match="at least one objective"):
        grappa_loss(GrapPALossOptions())
