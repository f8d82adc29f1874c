"""Nodes of graphs from the truth, for networks that are trained alone."""

from __future__ import annotations

import numpy as np

from spine.errors import DataError
from spine.model.grappa.ends import anchored
from spine.model.grappa.options import NodeOptions
from spine.model.grappa.truth import EventTruth, cluster_majority
from spine.ops.arrays import BoolArray, IntArray, RealArray
from spine.ops.clustering import clusters_from_labels
from spine.schema import Ragged

__all__ = ["true_ends", "true_nodes"]


def true_nodes(truth: EventTruth, options: NodeOptions) -> tuple[Ragged, IntArray]:
    """Clusters of voxels with the same label.

    Parameters
    ----------
    truth : EventTruth
        Truth of the event.
    options : NodeOptions
        Which label, which semantic classes of voxels, and the smallest cluster.

    Returns
    -------
    clusts : Ragged of int64
        Rows of the image in each cluster, in the order of the label.
    shapes : (n,) int64
        Semantic class of most voxels; of groups, of those that their leader has, if any.
    """
    classes = truth.label("shape").astype(np.int64)
    ids = np.where(np.isin(classes, options.shapes), truth.label(options.source).astype(np.int64), -1)
    found = clusters_from_labels(ids, max(options.min_size, 1))
    clusts = Ragged(found.values, found.offsets)
    if options.source != "group":
        return clusts, cluster_majority(classes, clusts)
    leads = (truth.label("particle") == truth.label("group"))[clusts.values]
    some = np.bincount(clusts.rows, weights=leads, minlength=len(clusts)) > 0
    kept = leads | ~some[clusts.rows]
    lengths = np.bincount(clusts.rows[kept], minlength=len(clusts))
    chosen = Ragged(clusts.values[kept], np.concatenate([[0], np.cumsum(lengths)]))
    return clusts, cluster_majority(classes, chosen)


def true_ends(truth: EventTruth, clusts: Ragged, swapped: BoolArray | None = None) -> RealArray:
    """Voxels of clusters nearest to the ends of their earliest true particle.

    Parameters
    ----------
    truth : EventTruth
        Truth of the event.
    clusts : Ragged of int
        Rows of the image in each cluster, none of which is empty.
    swapped : (n,) bool, optional
        Clusters of which start and end change places, so that networks do not learn their order.

    Returns
    -------
    (n, 6) float32 array
        Start and end, in voxel units.

    Raises
    ------
    DataError
        When a cluster has no true particle.
    """
    points = truth.coords[clusts.values].astype(np.float32).reshape(-1, 3)
    particles = truth.label("particle_index").astype(np.int64)[clusts.values]
    known = (particles >= 0) & (particles < len(truth.starts))
    times = np.where(known, truth.times[np.where(known, particles, 0)] if len(truth.times) else 0.0, np.inf)
    first = np.lexsort((particles, times, ~known, clusts.rows))
    first = first[np.searchsorted(clusts.rows[first], np.arange(len(clusts)))] if len(first) else first
    if not known[first].all():
        raise DataError("a cluster has no true particle", got=int(np.flatnonzero(~known[first])[0]))
    chosen = particles[first]
    ends = [anchored(side[chosen].astype(np.float32), points, clusts.offsets) for side in (truth.starts, truth.ends)]
    both = np.concatenate(ends, axis=1).astype(np.float32).reshape(-1, 6)
    if swapped is None:
        return both
    return np.where(swapped[:, None], both[:, [3, 4, 5, 0, 1, 2]], both)
