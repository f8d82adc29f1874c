"""Particles of too little energy do not count in the topology of their interaction."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BeforeValidator, Field

from spine.errors import ConfigError
from spine.post.objects import RunMode, columns, kinds, objects_of
from spine.schema import Event, Ragged, Table
from spine.schema.species import PID_MASSES
from spine.steps import StepConfig, step

__all__ = ["TopologyThresholdConfig", "topology_threshold"]


def _thresholds(value: Any) -> Any:
    return {} if value is None else {"default": value} if isinstance(value, int | float) else value


Thresholds = Annotated[dict[int | Literal["default"], float], BeforeValidator(_thresholds)]


class TopologyThresholdConfig(StepConfig):
    """Options of topology_threshold."""

    ke_thresholds: Thresholds = Field(
        {}, description="Least kinetic energy: one number, or one by species with 'default' for the others (MeV)"
    )
    reco_ke_mode: str = Field("ke", description="Energy of reconstructed particles: a column")
    truth_ke_mode: str = Field(
        "energy_deposit", description="Energy of true particles: a column; energy_init counts less the rest mass"
    )
    run_mode: RunMode = Field("both", description="Sides: reco, truth or both")


@step(
    reads=(
        *columns(kinds("particle"), "pid", "shape", "is_contained", "calo_ke", "csda_ke", "mcs_ke"),
        *columns(kinds("interaction"), "particle_ids"),
        *columns(("truth_particles",), "energy_init", "energy_deposit", "momentum"),
    ),
    writes=columns(kinds("particle"), "is_valid"),
)
def topology_threshold(event: Event, cfg: TopologyThresholdConfig) -> None:
    """Particles of an interaction are valid unless their kinetic energy is below the threshold of their species.

    Parameters
    ----------
    event : Event
        Fills is_valid of particles. A particle whose energy is not known, or without species, is valid.
    cfg : TopologyThresholdConfig
    """
    default = cfg.ke_thresholds.get("default", 0.0)
    least = np.array([cfg.ke_thresholds.get(pid, default) for pid in range(len(PID_MASSES))])
    for objects in objects_of(event, ("interaction",), cfg.run_mode, in_cm=False):
        particles = event.table(f"{objects.side}_particles")
        members: Ragged = objects.table["particle_ids"]
        pid = particles["pid"]
        energy = _energy(particles, cfg.truth_ke_mode if objects.is_truth else cfg.reco_ke_mode, objects.side)
        valid = np.array(particles["is_valid"])
        valid[members.values] = ~((pid >= 0) & (energy < least[np.maximum(pid, 0)]))[members.values]
        particles["is_valid"] = valid


def _energy(particles: Table, name: str, side: str) -> NDArray[np.float64]:
    column = particles.record.columns.get(name)
    if column is None or column.dtype.kind != "f" or column.shape:
        raise ConfigError(
            f"{side} particles have no energy {name!r}", where=f"post.topology_threshold.{side}_ke_mode",
            expected="ke, calo_ke, csda_ke, mcs_ke, energy_deposit, energy_init",
        )  # fmt: skip
    energy: NDArray[np.float64] = np.asarray(particles[name], dtype=np.float64)
    if name == "energy_init":
        pid = particles["pid"]
        energy = energy - np.where(pid >= 0, PID_MASSES[np.maximum(pid, 0)], 0.0)
    return energy
