"""Which particles a step takes, and the interactions they belong to."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from spine.ops.arrays import FloatArray, IntArray
from spine.schema import Shape, Table

__all__ = ["interaction_rows", "of_shape", "particle_vertices", "selected"]


def selected(particles: Table, pids: Sequence[int], include_secondary: bool) -> IntArray:
    """Rows of the particles of some species, of all or of primary ones."""
    chosen = np.isin(particles["pid"], list(pids))
    return np.flatnonzero(chosen if include_secondary else chosen & particles["is_primary"])


def of_shape(particles: Table, shape: Shape, include_secondary: bool = False) -> IntArray:
    """Rows of the particles of a semantic class, of primary ones or of all."""
    chosen = particles["shape"] == shape
    return np.flatnonzero(chosen if include_secondary else chosen & particles["is_primary"])


def interaction_rows(interactions: Table, count: int) -> IntArray:
    """(count,) row of the interaction that lists each particle, -1 where none does."""
    members = interactions["particle_ids"]
    rows = np.full(count, -1, dtype=np.int64)
    rows[members.values] = members.rows
    return rows


def particle_vertices(interactions: Table, count: int) -> FloatArray:
    """(count, 3) vertex of the interaction of each particle, NaN where there is none (cm)."""
    vertices = np.vstack([interactions["vertex"], np.full((1, 3), np.nan)]).astype(np.float64)
    found: FloatArray = vertices[interaction_rows(interactions, count)]
    return found
