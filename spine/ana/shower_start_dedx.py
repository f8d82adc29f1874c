"""Energy loss at the start of showers, for several radii and definitions."""

from __future__ import annotations

from itertools import product
from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BeforeValidator, Field, PositiveFloat

from spine.ana.clouds import DepositionMode, PointMode, depositions_of, points_of
from spine.ana.objects import RunMode, event_rows_of, listed, objects_of, sides_of
from spine.ana.tables import EVENT_ROW
from spine.errors import DataError
from spine.physics.dedx import anchor_refs, directed_dedx, local_dedx
from spine.schema import Block, Ragged, Shape, Table
from spine.steps import Columns, StepConfig, step

__all__ = ["ShowerStartDedxConfig", "shower_start_dedx"]

Array = NDArray[Any]
Mode = Literal["default", "direction"]
Kind = Literal["fragment", "particle"]


class ShowerStartDedxConfig(StepConfig):
    """How the energy loss is measured."""

    radius: Annotated[tuple[PositiveFloat, ...], BeforeValidator(listed), Field(min_length=1)] = Field(
        description="Radii around the start (cm)"
    )
    mode: Annotated[tuple[Mode, ...], BeforeValidator(listed), Field(min_length=1)] = Field(
        ("default",), description="default: over the largest distance; direction: points ahead, over their extent"
    )
    anchor: bool = Field(False, description="Move the start to the nearest point of the object")
    obj_type: Annotated[tuple[Kind, ...], BeforeValidator(listed), Field(min_length=1)] = Field(
        ("particle",), description="Kinds of objects: fragment, particle"
    )
    run_mode: RunMode = Field("both", description="Sides to look at: reco, truth or both")
    truth_point_mode: PointMode = Field("points", description="Points of true objects")
    truth_dep_mode: DepositionMode = Field("depositions", description="Depositions of true objects")

    @property
    def sources(self) -> tuple[str, ...]:
        """Products to look at."""
        return tuple(f"{side}_{kind}s" for kind in self.obj_type for side in sides_of(self.run_mode))


@step(
    reads=(
        "reco_fragments", "truth_fragments", "reco_particles.start_dir", "truth_particles", "points", "depositions",
        "points_label", "depositions_label",
    ),
    per="block",
    tables=lambda cfg: tuple(f"shower_start_dedx_{name}" for name in cfg.sources),
)  # fmt: skip
def shower_start_dedx(block: Block, cfg: ShowerStartDedxConfig) -> dict[str, Columns]:
    """Measure the energy loss at the start of each shower.

    Parameters
    ----------
    block : Block
        With objects, their points and depositions.
    cfg : ShowerStartDedxConfig
        Options.

    Returns
    -------
    dict of str to columns
        ``shower_start_dedx_reco_particles``, ...: ``object_id, shape, pid, is_primary, mode, radius`` (cm), ``anchor``
        and ``dedx`` (MeV/cm, NaN where fewer than two points or no length are left) for each shower, mode and radius.
    """
    return {f"shower_start_dedx_{name}": _rows(block, cfg, name) for name in cfg.sources}


def _rows(block: Block, cfg: ShowerStartDedxConfig, name: str) -> Columns:
    objects = objects_of(block, name)
    chosen = np.flatnonzero(objects["shape"] == Shape.SHOWER)
    points = points_of(block, name, cfg.truth_point_mode)[chosen]
    energies = depositions_of(block, name, cfg.truth_dep_mode)[chosen]
    if not np.array_equal(points.offsets, energies.offsets):
        raise DataError(
            "points and depositions of true objects are not of the same set",
            got=f"{cfg.truth_point_mode} with {cfg.truth_dep_mode}",
            mend="choose truth_point_mode and truth_dep_mode with the same ending",
        )
    settings = list(product(cfg.mode, cfg.radius))
    values = [_dedx(objects[chosen], points, energies, cfg, setting) for setting in settings]
    showers = np.repeat(chosen, len(settings))
    has_pid = "pid" in objects.record.columns
    return {
        EVENT_ROW: event_rows_of(block, name)[showers],
        "object_id": objects["id"][showers],
        "shape": objects["shape"][showers],
        "pid": objects["pid"][showers] if has_pid else np.full(len(showers), -1, dtype=np.int64),
        "is_primary": objects["is_primary"][showers],
        "mode": np.tile(np.array([mode for mode, _ in settings], dtype=object), len(chosen)),
        "radius": np.tile(np.array([radius for _, radius in settings]), len(chosen)),
        "anchor": np.full(len(showers), cfg.anchor),
        "dedx": np.array(values).reshape(len(settings), len(chosen)).T.ravel(),
    }


def _dedx(
    showers: Table, points: Ragged, energies: Ragged, cfg: ShowerStartDedxConfig, setting: tuple[Mode, float]
) -> Array:
    mode, radius = setting
    cloud, bounds, values = points.values.astype(np.float64), points.offsets, energies.values.astype(np.float64)
    starts: Array = showers["start_point"].astype(np.float64)
    if cfg.anchor:
        starts = anchor_refs(cloud, bounds, starts)
    if mode == "default":
        return local_dedx(cloud, bounds, values, starts, radius)
    directions: Array = showers["start_dir"].astype(np.float64)
    length = np.linalg.norm(directions, axis=1, keepdims=True)
    rays = np.divide(directions, length, out=np.full_like(directions, np.nan), where=length > 0)
    return np.where(np.isnan(rays).any(axis=1), np.nan, directed_dedx(cloud, bounds, values, starts, rays, radius).dedx)
