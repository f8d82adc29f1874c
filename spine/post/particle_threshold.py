"""Species and primaries from thresholds on scores."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Self, TypeAlias

import numpy as np
from pydantic import BeforeValidator, Field, model_validator

from spine.errors import DataError
from spine.ops.arrays import RealArray
from spine.schema import Event, Pid, Shape, Table
from spine.steps import StepConfig, step

__all__ = ["ParticleThresholdConfig", "particle_threshold"]


def _pairs(value: Any) -> Any:
    """Items of a mapping: their order matters, which mappings in JSON do not keep."""
    return tuple(value.items()) if isinstance(value, Mapping) else value


Thresholds: TypeAlias = Annotated[tuple[tuple[Pid, float], ...], BeforeValidator(_pairs)]


class ParticleThresholdConfig(StepConfig):
    """Options of particle_threshold."""

    shower_pid_thresholds: Thresholds | None = Field(
        None, description="Smallest score by species, tried in this order, for all that are not tracks"
    )
    track_pid_thresholds: Thresholds | None = Field(
        None, description="Smallest score by species, tried in this order, for tracks"
    )
    primary_threshold: float | None = Field(None, description="Smallest score of a primary")

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.shower_pid_thresholds is None and self.track_pid_thresholds is None and self.primary_threshold is None:
            raise ValueError("give shower_pid_thresholds, track_pid_thresholds or primary_threshold")
        return self


@step(
    reads=("reco_particles.shape", "reco_particles.pid_scores", "reco_particles.primary_scores"),
    writes=("reco_particles.pid", "reco_particles.is_primary"),
    after=("shape_logic",),
)
def particle_threshold(event: Event, cfg: ParticleThresholdConfig) -> None:
    """Take the first species whose score reaches its threshold, scores being scaled up after each one refused.

    Parameters
    ----------
    event : Event
        Sets pid and is_primary of reconstructed particles; those without scores keep theirs.
    cfg : ParticleThresholdConfig

    Raises
    ------
    DataError
        When a particle reaches no threshold.
    """
    particles = event.reco.particles
    tracks = particles["shape"] == Shape.TRACK
    for chosen, thresholds in ((tracks, cfg.track_pid_thresholds), (~tracks, cfg.shower_pid_thresholds)):
        if thresholds is not None:
            _set_species(event, particles, chosen, thresholds)
    if cfg.primary_threshold is not None:
        score = particles["primary_scores"][:, 1]
        primary = np.where(np.isnan(score), particles["is_primary"], score >= cfg.primary_threshold)
        particles["is_primary"] = primary


def _set_species(event: Event, particles: Table, chosen: RealArray, thresholds: Thresholds) -> None:
    scores = particles["pid_scores"].astype(np.float64)
    pending = chosen & np.isfinite(scores).all(axis=1)
    species = np.array(particles["pid"])
    for pid, threshold in thresholds:
        taken = pending & (scores[:, pid] >= threshold)
        species[taken] = pid
        pending &= ~taken
        rest = 1.0 - scores[pending, pid]
        scores[pending] *= np.divide(1.0, rest, out=np.ones_like(rest), where=rest > 0)[:, None]
    if pending.any():
        row = int(np.flatnonzero(pending)[0])
        raise DataError(
            "the scores of a particle reach no threshold", where=f"{event.label}, particle {row}",
            got=np.round(particles["pid_scores"][row], 3).tolist(), expected=dict(thresholds),
            mend="give the last species the threshold 0",
        )  # fmt: skip
    particles["pid"] = species
