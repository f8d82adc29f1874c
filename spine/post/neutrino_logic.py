"""At most one muon in each interaction, as in a neutrino interaction."""

from __future__ import annotations

from typing import Literal

import numpy as np
from pydantic import Field

from spine.ops.arrays import BoolArray, IntArray, NumberArray
from spine.schema import Event, Pid, Table
from spine.steps import StepConfig, step

__all__ = ["NeutrinoLogicConfig", "neutrino_logic"]


class NeutrinoLogicConfig(StepConfig):
    """Options of neutrino_logic."""

    method: Literal["size", "score"] = Field(
        "size", description="The muon is the candidate with the most points, or with the largest muon score"
    )
    cc_only: bool = Field(True, description="Call one pion a muon where there are pions and no muon")


@step(
    reads=(
        "reco_particles.interaction_id", "reco_particles.pid", "reco_particles.pid_scores",
    ),
    writes=("reco_particles.pid", "reco_particles.pid_scores"),
    after=("shape_logic", "particle_threshold"),
)  # fmt: skip
def neutrino_logic(event: Event, cfg: NeutrinoLogicConfig) -> None:
    """Keep one muon per interaction and call the others pions; on request make a muon where there are only pions.

    Parameters
    ----------
    event : Event
        Sets pid of reconstructed particles; the score of the species that was taken away becomes -1. The first
        particle wins among equals.
    cfg : NeutrinoLogicConfig
    """
    particles = event.reco.particles
    ids = np.asarray(particles["interaction_id"])
    rank = particles["index"].lengths if cfg.method == "size" else particles["pid_scores"][:, Pid.MUON]
    muons = (particles["pid"] == Pid.MUON) & (ids >= 0)
    pions = (particles["pid"] == Pid.PION) & (ids >= 0)
    kept = _best_per_interaction(ids, muons, rank)
    lonely = pions & ~np.isin(ids, ids[muons]) if cfg.cc_only else np.zeros_like(pions)
    _rename(particles, _best_per_interaction(ids, lonely, rank), Pid.PION, Pid.MUON)
    _rename(particles, np.setdiff1d(np.flatnonzero(muons), kept), Pid.MUON, Pid.PION)


def _best_per_interaction(ids: IntArray, chosen: BoolArray, rank: NumberArray) -> IntArray:
    """Row with the highest rank of each interaction, among the chosen ones."""
    rows = np.flatnonzero(chosen)
    order = rows[np.lexsort((rows, -np.nan_to_num(rank[rows], nan=-np.inf), ids[rows]))]
    first: IntArray = order[np.unique(ids[order], return_index=True)[1]]
    return first


def _rename(particles: Table, rows: IntArray, old: Pid, new: Pid) -> None:
    species, scores = np.array(particles["pid"]), np.array(particles["pid_scores"])
    species[rows], scores[rows, old] = new, -1.0
    particles["pid"], particles["pid_scores"] = species, scores
