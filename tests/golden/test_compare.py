"""The comparison itself: it must see what differs, and only that."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from spine.model.graph_spice import GraphSpice
from spine.model.networks import make_networks
from spine.model.ppn import UResNetPPN
from spine.model.uresnet import image_tensor
from spine.model.weights import state_of
from tests.golden.compare import main
from tests.golden.findings import (
    by_coordinates,
    compare_assignments,
    compare_numbers,
    compare_partitions,
)
from tests.golden.graph_products import undecided

GOLDEN = Path(os.environ.get("SPINE_GOLDEN", "golden"))
UNIT = {"reps": 1, "depth": 2, "filters": 4, "spatial_size": 32}
MODULES: dict[str, Any] = {
    "uresnet_ppn": {"uresnet": {**UNIT, "num_classes": 5}, "ppn": {}},
    "graph_spice": {
        "embedder": {"uresnet": {**UNIT, "num_input": 4}},
        "kernel": {"name": "bilinear", "num_features": 4},
        "constructor": {"graph": {"name": "radius", "r": 1.9}, "edge_threshold": 0.5, "min_size": 3},
        "use_raw_features": True,
    },
}


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """A directory whose numbers are our own: it tests the comparison, not the networks."""
    torch.manual_seed(0)
    networks = make_networks(MODULES)
    (tmp_path / "reco").mkdir()
    (tmp_path / "outputs").mkdir()
    (tmp_path / "reco" / "chain.yaml").write_text(yaml.safe_dump({"model": {"modules": MODULES}}))
    torch.save({"state_dict": state_of(networks)}, tmp_path / "small.ckpt")
    np.savez(tmp_path / "outputs" / "small.npz", **{f"ev0/{k}": v for k, v in _outputs(networks).items()})
    return tmp_path


def _outputs(networks: dict[str, torch.nn.Module]) -> dict[str, Any]:
    places = np.unique(np.random.default_rng(1).integers(0, 9, (300, 3)), axis=0)
    places = np.random.default_rng(2).permutation(places)
    table = np.column_stack([np.zeros(len(places)), places, np.ones(len(places))]).astype(np.float32)
    uresnet, spice = (networks[name].eval() for name in MODULES)
    assert isinstance(uresnet, UResNetPPN)
    assert isinstance(spice, GraphSpice)
    with torch.no_grad():
        found = uresnet(image_tensor(torch.from_numpy(table), uresnet.uresnet.backbone.shape))
        logits = found.segmentation.logits.aligned_features().numpy()
        out = spice(torch.from_numpy(table), torch.from_numpy(logits.argmax(1)))
    clusters = spice.cluster(out)
    rows, level = out.rows.numpy(), found.ppn.proposals.logits[0]
    return {
        "input": table,
        "segmentation": logits,
        "ppn_points": found.ppn.points.aligned_features().numpy(),
        "ppn_layers/0": level.features.numpy()[::-1],
        "ppn_coords/0": level.coordinates.numpy()[::-1],
        "ppn_masks/0": found.ppn.proposals.masks[0].numpy()[::-1, None],
        "graph_spice_coordinates": table[rows, :4],
        "graph_spice_features": out.embedding.features.numpy(),
        "graph_spice_node_clusts/index": np.argsort(out.voxels[:, 0].numpy(), kind="stable"),
        "graph_spice_node_clusts/offsets": np.append(0, np.bincount(out.voxels[:, 0], minlength=4).cumsum()),
        **_edges(out.voxels[:, 0].numpy(), out.edges.numpy(), out.scores.numpy()),
        "graph_spice_node_pred": clusters.labels,
        "fragment_clusts/index": rows[clusters.clusts.values],
        "fragment_clusts/offsets": clusters.clusts.offsets,
        "fragment_shapes": clusters.groups,
    }


def _edges(groups: np.ndarray, edges: np.ndarray, scores: np.ndarray) -> dict[str, np.ndarray]:
    """Edges as SPINE stores them, numbered within each class, in another order."""
    local = np.empty(len(groups), dtype=np.int64)
    for group in np.unique(groups):
        local[groups == group] = np.arange((groups == group).sum())
    order = np.random.default_rng(3).permutation(len(edges))
    return {
        "graph_spice_edge_index": local[edges[order]],
        "graph_spice_edge_shape": groups[edges[order, 0]],
        "graph_spice_edge_prob": scores[order],
    }


def _change(directory: Path, name: str, change: np.ndarray | float, where: object = ...) -> None:
    file = directory / "outputs" / "small.npz"
    with np.load(file) as found:
        arrays = {key: found[key].copy() for key in found.files}
    arrays[f"ev0/{name}"][where] = change
    np.savez(file, **arrays)


def test_equal_numbers_agree_whatever_their_order(directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(directory)]) == 0
    text = capsys.readouterr().out
    assert "12 comparisons, 0 outside" in text
    assert "fragment_clusts" in text


@pytest.mark.parametrize(
    ("name", "value", "line"),
    [
        ("segmentation", 7.0, "segmentation"),
        ("segmentation", np.nan, "segmentation"),
        ("ppn_points", 7.0, "ppn_points"),
        ("ppn_layers/0", 9.0, "ppn_layers/0"),
        ("graph_spice_features", 7.0, "graph_spice_features"),
        ("graph_spice_edge_prob", 0.99, "graph_spice_edge_pred"),
        ("graph_spice_edge_index", 0, "graph_spice_edge_index"),
        ("graph_spice_node_pred", 999, "graph_spice_node_pred"),
        ("fragment_shapes", 2, "fragment_shapes"),
    ],
)
def test_a_change_is_seen(
    directory: Path, name: str, value: float, line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with np.load(directory / "outputs" / "small.npz") as found:
        array = found[f"ev0/{name}"]
    rows = np.flatnonzero(array == 0) if name == "fragment_shapes" else np.arange(3)
    if name == "graph_spice_edge_prob":
        rows = np.flatnonzero(array < 0.5)[:1]
    _change(directory, name, value, rows)
    assert main([str(directory)]) == 1
    outside = [text.split()[0] for text in capsys.readouterr().out.splitlines() if "OUTSIDE" in text]
    assert line in outside


def test_what_cannot_be_compared_is_outside(directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = {"model": {"modules": {**MODULES, "graph_spice": {**MODULES["graph_spice"], "invert": 3}}}}
    (directory / "reco" / "chain.yaml").write_text(yaml.safe_dump(config))
    assert main([str(directory)]) == 1
    assert "cannot be compared: ConfigError" in capsys.readouterr().out


def test_nothing_to_compare_is_no_agreement(directory: Path) -> None:
    (directory / "outputs" / "small.npz").unlink()
    assert main([str(directory)]) == 2


@pytest.mark.skipif(not (GOLDEN / "full_chain.ckpt").exists(), reason="SPINE_GOLDEN does not name golden files")
def test_golden_files() -> None:
    assert main([str(GOLDEN)]) == 0


def test_tolerance() -> None:
    expected = np.array([0.0, 100.0])
    assert compare_numbers("x", np.array([0.9e-5, 100.009]), expected).good
    assert not compare_numbers("x", np.array([1.1e-5, 100.0]), expected).good
    assert not compare_numbers("x", np.array([0.0, 100.011]), expected).good
    assert not compare_numbers("x", np.array([0.0]), expected).good
    assert not compare_numbers("x", np.array([0.0, np.nan]), expected).good
    assert compare_numbers("x", np.array([np.nan, np.inf]), np.array([np.nan, np.inf])).good
    assert not compare_numbers("x", expected, expected, differing=1).good


def test_choices_between_equal_scores_are_open() -> None:
    logits = np.array([[0.0, 1.0], [1.0, 1.00001], [-3.0, -3.001], [100.0, 100.015]])
    assert undecided(logits) == 2
    assert undecided(np.empty((0, 2))) == 0


def test_ties_are_counted_but_allowed() -> None:
    found = compare_assignments("x", np.array([1, 2, 3]), np.array([1, 0, 0]), np.array([False, True, False]))
    assert (found.differing, found.ties) == (1, 1)
    split = compare_partitions("x", np.array([0, 0, 1]), np.array([0, 1, 2]), ties=1)
    assert (split.differing, split.ties, split.good) == (0, 2, True)


@settings(deadline=None, max_examples=50)
@given(st.lists(st.tuples(st.integers(-1, 3), st.integers(0, 3)), max_size=30))
def test_partitions_do_not_depend_on_labels(rows: list[tuple[int, int]]) -> None:
    labels = np.array([row[0] for row in rows], dtype=np.int64)
    renamed = np.where(labels < 0, -1, (labels * 7 + 3) % 11)
    assert compare_partitions("x", labels, renamed).differing == 0
    others = np.array([row[1] for row in rows], dtype=np.int64)
    sets = [{frozenset(np.flatnonzero(side == v)) for v in np.unique(side[side >= 0])} for side in (labels, others)]
    shared = set().union(*(sets[0] & sets[1])) | set(np.flatnonzero((labels < 0) & (others < 0)))
    assert compare_partitions("x", labels, others).differing == len(labels) - len(shared)


def test_rows_are_found_by_their_coordinates() -> None:
    here, there, single = by_coordinates(np.array([[3, 1], [0, 0], [2, 2]]), np.array([[2, 2], [3, 1], [5, 5]]))
    assert sorted(zip(here.tolist(), there.tolist(), strict=True)) == [(0, 1), (2, 0)]
    assert single == 2
