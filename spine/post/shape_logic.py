"""Species and primaries that the semantic class of a particle allows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from spine.ops.arrays import BoolArray, IntArray
from spine.post.objects import columns
from spine.schema import Event, Shape, Table
from spine.schema.species import SHAPE_TO_PID, SHAPE_TO_PRIMARY
from spine.steps import StepConfig, step

__all__ = ["ShapeLogicConfig", "shape_logic"]

TABLE = ("reco_particles",)


class ShapeLogicConfig(StepConfig):
    """Options of shape_logic."""

    enforce_pid: bool = Field(True, description="Choose the species among those of the class")
    enforce_primary: bool = Field(True, description="Let only showers and tracks be primaries")
    maximum_michel_ke: float | None = Field(
        None, description="Michel electrons of more energy become showers; energies must be known (MeV)"
    )


@step(
    reads=columns(TABLE, "shape", "pid_scores", "primary_scores"),
    writes=columns(TABLE, "shape", "pid", "pid_scores", "is_primary", "primary_scores"),
)
def shape_logic(event: Event, cfg: ShapeLogicConfig) -> None:
    """Set scores which the semantic class forbids to 0, bring the others to a sum of 1, and choose the best.

    Parameters
    ----------
    event : Event
        Changes pid, pid_scores, is_primary, primary_scores (and shape) of reconstructed particles. A particle of
        another class, or without any allowed score, stays as it is.
    cfg : ShapeLogicConfig
    """
    particles = event.table("reco_particles")
    if cfg.maximum_michel_ke is not None:
        energetic = (particles["shape"] == Shape.MICHEL) & (particles["ke"] > cfg.maximum_michel_ke)
        particles["shape"] = np.where(energetic, Shape.SHOWER, particles["shape"])
    if cfg.enforce_pid:
        changed, best = _restrict(particles, "pid_scores", SHAPE_TO_PID)
        particles["pid"] = np.where(changed, best, particles["pid"])
    if cfg.enforce_primary:
        changed, best = _restrict(particles, "primary_scores", SHAPE_TO_PRIMARY)
        particles["is_primary"] = np.where(changed, best > 0, particles["is_primary"])


def _restrict(particles: Table, column: str, allowed: Mapping[Shape, Sequence[int]]) -> tuple[BoolArray, IntArray]:
    """Mask and normalise scores in place; which rows that concerned, and their best score."""
    scores: NDArray[Any] = particles[column]
    mask = np.zeros(scores.shape, dtype=np.bool_)
    for shape, names in allowed.items():
        mask[np.ix_(particles["shape"] == shape, np.asarray(names, dtype=np.int64))] = True
    kept = np.where(mask, scores, 0.0)
    totals = kept.sum(axis=1, keepdims=True)
    changed = mask.any(axis=1) & (totals[:, 0] > 0)
    normal = np.divide(kept, totals, out=np.zeros_like(kept), where=totals > 0)
    particles[column] = np.where(changed[:, None], normal, scores)
    return np.asarray(changed, dtype=np.bool_), np.argmax(normal, axis=1).astype(np.int64)
