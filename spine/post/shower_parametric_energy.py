"""Energy of showers that leave the active volume, from a model of their development."""

from __future__ import annotations

from typing import Literal

import numpy as np
from pydantic import Field

from spine.errors import ConfigError
from spine.geometry import Detector
from spine.ops.arrays import FloatArray, IntArray
from spine.physics.shower import ShowerFit, fit_shower_energy
from spine.post.objects import DepMode, Objects, PointMode, RunMode, columns, kinds, objects_of
from spine.schema import Event, Shape
from spine.steps import StepConfig, step

__all__ = ["ShowerParametricEnergyConfig", "shower_parametric_energy"]


class ShowerParametricEnergyConfig(StepConfig):
    """Options of shower_parametric_energy."""

    n_points: int = Field(10_000, ge=1, description="Points that stand for a shower")
    seed: int = Field(12345, ge=0, description="Seed of these points")
    sigma_floor: float = Field(1.0, gt=0, description="Uncertainty of the energy in each box besides sampling (MeV)")
    energy_bounds: tuple[float, float] = Field((1.0, 10_000.0), description="Energies to search (MeV)")
    use_gp: bool = Field(False, description="Longitudinal profile of Grindhammer and Peters")
    mode: Literal["detector", "module", "tpc"] = Field("module", description="Active boxes")
    run_mode: RunMode = Field("reco", description="Sides: reco, truth or both")
    truth_point_mode: PointMode = Field("points", description="Points that make up true particles")
    truth_dep_mode: DepMode = Field("depositions", description="Depositions of true particles")

    @property
    def fit(self) -> ShowerFit:
        """How the energy is fitted."""
        model: Literal["gp", "lar"] = "gp" if self.use_gp else "lar"
        return ShowerFit(self.n_points, self.sigma_floor, self.energy_bounds, model=model, seed=self.seed)


@step(
    reads=(
        "points", "depositions", "points_label", "depositions_label", "points_g4", "depositions_g4",
        *columns(kinds("particle"), "index", "shape", "calo_ke", "start_point", "start_dir"),
    ),
    writes=columns(kinds("particle"), "calo_ke"),
)  # fmt: skip
def shower_parametric_energy(event: Event, cfg: ShowerParametricEnergyConfig, detector: Detector | None) -> None:
    """Energy at which a model shower leaves in each active box what was seen there.

    Parameters
    ----------
    event : Event
        Replaces calo_ke of showers (MeV); it stays where it is below the lowest energy, or start or direction are
        missing.
    cfg : ShowerParametricEnergyConfig
    detector : Detector

    Raises
    ------
    ConfigError
        When there is no detector.
    """
    if detector is None:
        raise ConfigError(
            "the active volume is that of a detector", where="post.shower_parametric_energy", mend="set geo.detector"
        )
    for objects in objects_of(event, ("particle",), cfg.run_mode, cfg.truth_point_mode):
        _fit(objects, cfg, detector)


def _fit(objects: Objects, cfg: ShowerParametricEnergyConfig, detector: Detector) -> None:
    table, boxes = objects.table, _boxes(cfg, detector)
    energies = np.array(table["calo_ke"])
    points, values = objects.points(), objects.depositions(cfg.truth_dep_mode)
    chosen = (table["shape"] == Shape.SHOWER) & (energies >= cfg.energy_bounds[0])
    for row in np.flatnonzero(chosen):
        seen = np.zeros(len(boxes))
        np.add.at(seen, _nearest(points[row], cfg, detector), values[row])
        if not seen.sum() > 0:
            continue
        seen *= energies[row] / seen.sum()
        found = fit_shower_energy(seen, boxes, table["start_point"][row], table["start_dir"][row], cfg.fit)
        energies[row] = found if np.isfinite(found) else energies[row]
    table["calo_ke"] = energies


def _boxes(cfg: ShowerParametricEnergyConfig, detector: Detector) -> FloatArray:
    return {"detector": detector.box[None], "module": detector.modules, "tpc": detector.tpcs}[cfg.mode]


def _nearest(points: FloatArray, cfg: ShowerParametricEnergyConfig, detector: Detector) -> IntArray:
    """Box of each point."""
    if cfg.mode == "detector":
        return np.zeros(len(points), dtype=np.int64)
    return detector.nearest_modules(points) if cfg.mode == "module" else detector.nearest_tpcs(points)
