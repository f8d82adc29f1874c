"""Straight tracks straight from points, without networks."""

from __future__ import annotations

from typing import Literal

import numpy as np
from pydantic import Field

from spine.errors import DataError
from spine.ops.arrays import FloatArray, IntArray
from spine.ops.clustering import Metric, clusters_from_labels, dbscan
from spine.ops.segments import lengths_to_offsets
from spine.ops.shape import pca_segments
from spine.schema import Event, Ragged, Shape, Table
from spine.schema.object_records import OBJECT_RECORDS
from spine.steps import StepConfig, step

__all__ = ["TrackClusterConfig", "track_cluster"]


class TrackClusterConfig(StepConfig):
    """Options of track_cluster."""

    eps: float = Field(5.0, gt=0, description="Points at most this far apart are neighbours (cm)")
    min_samples: int = Field(1, ge=1, description="Neighbours that make a point a core point, itself included")
    metric: Metric = Field("euclidean", description="Distance: euclidean, chebyshev or cityblock")
    min_size: int = Field(10, ge=1, description="Fewest points of a track")
    max_rel_spread: float = Field(0.1, description="Largest spread across the axis over that along it")
    max_axis_dist: float | None = Field(None, description="Points farther from the axis are dropped (cm)")
    split_volume: Literal["tpc", "module"] | None = Field(None, description="Tracks end at the walls of these")
    particle_type: Literal["reco", "truth"] = Field("reco", description="Which particles to make")


@step(reads=("points", "sources"), writes=("reco_particles", "truth_particles"))
def track_cluster(event: Event, cfg: TrackClusterConfig) -> None:
    """Clusters of points that are long and thin.

    Parameters
    ----------
    event : Event
        Gets reco_particles (or truth_particles) with one track per cluster; particles that it had are dropped.
    cfg : TrackClusterConfig

    Raises
    ------
    DataError
        When volumes are to be told apart and the event has no sources.
    """
    points = np.asarray(event["points"], dtype=np.float64)
    found = [_tracks(points, rows, cfg) for rows in _volumes(event, cfg)]
    index = Ragged.concat([Ragged.empty(0, np.int64), *found])
    table = Table(OBJECT_RECORDS[cfg.particle_type, "particle"], len(index), {"id": np.arange(len(index))})
    table["index"] = index
    table["shape"] = np.full(len(index), Shape.TRACK)
    table["units"] = np.full(len(index), "cm", dtype=object)
    event[f"{cfg.particle_type}_particles"] = table


def _volumes(event: Event, cfg: TrackClusterConfig) -> list[IntArray]:
    """Rows of the points of each volume; all rows where volumes do not matter."""
    if cfg.split_volume is None:
        return [np.arange(len(event["points"]))]
    if "sources" not in event:
        raise DataError("volumes are told apart by sources", where=event.label, mend="run the step source first")
    sources = np.asarray(event["sources"])
    _, labels = np.unique(sources[:, : 1 if cfg.split_volume == "module" else 2], axis=0, return_inverse=True)
    volumes = clusters_from_labels(labels.reshape(-1), cfg.min_size)
    return list(Ragged(volumes.values, volumes.offsets))


def _tracks(points: FloatArray, rows: IntArray, cfg: TrackClusterConfig) -> Ragged:
    clusters = clusters_from_labels(dbscan(points[rows], cfg.eps, cfg.min_samples, cfg.metric), cfg.min_size)
    index = Ragged(rows[clusters.values], clusters.offsets)
    axes = pca_segments(points[index.values], index.offsets)
    longest, across = axes.variances[:, 0], axes.variances[:, 1:].sum(axis=1)
    thin = np.flatnonzero((longest > 0) & (across <= cfg.max_rel_spread**2 * longest))
    index = index[thin]
    if cfg.max_axis_dist is None:
        return index
    apart = np.cross(points[index.values] - axes.mean[thin][index.rows], axes.axes[thin, 0][index.rows])
    near = np.linalg.norm(apart, axis=1) < cfg.max_axis_dist
    kept = Ragged(index.values[near], lengths_to_offsets(np.bincount(index.rows[near], minlength=len(index))))
    return kept[kept.lengths >= cfg.min_size]
