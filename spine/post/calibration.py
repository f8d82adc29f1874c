"""Depositions in MeV from what the electronics saw, with constants of each TPC and run."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BeforeValidator, Field, GetJsonSchemaHandler, model_validator
from pydantic_core import CoreSchema

from spine.calib import Calibration, Hits, StageEntry, calibrate, calibrate_points, hits_of
from spine.calib.chain import STAGES, listed_stages
from spine.calib.stages import Stage
from spine.errors import ConfigError
from spine.geometry import Detector
from spine.ops.arrays import IntArray
from spine.post.objects import TRUE_POINTS, PointMode, RunMode, Side, listed, objects_of, sides_of
from spine.schema import Event, Shape, Table
from spine.steps import StepConfig, step

__all__ = ["CalibrationConfig", "calibration"]

Array = NDArray[Any]
POSITIONS = {"particles": ("start_point", "end_point"), "interactions": ("vertex",)}
"""Positions of reconstructed objects that move with the points."""

CHARGES = {"points": "depositions_q_label", "points_adapt": "depositions_q", "points_g4": "depositions_q_g4"}
"""Charges of true objects by point mode."""


class CalibrationConfig(StepConfig, Calibration):
    """Options of calibration; stages may also stand as keys: gain, lifetime, recombination, and so on."""

    do_tracking: bool = Field(False, description="Measure the energy loss along tracks, for recombination")
    depositions_source: Literal["depositions_q", "depositions"] = Field(
        "depositions_q", description="What is calibrated: charges of the input, or depositions as they are"
    )
    inverse: bool = Field(False, description="Undo the stages instead: what the electronics would have seen")
    obj_type: Annotated[tuple[Literal["particle", "interaction"], ...], BeforeValidator(listed)] = Field(
        ("particle", "interaction"), description="Objects whose positions follow moved points: particle, interaction"
    )
    run_mode: RunMode = Field("reco", description="Sides: reco, truth or both")
    truth_point_mode: PointMode = Field("points", description="Points that make up true objects")

    blocks: ClassVar[dict[str, type[Stage]]] = STAGES

    @classmethod
    def __get_pydantic_json_schema__(cls, core: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        """Stages may stand as keys."""
        schema = handler.resolve_ref_schema(handler(core))
        named = {name: {"type": "object", "description": stage.__doc__} for name, stage in STAGES.items()}
        return schema | {"properties": schema["properties"] | named}

    @model_validator(mode="before")
    @classmethod
    def _listed(cls, tree: Any) -> Any:
        return listed_stages(tree) if isinstance(tree, Mapping) else tree


@step(
    reads=(
        "points", "sources", "depositions_q", "points_label", "sources_label", "points_g4", "sources_g4", "run_info",
        "reco_particles.index", "reco_particles.shape", "truth_particles.index", "truth_particles.index_adapt",
        "truth_particles.index_g4", "truth_particles.shape",
    ),
    writes=("depositions", "depositions_q_label", "points"),
)  # fmt: skip
def calibration(event: Event, cfg: CalibrationConfig, detector: Detector | None) -> None:
    """Calibrate every point of the image, those of no particle included.

    Parameters
    ----------
    event : Event
        Sets depositions from depositions_q; of true objects the charges themselves. A stage ``field`` also moves
        points, and starts, ends and vertices of reconstructed objects. Charges of true objects, and depositions
        with ``depositions_source: depositions``, change at each run of the step.
    cfg : CalibrationConfig
    detector : Detector

    Raises
    ------
    ConfigError
        When there is no detector, or constants are missing.
    """
    if detector is None:
        raise ConfigError("constants are those of a detector", where="post.calibration", mend="set geo.detector")
    for side in sides_of(cfg.run_mode):
        _calibrate(event, side, cfg, detector)


def _calibrate(event: Event, side: Side, cfg: CalibrationConfig, detector: Detector) -> None:
    _, points, sources = TRUE_POINTS[cfg.truth_point_mode if side == "truth" else "points_adapt"]
    source = cfg.depositions_source if side == "reco" else CHARGES[cfg.truth_point_mode]
    target = "depositions" if side == "reco" else source
    values = np.asarray(event[source])
    found = calibrate(_hits(event, side, values, (points, sources), cfg, detector), cfg.stages, cfg.inverse)
    event[target] = found.values.astype(values.dtype)
    if cfg.moves_points and not cfg.inverse:
        event[points] = found.points.astype(np.asarray(event[points]).dtype)
        if side == "reco":
            _move(event, cfg.stages, cfg.obj_type, detector)


def _hits(
    event: Event, side: Side, values: Array, names: tuple[str, str], cfg: CalibrationConfig, detector: Detector
) -> Hits:
    points, sources = (event.get(name) for name in names)
    tracks = np.full(len(values), -1, dtype=np.int64)
    if cfg.do_tracking:
        tracks = _tracks(event, side, cfg.truth_point_mode, len(values))
    run = event.run_info.run if event.run_info is not None else None
    return hits_of(np.asarray(points), values, detector, sources, tracks, run)


def _tracks(event: Event, side: Side, mode: PointMode, count: int) -> IntArray:
    """(n,) row of the track to which each point belongs, -1 for none."""
    owners = np.full(count, -1, dtype=np.int64)
    for objects in objects_of(event, ("particle",), side, mode):
        index = objects.index
        is_track = np.asarray(objects.table["shape"] == Shape.TRACK)[index.rows]
        owners[index.values[is_track]] = index.rows[is_track]
    return owners


def _move(event: Event, stages: Iterable[StageEntry], kinds: Iterable[str], detector: Detector) -> None:
    """Move the positions of reconstructed objects."""
    for kind in kinds:
        name = f"reco_{kind}s"
        table: Table = event.table(name)
        for column in POSITIONS[f"{kind}s"]:
            table[column] = calibrate_points(table[column], detector, tuple(stages))
