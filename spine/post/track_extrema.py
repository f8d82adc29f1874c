"""Which end of a track is its start."""

from __future__ import annotations

from typing import Literal

import numpy as np
from pydantic import Field

from spine.errors import DataError
from spine.ops.arrays import BoolArray, FloatArray
from spine.physics.tracking import Tracking, dedx_gradient, dedx_profile, starts_at, starts_at_candidate
from spine.post.objects import Objects, ParticleLike, columns, objects_of
from spine.schema import Event, Shape, Table
from spine.steps import StepConfig, step

__all__ = ["TrackExtremaConfig", "track_extrema"]

TABLES = ("reco_fragments", "reco_particles")
ENDPOINT = slice(13, 15)
"""Columns of ppn_pred with the scores of start and end."""


class TrackExtremaConfig(StepConfig):
    """Options of track_extrema."""

    method: Literal["local", "gradient", "ppn"] = Field(
        "local", description="Compare energies near both ends, slopes of the energy loss, or scores of points"
    )
    obj_type: ParticleLike = Field(("particle",), description="Kinds of objects: fragment, particle")
    anchor_points: bool = Field(True, description="Measure from the points of the track nearest to the ends")
    local_radius: float = Field(5.0, gt=0, description="Points this near to an end count, for method local (cm)")
    segment_method: Literal["step", "step_next", "bin_pca"] = Field(
        "step_next", description="How the track is cut, for method gradient"
    )
    segment_length: float = Field(5.0, gt=0, description="Length of a segment, for method gradient (cm)")
    segment_min_count: int = Field(10, ge=1, description="Fewest points of a segment that is measured")

    @property
    def tracking(self) -> Tracking:
        """How tracks are cut into segments."""
        return Tracking(self.segment_method, self.segment_length, self.anchor_points, self.segment_min_count)


@step(
    reads=(
        "points", "depositions", "ppn_pred", "meta", *columns(TABLES, "index", "shape", "start_point", "end_point"),
        *columns(TABLES, "start_dir", "end_dir"),
    ),
    writes=columns(TABLES, "start_point", "end_point", "start_dir", "end_dir"),
)  # fmt: skip
def track_extrema(event: Event, cfg: TrackExtremaConfig) -> None:
    """Swap start and end of tracks that seem to run backwards: energy loss rises towards the stop.

    Parameters
    ----------
    event : Event
        Sets start_point, end_point, start_dir and end_dir of reconstructed tracks. Method ``ppn`` needs the product
        ppn_pred with scores of start and end.
    cfg : TrackExtremaConfig

    Raises
    ------
    DataError
        When these scores are missing.
    """
    for objects in objects_of(event, cfg.obj_type, "reco"):
        _swap(objects.table, _backwards(objects, cfg))


def _backwards(objects: Objects, cfg: TrackExtremaConfig) -> BoolArray:
    table = objects.table
    ends = np.stack([table["start_point"], table["end_point"]], axis=1).astype(np.float64)
    known = (table["shape"] == Shape.TRACK) & np.isfinite(ends).all(axis=(1, 2))
    points, values = objects.points(), objects.depositions()
    candidates, scores = _candidates(objects.event) if cfg.method == "ppn" else (np.empty((0, 3)), np.empty((0, 2)))
    swap = np.zeros(len(table), dtype=np.bool_)
    for row in np.flatnonzero(known):
        if cfg.method == "ppn":
            swap[row] = not starts_at_candidate(ends[row], candidates, scores)
        elif cfg.method == "gradient":
            slopes = [dedx_gradient(dedx_profile(points[row], values[row], end, cfg.tracking)) for end in ends[row]]
            swap[row] = slopes[0] < slopes[1]
        else:
            swap[row] = not starts_at(points[row], values[row], ends[row], "local", cfg.local_radius, cfg.anchor_points)
    return swap


def _candidates(event: Event) -> tuple[FloatArray, FloatArray]:
    """Positions (cm) of the proposed points, and their scores of being a start and an end."""
    found = np.asarray(event["ppn_pred"], dtype=np.float64)
    if found.shape[1] < ENDPOINT.stop:
        raise DataError(
            "the points of interest have no scores of start and end", where=event.label,
            got=f"{found.shape[1]} columns", expected=ENDPOINT.stop, mend="use method local or gradient",
        )  # fmt: skip
    meta = event["meta"]
    return meta.lower + found[:, 1:4] * meta.size.astype(np.float64), found[:, ENDPOINT]


def _swap(table: Table, chosen: BoolArray) -> None:
    for first, second, sign in (("start_point", "end_point", 1), ("start_dir", "end_dir", -1)):
        start, end = table[first], table[second]
        table[first], table[second] = (
            np.where(chosen[:, None], sign * end, start), np.where(chosen[:, None], sign * start, end)
        )  # fmt: skip
