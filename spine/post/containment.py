"""Whether objects lie inside the detector, away from its walls."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

import numpy as np
from pydantic import BeforeValidator, Field, model_validator

from spine.errors import ConfigError
from spine.geometry import Detector, Margin, Volumes, contained, contained_by_source, margins, volumes_of
from spine.ops.arrays import BoolArray
from spine.post.objects import Kinds, Objects, PointMode, RunMode, Side, columns, kinds, objects_of, sides_of
from spine.schema import Event, Ragged, Table
from spine.steps import StepConfig, step

__all__ = ["ContainmentConfig", "containment", "frame_volume"]


def _sizes(value: Any) -> Any:
    return {"default": value} if isinstance(value, int) else value


Sizes = Annotated[dict[int | Literal["default"], int], BeforeValidator(_sizes)]


class ContainmentConfig(StepConfig):
    """Options of containment."""

    margin: Margin = Field(description="Distance to the walls: one, one per axis, or two per axis (cm)")
    cathode_margin: float | None = Field(None, description="Distance to cathodes, for mode tpc or source (cm)")
    mode: Literal["detector", "module", "tpc", "source", "meta"] = Field(
        "module", description="Walls: those of the detector, a module, a TPC, contributing TPCs, or the image"
    )
    allow_multi_module: bool = Field(False, description="For mode source: objects may extend over several modules")
    logical: bool = Field(False, description="Fill is_time_contained instead of is_contained; needs mode source")
    exclude_pids: tuple[int, ...] = Field((), description="Species that may leave a contained interaction")
    min_particle_sizes: Sizes = Field(
        {}, description="Particles with fewer points may leave a contained interaction; one number or by species"
    )
    obj_type: Kinds = Field(("particle", "interaction"), description="Kinds of objects to check")
    truth_point_mode: PointMode = Field("points", description="Points that make up true objects")
    run_mode: RunMode = Field("both", description="Sides: reco, truth or both")

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.logical and self.mode != "source":
            raise ValueError("logical containment goes by the TPCs of points: it needs mode 'source'")
        if self.cathode_margin is not None and self.mode not in ("tpc", "source"):
            raise ValueError("cathode_margin needs mode 'tpc' or 'source'")
        return self

    @property
    def column(self) -> str:
        """Column that is filled."""
        return "is_time_contained" if self.logical else "is_contained"


@step(
    reads=(
        "points", "points_label", "points_g4", "sources", "sources_label", "meta",
        *columns(kinds("fragment", "particle", "interaction"), "index"),
        *columns(kinds("particle"), "pid"),
        *columns(kinds("interaction"), "particle_ids"),
    ),
    writes=columns(kinds("fragment", "particle", "interaction"), "is_contained", "is_time_contained"),
)  # fmt: skip
def containment(event: Event, cfg: ContainmentConfig, detector: Detector | None) -> None:
    """All points of an object inside the walls, all particles of an interaction inside.

    Parameters
    ----------
    event : Event
        Fills is_contained (is_time_contained when ``logical``). Objects without points are contained.
    cfg : ContainmentConfig
    detector : Detector, optional
        Not needed for mode ``meta``.

    Raises
    ------
    ConfigError
        When the mode needs a detector and there is none.
    """
    wanted = [kind for kind in cfg.obj_type if kind != "interaction"]
    for objects in objects_of(event, wanted, cfg.run_mode, cfg.truth_point_mode):
        objects.table[cfg.column] = _objects_inside(objects, cfg, detector)
    if "interaction" in cfg.obj_type:
        for side in sides_of(cfg.run_mode):
            _check_interactions(event, side, cfg)


def frame_volume(event: Event, margin: Margin) -> Volumes:
    """The image as the only volume, less a margin (cm)."""
    reduce = margins(margin)
    lower, upper = (event["meta"].lower.astype(np.float64), event["meta"].upper.astype(np.float64))
    box = np.stack([lower + reduce[:, 0], upper - reduce[:, 1]], axis=1)
    return Volumes(box[None], False, np.zeros((0, 3)), np.zeros(0))


def needed(detector: Detector | None, step_name: str, mode: str) -> Detector:
    """The detector.

    Raises
    ------
    ConfigError
        When there is none.
    """
    if detector is None:
        raise ConfigError(
            f"mode {mode!r} needs a detector", where=f"post.{step_name}.mode", mend="set geo.detector, or mode: meta"
        )
    return detector


def _objects_inside(objects: Objects, cfg: ContainmentConfig, detector: Detector | None) -> BoolArray:
    points = objects.points()
    if cfg.mode == "meta":
        return contained(frame_volume(objects.event, cfg.margin), points.values, points.offsets)
    geometry = needed(detector, "containment", cfg.mode)
    if objects.is_truth and cfg.truth_point_mode == "points_g4":
        coarse = volumes_of(geometry, cfg.margin, mode="detector" if cfg.mode == "detector" else "module")
        return contained(coarse, points.values, points.offsets)
    volumes = volumes_of(geometry, cfg.margin, cfg.cathode_margin, cfg.mode)
    if not volumes.by_source:
        return contained(volumes, points.values, points.offsets)
    sources = objects.sources().values
    return contained_by_source(geometry, volumes, points.values, points.offsets, sources, cfg.allow_multi_module)


def _check_interactions(event: Event, side: Side, cfg: ContainmentConfig) -> None:
    interactions, particles = event.table(f"{side}_interactions"), event.table(f"{side}_particles")
    leaves = ~particles[cfg.column] & ~_excused(particles, cfg)
    members: Ragged = interactions["particle_ids"]
    count = np.bincount(members.rows[leaves[members.values]], minlength=len(interactions))
    interactions[cfg.column] = count == 0


def _excused(particles: Table, cfg: ContainmentConfig) -> BoolArray:
    """(n,) particles that may leave: excluded species, and those with too few points."""
    pids = particles["pid"]
    default = cfg.min_particle_sizes.get("default", 0)
    least = np.array([cfg.min_particle_sizes.get(pid, default) for pid in range(6)])
    small = (pids >= 0) & (particles["size"] < least[np.maximum(pids, 0)])
    return np.asarray(np.isin(pids, cfg.exclude_pids) | small, dtype=np.bool_)
