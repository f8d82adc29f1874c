"""Comparison of what networks say about voxels: segmentation, point proposals, Graph-SPICE."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from spine.errors import DataError
from spine.model.graph_spice import GraphSpice, GraphSpiceOutput
from spine.model.graph_spice.clustering import cluster_nodes, edges_on
from spine.model.ppn import UResNetPPN, UResNetPPNOutput
from spine.model.uresnet import UResNetSegmentation, image_tensor
from spine.sparse import SparseTensor
from tests.golden.directory import Case
from tests.golden.findings import (
    ABSOLUTE,
    RELATIVE,
    Finding,
    by_coordinates,
    compare_assignments,
    compare_numbers,
    compare_partitions,
    near,
)

__all__ = ["feature_maps", "graph_spice", "point_proposals", "segmentation"]

Array = NDArray[Any]


def _segmented(case: Case) -> UResNetPPNOutput | None:
    network = case.golden.network("uresnet")
    return None if network is None else case.once("uresnet", lambda: _segmented_by(network, case))


def _segmented_by(network: nn.Module, case: Case) -> UResNetPPNOutput:
    part = network.uresnet if isinstance(network, UResNetPPN) else network
    if not isinstance(part, UResNetSegmentation):
        raise DataError("a network for the semantic segmentation is needed", got=type(network).__name__)
    with torch.no_grad():
        out = network(image_tensor(case.tensor, part.backbone.shape))
    return out if isinstance(out, UResNetPPNOutput) else UResNetPPNOutput(out)


def _aligned(tensor: SparseTensor) -> Array:
    return np.asarray(tensor.aligned_features().numpy())


def segmentation(case: Case) -> Iterator[Finding]:
    """Logits and classes."""
    if "segmentation" not in case or (out := _segmented(case)) is None:
        return
    found, expected = _aligned(out.segmentation.logits), case["segmentation"]
    yield compare_numbers("segmentation", found, expected)
    if found.shape == expected.shape:
        top = np.sort(expected, axis=1)[:, -2:]
        tie = top[:, 1] - top[:, 0] <= 2 * (ABSOLUTE + RELATIVE * np.abs(top).max(axis=1))
        yield compare_assignments("seg_pred", found.argmax(axis=1), expected.argmax(axis=1), tie)


def feature_maps(case: Case) -> Iterator[Finding]:
    """Deepest features of the U-ResNet, and sums over those of each resolution."""
    if "segmentation" not in case or (out := _segmented(case)) is None:
        return
    maps = out.segmentation.maps
    if "final_tensor/C" in case:
        deepest = maps.final_tensor
        here, there, single = by_coordinates(deepest.coordinates.numpy(), case["final_tensor/C"])
        found, expected = deepest.features.numpy()[here], case["final_tensor/F"][there]
        yield compare_numbers("final_tensor", found, expected, single)
    for kind, tensors in (("encoder_tensors", maps.encoder_tensors), ("decoder_tensors", maps.decoder_tensors)):
        known = [i for i in range(len(tensors)) if f"{kind}/{i}/checksum" in case]
        if known:
            found = np.array([_checksum(tensors[i]) for i in known])
            expected = np.array([case[f"{kind}/{i}/checksum"][1:] for i in known])
            yield compare_numbers(f"{kind} (sums)", found, expected)


def _checksum(tensor: SparseTensor) -> list[float]:
    """Sum of absolutes and of squares; the plain sum cancels."""
    features = tensor.features.double()
    return [float(features.abs().sum()), float(features.square().sum())]


def point_proposals(case: Case) -> Iterator[Finding]:
    """Raw points, and at each resolution the logits and masks."""
    if "ppn_points" not in case or (out := _segmented(case)) is None or out.ppn is None:
        return
    yield compare_numbers("ppn_points", _aligned(out.ppn.points), case["ppn_points"])
    levels = [i for i in range(len(out.ppn.proposals.logits)) if f"ppn_layers/{i}" in case]
    for i in levels:
        level, mask = out.ppn.proposals.logits[i], out.ppn.proposals.masks[i].numpy()
        here, there, single = by_coordinates(level.coordinates.numpy(), case[f"ppn_coords/{i}"])
        expected = case[f"ppn_layers/{i}"][there]
        yield compare_numbers(f"ppn_layers/{i}", level.features.numpy()[here], expected, single)
        gap = np.abs(expected[:, 1] - expected[:, 0])
        tie = gap <= 2 * (ABSOLUTE + RELATIVE * np.abs(expected).max(axis=1))
        known = case[f"ppn_masks/{i}"].ravel()[there]
        yield compare_assignments(f"ppn_masks/{i}", mask[here], known, tie)


def graph_spice(case: Case) -> Iterator[Finding]:
    """Features, edges, scores, clusters of the nodes, and fragments, starting from SPINE's semantic classes."""
    network, classes = case.golden.network("graph_spice"), case.classes
    if not isinstance(network, GraphSpice) or classes is None or "graph_spice_edge_prob" not in case:
        return
    with torch.no_grad():
        out: GraphSpiceOutput = network(case.tensor, torch.from_numpy(classes))
    yield from _graph_features(case, out)
    if "graph_spice_edge_index" in case:
        decided = yield from _edges(case, network, out)
    else:
        found, expected = np.sort(out.scores.numpy()), np.sort(case["graph_spice_edge_prob"])
        yield compare_numbers("graph_spice_edge_prob", found, expected, note="sorted: no edges in the file")
        decided = edges_on(out.scores.numpy(), network.constructor.edge_threshold, network.invert)
    yield from _clusters(case, network, out, decided)


