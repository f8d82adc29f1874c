"""Groups of nodes from the predictions of edges, and the primary node of each group."""

from __future__ import annotations

import numpy as np

from spine.model.grappa.joining import join_groups
from spine.ops.arrays import BoolArray, FloatArray, IntArray, RealArray
from spine.ops.clustering import number_by_first_row, union_find

__all__ = ["edge_weights", "groups_by_score", "groups_by_threshold", "primary_nodes"]


def groups_by_threshold(edges: IntArray, logits: RealArray, count: int) -> IntArray:
    """Connected components of the edges that are more likely on than off.

    Parameters
    ----------
    edges : (E, 2) int64
        Nodes that an edge connects.
    logits : (E, 2) float
        Scores of off and on.
    count : int
        Number of nodes.

    Returns
    -------
    (count,) int64
        Groups, numbered by their first node.
    """
    return union_find(edges[logits[:, 1] > logits[:, 0]], count)


def edge_weights(logits: RealArray) -> tuple[FloatArray, FloatArray, BoolArray]:
    """What an edge says for the union of its nodes.

    Parameters
    ----------
    logits : (E, 2) float32
        Scores of off and on.

    Returns
    -------
    weight, off : (E,) float64
        Logarithm of p / (1 - p), and 1 - p, of the probability p of on; both from probabilities rounded to single
        precision, as in SPINE, so that the weight is infinite where p rounds to 1.
    on : (E,) bool
        Whether p is one half at least.
    """
    off, on = _probabilities(logits)
    with np.errstate(divide="ignore"):
        weight = np.log(on.astype(np.float64)) - np.log((np.float32(1.0) - on).astype(np.float64))
    return weight, off.astype(np.float64), on >= 0.5


def _probabilities(logits: RealArray) -> tuple[RealArray, RealArray]:
    """(n,) float32 probabilities of off and on, rounded as in SPINE: 1 from a difference of about 16 onwards."""
    scores = np.asarray(logits, dtype=np.float32).reshape(-1, 2)
    top = scores.max(axis=1, keepdims=True, initial=-np.inf)
    scale = np.log(np.exp(scores - top).sum(axis=1, keepdims=True)) + top
    off, on = np.exp(scores - scale).T
    return off, on


def groups_by_score(edges: IntArray, logits: RealArray, count: int, tracks: BoolArray | None = None) -> IntArray:
    """Join groups edge by edge, the surest first, while this makes the set of edges more likely.

    Two groups are joined when the edges between them, taken together, are more likely on than off; this lowers the
    cross-entropy between the predictions and the edges inside groups. The sum of each pair of groups is kept up
    to date as groups grow, in O(E log E) altogether.

    Parameters
    ----------
    edges : (E, 2) int64
        Source and target; of equal edges the last one counts.
    logits : (E, 2) float32
        Scores of off and on.
    count : int
        Number of nodes.
    tracks : (count,) bool, optional
        Which nodes are tracks; other nodes then are connected with one track only.

    Returns
    -------
    (count,) int64
        Groups, numbered by their first node. Of equally sure edges the earlier wins.
    """
    weight, off, on = edge_weights(logits)
    pairs = np.asarray(edges, dtype=np.int64).reshape(-1, 2)
    chosen = np.flatnonzero(on)
    order = chosen[np.argsort(off[chosen], kind="stable")]
    low, high = pairs.min(axis=1), pairs.max(axis=1)
    kept = _last_of_equal(pairs, count) & (low != high)
    codes, slots = np.unique(low[kept] * count + high[kept], return_inverse=True)
    totals = np.zeros(len(codes))
    with np.errstate(invalid="ignore"):
        np.add.at(totals, slots, weight[kept])
    is_track = np.zeros(0, dtype=np.bool_) if tracks is None else np.asarray(tracks, dtype=np.bool_)
    return number_by_first_row(join_groups(pairs[order], codes, totals, count, is_track))


def _last_of_equal(pairs: IntArray, count: int) -> BoolArray:
    """(E,) whether no later edge is the same."""
    _, last = np.unique((pairs[:, 0] * count + pairs[:, 1])[::-1], return_index=True)
    kept = np.zeros(len(pairs), dtype=np.bool_)
    kept[len(pairs) - 1 - last] = True
    return kept


def primary_nodes(logits: RealArray, groups: IntArray | None = None) -> BoolArray:
    """(n,) bool which node has the best score in each group, the first among equals.

    Parameters
    ----------
    logits : (n, 2) float
        Scores of secondary and primary.
    groups : (n,) int64, optional
        Groups; without them every node that is more likely primary is one.
    """
    if groups is None:
        return np.asarray(logits[:, 1] > logits[:, 0])
    order = np.lexsort((np.arange(len(groups)), -_probabilities(logits)[1], groups))
    first = np.ones(len(order), dtype=np.bool_)
    first[1:] = groups[order[1:]] != groups[order[:-1]]
    chosen = np.zeros(len(groups), dtype=np.bool_)
    chosen[order[first]] = True
    return chosen
