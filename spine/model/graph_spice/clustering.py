"""From edge scores to clusters: cut edges, find what hangs together, and find a place for the voxels that are left."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch

from spine.model.graph_spice.components import first_reaching
from spine.model.graph_spice.config import ConstructorConfig, KnnOrphanConfig, RadiusOrphanConfig
from spine.model.graph_spice.graph import near_pairs
from spine.ops.arrays import BoolArray, FloatArray, IntArray, NumberArray
from spine.ops.clustering import connected_components
from spine.ops.distance import nearest_neighbours
from spine.schema import Ragged

__all__ = ["NodeClusters", "assign_orphans", "cluster_nodes", "edges_on", "vote"]


class NodeClusters(NamedTuple):
    """Cluster of each node, and the clusters as lists.

    Parameters
    ----------
    labels : (M,) int64
        Cluster of each node, -1 for none.
    clusts : Ragged of int64
        Nodes of each cluster, group by group, in the order of their first nodes; clusters that were made of orphans
        come last in their group.
    groups : (C,) int64
        Group of each cluster.
    """

    labels: IntArray
    clusts: Ragged
    groups: IntArray


def edges_on(scores: NumberArray, threshold: float, invert: bool) -> BoolArray:
    """(E,) whether edges join their voxels: scores up to the threshold where ``invert``, else from it on."""
    return np.asarray(scores <= threshold if invert else scores >= threshold)


def cluster_nodes(voxels: NumberArray, edges: NumberArray, on: BoolArray, cfg: ConstructorConfig) -> NodeClusters:
    """Cluster the nodes of all groups.

    An edge counts in its own direction only, as in SPINE: a cluster is what can be reached from its first node, in
    the order of the rows, and from no node before it.

    Parameters
    ----------
    voxels : (M, 1 + D) int
        Group (event and semantic class) and coordinates of each node.
    edges : (E, 2) int
        Source and target.
    on : (E,) bool
        Which edges join their nodes.
    cfg : ConstructorConfig
        Smallest size and what becomes of orphans.

    Returns
    -------
    NodeClusters
    """
    voxels = np.asarray(voxels, dtype=np.int64)
    labels = first_reaching(np.asarray(edges)[on], len(voxels))
    small = np.bincount(labels, minlength=1)[labels] < cfg.min_size
    labels = assign_orphans(voxels, np.where(small, -1, labels), cfg.orphan)
    return _listed(labels, voxels[:, 0])


def _listed(labels: IntArray, groups: IntArray) -> NodeClusters:
    """Number clusters by group and label."""
    kept = np.flatnonzero(labels >= 0)
    order = kept[np.lexsort((kept, labels[kept], groups[kept]))]
    keys = np.column_stack([groups[order], labels[order]])
    changes = np.flatnonzero(np.any(keys[1:] != keys[:-1], axis=1)) + 1
    starts = np.concatenate([np.zeros(min(len(order), 1), dtype=np.int64), changes])
    clusts = Ragged(order, np.concatenate([starts, [len(order)]]).astype(np.int64))
    numbers = np.full(len(labels), -1, dtype=np.int64)
    numbers[order] = clusts.rows
    return NodeClusters(numbers, clusts, groups[order[starts]])


def assign_orphans(voxels: IntArray, labels: IntArray, cfg: RadiusOrphanConfig | KnnOrphanConfig | None) -> IntArray:
    """Give nodes without a cluster the cluster of those around them.

    ``voxels`` are (M, 1 + D) groups and coordinates, ``labels`` (M,) clusters below M, -1 for none. In the (M,) int64
    result new clusters have values from M on; -1 stays where there is still none.
    """
    if cfg is None:
        return labels
    if cfg.mode == "knn":
        return _nearest_label(voxels, labels, cfg.k)
    labels, left = _spread(voxels, labels, cfg)
    if cfg.assign_all and len(left):
        pairs = _near(voxels[left], voxels[left], np.nextafter(cfg.radius, np.inf), cfg.metric)
        labels[left] = len(labels) + connected_components(pairs, len(left))
    return labels


def _spread(voxels: IntArray, labels: IntArray, cfg: RadiusOrphanConfig) -> tuple[IntArray, IntArray]:
    """Labels after votes within a radius, round after round, and the nodes that are left.

    As in SPINE, only those that were assigned in a round vote in the next one.
    """
    labels = labels.copy()
    voters, left = np.flatnonzero(labels >= 0), np.flatnonzero(labels < 0)
    while len(left) and len(voters):
        pairs = _near(voxels[voters], voxels[left], cfg.radius, cfg.metric)
        rows, winners = vote(pairs[:, 0], labels[voters[pairs[:, 1]]])
        voters = left[rows]
        labels[voters] = winners
        left = np.setdiff1d(left, voters, assume_unique=True)
        if not cfg.iterate:
            break
    return labels, left


def _near(voxels: IntArray, queries: IntArray, radius: float, metric: str) -> IntArray:
    pairs = near_pairs(torch.from_numpy(voxels), torch.from_numpy(queries), float(radius), metric)
    return np.asarray(pairs.numpy(), dtype=np.int64)


def vote(rows: IntArray, labels: IntArray) -> tuple[IntArray, IntArray]:
    """Rows that occur, rising, and the most frequent label of each; of equally frequent ones the smallest."""
    found, counts = np.unique(np.column_stack([rows, labels]), axis=0, return_counts=True)
    order = np.lexsort((found[:, 1], -counts, found[:, 0]))
    winners, first = np.unique(found[order, 0], return_index=True)
    return winners, found[order[first], 1]


def _nearest_label(voxels: IntArray, labels: IntArray, k: int) -> IntArray:
    """Labels after a vote of the k nearest labelled nodes of the group."""
    labels, known = labels.copy(), labels >= 0
    for group in np.unique(voxels[~known, 0]):
        voters, left = (np.flatnonzero((voxels[:, 0] == group) & which) for which in (known, ~known))
        points: FloatArray = voxels[:, 1:].astype(np.float64)
        _, near = nearest_neighbours(points[voters], points[left], k)
        row, place = np.nonzero(near >= 0)
        if len(row):
            rows, winners = vote(row, labels[voters[near[row, place]]])
            labels[left[rows]] = winners
    return labels
