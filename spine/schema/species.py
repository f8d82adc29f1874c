"""Species and classes: masses, PDG codes, and which go together."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from spine.schema.enums import Pid, Shape

__all__ = [
    "PDG_TO_PID",
    "PID_MASSES",
    "PID_TAGS",
    "PID_TO_PDG",
    "SHAPE_PRECEDENCE",
    "SHAPE_TO_PID",
    "SHAPE_TO_PRIMARY",
    "mass_of",
    "pdg_of",
    "pid_of",
]

PID_MASSES: Final = np.array([0.0, 0.51099895, 105.6583755, 139.57039, 938.27208943, 493.677])
"""(6,) rest masses by species in MeV/c^2 (S. Navas et al., PDG, Phys. Rev. D 110, 030001 (2024))."""

PID_TO_PDG: Final = np.array([22, 11, 13, 211, 2212, 321], dtype=np.int64)
"""(6,) PDG code without sign by species."""

PDG_TO_PID: Final = {
    22: 0, 11: 1, -11: 1, 13: 2, -13: 2, 211: 3, -211: 3, 2212: 4, 321: 5, -321: 5,
}  # fmt: skip
"""Species of each PDG code; others have none (-1)."""

PID_TAGS: Final = ("g", "e", "mu", "pi", "p", "ka")
"""Short name of each species, as used in the topology of an interaction."""

SHAPE_PRECEDENCE: Final = (1, 2, 0, 3, 4, 6, 5)
"""Class that a voxel takes when several deposit in it, first wins: track, Michel, shower, delta, low energy."""

SHAPE_TO_PID: Final = {
    Shape.SHOWER: (Pid.PHOTON, Pid.ELECTRON),
    Shape.TRACK: (Pid.MUON, Pid.PION, Pid.PROTON, Pid.KAON),
    Shape.DELTA: (Pid.ELECTRON,),
    Shape.MICHEL: (Pid.ELECTRON,),
}
"""Species that an object of a class can be."""

SHAPE_TO_PRIMARY: Final = {Shape.SHOWER: (0, 1), Shape.TRACK: (0, 1), Shape.DELTA: (0,), Shape.MICHEL: (0,)}
"""Whether an object of a class can be secondary (0) or primary (1)."""


def _lookup(values: NDArray[np.generic], pid: ArrayLike, missing: object) -> NDArray[np.generic]:
    index = np.asarray(pid, dtype=np.int64)
    known = (index >= 0) & (index < len(values))
    return np.where(known, values[np.where(known, index, 0)], missing)  # type: ignore[call-overload, no-any-return]


def mass_of(pid: ArrayLike) -> NDArray[np.float64]:
    """(n,) rest mass in MeV/c^2 of each species, NaN where unknown."""
    return _lookup(PID_MASSES, pid, np.nan).astype(np.float64)


def pdg_of(pid: ArrayLike) -> NDArray[np.int64]:
    """(n,) PDG code without sign of each species, 0 where unknown."""
    return _lookup(PID_TO_PDG, pid, 0).astype(np.int64)


def pid_of(pdg: ArrayLike) -> NDArray[np.int64]:
    """(n,) species of each PDG code, -1 where it is not one of the six."""
    codes = np.asarray(pdg, dtype=np.int64)
    return np.array([PDG_TO_PID.get(int(code), -1) for code in codes.ravel()], dtype=np.int64).reshape(codes.shape)
