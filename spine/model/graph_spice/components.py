"""Clusters of a directed graph: what can be reached from the first node, from the first of the others, and so on."""

from __future__ import annotations

import numba
import numpy as np

from spine.ops.arrays import IntArray, NumberArray

__all__ = ["first_reaching"]


def first_reaching(edges: NumberArray, count: int) -> IntArray:
    """Lowest node from which each node can be reached along directed edges.

    Parameters
    ----------
    edges : (E, 2) int
        Source and target.
    count : int
        Number of nodes.

    Returns
    -------
    (count,) int64
        Nodes with the same value are a cluster. For edges in both directions these are the connected components.
    """
    edges = np.asarray(edges, dtype=np.int64).reshape(-1, 2)
    order = np.argsort(edges[:, 0], kind="stable")
    offsets = np.concatenate([[0], np.cumsum(np.bincount(edges[:, 0], minlength=count))])
    first, stack = np.full(count, -1), np.empty(count, dtype=np.int64)
    _first_reaching(np.ascontiguousarray(edges[order, 1]), offsets.astype(np.int64), first, stack)
    return first


@numba.njit(cache=True)
def _first_reaching(targets: IntArray, offsets: IntArray, first: IntArray, stack: IntArray) -> None:
    """Fill the lowest node for each, -1 before; the stack has room for all."""
    for seed in range(len(first)):
        if first[seed] >= 0:
            continue
        first[seed], stack[0], height = seed, seed, 1
        while height > 0:
            height -= 1
            node = stack[height]
            for place in range(offsets[node], offsets[node + 1]):
                if first[targets[place]] < 0:
                    first[targets[place]] = seed
                    stack[height] = targets[place]
                    height += 1
