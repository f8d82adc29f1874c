"""Paths of particle aggregation: showers and tracks apart, or all fragments together."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from spine.errors import ConfigError, did_you_mean
from spine.model.chain.family import Family, Options, Part
from spine.schema import Shape
from spine.steps.step import StepConfig

__all__ = ["PATHS", "PathConfig", "by_path"]

PATHS: dict[str, tuple[Shape, ...]] = {
    "shower": (Shape.SHOWER, Shape.MICHEL, Shape.DELTA),
    "track": (Shape.TRACK,),
    "particle": (Shape.SHOWER, Shape.TRACK, Shape.MICHEL, Shape.DELTA),
}
"""Semantic classes that each path owns."""

PathName = Literal["shower", "track", "particle"]


class PathConfig(StepConfig):
    """Options of every mode of particle aggregation."""

    path: PathName = Field("particle", description="Path of the aggregation; set by the stage")
    shapes: tuple[Shape, ...] = Field(PATHS["particle"], description="Semantic classes of the fragments it groups")


def by_path(family: Family, options: Options, where: str) -> list[Part]:
    """Parts of a stage that sets ``shower_aggregation`` and ``track_aggregation``, or ``particle_aggregation``.

    ``mode`` is short for ``particle_aggregation``. The options of a path stand in a block ``MODE_PATH``, such as
    ``geometric_shower``; ``predict_points`` holds for all graph networks of the stage.

    Raises
    ------
    ConfigError
        When no path is on, joint and separate ones are, or a key belongs to none of them.
    """
    del family
    modes = _modes(options, where)
    known = {f"{mode}_{path}" for path, mode in modes.items()} | {f"{path}_aggregation" for path in PATHS}
    stray = sorted(set(options) - known - {"mode", "shower_primary", "predict_points"})
    if stray:
        raise ConfigError(f"unknown key {stray[0]!r}", where=where, mend=did_you_mean(stray[0], known))
    if options.get("shower_primary") not in (None, modes.get("shower")):
        raise ConfigError(
            "primaries of showers come from the mode that groups them", where=where,
            got=options["shower_primary"], expected=modes.get("shower"), mend="leave 'shower_primary' out",
        )  # fmt: skip
    return [_part(path, mode, options) for path, mode in modes.items()]


def _part(path: str, mode: str, options: Options) -> Part:
    key = f"{mode}_{path}"
    shared = {"predict_points": options["predict_points"]} if mode == "grappa" and "predict_points" in options else {}
    own = {**shared, **(options.get(key) or {}), "path": path, "shapes": PATHS[path]}
    return Part(mode, own, key if key in options else "")


def _modes(options: Options, where: str) -> dict[str, str]:
    """Mode of every path that is on."""
    asked = {path: options.get(f"{path}_aggregation") for path in PATHS}
    asked["particle"] = asked["particle"] or options.get("mode")
    modes = {path: str(mode) for path, mode in asked.items() if mode is not None}
    if not modes:
        raise ConfigError(
            "no path is on", where=where, expected="mode, or shower_aggregation and track_aggregation",
            mend="set 'particle_aggregation: label', or a mode for showers and tracks each",
        )  # fmt: skip
    if "particle" in modes and len(modes) > 1:
        raise ConfigError(
            "showers and tracks are grouped together or apart, not both", where=where, got=", ".join(modes)
        )
    return modes
