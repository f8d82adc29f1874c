"""Vertex of each interaction, from what was proposed at its voxels."""

from __future__ import annotations

from typing import Literal

import numpy as np
from pydantic import Field
from scipy.special import softmax

from spine.errors import DataError
from spine.model.chain.provider import Result, provider
from spine.model.chain.rows import image_of, voxel_order
from spine.ops.arrays import FloatArray, IntArray
from spine.ops.clustering import dbscan
from spine.schema import Event, Ragged
from spine.steps.step import StepConfig

__all__ = ["ProposedVertices", "interaction_rows", "ppn", "vertex_products"]


class ProposedVertices(StepConfig):
    """Options of vertices from proposals at voxels."""

    score_threshold: float = Field(
        0.5, ge=0, le=1, description="Least probability of a proposal; without one, the most probable voxel counts"
    )
    pool_radius: float = Field(1.999, gt=0, description="Proposals this near are of one vertex (voxels)")
    pool_score_fn: Literal["max", "mean"] = Field("max", description="Score of a vertex from those of its proposals")


def interaction_rows(event: Event) -> Ragged:
    """Particles of each interaction, by rising number of the interaction; particles without one are left out."""
    numbers = np.asarray(event["particle_group_pred"], dtype=np.int64)
    known, place = np.unique(numbers[numbers >= 0], return_inverse=True)
    owner = np.full(len(numbers), -1, dtype=np.int64)
    owner[numbers >= 0] = place
    return Ragged.by_label(owner, len(known))


@provider(
    "interaction_vertexing", "ppn",
    requires=("data", "vertex_points", "particle_clusts", "particle_group_pred"),
    provides=("interaction_vertices", "interaction_vertex_scores"),
)  # fmt: skip
def ppn(event: Event, cfg: ProposedVertices) -> Result:
    """Mean of the best proposals that lie together among those at the voxels of each interaction."""
    coords, raw = image_of(event).coords, np.asarray(event["vertex_points"], dtype=np.float64)
    if len(raw) != len(coords):
        raise DataError(
            "vertices are not proposed at the voxels of the image",
            where=event.label,
            got=len(raw),
            expected=len(coords),
        )
    places = np.asarray(coords, dtype=np.float64) + 0.5 + raw[:, :3]
    scores = softmax(raw[:, 3:], axis=1)[:, 1] if len(raw) else np.empty(0)
    clusts: Ragged = event["particle_clusts"]
    found = []
    for members in interaction_rows(event):
        rows = clusts[np.asarray(members, dtype=np.int64)].values.astype(np.int64)
        rows = rows[voxel_order(coords[rows])]
        found.append(_best(places[rows], scores[rows], cfg))
    return vertex_products(found)


def vertex_products(found: list[tuple[FloatArray, float]]) -> Result:
    """Positions (n, 3) and scores (n,) of the vertices of the interactions of an event."""
    places = np.array([place for place, _ in found], dtype=np.float32).reshape(-1, 3)
    scores = np.array([score for _, score in found], dtype=np.float32)
    return {"interaction_vertices": places, "interaction_vertex_scores": scores}


def _best(places: FloatArray, scores: FloatArray, cfg: ProposedVertices) -> tuple[FloatArray, float]:
    """Position and score of the best vertex."""
    rows: IntArray = np.flatnonzero(scores >= cfg.score_threshold)
    if len(rows) == 0:
        rows = np.array([scores.argmax()], dtype=np.int64)
    labels = dbscan(places[rows], cfg.pool_radius)
    pooled = np.zeros(labels.max() + 1)
    if cfg.pool_score_fn == "max":
        np.maximum.at(pooled, labels, scores[rows])
    else:
        pooled = np.bincount(labels, weights=scores[rows]) / np.bincount(labels)
    best = int(pooled.argmax())
    chosen = rows[labels == best]
    return np.average(places[chosen], axis=0, weights=scores[chosen]), float(pooled[best])
