"""Points of interest from what a point proposal network says of every voxel."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax

from spine.errors import DataError
from spine.ops.arrays import FloatArray, IntArray, NumberArray, RealArray
from spine.ops.clustering import clusters_from_labels, dbscan
from spine.ops.distance import nearest_neighbours
from spine.ops.segments import offsets_to_lengths, segment_max, segment_mean

__all__ = ["PointPooling", "RawPoints", "points_of_interest"]

TYPES = 5


@dataclass(frozen=True)
class PointPooling:
    """How voxels are turned into points.

    Parameters
    ----------
    score_threshold : float
        Point score above which a voxel proposes a point.
    type_score_threshold : float
        Score above which its class must be.
    type_dist_threshold : float
        A point must be this near to the number of a proposing voxel of its class, in voxels.
    pool_score_fn : {'max', 'mean'}
        How scores of proposals of one point are pooled.
    pool_dist : float
        Proposals this near belong to one point, in voxels.
    enforce_type : bool
        Heed classes.
    classes : tuple of int
        Classes that have points.
    """

    score_threshold: float = 0.5
    type_score_threshold: float = 0.5
    type_dist_threshold: float = 1.999
    pool_score_fn: Literal["max", "mean"] = "max"
    pool_dist: float = 1.999
    enforce_type: bool = True
    classes: tuple[int, ...] = (0, 1, 2, 3)


class RawPoints(NamedTuple):
    """What the network says of (N, 3) voxels.

    ``points`` (N, 10) are the offset from the voxel centre (voxels), the logits of five classes, and those of no
    point and a point; ``segmentation`` (N, C) the logits of semantic classes, ``endpoints`` (N, 2) those of start and
    end, where known.
    """

    voxels: NumberArray
    points: RealArray
    segmentation: RealArray | None = None
    endpoints: RealArray | None = None


class _Proposals(NamedTuple):
    """Proposals of single voxels, one per row."""

    voxels: NumberArray
    places: NumberArray
    scores: NumberArray
    type_scores: NumberArray
    classes: NumberArray
    ends: NumberArray

    def take(self, rows: IntArray) -> _Proposals:
        return _Proposals(*(column[rows] for column in self))


def points_of_interest(raw: RawPoints, how: PointPooling | None = None) -> NDArray[np.float32]:
    """Pool the proposals of voxels (Domine et al., Phys. Rev. D 104, 032004 (2021)).

    Parameters
    ----------
    raw : RawPoints
    how : PointPooling, optional

    Returns
    -------
    (P, 13 or 15) float32
        0, position (3, voxels, with centres at halves), scores of no point and a point, number of proposals, scores
        of five classes, class, and scores of start and end where they are known.

    Raises
    ------
    DataError
        When the rows do not match, or the class is to be heeded and there is no segmentation.
    """
    how = how or PointPooling()
    _check(raw, how)
    found = _proposals(raw, how)
    if how.enforce_type:
        found = found.take(_well_typed(found, how))
    clusters = clusters_from_labels(dbscan(found.places, how.pool_dist))
    found, offsets = found.take(clusters.values), clusters.offsets
    pool = segment_max if how.pool_score_fn == "max" else segment_mean
    count = offsets_to_lengths(offsets)
    columns = (
        np.zeros((len(count), 1)), segment_mean(found.places, offsets), pool(found.scores, offsets), count[:, None],
        pool(found.type_scores, offsets), _commonest(found.type_scores, offsets)[:, None], pool(found.ends, offsets),
    )  # fmt: skip
    return np.hstack(columns).astype(np.float32)


def _check(raw: RawPoints, how: PointPooling) -> None:
    if how.enforce_type and raw.segmentation is None:
        raise DataError("classes of points cannot be checked without segmentation", mend="set enforce_type: false")
    for name, values in zip(raw._fields[1:], raw[1:], strict=True):
        if values is not None and len(values) != len(raw.voxels):
            raise DataError(f"{name} and voxels are of different images", got=len(values), expected=len(raw.voxels))


def _proposals(raw: RawPoints, how: PointPooling) -> _Proposals:
    logits: FloatArray = np.asarray(raw.points, dtype=np.float64)
    scores = softmax(logits[:, -2:], axis=1)
    rows = np.flatnonzero(scores[:, 1] > how.score_threshold)
    voxels: FloatArray = np.asarray(raw.voxels, dtype=np.float64)[rows]
    classes = np.full(len(rows), -1) if raw.segmentation is None else np.argmax(raw.segmentation[rows], axis=1)
    ends = np.empty((len(rows), 0)) if raw.endpoints is None else softmax(raw.endpoints[rows], axis=1)
    return _Proposals(
        voxels, voxels + 0.5 + logits[rows, :3], scores[rows], softmax(logits[rows, 3 : 3 + TYPES], axis=1),
        classes.astype(np.int64), ends.astype(np.float64),
    )  # fmt: skip


def _well_typed(found: _Proposals, how: PointPooling) -> IntArray:
    """Rows, class by class, of proposals whose class is that of their voxel and which lie near such voxels."""
    kept = [np.empty(0, dtype=np.int64)]
    for shape in how.classes:
        chosen = (found.classes == shape) & (found.type_scores[:, shape] > how.type_score_threshold)
        rows = np.flatnonzero(chosen)
        gaps, _ = nearest_neighbours(found.voxels[rows], found.places[rows])
        kept.append(rows[gaps[:, 0] < how.type_dist_threshold])
    return np.concatenate(kept)


def _commonest(type_scores: FloatArray, offsets: IntArray) -> IntArray:
    """Class that most proposals of each point favour, the lowest among equals."""
    favourites = np.argmax(type_scores, axis=1) if len(type_scores) else np.empty(0, dtype=np.int64)
    owners = np.repeat(np.arange(len(offsets) - 1), offsets_to_lengths(offsets))
    counts = np.bincount(owners * TYPES + favourites, minlength=(len(offsets) - 1) * TYPES)
    commonest: IntArray = np.argmax(counts.reshape(-1, TYPES), axis=1)
    return commonest
