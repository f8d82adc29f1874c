"""Start and end points of clusters as SPINE's networks are trained with them."""

from __future__ import annotations

import numpy as np
from pydantic import Field

from spine.model.grappa.closest import far_ends
from spine.ops.arrays import BoolArray, IntArray, NumberArray, RealArray
from spine.ops.distance import farthest_pair
from spine.ops.segments import offsets_to_owners, segment_argmax
from spine.schema import Ragged, Shape
from spine.steps.step import StepConfig

__all__ = ["EndOptions", "anchored", "network_ends"]


class EndOptions(StepConfig):
    """How ends are found, named as in SPINE."""

    use_numpy: bool = Field(True, description="Accepted for SPINE's files, without effect")
    contained_first: bool = Field(True, description="Prefer points that a voxel places within one voxel of itself")
    anchor_points: bool = Field(True, description="Bring points to the nearest voxel of the cluster")
    enhance_track_points: bool = Field(False, description="Use predicted points for ends of tracks too")
    approx_farthest_points: bool = Field(True, description="Look for the far ends of tracks by jumps, not exactly")


def network_ends(
    coords: NumberArray, raw: NumberArray, clusts: Ragged, shapes: NumberArray, options: EndOptions
) -> RealArray:
    """Ends of clusters: two voxels far apart for tracks, the best proposed point, twice, for all else.

    Parameters
    ----------
    coords : (N, 3) int or float
        Voxels of the image.
    raw : (N, 3 + T + 2) float32
        Proposal of each voxel: offset from its centre, scores of types, scores of no point and point.
    clusts : Ragged of int
        Rows of the image in each cluster, none of which is empty. The order counts: the first of the two ends of a
        track is the one whose voxel comes first.
    shapes : (n,) int
        Semantic classes.
    options : EndOptions
        How.

    Returns
    -------
    (n, 6) float32 array
        Start and end, in voxel units.
    """
    points = np.asarray(coords)[clusts.values].astype(np.float32).reshape(-1, 3)
    proposals = np.asarray(raw)[clusts.values].astype(np.float32)
    tracks = np.asarray(shapes) == Shape.TRACK
    ends = np.empty((len(clusts), 2, 3), dtype=np.float32)
    ends[~tracks] = _proposed(points, proposals, clusts.offsets, options)[~tracks, None]
    far = _far_rows(points, clusts.offsets, tracks, options)
    ends[tracks] = points[far]
    if options.enhance_track_points:
        _enhance(ends, tracks, far, points, proposals)
        if options.anchor_points:
            for side in range(2):
                ends[tracks, side] = anchored(ends[:, side], points, clusts.offsets)[tracks]
    return ends.reshape(-1, 6)


def _far_rows(points: RealArray, offsets: IntArray, tracks: BoolArray, options: EndOptions) -> IntArray:
    """(t, 2) rows of two far voxels of each track, in rising order."""
    if options.approx_farthest_points:
        return np.sort(far_ends(points, offsets)[tracks], axis=1)
    pairs = np.zeros((int(tracks.sum()), 2), dtype=np.int64)
    for row, cluster in enumerate(np.flatnonzero(tracks)):
        pair = farthest_pair(points[offsets[cluster] : offsets[cluster + 1]])
        pairs[row] = offsets[cluster] + np.maximum((pair.first, pair.second), 0)
    return pairs


def _enhance(ends: RealArray, tracks: BoolArray, far: IntArray, points: RealArray, proposals: RealArray) -> None:
    """Move the ends of tracks to the points that their voxels propose, if more likely than not."""
    sure = proposals[far, -1] >= proposals[far, -2]
    ends[tracks] = points[far] + sure[:, :, None] * (proposals[far, :3] + np.float32(0.5))


def _proposed(points: RealArray, proposals: RealArray, offsets: IntArray, options: EndOptions) -> RealArray:
    """(n, 3) best point of each cluster."""
    if len(points) == 0:
        return np.empty((len(offsets) - 1, 3), dtype=np.float32)
    logits = proposals[:, -2:]
    top = logits.max(axis=1, keepdims=True)
    score = np.exp(logits[:, 1:] - (np.log(np.exp(logits - top).sum(axis=1, keepdims=True)) + top))[:, 0]
    best = segment_argmax(score, offsets)
    if options.contained_first:
        inside = (score > 0.5) & (np.abs(proposals[:, :3]) < 1.0).all(axis=1)
        sure = segment_argmax(np.where(inside, score, -1.0), offsets)
        best = np.where(inside[sure], sure, best)
    found = points[best] + proposals[best, :3] + np.float32(0.5)
    return anchored(found, points, offsets) if options.anchor_points else found


def anchored(targets: RealArray, points: RealArray, offsets: IntArray) -> RealArray:
    """(n, 3) voxel of each cluster nearest to its target, the first among equals."""
    gaps = points - targets[offsets_to_owners(offsets)]
    squares = gaps * gaps
    return points[segment_argmax(-np.sqrt(squares[:, 0] + squares[:, 1] + squares[:, 2]), offsets)]
