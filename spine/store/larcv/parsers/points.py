"""Parsers of points: where particles start and end, and where interactions happen."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from spine.schema import Shape, Tensor
from spine.store.larcv.block import RawEvent
from spine.store.larcv.frame import Frame
from spine.store.larcv.leaves import NEUTRINOS, PARTICLES, ObjectList
from spine.store.larcv.parsers.options import ImageOptions
from spine.store.larcv.sentinels import without_ids

__all__ = [
    "ParticleCoordsOptions",
    "ParticlePointsOptions",
    "VertexPointsOptions",
    "particle_coords",
    "particle_points",
    "vertex_points",
]

NUCLEI = 1_000_000_000
"""PDG codes above are those of nuclei."""
PI0 = 111


class ParticlePointsOptions(ImageOptions):
    """Options of `particle_points`."""

    particle_event: str = Field(description="particle product")
    include_point_tagging: bool = Field(True, description="Add the feature endpoint: 0 for starts, 1 for ends")


class ParticleCoordsOptions(ImageOptions):
    """Options of `particle_coords`."""

    particle_event: str = Field(description="particle product")


class VertexPointsOptions(ImageOptions):
    """Options of `vertex_points`."""

    particle_event: str | None = Field(None, description="particle product: points shared by ancestors")
    neutrino_event: str | None = Field(None, description="neutrino product: interaction points")

    @model_validator(mode="after")
    def _one_source(self) -> VertexPointsOptions:
        if (self.particle_event is None) == (self.neutrino_event is None):
            raise ValueError("give particle_event or neutrino_event")
        return self


def _has_points(particles: ObjectList, frame: Frame) -> NDArray[np.bool_]:
    """Particles with points of interest: seen, no nuclei, of a known class, showers starting in the image."""
    shape, pdg = particles.array("shape"), np.abs(particles.array("pdg_code"))
    kept = (particles.array("num_voxels") != 0) & ~(particles.array("energy_deposit") < 0) & (pdg <= NUCLEI)
    kept &= ~np.isin(shape, (Shape.LOWE, Shape.LARCV_UNKNOWN))
    result: NDArray[np.bool_] = kept & (~np.isin(pdg, (11, 22)) | frame.contains(particles.array("first_step")))
    return result


def particle_points(event: RawEvent, cfg: ParticlePointsOptions) -> Tensor:
    """Points of interest: the start of each particle and the end of each track, float32 in voxels.

    Features are shape, particle (row of the list) and, when asked for, endpoint. Left out are particles without
    voxels, nuclei, particles of low energy or unknown class, and electrons and photons that start outside the image.
    """
    particles = event.objects(cfg.particle_event, PARTICLES)
    frame = cfg.frame(event)
    rows = np.repeat(np.flatnonzero(_has_points(particles, frame)), 2)
    end = np.arange(len(rows)) % 2
    shape = particles.array("shape")[rows]
    points = np.where(end[:, None] == 1, particles.array("last_step")[rows], particles.array("first_step")[rows])
    kept = (end == 0) | (shape == Shape.TRACK)
    features = np.stack([shape, rows, end], axis=1)[kept].astype(np.float32)
    coords = frame.in_voxels(points[kept]).astype(np.float32)
    if cfg.include_point_tagging:
        return Tensor(coords, features, ("shape", "particle", "endpoint"))
    return Tensor(coords, features[:, :2], ("shape", "particle"))


def particle_coords(event: RawEvent, cfg: ParticleCoordsOptions) -> Tensor:
    """Start and end of every particle: coordinates (n, 6) float32 in voxels, features time (ns) and shape.

    Only tracks have an end of their own; others repeat their start.
    """
    particles = event.objects(cfg.particle_event, PARTICLES)
    frame = cfg.frame(event)
    shape = particles.array("shape")
    start, last = particles.array("first_step"), particles.array("last_step")
    end = np.where((shape == Shape.TRACK)[:, None], last, start)
    coords = np.concatenate([frame.in_voxels(start), frame.in_voxels(end)], axis=1).astype(np.float32)
    features = np.stack([particles.array("first_step_t"), shape], axis=1).astype(np.float32)
    return Tensor(coords, features, ("time", "shape"))


def _shared_origins(particles: ObjectList, frame: Frame) -> NDArray[np.float64]:
    """(v, 3) points in the image at which the ancestors of two primaries or more were made, in voxels, sorted."""
    origins = particles.array("ancestor_position")
    primary = without_ids(particles.array("parent_id")) == particles.array("id")
    primary |= particles.array("ancestor_pdg_code") == PI0
    points = frame.in_voxels(origins[primary & frame.contains(origins)])
    found, counts = np.unique(points, axis=0, return_counts=True)
    shared: NDArray[np.float64] = found[counts > 1]
    return shared


def vertex_points(event: RawEvent, cfg: VertexPointsOptions) -> Tensor:
    """Interaction points in the image, float32 in voxels, with the feature interaction.

    From neutrinos: their points and rows. From particles: points shared by the ancestors of at least two primaries,
    numbered in the order of the points.
    """
    frame = cfg.frame(event)
    if cfg.neutrino_event is not None:
        positions = event.objects(cfg.neutrino_event, NEUTRINOS).array("position")
        rows = np.flatnonzero(frame.contains(positions))
        points = frame.in_voxels(positions[rows])
    else:
        points = _shared_origins(event.objects(str(cfg.particle_event), PARTICLES), frame)
        rows = np.arange(len(points))
    return Tensor(points.astype(np.float32), rows[:, None].astype(np.float32), ("interaction",))
