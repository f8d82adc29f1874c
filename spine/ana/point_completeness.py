"""Share of true depositions that space points cover, and the reverse."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from scipy.spatial import cKDTree

from spine.ana.clouds import PointMode, points_of
from spine.ana.objects import ObjectKind, ObjectKinds, TimeWindow, creation_times, event_rows_of, inside, objects_of
from spine.ana.tables import EVENT_ROW
from spine.errors import DataError
from spine.schema import Block, Event, Ragged, Row
from spine.steps import Columns, StepConfig, step

__all__ = ["PointCompletenessConfig", "point_completeness"]

Array = NDArray[Any]


class PointCompletenessConfig(StepConfig):
    """Which points to compare."""

    obj_type: ObjectKinds = Field(("particle",), description="Kinds of true objects")
    truth_point_mode: PointMode = Field("points", description="Points that are compared with true depositions")
    time_window: TimeWindow | None = Field(None, description="Objects count if created in this range (ns)")
    match_distance: float | None = Field(
        None,
        gt=0,
        allow_inf_nan=False,
        description="Largest distance of two points that match (cm), by default the diagonal of a voxel",
    )


@step(
    reads=("truth_fragments", "truth_particles", "truth_interactions", "points_label", "points_g4", "meta"),
    per="block",
    tables=lambda cfg: tuple(f"point_completeness_{kind}" for kind in cfg.obj_type),
)
def point_completeness(block: Block, cfg: PointCompletenessConfig) -> dict[str, Columns]:
    """Compare the points of each true object with its true depositions.

    Parameters
    ----------
    block : Block
        With true objects, their points and ``points_g4``.
    cfg : PointCompletenessConfig
        Options.

    Returns
    -------
    dict of str to columns
        ``point_completeness_particle``, ...: ``id, shape, num_points, num_points_g4``, ``purity`` (share of points near
        a deposition) and ``efficiency`` (share of depositions near a point); NaN without points on the side of which
        a share is taken.
    """
    return {f"point_completeness_{kind}": _rows(block, cfg, kind) for kind in cfg.obj_type}


def _rows(block: Block, cfg: PointCompletenessConfig, kind: ObjectKind) -> Columns:
    name = f"truth_{kind}s"
    objects, events = objects_of(block, name), event_rows_of(block, name)
    reach = np.array([cfg.match_distance or _diagonal(event) for event in block])[events]
    points, depositions = points_of(block, name, cfg.truth_point_mode), points_of(block, name, "points_g4")
    has_shape = "shape" in objects.record.columns
    columns: dict[str, Array] = {
        EVENT_ROW: events,
        "id": objects["id"],
        "shape": objects["shape"] if has_shape else np.full(len(objects), -1, dtype=np.int64),
        "num_points": points.lengths,
        "num_points_g4": depositions.lengths,
        "purity": _near(points, depositions, reach),
        "efficiency": _near(depositions, points, reach),
    }
    chosen = inside(creation_times(block, kind), cfg.time_window)
    return {column: values[chosen] for column, values in columns.items()}


def _diagonal(event: Event) -> float:
    meta: Row = event["meta"]
    length = float(np.linalg.norm(np.asarray(meta.size)))
    if not (np.isfinite(length) and length > 0):
        raise DataError("the frame of the image has no size of a voxel", where=event.label, got=meta.size)
    return length


def _near(source: Ragged, target: Ragged, reach: Array) -> NDArray[np.float64]:
    """(n,) share of the points of each source which a point of the same target is near.

    One tree serves all objects: a fourth coordinate keeps them further apart than any reach.
    """
    counts = np.bincount(source.rows[_is_near(source, target, reach)], minlength=len(source))
    share: NDArray[np.float64] = np.full(len(source), np.nan)
    return np.divide(counts, source.lengths, out=share, where=source.lengths > 0)


def _is_near(source: Ragged, target: Ragged, reach: Array) -> NDArray[np.bool_]:
    if len(source.values) == 0 or len(target.values) == 0:
        return np.zeros(len(source.values), dtype=np.bool_)
    apart = 2.0 * float(reach.max()) + 1.0
    clouds = [np.column_stack([part.values.astype(np.float64), part.rows * apart]) for part in (source, target)]
    distances, _ = cKDTree(clouds[1]).query(clouds[0])
    return np.asarray(distances <= reach[source.rows])
