"""Points of interest, and those on each particle."""

from __future__ import annotations

from typing import Literal

import numpy as np
from pydantic import Field
from scipy.spatial import cKDTree

from spine.errors import DataError
from spine.ops.arrays import FloatArray, IntArray
from spine.ops.proposals import PointPooling, RawPoints, points_of_interest
from spine.schema import Event, Ragged, Shape, Table, Tensor, offsets_of
from spine.steps import StepConfig, step

__all__ = ["PpnConfig", "ppn"]


class PpnConfig(StepConfig):
    """Options of ppn."""

    assign_to_particles: bool = Field(False, description="Tell which points lie on which particle")
    restrict_shape: bool = Field(False, description="Only points of the class of the particle lie on it")
    match_threshold: float = Field(2.0, gt=0, description="Points nearer than this lie on a particle (voxels)")
    score_threshold: float = Field(0.5, description="Score above which a voxel proposes a point")
    type_score_threshold: float = Field(0.5, description="Score above which the class of a proposal must be")
    type_dist_threshold: float = Field(
        1.999, description="Largest distance of a proposal from a proposing voxel of its class (voxels)"
    )
    pool_score_fn: Literal["max", "mean"] = Field("max", description="How scores of one point are pooled")
    pool_dist: float = Field(1.999, description="Proposals this near belong to one point (voxels)")
    enforce_type: bool = Field(True, description="Drop proposals whose class is not that of their voxel")
    classes: tuple[Shape, ...] = Field(
        (Shape.SHOWER, Shape.TRACK, Shape.MICHEL, Shape.DELTA), description="Classes that have points"
    )
    apply_deghosting: bool = Field(False, description="Take ghost points out of the segmentation first")

    @property
    def pooling(self) -> PointPooling:
        """How voxels are turned into points."""
        return PointPooling(
            self.score_threshold, self.type_score_threshold, self.type_dist_threshold, self.pool_score_fn,
            self.pool_dist, self.enforce_type, tuple(map(int, self.classes)),
        )  # fmt: skip


@step(
    reads=(
        "data", "data_adapt", "segmentation", "ghost", "ppn_points", "ppn_classify_endpoints",
        "reco_particles.shape",
    ),
    writes=("ppn_pred", "reco_particles.ppn_ids"),
)  # fmt: skip
def ppn(event: Event, cfg: PpnConfig) -> None:
    """Points of interest from the output of the point proposal network.

    Parameters
    ----------
    event : Event
        Gets the product ppn_pred; on request fills ppn_ids of reconstructed particles, rows of ppn_pred.
    cfg : PpnConfig

    Raises
    ------
    DataError
        When the output of the networks is missing or of another image.
    """
    raw = np.asarray(event["ppn_points"])
    image = _image(event, len(raw))
    ends = event.get("ppn_classify_endpoints")
    segmentation = _segmentation(event, cfg) if cfg.enforce_type else None
    event["ppn_pred"] = points_of_interest(RawPoints(image.coords, raw, segmentation, ends), cfg.pooling)
    if cfg.assign_to_particles:
        particles = event.reco.particles
        particles["ppn_ids"] = _on_particles(event["ppn_pred"], particles, image.coords + 0.5, cfg)


def _image(event: Event, size: int) -> Tensor:
    """The image that the network saw: with ghost points or without."""
    for name in ("data", "data_adapt"):
        image: Tensor | None = event.get(name)
        if image is not None and len(image) == size:
            return image
    raise DataError(
        "ppn_points is of no image of the event", where=event.label, got=f"{size} rows", expected="data or data_adapt",
        mend="read the input together with the output of infer",
    )  # fmt: skip


def _segmentation(event: Event, cfg: PpnConfig) -> FloatArray:
    scores = np.asarray(event["segmentation"], dtype=np.float64)
    if cfg.apply_deghosting and "ghost" in event:
        scores = scores[np.argmax(event["ghost"], axis=1) == 0]
    return scores


def _on_particles(found: FloatArray, particles: Table, voxels: FloatArray, cfg: PpnConfig) -> Ragged:
    index: Ragged = particles["index"]
    near = _near_pairs(voxels[index.values], np.asarray(found[:, 1:4], dtype=np.float64), cfg.match_threshold)
    pairs = np.unique(np.column_stack([index.rows[near[:, 0]], near[:, 1]]), axis=0)
    if cfg.restrict_shape:
        pairs = pairs[particles["shape"][pairs[:, 0]] == found[pairs[:, 1], 12]]
    counts = np.bincount(pairs[:, 0], minlength=len(particles))
    return Ragged(pairs[:, 1].astype(np.int32), offsets_of(counts))


def _near_pairs(points: FloatArray, places: FloatArray, distance: float) -> IntArray:
    """(E, 2) rows of points and places that are nearer than a distance."""
    if not len(points) or not len(places):
        return np.empty((0, 2), dtype=np.int64)
    close = cKDTree(points).sparse_distance_matrix(cKDTree(places), distance, output_type="ndarray")
    near: IntArray = np.column_stack([close["i"], close["j"]])[close["v"] < distance].astype(np.int64)
    return near
