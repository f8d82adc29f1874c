"""Clusters from an embedding: around one seed after the other, the best one first."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from spine.ops.arrays import BoolArray, FloatArray, IntArray, RealArray

__all__ = ["Embedded", "Limits", "cluster_embeddings"]


class Embedded(NamedTuple):
    """Voxels of one event and class: (n, D) places, (n,) widths of clusters, (n,) seediness."""

    places: RealArray
    margins: RealArray
    seediness: RealArray


class Limits(NamedTuple):
    """Least seediness, least probability, smallest cluster, whether the rest joins, and smallest width."""

    seed: float = 0.0
    probability: float = 0.5
    min_size: int = 2
    assign_all: bool = True
    eps: float = 1e-6


def cluster_embeddings(voxels: Embedded, limits: Limits) -> IntArray:
    """Number of the cluster of each voxel, in the order in which clusters are found.

    The free voxel with the largest seediness, the first among equals, is the centre of a Gaussian as wide as it says;
    free voxels with a large enough value belong to it. A seed around which there are too few is left out.

    Parameters
    ----------
    voxels : Embedded
        Voxels, whose order decides between equals.
    limits : Limits
        Thresholds.

    Returns
    -------
    (n,) int64
        -1 for voxels outside all clusters.
    """
    labels = np.full(len(voxels.places), -1, dtype=np.int64)
    if len(labels) < limits.min_size:
        return labels
    free: BoolArray = np.ones(len(labels), dtype=np.bool_)
    best, nearest, count = np.full(len(labels), -np.inf), labels.copy(), 0
    for seed in np.argsort(-voxels.seediness, kind="stable"):
        if voxels.seediness[seed] < limits.seed:
            break
        if not free[seed]:
            continue
        chances = _probabilities(voxels, int(seed), limits.eps)
        members = free & (chances >= limits.probability)
        if members.sum() < limits.min_size:
            free[seed] = False
            continue
        labels[members] = count
        free &= ~members
        closer = chances > best
        best[closer], nearest[closer] = chances[closer], count
        count += 1
    if limits.assign_all:
        labels[free] = nearest[free]
    return labels


def _probabilities(voxels: Embedded, seed: int, eps: float) -> FloatArray:
    width = max(float(voxels.margins[seed]), eps)
    gaps = ((voxels.places - voxels.places[seed]) ** 2).sum(axis=1)
    return np.asarray(np.exp(-gaps / (2.0 * width**2)))
