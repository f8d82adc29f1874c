"""Recombination as a stage of the calibration."""

from __future__ import annotations

from typing import Literal

import numpy as np
from pydantic import Field

from spine.calib.hits import Hits
from spine.calib.stages import Stage
from spine.errors import ConfigError
from spine.ops.arrays import BoolArray, FloatArray, IntArray
from spine.physics.constants import LIQUID_ARGON
from spine.physics.recombination import BirksModel, BoxModel
from spine.physics.tracking import Tracking, track_segments

__all__ = ["Recombination"]


class Recombination(Stage):
    """Energy of electrons that escaped recombination."""

    efield: float = Field(gt=0, description="Electric field (kV/cm)")
    model: Literal["mbox", "birks", "mbox_ell"] = Field(
        "mbox", description="Modified box model, Birks' law, or the box model with dependence on the angle"
    )
    birks_a: float = Field(0.800, description="Birks' A")
    birks_k: float = Field(0.0486, description="Birks' k ((kV/cm)(g/cm^2)/MeV)")
    mbox_alpha: float = Field(0.906, description="Alpha of the box model")
    mbox_beta: float = Field(0.203, description="Beta of the box model ((kV/cm)(g/cm^2)/MeV)")
    mbox_ell_r: float = Field(1.25, description="R of the box model with dependence on the angle")
    mip_dedx: float = Field(2.105168, description="Energy loss where it is not measured (MeV/cm)")
    tracking_mode: Literal["step", "step_next", "bin_pca"] = Field(
        "bin_pca", description="How tracks are cut to measure the energy loss"
    )
    segment_length: float = Field(5.0, gt=0, description="Length of a segment (cm)")
    anchor_point: bool = Field(True, description="Begin at the point nearest to the start of the track")
    min_count: int = Field(10, description="Fewest points of a segment whose energy loss is measured")

    @property
    def law(self) -> BirksModel | BoxModel:
        """The model with its parameters."""
        if self.model == "birks":
            return BirksModel(self.efield, self.birks_a, self.birks_k)
        ellipsoid = self.mbox_ell_r if self.model == "mbox_ell" else 1.0
        return BoxModel(self.efield, self.mbox_alpha, self.mbox_beta, ellipsoid)

    def survival(self) -> float:
        """Share of the electrons of a minimum ionising particle that escape."""
        return float(self.law.survival(self.mip_dedx))

    def forward(self, hits: Hits) -> FloatArray:
        """Energies in MeV: by the energy loss along tracks where it is measured, else that of ``mip_dedx``."""
        energies = hits.values * LIQUID_ARGON.pair_energy / self.survival()
        for rows in _chunks(hits):
            self._follow(hits, rows, energies)
        return np.asarray(energies)

    def _follow(self, hits: Hits, rows: IntArray, energies: FloatArray) -> None:
        """Replace the energies of the points of a track, by segment."""
        how = Tracking(self.tracking_mode, self.segment_length, self.anchor_point, self.min_count)
        segments = track_segments(hits.points[rows], None, how)
        cosines = np.abs(segments.directions @ hits.detector.drifts[0])
        for i, length in enumerate(segments.lengths):
            own = rows[segments.rows[segments.offsets[i] : segments.offsets[i + 1]]]
            charge = hits.values[own].sum()
            if len(own) >= self.min_count and length > 0 and charge > 0:
                local = charge / length
                loss = float(self.law.energy_loss(local, cosines[i] if self.model == "mbox_ell" else 0.0))
                energies[own] = hits.values[own] * loss / local

    def backward(self, hits: Hits) -> FloatArray:
        """Electrons that escape, with the energy loss ``mip_dedx`` everywhere."""
        if (hits.tracks >= 0).any():
            raise ConfigError(
                "recombination along tracks cannot be undone", where="calibration", mend="set do_tracking: false"
            )
        return np.asarray(hits.values * self.survival() / LIQUID_ARGON.pair_energy)


def _chunks(hits: Hits) -> list[IntArray]:
    """Rows of each track in each drift volume."""
    rows = np.flatnonzero(hits.tracks >= 0)
    if len(rows) == 0:
        return []
    keys = hits.tracks[rows] * len(hits.detector.tpcs) + hits.tpcs[rows]
    order = np.argsort(keys, kind="stable")
    new: BoolArray = np.diff(keys[order]) > 0
    return list(np.split(rows[order], np.flatnonzero(new) + 1))
