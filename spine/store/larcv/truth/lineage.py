"""Edges from parents to children, passing over particles which left nothing in the image."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["bridged", "parent_edges"]

Ints = NDArray[np.int64]


def parent_edges(parent: Ints, group: Ints, within_groups: bool = False) -> Ints:
    """Edges from each particle's parent to the particle.

    Parameters
    ----------
    parent : (n,) int64
        Row of the parent, -1 for none.
    group : (n,) int64
        Row of the leader of the group, -1 for none.
    within_groups : bool
        Also give edges to particles which do not lead their group.

    Returns
    -------
    (e, 2) int64
        Parent and child, in the order of the children; none where the parent leads the group of the child.
    """
    rows = np.arange(len(parent))
    linked = (parent >= 0) & (parent < len(parent)) & (parent != group)
    if not within_groups:
        linked &= group == rows
    return np.stack([parent[linked], rows[linked]], axis=1)


def bridged(edges: Ints, empty: NDArray[np.bool_]) -> Ints:
    """Take empty particles out of a forest; their children go to the nearest ancestor that is not empty.

    Parameters
    ----------
    edges : (e, 2) int64
        Parent and child; each child has one parent.
    empty : (n,) bool
        Particles to take out.

    Returns
    -------
    (f, 2) int64
        Edges between the other particles; those of children without such an ancestor are dropped.
    """
    up = np.full(len(empty), -1, dtype=np.int64)
    up[edges[:, 1]] = edges[:, 0]
    kept = edges[~empty[edges[:, 1]]]
    parent = kept[:, 0].copy()
    for _ in range(len(empty)):
        jump = (parent >= 0) & empty[parent]
        if not jump.any():
            break
        parent[jump] = up[parent[jump]]
    found = parent >= 0
    return np.stack([parent[found], kept[found, 1]], axis=1)
