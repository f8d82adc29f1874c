"""Range of stopping tracks in liquid argon: published tables where they exist, the Bethe formula elsewhere."""

from __future__ import annotations

from functools import lru_cache
from importlib.resources import files
from typing import Literal, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import ArrayLike

from spine.errors import DataError
from spine.ops.arrays import FloatArray
from spine.physics.constants import LIQUID_ARGON
from spine.physics.energy_loss import bethe_splines, stopping_power
from spine.physics.splines import LogSpline
from spine.schema.enums import Pid
from spine.schema.species import PID_MASSES

__all__ = ["RangeSource", "RangeTable", "csda_dedx", "csda_ke", "csda_range", "range_table"]

RangeSource: TypeAlias = Literal["best", "published", "bethe"]

PUBLISHED = {Pid.MUON: "muon_liquid_argon.csv", Pid.PROTON: "proton_argon.csv"}
TRACK_PIDS = (Pid.MUON, Pid.PION, Pid.PROTON, Pid.KAON)


class RangeTable(NamedTuple):
    """Kinetic energy (MeV), stopping power (MeV/cm) and range (cm) of one species, rising, (N,) float64 each."""

    ke: FloatArray
    dedx: FloatArray
    length: FloatArray


@lru_cache(maxsize=16)
def range_table(pid: int, source: RangeSource = "best") -> RangeTable:
    """Return the range table of a muon, pion, proton or kaon (`Pid`); DataError if there is none.

    ``published``: muons from Groom, Mokhov and Striganov (PDG), protons from PSTAR (NIST; argon gas per g/cm^2, so
    without the density effect of the liquid, which matters above 1 GeV). ``bethe``: integral of
    `spine.physics.energy_loss.stopping_power`. ``best``: published if there is one.
    """
    if pid not in TRACK_PIDS or (source == "published" and pid not in PUBLISHED):
        raise DataError("no range table", got=(pid, source), expected=f"one of {[int(p) for p in TRACK_PIDS]}")
    if source == "bethe" or pid not in PUBLISHED:
        mass = float(PID_MASSES[pid])
        spline, _ = bethe_splines(mass, 1.0, LIQUID_ARGON)
        return RangeTable(spline.x, stopping_power(spline.x, mass), spline.y)
    text = files("spine.physics").joinpath("data", PUBLISHED[Pid(pid)]).read_text(encoding="utf-8")
    rows = [line for line in text.splitlines() if not line.startswith("#")]
    ke, dedx, grammage = np.loadtxt(rows[1:], delimiter=",", unpack=True)
    return RangeTable(ke, dedx * LIQUID_ARGON.density, grammage / LIQUID_ARGON.density)


@lru_cache(maxsize=64)
def _spline(pid: int, source: RangeSource, column: str) -> LogSpline:
    table = range_table(pid, source)
    if column == "dedx":
        return LogSpline(table.length, table.dedx)
    energy = LogSpline(table.length, table.ke)
    return energy if column == "ke" else energy.inverse()


def csda_ke(length: ArrayLike, pid: ArrayLike, source: RangeSource = "best") -> FloatArray:
    """Return the kinetic energy (MeV, float64) of particles of species ``pid`` that stop after a length (cm).

    Both arguments are broadcast; ``source`` is that of `range_table`, between whose rows a cubic spline in
    logarithms runs. 0 at length 0; NaN for a negative or missing length and for species without a table.
    """
    return _per_species(length, pid, source, "ke")


def csda_dedx(length: ArrayLike, pid: ArrayLike, source: RangeSource = "best") -> FloatArray:
    """Return the energy loss (MeV/cm) at a residual range (cm), with parameters as in `csda_ke`.

    Infinite at 0 for the Bethe formula, where the power law of its first points has no limit.
    """
    return _per_species(length, pid, source, "dedx")


def csda_range(ke: ArrayLike, pid: ArrayLike, source: RangeSource = "best") -> FloatArray:
    """Return the range (cm) at a kinetic energy (MeV), the inverse of `csda_ke`."""
    return _per_species(ke, pid, source, "length")


def _per_species(values: ArrayLike, pid: ArrayLike, source: RangeSource, column: str) -> FloatArray:
    points, pids = np.broadcast_arrays(np.asarray(values, dtype=np.float64), np.asarray(pid, dtype=np.int64))
    result = np.full(points.shape, np.nan)
    for species in set(np.unique(pids).tolist()).intersection(TRACK_PIDS):
        chosen = pids == species
        result[chosen] = _spline(int(species), source, column)(points[chosen])
    return result