def _graph_features(case: Case, out: GraphSpiceOutput) -> Iterator[Finding]:
    found = out.embedding.node_features.numpy()
    if "graph_spice_features" in case and "graph_spice_coordinates" in case:
        mine = case.voxels[out.rows.numpy()]
        here, there, single = by_coordinates(mine, case["graph_spice_coordinates"][:, -3:])
        expected = case["graph_spice_features"][there]
        yield compare_numbers("graph_spice_features", found[here], expected, single)
    for name in case.arrays:
        if name.startswith("graph_spice_features[::"):
            step = int(name.removeprefix("graph_spice_features[::").rstrip("]"))
            yield compare_numbers("graph_spice_features", found[::step], case[name], note=f"every {step}th row")


def _edges(case: Case, network: GraphSpice, out: GraphSpiceOutput) -> Generator[Finding, None, Array]:
    """Compare edges by the coordinates of their ends; returns which are on, ties decided as SPINE did."""
    nodes, bounds = case.ragged("graph_spice_node_clusts")
    place = np.searchsorted(out.shapes, case["graph_spice_edge_shape"])
    ends = nodes[bounds[:-1][place][:, None] + case["graph_spice_edge_index"]]
    voxels = case["graph_spice_coordinates"][:, -3:].astype(np.int64)
    mine = case.voxels[out.rows.numpy()]
    edges = out.edges.numpy()
    here, there, single = by_coordinates(
        np.hstack([mine[edges[:, 0]], mine[edges[:, 1]]]), np.hstack([voxels[ends[:, 0]], voxels[ends[:, 1]]])
    )
    yield Finding("graph_spice_edge_index", len(ends), differing=single)
    scores, expected = out.scores.numpy(), case["graph_spice_edge_prob"]
    yield compare_numbers("graph_spice_edge_prob", scores[here], expected[there], single)
    threshold = network.constructor.edge_threshold
    on, known = (edges_on(values, threshold, network.invert) for values in (scores, expected))
    tie = near(expected[there], threshold)
    yield compare_assignments("graph_spice_edge_pred", on[here], known[there], tie)
    on[here[tie]] = known[there[tie]]
    return on


def _clusters(case: Case, network: GraphSpice, out: GraphSpiceOutput, on: Array) -> Iterator[Finding]:
    found = cluster_nodes(out.voxels.numpy(), out.edges.numpy(), on, network.constructor)
    ties = 0
    if "graph_spice_edge_index" not in case:
        ties = int(near(case["graph_spice_edge_prob"], network.constructor.edge_threshold).sum())
    labels = np.full(len(case.table), -1, dtype=np.int64)
    labels[out.rows.numpy()] = found.labels
    if "graph_spice_node_pred" in case:
        yield compare_partitions("graph_spice_node_pred", found.labels, case["graph_spice_node_pred"], ties)
    if "fragment_clusts/index" in case:
        expected = case.labels("fragment_clusts")
        yield compare_partitions("fragment_clusts", labels, expected, ties)
        shapes = np.array([*out.shapes, -1])[np.append(found.groups % len(out.shapes), -1)]
        known = np.append(case["fragment_shapes"], -1)
        yield compare_assignments("fragment_shapes", shapes[labels], known[expected], np.zeros(len(labels), np.bool_))
