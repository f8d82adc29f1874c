"""Parser of true clusters: which particle each voxel belongs to, and the labels of the particles."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from spine.ops.clustering import dbscan
from spine.schema import Shape, Table, Tensor
from spine.schema.species import SHAPE_PRECEDENCE
from spine.schema.truth_records import ParticleLabel
from spine.store.larcv.block import RawClusters, RawEvent
from spine.store.larcv.leaves import PARTICLES, ObjectList
from spine.store.larcv.parsers.cleaning import class_ranks, one_per_voxel
from spine.store.larcv.parsers.options import ParserOptions
from spine.store.larcv.parsers.particles import NeutrinoSources, check_count
from spine.store.larcv.parsers.sparse import distinct
from spine.store.larcv.sentinels import INVALID_TRACK, without_any
from spine.store.larcv.truth import TruthLabels, leaders
from spine.store.larcv.truth.ids import ancestor_rows

__all__ = ["Cluster3DOptions", "ParticleInfo", "cluster3d", "cluster3d_image"]

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

NESTED: Final = (
    "particle_event",
    "particle_mpv_event",
    "neutrino_event",
    "type_include_mpr",
    "type_include_secondary",
    "primary_include_mpr",
)
"""Options of `ParticleInfo` that may also stand beside it."""


class ParticleInfo(NeutrinoSources):
    """Options of the table of particle labels."""

    particle_event: str = Field(description="particle product, one particle per cluster")
    type_include_mpr: bool = Field(True, description="Keep the species of particles that come from no neutrino")
    type_include_secondary: bool = Field(True, description="Keep the species of secondary particles")
    primary_include_mpr: bool = Field(True, description="Keep the primary label of particles from no neutrino")


class Cluster3DOptions(ParserOptions):
    """Options of `cluster3d`."""

    cluster_event: str = Field(description="cluster3d product")
    particle_info: ParticleInfo | None = Field(None, description="Labels of particles; none: clusters only")
    sparse_semantics_event: str | None = Field(
        None, description="sparse3d product of classes: its voxels are kept, one cluster each"
    )
    sparse_value_event: str | None = Field(None, description="sparse3d product which replaces the values")
    clean_data: bool = Field(False, description="Keep one cluster per voxel; needs sparse_semantics_event")
    label_le: bool = Field(False, description="Keep the labels of low-energy voxels")
    break_clusters: bool = Field(False, description="Number the detached pieces of clusters separately")
    break_eps: float = Field(1.1, gt=0, description="Largest distance within a piece (voxels)")
    break_metric: Literal["chebyshev", "euclidean", "cityblock"] = Field(
        "chebyshev", description="Distance between voxels of a piece"
    )
    shape_precedence: tuple[int, ...] = Field(
        SHAPE_PRECEDENCE, description="Classes in the order in which a voxel is given to one of several clusters"
    )

    @model_validator(mode="before")
    @classmethod
    def _nested(cls, data: object) -> object:
        """Take options of the particle table that stand beside it, and ``label_le`` in it, as older schemas do."""
        if not isinstance(data, Mapping) or isinstance(data.get("particle_info"), ParticleInfo):
            return data
        options = dict(data)
        info = options.pop("particle_info", None)
        wanted = bool(options.pop("add_particle_info", False)) or bool(info) or isinstance(info, Mapping)
        nested = dict(info) if isinstance(info, Mapping) else {}
        twice = sorted(set(nested) & {*NESTED, "label_le"} & set(options))
        if twice:
            raise ValueError(f"given twice, in particle_info and beside it: {', '.join(twice)}")
        if "label_le" in nested:
            options["label_le"] = nested.pop("label_le")
        nested |= {key: options.pop(key) for key in NESTED if key in options}
        return options | ({"particle_info": nested} if wanted else {})

    @model_validator(mode="after")
    def _semantics(self) -> Cluster3DOptions:
        if (self.clean_data or self.sparse_value_event) and self.sparse_semantics_event is None:
            raise ValueError("clean_data and sparse_value_event need sparse_semantics_event")
        return self


@dataclass(frozen=True, eq=False)
class _Rows:
    """Voxels of clusters: ``ids``, ``values``, cluster number and particle row of each, -1 for none."""

    ids: Ints
    values: NDArray[np.float32]
    cluster: Ints
    particle: Ints

    def without_labels(self, mask: Bools) -> _Rows:
        """The same voxels, those of the mask in no cluster and of no particle."""
        return replace(self, cluster=np.where(mask, -1, self.cluster), particle=np.where(mask, -1, self.particle))


def _left_out(shape: Ints | NDArray[np.float32], low_energy: bool) -> Bools:
    """True for classes whose voxels get no labels."""
    mask: Bools = shape >= Shape.LOWE + low_energy
    return mask


def _pieces(clusters: RawClusters, cfg: Cluster3DOptions) -> Ints:
    """(n,) cluster number of each voxel, counted over detached pieces."""
    pieces, first = [np.empty(0, dtype=np.int64)], 0
    for ids in clusters.ids:
        labels = dbscan(clusters.frame.cells(ids).astype(np.float64), cfg.break_eps, metric=cfg.break_metric)
        pieces.append(first + labels)
        first += int(labels.max(initial=-1)) + 1
    return np.concatenate(pieces)


def _rows(clusters: RawClusters, shape: Ints, cfg: Cluster3DOptions) -> _Rows:
    """Voxels of all clusters, those of low energy and worse without labels; ``shape`` is the class of each particle."""
    owner = clusters.ids.rows
    cluster = _pieces(clusters, cfg) if cfg.break_clusters else owner
    rows = _Rows(clusters.ids.values, clusters.values, cluster, np.where(owner < len(shape), owner, -1))
    mask = np.zeros(len(owner), dtype=bool)
    mask[rows.particle >= 0] = _left_out(shape[rows.particle[rows.particle >= 0]], cfg.label_le)
    return rows.without_labels(mask)


def _cleaned(event: RawEvent, rows: _Rows, shape: Ints, cfg: Cluster3DOptions) -> _Rows:
    """One row for each voxel of the semantics product, in rising order of voxels."""
    product = str(cfg.sparse_semantics_event)
    semantics = event.voxels(product)
    distinct(event, product, semantics.ids, "make the semantics again without duplicates")
    known = rows.particle >= 0
    classes = np.full(len(known), -1, dtype=np.int64)
    classes[known] = shape[rows.particle[known]]
    clean = one_per_voxel(rows.ids, rows.values, class_ranks(classes, cfg.shape_precedence))
    kept = np.isin(clean.ids, semantics.ids)
    if kept.sum() != len(semantics.ids):
        got = f"{len(semantics.ids) - int(kept.sum())} of {len(semantics.ids)}"
        raise event.error("the semantics have voxels which are in no cluster", product, got=got)
    order = np.argsort(semantics.ids)
    chosen = clean.rows[kept]
    result = _Rows(clean.ids[kept], clean.values[kept], rows.cluster[chosen], rows.particle[chosen])
    return _valued(event, result.without_labels(_left_out(semantics.values[order], cfg.label_le)), cfg)


def _valued(event: RawEvent, rows: _Rows, cfg: Cluster3DOptions) -> _Rows:
    """The rows with the values of another product, if one is given."""
    if cfg.sparse_value_event is None:
        return rows
    image = event.voxels(cfg.sparse_value_event)
    order = np.argsort(image.ids, kind="stable")
    if not np.array_equal(image.ids[order], rows.ids):
        got = f"{len(image.ids)} and {len(rows.ids)} voxels"
        raise event.error("the voxels are not those of the semantics", cfg.sparse_value_event, got=got)
    return replace(rows, values=image.values[order])


def _label_table(particles: ObjectList, labels: TruthLabels, info: ParticleInfo, vertex: NDArray[np.float64]) -> Table:
    pid, primary = labels.pid.copy(), labels.interaction_primary.copy()
    if not info.type_include_secondary:
        pid[primary < 1] = -1
    if not info.type_include_mpr:
        pid[labels.nu < 0] = -1
    if not info.primary_include_mpr:
        primary[labels.nu < 0] = -1
    momentum = np.sqrt((particles.array("momentum") ** 2).sum(axis=1))
    columns = {
        "particle": particles.array("id"),
        "group": labels.group,
        "ancestor": ancestor_rows(without_any(particles.array("track_id"), INVALID_TRACK), labels.ancestor_track),
        "interaction": labels.interaction,
        "nu": labels.nu,
        "pid": pid,
        "interaction_primary": primary,
        "vertex": vertex.astype(np.float32),
        "momentum": momentum.astype(np.float32),
        "energy_init": particles.array("energy_init").astype(np.float32),
        "shape": particles.array("shape"),
    }
    return Table(ParticleLabel, len(particles), columns)


def cluster3d(event: RawEvent, cfg: Cluster3DOptions) -> Tensor:
    """True clusters: coordinates (n, 3) int32, features value, cluster and particle row (float32), -1 for none.

    Cleaned voxels come in the order of voxel ids, others cluster by cluster. The labels of the particles are in the
    ``particles`` table; the leader of a group counts as its primary only when it still has voxels.

    Raises
    ------
    DataError
        A particle list that does not match the clusters, clusters that share voxels when ``clean_data`` is off,
        semantics that are not a part of the clusters, bad voxels or values.
    """
    clusters = event.clusters(cfg.cluster_event)
    info = cfg.particle_info
    particles = None if info is None else event.objects(info.particle_event, PARTICLES)
    shape = np.empty(0, dtype=np.int64) if particles is None else particles.array("shape")
    if particles is not None and info is not None:
        check_count(event, info.particle_event, len(particles), len(clusters.ids))
    rows = _rows(clusters, shape, cfg)
    if cfg.sparse_semantics_event is not None:
        rows = _cleaned(event, rows, shape, cfg)
    else:
        distinct(event, cfg.cluster_event, rows.ids, "set clean_data and sparse_semantics_event")
    features = [rows.values, rows.cluster.astype(np.float32), rows.particle.astype(np.float32)]
    coords = clusters.frame.cells(rows.ids)
    if particles is None or info is None:
        return Tensor(coords, np.stack(features[:2], axis=1), ("value", "cluster"))
    labels = info.labels(event, particles, cfg.label_le)
    table = _label_table(particles, labels, info, clusters.frame.in_voxels(particles.array("ancestor_position")))
    visible = np.isin(np.arange(len(particles)), rows.particle)
    table["group_primary"] = leaders(particles, labels.group, labels.valid, cfg.label_le, visible)
    return Tensor(coords, np.stack(features, axis=1), ("value", "cluster", "particle_index"), table)


def cluster3d_image(event: RawEvent, cfg: Cluster3DOptions) -> Tensor:
    """Voxels of true clusters as an image: coordinates (n, 3) int32 and their values, in the order of `cluster3d`."""
    clusters = cluster3d(event, cfg)
    return Tensor(clusters.coords, clusters.features[:, :1], ("value",))
