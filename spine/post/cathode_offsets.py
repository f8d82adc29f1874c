"""How far the two halves of a track that crosses a cathode must move to meet."""

from __future__ import annotations

from typing import Literal, NamedTuple, TypeAlias

import numpy as np

from spine.geometry import Detector
from spine.ops.arrays import FloatArray, IntArray
from spine.ops.distance import farthest_pair
from spine.ops.shape import direction

__all__ = ["AdjustMethod", "cathode_offset"]

AdjustMethod: TypeAlias = Literal["distance", "projection", "dot"]


class _Halves(NamedTuple):
    """(2, 3) ends nearest to the cathode and directions there, and what each lacks to the cathode along its drift."""

    points: FloatArray
    directions: FloatArray
    gaps: FloatArray


def cathode_offset(points: FloatArray, tpcs: IntArray, detector: Detector, method: AdjustMethod) -> float:
    """Return by how much the points of a track must move along the drift of their TPC, cm.

    Parameters
    ----------
    points, tpcs : (N, 3) float array, (N,) int array
        Points (cm) and the row of the drift volume of each; there must be two volumes on either side of a cathode.
    detector : Detector
    method : {'distance', 'projection', 'dot'}
        Bring the half that is nearer onto the cathode; or make the lines through both halves meet where they are
        projected on the planes along the drift (least squares), or in space.

    Notes
    -----
    NaN where the directions do not tell.
    """
    pair = np.unique(tpcs)
    axis = int(detector.drift_axes[pair[0]])
    halves = _halves(points, tpcs, pair, detector)
    if method == "distance":
        return float(halves.gaps[np.argmin(np.abs(halves.gaps))])
    signs = detector.drifts[pair, axis]
    return (_by_projections if method == "projection" else _by_lines)(halves, signs, axis)


def _halves(points: FloatArray, tpcs: IntArray, pair: IntArray, detector: Detector) -> _Halves:
    ends, directions, gaps = np.empty((2, 3)), np.empty((2, 3)), np.empty(2)
    for i, tpc in enumerate(pair):
        cloud = points[tpcs == tpc]
        found = farthest_pair(cloud)
        tips = cloud[[max(found.first, 0), max(found.second, 0)]]
        axis = int(detector.drift_axes[tpc])
        lower, upper = detector.tpcs[tpc, axis]
        outside = np.maximum(tips[:, axis] - upper, 0.0) - np.maximum(lower - tips[:, axis], 0.0)
        shift = outside[np.argmax(np.abs(outside))]
        tip = int(np.argmin(np.abs(detector.cathodes[tpc] - tips[:, axis] + shift)))
        ends[i] = tips[tip]
        directions[i] = direction(cloud, tips[tip])
        gaps[i] = detector.drifts[tpc, axis] * (detector.cathodes[tpc] - tips[tip, axis])
    return _Halves(ends, directions, gaps)


def _by_projections(halves: _Halves, signs: FloatArray, axis: int) -> float:
    """Least squares of the differences of intercepts, which move by -slope * sign * offset each."""
    along, across = halves.directions[:, axis], np.delete(halves.directions, axis, axis=1)
    if (along == 0).any():
        return float("nan")
    slopes = across / along[:, None]
    intercepts = np.delete(halves.points, axis, axis=1) - slopes * halves.points[:, [axis]]
    weights = slopes[0] * signs[0] - slopes[1] * signs[1]
    norm = float(weights @ weights)
    return float(weights @ (intercepts[0] - intercepts[1])) / norm if norm > 0 else float("nan")


def _by_lines(halves: _Halves, signs: FloatArray, axis: int) -> float:
    """The offset at which the line between the ends is in the plane of both directions."""
    normal = np.cross(halves.directions[0], halves.directions[1])
    lever = float((signs[1] - signs[0]) * normal[axis])
    way = halves.points[1] - halves.points[0]
    return -float(normal @ way) / lever if lever != 0 else float("nan")
