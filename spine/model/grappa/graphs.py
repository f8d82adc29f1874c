"""Graphs of clusters: which of them are connected, and where they are closest."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from scipy.spatial import Delaunay, QhullError

from spine.errors import ConfigError, DataError
from spine.model.grappa.closest import boxes, candidate_pairs, closest_points
from spine.model.grappa.clusters import Clusters
from spine.model.grappa.options import GraphOptions
from spine.ops.arrays import FloatArray, IntArray, NumberArray
from spine.ops.clustering import minimum_spanning_tree
from spine.ops.distance import ClosestPairs
from spine.ops.segments import offsets_to_owners, segment_mean
from spine.schema import Shape

__all__ = ["Graph", "build_graph", "length_limits", "take_pairs"]

BLOCK = 1 << 20
"""Pairs of clusters that are looked at together."""


@dataclass(frozen=True)
class Graph:
    """Edges between clusters.

    Parameters
    ----------
    pairs : (P, 2) int64
        Connected clusters; each pair once.
    closest : ClosestPairs
        Distance between the clusters of each pair, and the rows of their closest points.
    directed : bool
        Whether a pair is an edge from its first to its second cluster, or one each way.
    """

    pairs: IntArray
    closest: ClosestPairs
    directed: bool = False

    @property
    def edges(self) -> IntArray:
        """(E, 2) int64 source and target of each edge; the two of a pair follow each other."""
        if self.directed:
            return self.pairs
        return np.stack([self.pairs, self.pairs[:, ::-1]], axis=1).reshape(-1, 2)


def length_limits(max_length: float | tuple[float, ...] | None, shapes: tuple[Shape, ...]) -> FloatArray:
    """(k, k) float64 length from which edges between two semantic classes are left out.

    Raises
    ------
    ConfigError
        When a list does not have one value per pair of the classes up to the highest.
    """
    count = int(max(shapes)) + 1
    if max_length is None or not isinstance(max_length, tuple):
        return np.full((len(Shape), len(Shape)), np.inf if max_length is None else max_length)
    if len(max_length) != count * (count + 1) // 2:
        raise ConfigError(
            "max_length needs one value per pair of classes",
            got=len(max_length), expected=count * (count + 1) // 2,
        )  # fmt: skip
    limits = np.zeros((count, count))
    limits[np.triu_indices(count)] = max_length
    return np.maximum(limits, limits.T)


def build_graph(clusters: Clusters, options: GraphOptions, shapes: tuple[Shape, ...]) -> Graph:
    """Connect the clusters of an event.

    Parameters
    ----------
    clusters : Clusters
        Clusters, none of which is empty.
    options : GraphOptions
        Kind of graph and limits.
    shapes : tuple of Shape
        Semantic classes for which ``max_length`` is given.

    Raises
    ------
    ConfigError
        When loops are to be undirected.
    DataError
        When a cluster is empty, its class is not among those of the limits, or primaries are needed and not known.
    """
    if (np.diff(clusters.offsets) == 0).any():
        raise DataError("a cluster has no voxels", got=int((np.diff(clusters.offsets) == 0).argmax()))
    if options.name == "loop" and not options.directed:
        raise ConfigError("loops need no reciprocal edges", where="graph", mend="set 'directed: true'")
    limits = length_limits(options.max_length, shapes)
    if len(clusters) and int(clusters.shapes.max()) >= len(limits):
        raise DataError("clusters of a class without limits", got=int(clusters.shapes.max()), expected=len(limits) - 1)
    if options.name == "complete":
        graph = _complete(clusters, options, limits)
    else:
        graph = _within(clusters, options, limits, _GENERATORS[options.name](clusters, options))
    if clusters.groups is None:
        return graph
    return take_pairs(graph, clusters.groups[graph.pairs[:, 0]] == clusters.groups[graph.pairs[:, 1]])


def take_pairs(graph: Graph, kept: NumberArray) -> Graph:
    """Graph with the pairs of a (P,) mask."""
    lengths, first, second = graph.closest
    return Graph(graph.pairs[kept], ClosestPairs(lengths[kept], first[kept], second[kept]), graph.directed)


def _within(clusters: Clusters, options: GraphOptions, limits: FloatArray, pairs: IntArray) -> Graph:
    """Graph of the pairs that are shorter than the limits."""
    # Without limits SPINE looks for closest points exactly, whatever the algorithm of the graph.
    measured = options.max_length is not None or options.name in ("knn", "mst")
    algorithm = options.dist_algorithm if measured and options.dist_method == "voxel" else "brute"
    closest = closest_points(clusters.points, clusters.offsets, pairs, algorithm)
    lengths = closest.distances
    if options.dist_method == "centroid":
        lengths = _centroid_distances(clusters, pairs)
    graph = Graph(pairs, closest, options.directed)
    return take_pairs(graph, lengths < limits[clusters.shapes[pairs[:, 0]], clusters.shapes[pairs[:, 1]]])


def _centroid_distances(clusters: Clusters, pairs: IntArray) -> FloatArray:
    centres = segment_mean(clusters.points, clusters.offsets)
    distances: FloatArray = np.linalg.norm(centres[pairs[:, 0]] - centres[pairs[:, 1]], axis=1)
    return distances


def _complete(clusters: Clusters, options: GraphOptions, limits: FloatArray) -> Graph:
    """All pairs within the limits; those whose boxes are too far apart are not measured."""
    corners = boxes(clusters.points, clusters.offsets).astype(np.float64)
    bounds = limits if options.dist_method == "voxel" else np.where(limits > 0, np.inf, 0.0)
    step = max(BLOCK // max(len(clusters), 1), 1)
    parts = []
    for start in range(0, max(len(clusters), 1), step):
        rows = range(start, min(start + step, len(clusters)))
        parts.append(_within(clusters, options, limits, candidate_pairs(corners, bounds, clusters.shapes, rows)))
    columns = zip(*(part.closest for part in parts), strict=True)
    closest = ClosestPairs(*(np.concatenate(column) for column in columns))
    return Graph(np.concatenate([part.pairs for part in parts]), closest, options.directed)


def _all_pairs(count: int) -> IntArray:
    return np.column_stack(np.triu_indices(count, 1)).astype(np.int64)


def _all_distances(clusters: Clusters, options: GraphOptions, pairs: IntArray) -> FloatArray:
    if options.dist_method == "centroid":
        return _centroid_distances(clusters, pairs)
    return closest_points(clusters.points, clusters.offsets, pairs, options.dist_algorithm).distances


def _nearest(clusters: Clusters, options: GraphOptions) -> IntArray:
    """Each cluster with the k nearest to it."""
    count = len(clusters)
    if count < 2:
        return np.empty((0, 2), dtype=np.int64)
    pairs = _all_pairs(count)
    lengths = np.full((count, count), np.inf)
    lengths[pairs[:, 0], pairs[:, 1]] = lengths[pairs[:, 1], pairs[:, 0]] = _all_distances(clusters, options, pairs)
    k = min(options.k, count - 1)
    nearest = np.sort(np.argsort(lengths, axis=1, kind="stable")[:, :k], axis=1)
    found = np.column_stack([np.repeat(np.arange(count), k), nearest.ravel()]).astype(np.int64)
    return found if options.directed else np.unique(np.sort(found, axis=1), axis=0)


def _tree(clusters: Clusters, options: GraphOptions) -> IntArray:
    """Minimum spanning tree."""
    pairs = _all_pairs(len(clusters))
    return pairs[np.sort(minimum_spanning_tree(pairs, _all_distances(clusters, options, pairs), len(clusters)))]


def _loops(clusters: Clusters, options: GraphOptions) -> IntArray:
    del options
    return np.repeat(np.arange(len(clusters), dtype=np.int64)[:, None], 2, axis=1)


def _bipartite(clusters: Clusters, options: GraphOptions) -> IntArray:
    """Each primary cluster with each secondary one."""
    if clusters.primaries is None:
        raise DataError("a bipartite graph needs to know which clusters are primaries")
    first, second = np.flatnonzero(clusters.primaries), np.flatnonzero(~clusters.primaries)
    pairs = np.column_stack([np.repeat(first, len(second)), np.tile(second, len(first))]).astype(np.int64)
    return pairs[:, ::-1] if options.directed and options.directed_to == "primary" else pairs


def _delaunay(clusters: Clusters, options: GraphOptions) -> IntArray:
    """Clusters with voxels in one simplex of the Delaunay triangulation, all pairs where there is none."""
    del options
    if len(clusters) < 2:
        return np.empty((0, 2), dtype=np.int64)
    try:
        simplices = Delaunay(clusters.points, qhull_options="QJ").simplices
    except (QhullError, ValueError):
        return _all_pairs(len(clusters))
    owners = offsets_to_owners(clusters.offsets)[simplices]
    pairs = np.concatenate([np.sort(owners[:, [i, j]], axis=1) for i, j in combinations(range(owners.shape[1]), 2)])
    pairs = np.unique(pairs[pairs[:, 0] != pairs[:, 1]], axis=0)
    return pairs if len(pairs) else _all_pairs(len(clusters))


_GENERATORS: dict[str, Callable[[Clusters, GraphOptions], IntArray]] = {
    "knn": _nearest,
    "mst": _tree,
    "loop": _loops,
    "bipartite": _bipartite,
    "delaunay": _delaunay,
}
