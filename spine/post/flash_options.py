"""Options of flash_match."""

from __future__ import annotations

from typing import Any, Literal, Self

import numpy as np
from pydantic import Field, model_validator

from spine.ops.arrays import FloatArray
from spine.post.calo_ke import Factor
from spine.post.flash_merging import FlashMerging
from spine.post.light_models import MODELS, LightModel, SolidAngleOptions, light_model
from spine.post.objects import DepMode, PointMode, RunMode
from spine.steps import StepConfig

__all__ = ["FlashMatchConfig", "ReportMode"]

ReportMode = Literal["all", "best_per_flash", "best_per_interaction", "unique"]


class FlashMatchConfig(StepConfig):
    """Options of flash_match."""

    flash_key: str = Field(description="Product with the flashes")
    volume: Literal["tpc", "module"] = Field(description="What one optical volume is")
    ref_volume_id: int | None = Field(None, description="Move all charge to this volume first")
    method: Literal["likelihood", "barycenter"] = Field(
        "likelihood", description="Compare expected and seen light channel by channel, or where charge and light are"
    )
    time_contained: bool = Field(False, description="Only interactions contained in time")
    max_cathode_offset: float | None = Field(None, description="Largest shift of cathode crossers (cm)")
    run_mode: RunMode = Field("reco", description="Sides: reco, truth or both")
    truth_point_mode: PointMode = Field("points", description="Points that make up true interactions")
    truth_dep_mode: DepMode = Field("depositions", description="Depositions of true interactions")
    volume_report_mode: Literal["all", "brightest"] = Field(
        "all", description="Flashes of all volumes, or the one with most photo-electrons"
    )
    merge: FlashMerging | None = Field(None, description="How flashes are merged first")
    update_flashes: bool = Field(False, description="Keep the merged flashes instead of the original ones")
    report_mode: ReportMode | None = Field(
        None,
        description="All pairs, the best one of each flash or interaction, or each flash and interaction once, "
        "best first; by default unique for likelihood, all for barycenter",
    )
    store_hypotheses: bool = Field(False, description="Keep the light expected from each interaction and volume")
    store_all_hypotheses: bool = Field(False, description="Keep that of every pair that could match as well")
    hypothesis_key: str = Field("flash_hypotheses", description="Product with the expected light")
    light_model: str = Field(
        "solid_angle",
        description="Model of the light: solid_angle, or a function of yours, file.py or file.py:function",
    )
    light_options: dict[str, Any] = Field({}, description="Options of the model")
    scaling: Factor = Field(1.0, description="Factor on the depositions, to MeV, a number or a text like '1/0.83'")
    alpha: Factor = Field(0.21, description="Excited atoms per ion pair")
    recombination_mip: Factor = Field(0.65, description="Share of electrons that escape recombination")
    driftv: float | None = Field(
        None,
        gt=0,
        description="Drift velocity, to move charge to where it was at the time of each flash; by default it "
        "is there (cm/us)",
    )
    normalise: bool = Field(
        False, description="Scale the expected light to that of the flash, so that its pattern counts"
    )
    min_expected: float = Field(0.1, gt=0, description="Light that each channel may see by chance (photo-electrons)")
    masked_channels: tuple[int, ...] = Field((), description="Channels that do not count")
    dimensions: tuple[Literal[0, 1, 2], ...] = Field((1, 2), min_length=1, description="Coordinates to compare")
    charge_weighted: bool = Field(True, description="Weight points by depositions")
    time_window: tuple[float, float] | None = Field(None, description="Flashes between these times count (us)")
    first_flash_only: bool = Field(False, description="Only the first flash of each volume")
    min_inter_size: int | None = Field(None, description="Interactions with more points in the volume count")
    min_flash_pe: float | None = Field(None, description="Flashes with more photo-electrons count")
    candidate_distance: float | None = Field(None, ge=0, description="Largest distance of the centres (cm)")
    position_errors: float | tuple[float, ...] = Field(
        1.0, description="Uncertainty of positions: one, or one per coordinate (cm)"
    )
    angle_error: float | None = Field(None, gt=0, description="Uncertainty of the angle of the axes, if used (degrees)")
    max_chi2: float | None = Field(None, ge=0, description="Largest chi square")
    chi2_floor: float = Field(1e-6, gt=0, description="Chi square at which scores stop to rise")

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.method == "barycenter" and self.reported == "all" and self.candidate_distance is None:
            raise ValueError("report_mode 'all' needs candidate_distance")
        if self.method == "barycenter" and self.stores:
            raise ValueError("only the method likelihood expects light that could be stored")
        if self.light_model in MODELS:
            SolidAngleOptions.model_validate(self.light_options)
        if np.ndim(self.position_errors) and np.size(self.position_errors) not in (len(self.dimensions), 3):
            raise ValueError("give one position error, one per coordinate compared, or three")
        if (np.asarray(self.position_errors) <= 0).any():
            raise ValueError("position errors must be positive")
        return self

    @property
    def errors(self) -> FloatArray:
        """(d,) uncertainty of each coordinate compared, cm."""
        errors = np.asarray(self.position_errors, dtype=np.float64)
        return np.broadcast_to(errors[list(self.dimensions)] if errors.shape == (3,) else errors, len(self.dimensions))

    @property
    def reported(self) -> ReportMode:
        """Which pairs are reported."""
        return self.report_mode or ("unique" if self.method == "likelihood" else "all")

    @property
    def stores(self) -> bool:
        """Whether expected light is kept."""
        return self.store_hypotheses or self.store_all_hypotheses

    @property
    def light(self) -> LightModel:
        """The model of the light."""
        return light_model(self.light_model, self.light_options)
