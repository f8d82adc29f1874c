"""Parents and children among those particles that left something visible."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from spine.errors import DataError

__all__ = ["visible_edges"]

Ids = NDArray[np.int64]


def visible_edges(edges: Ids, ids: Ids, where: str = "") -> Ids:
    """Reduce a family tree to some of its particles.

    Parameters
    ----------
    edges : (E, 2) int64
        Parent and child.
    ids : (n,) int64
        Particles to keep, rising.
    where : str
        Event, for messages.

    Returns
    -------
    (F, 2) int64
        Places in ``ids`` of parent and child, in the order of the edges. A child whose parent is not kept goes to
        its nearest kept ancestor; an edge without one is left out.

    Raises
    ------
    DataError
        When a particle that is not kept has several parents, or is its own ancestor.
    """
    edges = edges[edges[:, 0] != edges[:, 1]]
    kept = np.isin(edges, ids)
    hidden = edges[~kept[:, 1]]
    children, parents = hidden[:, 1], hidden[:, 0]
    if len(np.unique(children)) != len(children):
        raise DataError("a particle has several parents", where=where or None, got=f"edges {hidden.tolist()}")
    wanted = edges[kept[:, 1]]
    order = np.argsort(children)
    ancestors = _visible_ancestors(wanted[:, 0], children[order], parents[order], ids)
    if ancestors is None:
        raise DataError("a particle is its own ancestor", where=where or None, got=f"edges {hidden.tolist()}")
    found = ancestors >= 0
    return np.column_stack([np.searchsorted(ids, ancestors[found]), np.searchsorted(ids, wanted[found, 1])]).astype(
        np.int64
    )


def _visible_ancestors(nodes: Ids, children: Ids, parents: Ids, ids: Ids) -> Ids | None:
    """Climb from each node until a kept one, -1 at the top; None when the climb never ends."""
    nodes = nodes.copy()
    for _ in range(len(children) + 1):
        climbing = (nodes >= 0) & ~np.isin(nodes, ids)
        if not climbing.any():
            return nodes
        place = np.minimum(np.searchsorted(children, nodes[climbing]), len(children) - 1)
        if len(children) == 0:
            nodes[climbing] = -1
            continue
        nodes[climbing] = np.where(children[place] == nodes[climbing], parents[place], -1)
    return None if ((nodes >= 0) & ~np.isin(nodes, ids)).any() else nodes
