"""Features of nodes and edges from the geometry and charge of clusters, all clusters of an event at once."""

from __future__ import annotations

from typing import Literal

import numpy as np

from spine.errors import DataError
from spine.model.grappa.axes import geometric_features
from spine.model.grappa.clusters import Clusters
from spine.model.grappa.graphs import Graph
from spine.model.grappa.options import NodeEncoderOptions
from spine.model.grappa.start_radius import best_neighbourhoods
from spine.ops.arrays import BoolArray, FloatArray, IntArray, RealArray
from spine.ops.segments import offsets_to_lengths, offsets_to_owners, segment_mean, segment_sum

__all__ = ["EDGE_FEATURES", "SpreadKind", "charge_features", "edge_features", "node_features"]

EDGE_FEATURES = 19
"""Closest points (3 + 3), unit displacement (3), its length (1) and its outer product (9)."""

SpreadKind = Literal["sample", "population"]
"""Whether the spread of the charge divides by n - 1, as SPINE's chain does, or by n, as its training alone does."""


def node_features(clusters: Clusters, options: NodeEncoderOptions, spread: SpreadKind = "sample") -> RealArray:
    """Features of each cluster.

    Parameters
    ----------
    clusters : Clusters
        Clusters; with end points when the options ask for them.
    options : NodeEncoderOptions
        Which features.
    spread : {'sample', 'population'}
        How the spread of the charge is normalised.

    Returns
    -------
    (n, f) float32 array
        `geometric_features` (16), mean and spread of the charge (2), semantic class (1), start and end point (6),
        directions there (6) and charge per length there (2), as asked for.

    Raises
    ------
    DataError
        When end points are missing.
    """
    if options.name == "empty":
        return np.empty((len(clusters), 0), dtype=np.float32)
    columns = [geometric_features(clusters.points, clusters.offsets)]
    if options.add_value:
        columns.append(charge_features(clusters, spread))
    if options.add_shape:
        columns.append(clusters.shapes[:, None].astype(np.float32))
    if options.add_points:
        columns += _end_features(clusters, options)
    return np.concatenate(columns, axis=1, dtype=np.float32)


def charge_features(clusters: Clusters, spread: SpreadKind) -> FloatArray:
    """(n, 2) mean and standard deviation of the charge; 0 in an empty cluster, and the latter in one of one voxel."""
    charge: FloatArray = clusters.values.astype(np.float64)
    mean = np.nan_to_num(segment_mean(charge, clusters.offsets))
    residuals = charge - mean[offsets_to_owners(clusters.offsets)]
    counts = offsets_to_lengths(clusters.offsets) - (spread == "sample")
    variance = segment_sum(residuals**2, clusters.offsets) / np.maximum(counts, 1)
    return np.column_stack([mean, np.sqrt(variance)])


def _end_features(clusters: Clusters, options: NodeEncoderOptions) -> list[RealArray]:
    """End points, and directions and charge per length there."""
    if clusters.ends is None:
        raise DataError("the features need end points of the clusters", mend="give them, or set 'add_points: false'")
    ends = (clusters.ends[:, :3], clusters.ends[:, 3:])
    columns: list[RealArray] = [clusters.ends]
    if options.add_local_dirs:
        columns += [_directions(clusters, end, options.dir_max_dist) for end in ends]
    if options.add_local_dedxs:
        columns += [_charge_per_length(clusters, end, options.dedx_max_dist)[:, None] for end in ends]
    return columns


def _distances(clusters: Clusters, ends: RealArray) -> tuple[RealArray, RealArray]:
    """(N, 3) vectors from the end of each cluster to its voxels, and (N,) their length, in single precision."""
    rays = clusters.points - ends.astype(np.float32)[offsets_to_owners(clusters.offsets)]
    return rays, np.sqrt((rays * rays).sum(axis=1))


def _directions(clusters: Clusters, ends: RealArray, radius: float | str) -> FloatArray:
    """(n, 3) unit mean direction from the end of each cluster to its voxels within a radius."""
    rays, lengths = _distances(clusters, ends)
    kept = np.ones(len(rays), dtype=np.bool_)
    if isinstance(radius, str):
        kept = best_neighbourhoods(clusters.points, clusters.offsets, lengths)
    elif radius > 0:
        kept = lengths <= np.maximum(radius, _closest(lengths, clusters.offsets))
    counts = segment_sum(kept, clusters.offsets)
    mean = segment_sum(np.where(kept[:, None], rays, 0.0), clusters.offsets) / np.maximum(counts, 1)[:, None]
    size = np.linalg.norm(mean, axis=1, keepdims=True)
    directions = mean / np.where(size > 0, size, 1.0)
    alone = (counts == 0) | ((counts == 1) & (size[:, 0] == 0))
    directions[alone] = (1.0, 0.0, 0.0)
    return directions


def _closest(lengths: RealArray, offsets: IntArray) -> RealArray:
    """(N,) smallest of the lengths of each cluster, at each of its voxels."""
    shortest = np.full(len(offsets) - 1, np.inf)
    np.minimum.at(shortest, offsets_to_owners(offsets), lengths)
    return shortest[offsets_to_owners(offsets)]


def _charge_per_length(clusters: Clusters, ends: RealArray, radius: float) -> FloatArray:
    """(n,) charge within a radius of the end over the distance of its farthest voxel; 0 where that cannot be had."""
    _, lengths = _distances(clusters, ends)
    kept: BoolArray = lengths <= radius if radius > 0 else np.ones(len(lengths), dtype=np.bool_)
    charge = segment_sum(np.where(kept, clusters.values, 0.0), clusters.offsets)
    extent = np.zeros(len(clusters))
    np.maximum.at(extent, offsets_to_owners(clusters.offsets)[kept], lengths[kept])
    enough = (extent > 0) & ((segment_sum(kept, clusters.offsets) > 1) | (radius <= 0))
    return np.where(enough, charge / np.where(enough, extent, 1.0), 0.0)


def edge_features(clusters: Clusters, graph: Graph) -> RealArray:
    """Features of each edge.

    Returns
    -------
    (E, 19) float32 array
        Closest points of source and target, unit vector from the target to the source, its length before that, and
        its outer product with itself. The two edges of a pair are worked out together.
    """
    first, second = clusters.points[graph.closest.first], clusters.points[graph.closest.second]
    gaps = first - second
    lengths = np.sqrt((gaps * gaps).sum(axis=1, keepdims=True))
    units = gaps / np.where(lengths > 0, lengths, 1.0)
    outer = (units[:, :, None] * units[:, None, :]).reshape(-1, 9)
    features = np.concatenate([first, second, units, lengths, outer], axis=1, dtype=np.float32)
    if graph.directed:
        return features
    both = np.repeat(features, 2, axis=0)
    both[1::2, :3], both[1::2, 3:6], both[1::2, 6:9] = second, first, -units
    return both
