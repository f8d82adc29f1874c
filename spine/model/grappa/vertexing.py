"""Vertex of each interaction, from what a graph network says of its particles."""

from __future__ import annotations

import numpy as np
import torch
from pydantic import Field
from scipy.special import softmax

from spine.errors import DataError
from spine.model.chain.provider import Result, provider
from spine.model.chain.vertexing import interaction_rows, vertex_products
from spine.model.grappa.vertex import VERTEX_OUTPUTS, vertex_positions
from spine.ops.arrays import FloatArray
from spine.schema import Event
from spine.steps.step import StepConfig

__all__ = ["ParticleVertices", "vertices"]


class ParticleVertices(StepConfig):
    """Options of vertices from particles; those with which the network was trained."""

    normalize_positions: bool = Field(False, description="Positions are a share of the image")
    use_anchor_points: bool = Field(False, description="Positions count from the nearer end of the particle")


def _required(cfg: ParticleVertices) -> tuple[str, ...]:
    more = ("meta",) if cfg.normalize_positions else ()
    ends = ("particle_start_points", "particle_end_points") if cfg.use_anchor_points else ()
    return ("particle_group_pred", "particle_node_vertex_pred", *more, *ends)


@provider(
    "interaction_vertexing",
    "grappa",
    requires=_required,
    provides=("interaction_vertices", "interaction_vertex_scores"),
)
def vertices(event: Event, cfg: ParticleVertices) -> Result:
    """Position that the particle gives which most probably comes from the vertex; the score is that probability."""
    raw = np.asarray(event["particle_node_vertex_pred"], dtype=np.float64)
    if raw.shape[1] != VERTEX_OUTPUTS:
        raise DataError("the vertex has five outputs per particle", where=event.label, got=raw.shape[1])
    places = _places(event, raw[:, 2:], cfg)
    chances = softmax(raw[:, :2], axis=1)[:, 1] if len(raw) else np.empty(0)
    best = [int(rows[chances[rows].argmax()]) for rows in interaction_rows(event)]
    return vertex_products([(places[row], float(chances[row])) for row in best])


def _places(event: Event, raw: FloatArray, cfg: ParticleVertices) -> FloatArray:
    ends = sizes = None
    if cfg.use_anchor_points:
        both = [np.asarray(event[f"particle_{side}_points"], dtype=np.float64) for side in ("start", "end")]
        ends = torch.from_numpy(np.concatenate(both, axis=1))
    if cfg.normalize_positions:
        sizes = torch.from_numpy(np.tile(np.asarray(event["meta"].count, dtype=np.float64), (len(raw), 1)))
    found = vertex_positions(torch.from_numpy(raw), ends, sizes, absolute=cfg.normalize_positions)
    return np.asarray(found.numpy())
