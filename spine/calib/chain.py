"""A calibration: stages one after the other, or undone in reverse."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final, Self

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, model_validator

from spine.calib.field import FieldStage
from spine.calib.hits import Hits
from spine.calib.recombination import Recombination
from spine.calib.stages import Gain, Lifetime, Response, Smearing, Stage, Transparency
from spine.errors import did_you_mean
from spine.geometry import Detector
from spine.ops.arrays import FloatArray

__all__ = ["STAGES", "Calibration", "StageEntry", "calibrate", "calibrate_points", "listed_stages"]

STAGES: Final[dict[str, type[Stage]]] = {
    "field": FieldStage,
    "gain": Gain,
    "lifetime": Lifetime,
    "recombination": Recombination,
    "response": Response,
    "smearing": Smearing,
    "transparency": Transparency,
}
"""Options of each kind of stage."""


class StageEntry(BaseModel):
    """One stage with its options."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(description="Name of the stage")
    provider: str = Field("", description="Kind of stage: its name, unless given")
    config: dict[str, Any] = Field({}, description="Options of that kind")

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.kind not in STAGES:
            raise ValueError(f"no calibration is called {self.kind!r}; {did_you_mean(self.kind, STAGES)}")
        self.stage()
        return self

    @property
    def kind(self) -> str:
        """Kind of stage."""
        return self.provider or self.name

    def stage(self) -> Stage:
        """The stage with its typed options."""
        return STAGES[self.kind].model_validate(self.config)


class Calibration(BaseModel):
    """Stages of a calibration in the order in which they run."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    gain_applied: bool = Field(False, description="The gain was corrected before; values are electrons")
    stages: tuple[StageEntry, ...] = Field((), description="Stages: name, provider and config of each")

    @model_validator(mode="after")
    def _check(self) -> Self:
        kinds = [entry.kind for entry in self.stages]
        if "recombination" in kinds and not self.gain_applied:
            if "gain" not in kinds:
                raise ValueError("recombination needs electrons: add gain, or set gain_applied: true")
            if kinds.index("gain") > kinds.index("recombination"):
                raise ValueError("gain must stand before recombination")
        return self

    @property
    def moves_points(self) -> bool:
        """Whether points move."""
        return any(entry.kind == "field" for entry in self.stages)


def listed_stages(tree: Mapping[str, Any]) -> dict[str, Any]:
    """Options in which stages given by name stand in a list, by falling ``priority`` and then as written."""
    named = {key: dict(value or {}) for key, value in tree.items() if key in STAGES}
    rest = {key: value for key, value in tree.items() if key not in STAGES}
    if not named:
        return rest
    ranks = {key: value.pop("priority", -1) for key, value in named.items()}
    order = sorted(named, key=lambda key: -ranks[key])
    found = [_entry(key, named[key]) for key in order]
    return rest | {"stages": [*rest.get("stages", ()), *found]}


def _entry(name: str, options: dict[str, Any]) -> dict[str, Any]:
    provider = options.pop("provider", name)
    return {"name": name, "provider": provider, "config": options.pop("config", options)}


def calibrate(hits: Hits, stages: Sequence[StageEntry], inverse: bool = False) -> Hits:
    """Run all stages, or undo them from the last to the first.

    Parameters
    ----------
    hits : Hits
        What the electronics saw; for ``inverse`` what it would have seen is wanted.
    stages : sequence of StageEntry
    inverse : bool

    Returns
    -------
    Hits
        With corrected values and points.

    Raises
    ------
    ConfigError
        When a stage cannot be undone, or its constants are missing.
    DataError
        When there are no constants for the run.
    """
    chosen = [entry.stage() for entry in stages]
    for stage in reversed(chosen) if inverse else chosen:
        values = stage.backward(hits) if inverse else stage.forward(hits)
        points = stage.moved(hits) if isinstance(stage, FieldStage) else hits.points
        hits = replace(hits, points=points, values=values)
    return hits


def calibrate_points(points: FloatArray, detector: Detector, stages: Sequence[StageEntry]) -> FloatArray:
    """(n, 3) positions (cm) such as starts and vertices, moved as points are; NaN stays."""
    moved = np.array(points, dtype=np.float64)
    known = np.isfinite(moved).all(axis=1)
    places = moved[known]
    tpcs = detector.nearest_tpcs(places)
    for stage in (entry.stage() for entry in stages):
        if isinstance(stage, FieldStage):
            blank = np.zeros(len(places))
            places = stage.moved(Hits(places, blank, tpcs, np.full(len(places), -1), detector))
    moved[known] = places
    return moved
