"""Distances between proposed and true points of interest."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from scipy.spatial.distance import cdist

from spine.ana.tables import EVENT_ROW, concatenated
from spine.errors import DataError
from spine.schema import Block, Event, Tensor
from spine.steps import Columns, StepConfig, step

__all__ = ["PointEvalConfig", "point_eval"]

Array = NDArray[Any]
POSITION, SHAPE, ENDPOINT = slice(1, 4), 12, slice(13, 15)  # columns of ppn_pred


class PointEvalConfig(StepConfig):
    """What to compare."""

    num_classes: int = Field(4, ge=1, description="Number of classes of points")
    label_key: str = Field("ppn_label", description="Product with the true points")
    endpoints: bool = Field(False, description="Compare also whether a point is a start or an end")


class Points(NamedTuple):
    """Positions, classes, and for endpoints 1 (starts 0)."""

    positions: Array
    shapes: Array
    ends: Array


@step(
    reads=("ppn_label", "ppn_pred"),
    per="block",
    tables=lambda _: tuple(f"point_eval_{way}" for way in ("truth_to_reco", "reco_to_truth")),
)
def point_eval(block: Block, cfg: PointEvalConfig) -> dict[str, Columns]:
    """Find the proposed point nearest to each true one, and the reverse.

    Parameters
    ----------
    block : Block
        With true points and ``ppn_pred``.
    cfg : PointEvalConfig
        Options.

    Returns
    -------
    dict of str to columns
        ``point_eval_truth_to_reco`` (each true point) and ``point_eval_reco_to_truth`` (each proposed point): ``dist``
        to the nearest point of the other kind (voxels), ``shape``, ``closest_shape``, ``dist_i`` to the nearest one of
        class i, on request ``end`` and ``closest_end``. -1 where there is no such point.
    """
    sides = [(_true_points(event, cfg), _found_points(event, cfg)) for event in block]
    ways = {"truth_to_reco": sides, "reco_to_truth": [(reco, truth) for truth, reco in sides]}
    return {f"point_eval_{way}": _rows(pairs, cfg) for way, pairs in ways.items()}


def _true_points(event: Event, cfg: PointEvalConfig) -> Points:
    label: Tensor = event[cfg.label_key]
    ends = label.feature("endpoint") if cfg.endpoints else np.zeros(len(label))
    return Points(label.coords[:, :3], label.feature("shape").astype(np.int64), ends.astype(np.int64))


def _found_points(event: Event, cfg: PointEvalConfig) -> Points:
    found = np.asarray(event["ppn_pred"])
    if cfg.endpoints and found.shape[1] < ENDPOINT.stop:
        raise DataError(
            "the proposed points have no scores of start and end",
            where=event.label,
            got=f"{found.shape[1]} columns",
            expected=ENDPOINT.stop,
            mend="set endpoints: false",
        )
    ends = np.argmax(found[:, ENDPOINT], axis=1) if cfg.endpoints else np.zeros(len(found))
    return Points(found[:, POSITION], found[:, SHAPE].astype(np.int64), ends.astype(np.int64))


def _rows(pairs: list[tuple[Points, Points]], cfg: PointEvalConfig) -> Columns:
    nothing = Points(np.empty((0, 3)), np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64))
    parts = [_nearest(source, target, i, cfg) for i, (source, target) in enumerate([*pairs, (nothing, nothing)])]
    return concatenated(parts)


def _nearest(source: Points, target: Points, row: int, cfg: PointEvalConfig) -> dict[str, Array]:
    n = len(source.shapes)
    gaps = np.column_stack([cdist(source.positions, target.positions), np.full(n, np.inf)])
    closest = np.argmin(gaps, axis=1)
    out: dict[str, Array] = {EVENT_ROW: np.full(n, row, dtype=np.int64), "dist": _or_none(gaps.min(axis=1))}
    out |= {"shape": source.shapes, "closest_shape": np.append(target.shapes, -1)[closest]}
    for shape in range(cfg.num_classes):
        chosen = np.append(target.shapes == shape, True)
        out[f"dist_{shape}"] = _or_none(gaps[:, chosen].min(axis=1))
    if cfg.endpoints:
        out |= {"end": source.ends, "closest_end": np.append(target.ends, -1)[closest]}
    return out


def _or_none(distances: Array) -> Array:
    return np.where(np.isfinite(distances), distances, -1.0)
