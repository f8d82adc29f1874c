"""True clusters brought into line with predicted semantic classes.

A voxel whose predicted class cannot be that of its true cluster takes over the labels of the cluster of a fitting
class that is nearest along voxels of the same kind, so that networks further down are trained on, and compared with,
clusters that they can find. Clusters that fall apart are cut into their pieces.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from pydantic import Field
from scipy.sparse import coo_array
from scipy.sparse.csgraph import dijkstra
from scipy.spatial import cKDTree

from spine.model.chain.rows import rows_of, voxel_order
from spine.ops.arrays import BoolArray, FloatArray, IntArray, RealArray
from spine.ops.clustering import Metric, connected_components, radius_edges
from spine.schema import Shape, Tensor
from spine.steps.step import StepConfig

__all__ = ["AdaptationConfig", "adapted_clusters"]

TOUCH = 1.1
"""Voxels touch when this near on every axis: faces, edges and corners (voxels)."""
CLASSES = int(Shape.GHOST) + 1


class AdaptationConfig(StepConfig):
    """Options of the adaptation of true clusters to predicted classes."""

    break_eps: float = Field(1.1, gt=0, description="Voxels of a cluster this near hang together (voxels)")
    break_metric: Metric = Field("chebyshev", description="Distance between voxels of a cluster")
    break_classes: tuple[Shape, ...] = Field(
        (Shape.SHOWER, Shape.TRACK, Shape.MICHEL, Shape.DELTA),
        description="Predicted classes whose clusters are cut into pieces that hang together",
    )
    weighted: bool = Field(True, description="Steps to edges and corners are longer than steps to faces")


def _fitting() -> BoolArray:
    """(6, 6) whether a voxel of a predicted class (row) may belong to a cluster of a true class (column)."""
    fits = np.eye(CLASSES, dtype=np.bool_)
    for other in (Shape.MICHEL, Shape.DELTA):
        fits[Shape.SHOWER, other] = fits[other, Shape.SHOWER] = True
    return fits


def adapted_clusters(
    clusters: Tensor, truth: Tensor, image: Tensor, classes: IntArray, cfg: AdaptationConfig
) -> Tensor:
    """True clusters of the voxels of an image that go with their predicted classes.

    Parameters
    ----------
    clusters : Tensor
        True clusters, of voxels that are no ghosts.
    truth : Tensor
        True classes, of all voxels that were ever in the image.
    image : Tensor
        Voxels that are left.
    classes : (N,) int64
        Predicted class of each of them.
    cfg : AdaptationConfig

    Returns
    -------
    Tensor
        One row per voxel of the image; -1 everywhere for a voxel that no cluster, or several equally near ones, could
        claim. Cut clusters have new numbers.
    """
    width = clusters.features.shape[1]
    features = np.full((len(image), width), -1.0, dtype=np.float32)
    if len(clusters) and len(image):
        rows = rows_of(clusters.coords, image.coords)
        of_truth = _classes_at(truth, image)
        fits = _fitting()[classes.clip(0, CLASSES - 1), of_truth] & (rows >= 0)
        features[fits] = clusters.features[rows[fits]]
        _claim(features, clusters, truth, image, np.where(fits, -1, classes), cfg.weighted)
        place = clusters.names.index("cluster")
        features[:, place] = _cut(image.coords, features[:, place], classes, cfg)
    return Tensor(image.coords, features, clusters.names, clusters.particles)


def _classes_at(truth: Tensor, image: Tensor) -> IntArray:
    """(N,) true class of each voxel of the image, that of ghosts where the truth has no such voxel."""
    rows = rows_of(truth.coords, image.coords)
    found = np.full(len(image), int(Shape.GHOST), dtype=np.int64)
    found[rows >= 0] = truth.feature("value")[rows[rows >= 0]].astype(np.int64)
    return found.clip(0, CLASSES - 1)


def _claim(
    features: RealArray, clusters: Tensor, truth: Tensor, image: Tensor, wanting: IntArray, weighted: bool
) -> None:
    """Give voxels without fitting labels those of the nearest cluster of a fitting class, class by class."""
    fits, of_clusters = _fitting(), _classes_at(truth, clusters)
    labels = clusters.feature("cluster").astype(np.int64)
    order, sources = voxel_order(image.coords), voxel_order(clusters.coords)
    for shape in np.unique(wanting[(wanting >= 0) & (wanting < Shape.GHOST)]):
        mine = order[wanting[order] == shape]
        theirs = sources[fits[shape][of_clusters[sources]]]
        found = _nearest_sources(image.coords[mine], Sources(clusters.coords[theirs], labels[theirs]), weighted)
        features[mine[found >= 0]] = clusters.features[theirs[found[found >= 0]]]


class Sources(NamedTuple):
    """Voxels that have a label: (M, 3) coordinates and (M,) int64 labels."""

    coords: IntArray
    labels: IntArray


def _nearest_sources(voxels: IntArray, sources: Sources, weighted: bool) -> IntArray:
    """(n,) source that is nearest to each voxel along voxels that touch, -1 where none or several labels are."""
    none = np.full(len(voxels), -1, dtype=np.int64)
    if len(voxels) == 0 or len(sources.coords) == 0:
        return none
    first = _touching(voxels, sources.coords)
    if len(first) == 0:
        return none
    starts = _lengths(voxels[first[:, 0]], sources.coords[first[:, 1]], weighted)
    edges = radius_edges(voxels.astype(np.float64), TOUCH, "chebyshev")
    steps = _lengths(voxels[edges[:, 0]], voxels[edges[:, 1]], weighted)
    best, nearest, ties = np.full(len(voxels), np.inf), none, np.zeros(len(voxels), dtype=np.int64)
    for owner in np.unique(sources.labels[first[:, 1]]):
        own = sources.labels[first[:, 1]] == owner
        gaps, found = _paths(first[own], starts[own], edges, steps, len(voxels))
        same = np.isclose(gaps, best) & np.isfinite(gaps)
        ties = np.where(same, 1, np.where(gaps < best, 0, ties))
        nearest = np.where((gaps < best) & ~same, found, nearest)
        best = np.minimum(best, gaps)
    return np.where(ties > 0, -1, nearest)


def _touching(voxels: IntArray, others: IntArray) -> IntArray:
    """(E, 2) pairs of voxels that touch, sorted."""
    pairs = cKDTree(voxels).query_ball_tree(cKDTree(others), TOUCH, p=np.inf)
    counts = np.array([len(found) for found in pairs], dtype=np.int64)
    second = np.array([row for found in pairs for row in sorted(found)], dtype=np.int64)
    return np.column_stack([np.repeat(np.arange(len(voxels)), counts), second])


def _lengths(first: IntArray, second: IntArray, weighted: bool) -> FloatArray:
    gaps: FloatArray = np.linalg.norm((first - second).astype(np.float64), axis=1)
    return gaps if weighted else np.ones(len(gaps))


def _paths(
    first: IntArray, starts: FloatArray, edges: IntArray, steps: FloatArray, count: int
) -> tuple[FloatArray, IntArray]:
    """Length of the shortest path from each voxel to a source, and the source at its end (-1 where there is none).

    Parameters
    ----------
    first : (F, 2) int64
        Voxels that touch sources, with these sources; of equally near sources the first counts.
    starts : (F,) float64
        Distances between them.
    edges, steps : (E, 2) int64, (E,) float64
        Voxels that touch each other and their distances.
    count : int
        Number of voxels.
    """
    order = np.lexsort((first[:, 1], starts, first[:, 0]))
    entry, place = np.unique(first[order, 0], return_index=True)
    source = np.full(count + 1, -1, dtype=np.int64)
    source[entry] = first[order[place], 1]
    origin = np.full(len(entry), count)
    columns = (np.concatenate([edges[:, 0], edges[:, 1], origin]), np.concatenate([edges[:, 1], edges[:, 0], entry]))
    weights = np.concatenate([steps, steps, starts[order[place]]])
    graph = coo_array((weights, columns), shape=(count + 1, count + 1)).tocsr()
    gaps, before = dijkstra(graph, indices=np.array(count), return_predecessors=True)
    root = np.where((before == count) | (before < 0), np.arange(count + 1), before)
    while True:
        further = root[root]
        if np.array_equal(further, root):
            break
        root = further
    return gaps[:count], np.where(np.isfinite(gaps[:count]), source[root[:count]], -1)


def _cut(coords: IntArray, labels: RealArray, classes: IntArray, cfg: AdaptationConfig) -> RealArray:
    """(N,) labels with new numbers for the pieces of each cluster, class by class; other labels stay."""
    cut, offset = labels.copy(), labels.max(initial=-1.0) + 1
    for shape in cfg.break_classes:
        rows = np.flatnonzero((classes == shape) & (labels >= 0))
        edges = radius_edges(coords[rows].astype(np.float64), cfg.break_eps, cfg.break_metric)
        pieces = connected_components(edges[labels[rows[edges[:, 0]]] == labels[rows[edges[:, 1]]]], len(rows))
        _, firsts = np.unique(pieces, return_index=True)
        ranks = np.empty(len(firsts), dtype=np.int64)
        ranks[np.argsort(labels[rows[firsts]], kind="stable")] = np.arange(len(firsts))
        cut[rows] = offset + ranks[pieces]
        offset += len(firsts)
    return cut
