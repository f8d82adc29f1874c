"""Parsers of simulated particles and their parentage."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from spine.schema import Ragged, Table
from spine.schema.truth_records import Particle
from spine.store.larcv.block import RawEvent
from spine.store.larcv.frame import Frame
from spine.store.larcv.leaves import NEUTRINOS, PARTICLES, ObjectList
from spine.store.larcv.parsers.options import FrameOptions, ParserOptions
from spine.store.larcv.sentinels import (
    INVALID_ID,
    INVALID_INDEX,
    INVALID_TRACK,
    without_any,
    without_ids,
    without_interactions,
)
from spine.store.larcv.truth import TruthLabels, truth_labels
from spine.store.larcv.truth.lineage import bridged, parent_edges

__all__ = ["NeutrinoSources", "ParticleGraphOptions", "ParticleOptions", "particle", "particle_graph"]

POINTS = tuple(name for name, column in Particle.columns.items() if column.position)
TRACKS = ("track_id", "parent_track_id", "ancestor_track_id")


class NeutrinoSources(ParserOptions):
    """Where the neutrinos of particles are looked up."""

    particle_mpv_event: str | None = Field(None, description="particle product of particles at neutrino vertices")
    neutrino_event: str | None = Field(None, description="neutrino product")

    @model_validator(mode="after")
    def _one_source(self) -> NeutrinoSources:
        if self.particle_mpv_event is not None and self.neutrino_event is not None:
            raise ValueError("give particle_mpv_event or neutrino_event, not both")
        return self

    def labels(self, event: RawEvent, particles: ObjectList, low_energy: bool) -> TruthLabels:
        """Truth labels of the particles of an event."""
        mpv, nu = self.particle_mpv_event, self.neutrino_event
        return truth_labels(
            particles,
            None if mpv is None else event.objects(mpv, PARTICLES),
            None if nu is None else event.objects(nu, NEUTRINOS),
            low_energy,
        )


class ParticleOptions(NeutrinoSources, FrameOptions):
    """Options of `particle`."""

    particle_event: str = Field(description="particle product")
    pixel_coordinates: bool = Field(True, description="Give positions in voxels of the image instead of cm")
    post_process: bool = Field(True, description="Fill in the truth labels which the file lacks")
    skip_empty: bool = Field(False, description="Blank particles without voxels which do not lead their group")
    asis: bool = Field(False, description="Numbers as in the file, sentinels included; excludes the other options")
    label_le: bool = Field(False, description="Low-energy particles can lead their group")

    @model_validator(mode="after")
    def _consistent(self) -> ParticleOptions:
        if self.asis and (self.pixel_coordinates or self.post_process or self.skip_empty):
            raise ValueError("asis needs pixel_coordinates, post_process and skip_empty to be false")
        if self.pixel_coordinates and not self.image:
            raise ValueError("pixel_coordinates needs sparse_event or cluster_event")
        return self


class ParticleGraphOptions(ParserOptions):
    """Options of `particle_graph`."""

    particle_event: str = Field(description="particle product")
    cluster_event: str | None = Field(None, description="cluster3d product: particles without voxels are bridged")
    include_fragment_edges: bool = Field(False, description="Also give edges to particles that do not lead a group")


def check_count(event: RawEvent, product: str, particles: int, clusters: int) -> None:
    """Refuse a particle list that does not match its clusters (one more cluster may hold the rest).

    Raises
    ------
    DataError
        Names the file, the entry and the product.
    """
    if particles not in (clusters, clusters - 1):
        raise event.error(
            "the particle list does not match its clusters", product, got=f"{particles} particles",
            expected=f"{clusters} or {clusters - 1}", mend="give the particle product that was made with the clusters",
        )  # fmt: skip


def in_image(points: NDArray[np.float32], frame: Frame) -> NDArray[np.float32]:
    """(n, 3) float32 points in voxels, computed in single precision like everything stored with them."""
    lower, size = frame.lower.astype(np.float32), frame.size.astype(np.float32)
    return np.asarray((points - lower) / size, dtype=np.float32)


def _without_sentinels(particles: ObjectList) -> dict[str, Any]:
    columns: dict[str, Any] = dict(particles.columns)
    for name in TRACKS:
        columns[name] = without_any(particles.array(name), INVALID_TRACK)
    for name in ("mct_index", "mcst_index"):
        columns[name] = without_any(particles.array(name), INVALID_INDEX)
    for name in ("id", "parent_id", "group_id"):
        columns[name] = without_ids(particles.array(name))
    columns["interaction_id"] = without_interactions(particles.array("interaction_id"))
    return columns


def particle(event: RawEvent, cfg: ParticleOptions) -> Table:
    """Particles of the simulation, one row each, positions in voxels (``units`` px) unless told otherwise.

    Labels are those of `truth_labels`. With ``skip_empty``, blanked rows hold missing values.
    """
    particles = event.objects(cfg.particle_event, PARTICLES)
    columns = dict(particles.columns) if cfg.asis else _without_sentinels(particles)
    columns["children_id"] = _children(particles)
    if cfg.post_process:
        labels = cfg.labels(event, particles, cfg.label_le)
        columns |= {"parent_id": labels.parent, "group_id": labels.group, "interaction_id": labels.interaction}
        columns |= {"nu_id": labels.nu, "pid": labels.pid, "ancestor_track_id": labels.ancestor_track}
        columns |= {"group_primary": labels.group_primary, "interaction_primary": labels.interaction_primary}
    table = Table(Particle, len(particles), columns)
    if cfg.pixel_coordinates:
        frame = event.frame(cfg.image)
        for name in POINTS:
            table[name] = in_image(table[name], frame)
        table["units"] = "px" if len(table) else np.empty(0, dtype=object)
    return _blanked(table, particles) if cfg.skip_empty else table


def _children(particles: ObjectList) -> Ragged:
    rows = particles.lists("children_id")
    kept = without_any(rows.values.astype(np.int64), INVALID_ID, INVALID_INDEX)
    return Ragged(kept.astype(np.int32), rows.offsets)


def _blanked(table: Table, particles: ObjectList) -> Table:
    """The table with missing values in the rows of particles without voxels which do not lead their group."""
    kept = (particles.array("num_voxels") != 0) | (particles.array("id") == particles.array("group_id"))
    blank = Table(table.record, int((~kept).sum()))
    place = np.empty(len(table), dtype=np.int64)
    place[np.flatnonzero(kept)] = np.arange(kept.sum())
    place[np.flatnonzero(~kept)] = np.arange(kept.sum(), len(table))
    return Table.concat([table[kept], blank])[place]


def particle_graph(event: RawEvent, cfg: ParticleGraphOptions) -> NDArray[np.int64]:
    """Edges (e, 2) int64 from the row of the parent to that of the child; see `parent_edges` and `bridged`.

    Raises
    ------
    DataError
        A particle list that does not match the clusters.
    """
    particles = event.objects(cfg.particle_event, PARTICLES)
    parent, group = (without_ids(particles.array(name)) for name in ("parent_id", "group_id"))
    edges = parent_edges(parent, group, cfg.include_fragment_edges)
    if cfg.cluster_event is None:
        return edges
    clusters = event.clusters(cfg.cluster_event)
    check_count(event, cfg.particle_event, len(particles), len(clusters.ids))
    rows = np.arange(len(particles))
    empty = (clusters.ids.lengths[: len(particles)] == 0) & (parent >= 0)
    return bridged(edges, empty & ((group == rows) | cfg.include_fragment_edges))
