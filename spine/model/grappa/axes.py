"""Centre, scatter and principal axis of many clusters at once."""

from __future__ import annotations

import numpy as np

from spine.ops.arrays import FloatArray, IntArray, NumberArray, RealArray
from spine.ops.segments import offsets_to_lengths, offsets_to_owners, segment_mean, segment_sum

__all__ = ["GEOMETRIC_FEATURES", "geometric_features"]

GEOMETRIC_FEATURES = 16
"""Centre (3), scatter matrix (9), weighted principal axis (3) and number of voxels."""


def geometric_features(points: RealArray, offsets: IntArray) -> RealArray:
    """Describe the extent of each cluster.

    Parameters
    ----------
    points : (N, 3) float array
        Voxels of all clusters, cluster after cluster.
    offsets : (n + 1,) int64 array
        Where each cluster starts.

    Returns
    -------
    (n, 16) float32 array
        Centre; scatter matrix over its largest eigenvalue l1; principal axis times 1 - l2 / l1, pointing to where
        the voxels spread most about it; number of voxels. Scatter and axis are 0 where all voxels coincide, all of
        it where there are none.

    Notes
    -----
    The axis of a cluster that is its own mirror image has no preferred sense. Networks are trained with features of
    SPINE, in which rounding to single precision decides; centre and axis are therefore rounded here too.
    """
    voxels = np.asarray(points, dtype=np.float32)
    owners = offsets_to_owners(offsets)
    centre = np.nan_to_num(segment_mean(voxels, offsets)).astype(np.float32)
    centred = voxels - centre[owners]
    precise: FloatArray = centred.astype(np.float64)
    scatter = segment_sum(precise[:, :, None] * precise[:, None, :], offsets)
    values, vectors = np.linalg.eigh(scatter)
    extended = values[:, 2] > 0
    largest = np.where(extended, values[:, 2], 1.0)
    axis = vectors[:, :, 2].astype(np.float32)
    weight = np.where(extended, 1.0 - values[:, 1] / largest, 0.0)
    weight *= _sense(centred, axis[owners], offsets)
    features = np.empty((len(centre), GEOMETRIC_FEATURES), dtype=np.float32)
    features[:, :3] = centre
    features[:, 3:12] = (scatter / largest[:, None, None]).reshape(-1, 9)
    features[:, 12:15] = weight[:, None] * vectors[:, :, 2]
    features[:, 15] = offsets_to_lengths(offsets)
    return features


def _sense(centred: RealArray, axes: RealArray, offsets: IntArray) -> NumberArray:
    """(n,) 1 or -1, so that the axis of each cluster points to the side with the larger spread about it."""
    along = _dot(centred, axes).astype(np.float32)
    across = centred - along[:, None] * axes
    spread = np.sqrt(_dot(across, across)).astype(np.float32)
    score = segment_sum(along.astype(np.float64) * spread, offsets)
    return np.where(score < 0, -1.0, 1.0)


def _dot(first: RealArray, second: RealArray) -> FloatArray:
    """(N,) scalar products of rows, added up in double precision."""
    products: FloatArray = np.einsum("ij,ij->i", first.astype(np.float64), second.astype(np.float64))
    return products
