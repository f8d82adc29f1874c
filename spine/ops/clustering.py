"""Connected components, spanning trees, density clustering, and labels as ragged index lists."""

from __future__ import annotations

from typing import Literal, NamedTuple, TypeAlias

import numba
import numpy as np

from spine.errors import DataError
from spine.ops.arrays import IntArray, NumberArray, RealArray
from spine.ops.segments import lengths_to_offsets, offsets_to_owners

__all__ = [
    "METRIC_ORDERS",
    "Clusters",
    "Metric",
    "clusters_from_labels",
    "connected_components",
    "dbscan",
    "labels_from_clusters",
    "minimum_spanning_tree",
    "number_by_first_row",
    "radius_edges",
    "union_find",
]

Metric: TypeAlias = Literal["euclidean", "chebyshev", "cityblock"]
METRIC_ORDERS: dict[str, float] = {"euclidean": 2.0, "chebyshev": float("inf"), "cityblock": 1.0}


class Clusters(NamedTuple):
    """Ragged index lists: cluster ``ids[i]`` holds the rows ``values[offsets[i]:offsets[i + 1]]``."""

    ids: IntArray
    values: IntArray
    offsets: IntArray


def radius_edges(points: RealArray, radius: float, metric: Metric = "euclidean") -> IntArray:
    """Return the pairs of (N, D) points at most ``radius`` apart, (E, 2) int64, first < second, sorted.

    ``metric`` is 'euclidean', 'chebyshev' or 'cityblock'; DataError for another.
    """
    if metric not in METRIC_ORDERS:
        raise DataError("unknown metric", got=metric, expected=tuple(METRIC_ORDERS))
    if len(points) < 2:
        return np.empty((0, 2), dtype=np.int64)
    from scipy.spatial import cKDTree

    tree = cKDTree(np.asarray(points, dtype=np.float64))
    pairs = tree.query_pairs(radius, p=METRIC_ORDERS[metric], output_type="ndarray").astype(np.int64)
    return pairs[np.lexsort((pairs[:, 1], pairs[:, 0]))]


def connected_components(edges: NumberArray, count: int) -> IntArray:
    """Label the connected components of an undirected graph of ``count`` nodes and (E, 2) int edges.

    Returns (count,) int64; components are numbered from 0 by their smallest node.
    """
    edges = np.asarray(edges, dtype=np.int64).reshape(-1, 2)
    if count == 0:
        return np.empty(0, dtype=np.int64)
    ones = np.ones(len(edges), dtype=np.int8)
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components as csgraph_components

    graph = coo_array((ones, (edges[:, 0], edges[:, 1])), shape=(count, count))
    return number_by_first_row(csgraph_components(graph, directed=False)[1])


def number_by_first_row(labels: NumberArray) -> IntArray:
    """Renumber labels 0, 1, ... in the order in which they first appear; negative labels become -1."""
    labels = np.asarray(labels, dtype=np.int64)
    result = np.full(len(labels), -1, dtype=np.int64)
    valid = labels >= 0
    _, first, inverse = np.unique(labels[valid], return_index=True, return_inverse=True)
    ranks = np.empty(len(first), dtype=np.int64)
    ranks[np.argsort(first)] = np.arange(len(first))
    result[valid] = ranks[inverse]
    return result


def dbscan(points: RealArray, eps: float, min_samples: int = 1, metric: Metric = "euclidean") -> IntArray:
    """Cluster points by density (Ester, Kriegel, Sander, Xu, KDD 1996).

    Parameters
    ----------
    points : (N, D) float array
    eps : float
        Points at most this far apart are neighbours (unit of the points).
    min_samples : int
        Neighbours that make a point a core point, itself included.
    metric : {'euclidean', 'chebyshev', 'cityblock'}

    Returns
    -------
    (N,) int64 array
        Clusters are numbered by their first core point; a border point joins the lowest it touches; noise is -1.
    """
    edges = radius_edges(points, eps, metric)
    core = np.bincount(edges.ravel(), minlength=len(points)) + 1 >= min_samples
    inner = edges[core[edges[:, 0]] & core[edges[:, 1]]]
    components = connected_components(inner, len(points))
    labels = number_by_first_row(np.where(core, components, -1))
    return _join_border(labels, edges, core)


def _join_border(labels: IntArray, edges: IntArray, core: NumberArray) -> IntArray:
    """Give each border point the lowest label among its core neighbours."""
    both = np.vstack([edges, edges[:, ::-1]])
    both = both[core[both[:, 0]] & ~core[both[:, 1]]]
    lowest = np.full(len(labels), len(labels), dtype=np.int64)
    np.minimum.at(lowest, both[:, 1], labels[both[:, 0]])
    return np.where(lowest < len(labels), lowest, labels)


def clusters_from_labels(labels: NumberArray, min_size: int = 1) -> Clusters:
    """Turn one label per row into ragged lists of rows.

    Negative labels belong to no cluster. Clusters come in the order of their labels, rows within a cluster in
    rising order; clusters under ``min_size`` rows are left out.
    """
    labels = np.asarray(labels, dtype=np.int64)
    rows = np.flatnonzero(labels >= 0)
    rows = rows[np.argsort(labels[rows], kind="stable")]
    ids, counts = np.unique(labels[rows], return_counts=True)
    kept = counts >= min_size
    return Clusters(ids[kept], rows[np.repeat(kept, counts)], lengths_to_offsets(counts[kept]))


def labels_from_clusters(values: NumberArray, offsets: NumberArray, count: int) -> IntArray:
    """Return for each of ``count`` rows the number of the list that holds it, -1 for none, (count,) int64.

    A row in several lists gets the last of them.
    """
    labels = np.full(count, -1, dtype=np.int64)
    labels[np.asarray(values, dtype=np.int64)] = offsets_to_owners(offsets)
    return labels


def union_find(edges: NumberArray, count: int) -> IntArray:
    """Label connected components with a disjoint-set forest; same labels as `connected_components`."""
    edges = np.ascontiguousarray(np.asarray(edges, dtype=np.int64).reshape(-1, 2))
    return number_by_first_row(_roots(_joins(edges, count)[0]))


def minimum_spanning_tree(edges: NumberArray, weights: NumberArray, count: int) -> IntArray:
    """Return the rows of (E, 2) edges in a minimum spanning forest (Kruskal, Proc. AMS 7, 1956), (T,) int64.

    Rows come by increasing weight; of equal weights, zero included, the earlier edge wins.
    """
    edges = np.asarray(edges, dtype=np.int64).reshape(-1, 2)
    order = np.argsort(np.asarray(weights, dtype=np.float64), kind="stable")
    return order[_joins(np.ascontiguousarray(edges[order]), count)[1]]


@numba.njit(cache=True)
def _find(parents: IntArray, node: int) -> int:
    while parents[node] != node:
        parents[node] = parents[parents[node]]
        node = parents[node]
    return node


@numba.njit(cache=True)
def _joins(edges: IntArray, count: int) -> tuple[IntArray, NumberArray]:
    """Join nodes edge by edge; return the forest and which edges joined two trees."""
    parents = np.arange(count)
    joined = np.zeros(len(edges), dtype=np.bool_)
    for row in range(len(edges)):
        first = _find(parents, edges[row, 0])
        second = _find(parents, edges[row, 1])
        joined[row] = first != second
        parents[max(first, second)] = min(first, second)
    return parents, joined


@numba.njit(cache=True)
def _roots(parents: IntArray) -> IntArray:
    roots = np.empty_like(parents)
    for node in range(len(parents)):
        roots[node] = _find(parents, node)
    return roots
