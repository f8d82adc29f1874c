"""Which edges of a graph the truth has, and which of them can be trained on."""

from __future__ import annotations

import numpy as np

from spine.model.grappa.grouping import edge_weights
from spine.model.grappa.truth import GraphTruth
from spine.ops.arrays import BoolArray, IntArray, RealArray
from spine.ops.clustering import minimum_spanning_tree

__all__ = ["parent_edges", "pure_edges", "pure_nodes", "tree_edges"]


def pure_nodes(groups: IntArray, primary: IntArray) -> BoolArray:
    """(C,) which nodes are in a group with exactly one primary.

    Parameters
    ----------
    groups : (C,) int64
        Group of each node.
    primary : (C,) int64
        1 for primaries.
    """
    _, inverse = np.unique(groups, return_inverse=True)
    counts = np.bincount(inverse, weights=primary == 1)
    return np.asarray((counts == 1)[inverse])


def pure_edges(index: IntArray, particles: IntArray, groups: IntArray, primary: IntArray) -> BoolArray:
    """(E,) which edges have an end in a group whose primaries are all of one particle.

    Parameters
    ----------
    index : (E, 2) int64
        Nodes that each edge connects.
    particles, groups, primary : (C,) int64
        Particle and group of each node, and 1 for primaries.
    """
    first = primary == 1
    pairs = np.unique(np.stack([groups[first], particles[first]]), axis=1)
    found, counts = np.unique(pairs[0], return_counts=True)
    good = np.isin(groups, found[counts == 1])
    return np.asarray(good[index].any(axis=1))


def parent_edges(index: IntArray, truth: GraphTruth) -> IntArray:
    """(E,) 1 for edges between a particle and one that descends from it, in the sense of the truth."""
    particles = truth.integers("particle")
    labels = np.zeros(len(index), dtype=np.int64)
    for number, event in enumerate(truth.events):
        rows = np.flatnonzero(truth.owners[index[:, 0]] == number)
        pairs, relations = particles[index[rows]], event.relations
        width = int(max(pairs.max(initial=0), relations.max(initial=0))) + 2
        codes, known = ((both[:, 0] + 1) * width + both[:, 1] + 1 for both in (pairs, relations))
        labels[rows] = np.isin(codes, known)
    return labels


def tree_edges(index: IntArray, logits: RealArray, groups: IntArray) -> tuple[IntArray, BoolArray]:
    """The most likely tree of edges in each group.

    Parameters
    ----------
    index : (E, 2) int64
        Nodes that each edge connects.
    logits : (E, 2) float
        Scores of off and on.
    groups : (C,) int64
        Group of each node.

    Returns
    -------
    labels : (E,) int64
        1 for edges of a tree, both ways.
    supervised : (E,) bool
        Edges of trees and those between groups; other edges in a group may be on or off.
    """
    inside = np.flatnonzero(groups[index[:, 0]] == groups[index[:, 1]])
    _, off, _ = edge_weights(logits[inside])
    tree = inside[minimum_spanning_tree(index[inside], off, len(groups))]
    codes = index.min(axis=1) * len(groups) + index.max(axis=1)
    labels = np.isin(codes, codes[tree])
    supervised = labels.copy()
    supervised |= groups[index[:, 0]] != groups[index[:, 1]]
    return labels.astype(np.int64), supervised
