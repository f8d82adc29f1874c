"""The stages of a calibration: each takes hits and gives them back corrected, or undoes that."""

from __future__ import annotations

from typing import Any, Literal, Self

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, model_validator

from spine.calib.constants import Constant, Database, Value
from spine.calib.hits import Hits
from spine.calib.maps import plane_maps, plane_maps_by_run
from spine.errors import ConfigError
from spine.ops.arrays import FloatArray
from spine.ops.expression import Expression, parse

__all__ = ["Gain", "Lifetime", "Response", "Smearing", "Stage", "Transparency"]


class Stage(BaseModel):
    """A correction of hits."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    def forward(self, hits: Hits) -> FloatArray:
        """(n,) corrected values."""
        raise NotImplementedError

    def backward(self, hits: Hits) -> FloatArray:
        """(n,) values from which `forward` makes those of the hits.

        Raises
        ------
        ConfigError
            When the stage cannot be undone.
        """
        raise ConfigError(f"{type(self).__name__.lower()} cannot be undone", where="calibration", got="inverse: true")


class Gain(Stage):
    """Electrons per ADC count."""

    gain: Value | None = Field(None, description="Electrons per ADC count: one number, or one per TPC (electrons/ADC)")
    gain_db: Database | None = Field(
        None, description="Gain by run instead: a SQLite file, or a mapping from first run to gain (electrons/ADC)"
    )

    @model_validator(mode="after")
    def _check(self) -> Self:
        _ = self.constant
        return self

    @property
    def constant(self) -> Constant:
        """The gain of each TPC."""
        return Constant("gain", self.gain, self.gain_db)

    def forward(self, hits: Hits) -> FloatArray:
        """Electrons of ADC counts."""
        return hits.values * self.constant.of(hits)

    def backward(self, hits: Hits) -> FloatArray:
        """ADC counts of electrons."""
        return hits.values / self.constant.of(hits)


class Lifetime(Stage):
    """Loss of electrons to impurities on their way to the anode."""

    lifetime: Value | None = Field(None, description="Life time of drifting electrons: one, or one per TPC (us)")
    driftv: Value | None = Field(None, description="Drift velocity: one number, or one per TPC (cm/us)")
    lifetime_db: Database | None = Field(
        None, description="Life time by run instead: a SQLite file, or a mapping from first run to life time (us)"
    )
    driftv_db: Database | None = Field(
        None, description="Drift velocity by run instead: a SQLite file, or a mapping from first run (cm/us)"
    )
    lifetime_db_value_keys: tuple[str, ...] | None = Field(
        None, description="Columns of the file with the life times of the TPCs"
    )
    lifetime_db_value_scale: float = Field(1.0, description="Factor on life times of a database (1000 for ms)")
    driftv_db_value_keys: tuple[str, ...] | None = Field(
        None, description="Columns of the file with the drift velocities of the TPCs"
    )
    driftv_db_value_scale: float = Field(1.0, description="Factor on drift velocities of a database")

    @model_validator(mode="after")
    def _check(self) -> Self:
        _ = self.constants
        return self

    @property
    def constants(self) -> tuple[Constant, Constant]:
        """Life time and drift velocity of each TPC."""
        keys, scale = self.lifetime_db_value_keys, self.lifetime_db_value_scale
        life = Constant("lifetime", self.lifetime, self.lifetime_db, keys, scale)
        keys, scale = self.driftv_db_value_keys, self.driftv_db_value_scale
        return life, Constant("driftv", self.driftv, self.driftv_db, keys, scale)

    def growth(self, hits: Hits) -> FloatArray:
        """(n,) electrons at the place of ionisation for each that arrives: exp(distance to the anode / v tau)."""
        life, speed = (constant.of(hits) for constant in self.constants)
        detector, rows = hits.detector, np.arange(len(hits.points))
        axes = detector.drift_axes[hits.tpcs]
        boxes = detector.tpcs[hits.tpcs, axes]
        distance = np.abs(hits.points[rows, axes] - detector.anodes[hits.tpcs])
        distance = np.clip(distance, 0.0, boxes[:, 1] - boxes[:, 0])
        return np.asarray(np.exp(distance / life / speed))

    def forward(self, hits: Hits) -> FloatArray:
        """Electrons that were set free."""
        return hits.values * self.growth(hits)

    def backward(self, hits: Hits) -> FloatArray:
        """Electrons that arrive."""
        return hits.values / self.growth(hits)


class Transparency(Stage):
    """Factor that depends on the place along the wire plane."""

    transparency_db: str | None = Field(None, description="SQLite file with a map per run and TPC")
    transparency_file: str | None = Field(None, description="ROOT file with one map per TPC instead")
    value_key: str = Field("scale", description="Column of the SQLite file")
    run_id: int | None = Field(None, description="Take the map of this run for all events")
    map_pattern: str = Field("CzyHist_{plane_id}_{tpc_id}", description="Names of the histograms in the ROOT file")
    plane_id: int = Field(2, description="Wire plane in the names of histograms")
    map_type: Literal["correction", "deviation"] | None = Field(
        None, description="Values are multiplied by a correction, divided by a deviation; by default deviations in a "
        "SQLite file and corrections in a ROOT file",
    )  # fmt: skip

    @model_validator(mode="after")
    def _check(self) -> Self:
        if (self.transparency_db is None) == (self.transparency_file is None):
            raise ValueError("give one of transparency_db and transparency_file")
        return self

    def factors(self, hits: Hits) -> FloatArray:
        """(n,) factor on the value of each hit."""
        count, run = len(hits.detector.tpcs), self.run_id if self.run_id is not None else hits.run
        if self.transparency_db is not None:
            maps = plane_maps_by_run(self.transparency_db, self.value_key, run, count)
        else:
            maps = plane_maps(str(self.transparency_file), self.map_pattern, self.plane_id, count)
        found = np.ones(len(hits.points))
        for tpc in np.unique(hits.tpcs):
            here = hits.tpcs == tpc
            found[here] = maps[tpc].at(hits.points[here])
        deviates = self.map_type == "deviation" if self.map_type else self.transparency_db is not None
        return np.asarray(1.0 / found if deviates else found)

    def forward(self, hits: Hits) -> FloatArray:
        """Values as if the plane were uniform."""
        return hits.values * self.factors(hits)

    def backward(self, hits: Hits) -> FloatArray:
        """Values as the plane shows them."""
        return hits.values / self.factors(hits)


def _evaluated(expression: Expression, values: FloatArray) -> FloatArray:
    return expression.values(lambda _: values, len(values)).astype(np.float64)


def _of_x(text: str) -> Expression:
    try:
        expression = parse(text)
    except ConfigError as error:
        raise ValueError(str(error)) from error
    if set(expression.names) - {"x"}:
        raise ValueError(f"a response is a function of x alone, not of {', '.join(expression.names)}")
    return expression


class Response(Stage):
    """Response that is not linear."""

    response_func: str = Field(description="Corrected value as a function of the value x, such as 'x + 1e-4*x**2'")
    inverse_response_func: str | None = Field(None, description="The inverse function, where it is to be undone")

    @model_validator(mode="after")
    def _check(self) -> Self:
        for text in (self.response_func, self.inverse_response_func):
            if text is not None:
                _of_x(text)
        return self

    def forward(self, hits: Hits) -> FloatArray:
        """Corrected values."""
        return _evaluated(_of_x(self.response_func), hits.values)

    def backward(self, hits: Hits) -> FloatArray:
        """Values before the correction."""
        if self.inverse_response_func is None:
            raise ConfigError(
                "the response has no inverse", where="calibration.response", mend="set inverse_response_func"
            )
        return _evaluated(_of_x(self.inverse_response_func), hits.values)


class Smearing(Stage):
    """Random change, to see what a resolution does."""

    scale: float = Field(ge=0, description="Standard deviation, in the unit of the values or as a factor")
    distribution: Literal["normal"] = Field("normal", description="Shape of the distribution")
    mode: Literal["additive", "multiplicative"] = Field("additive", description="Add what is drawn, or multiply by it")
    mean: float = Field(0.0, description="Mean of what is drawn")
    scope: Literal["voxel", "image"] = Field("voxel", description="Draw for each point, or once per event")
    clip_min: float | None = Field(None, description="Lowest value that is kept")
    seed: int = Field(0, description="Seed; with the run and the points it decides what is drawn")

    def forward(self, hits: Hits) -> FloatArray:
        """Smeared values, the same for the same event."""
        rng = np.random.default_rng([self.seed, abs(hits.run or 0), len(hits.points), _mark(hits.points)])
        drawn: Any = rng.normal(self.mean, self.scale, len(hits.values) if self.scope == "voxel" else None)
        values = hits.values + drawn if self.mode == "additive" else hits.values * drawn
        return np.asarray(values if self.clip_min is None else np.maximum(values, self.clip_min))


def _mark(points: FloatArray) -> int:
    """A number that tells events apart."""
    return abs(int(np.round(points.sum() * 1e3))) if np.isfinite(points.sum()) else 0
