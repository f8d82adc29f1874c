"""Columns of objects and tables in which SPINE is wrong or leaves the choice open, and by how much."""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spine.schema import Ragged
from tests.golden.findings import RELATIVE

__all__ = ["EXCEPTIONS", "Exempt", "exception_of", "is_blank"]

Array = NDArray[Any]

BLANKS = ("", "nan", "False", "0", "0.0", "-1", "-1.0")
"""Texts of values that stand for nothing."""


@dataclass(frozen=True)
class Exempt:
    """Columns which may deviate.

    Parameters
    ----------
    patterns : str
        Names as ``product.column`` or ``table.column``, with wildcards, separated by blanks.
    section : str
        Heading in ``docs/differences.md``.
    reason : str
        The same in short.
    relative : float
        Deviation to expect in every row.
    absolute : float
        Deviation to expect of small values, in their unit.
    share : float
        Share of rows which may deviate by more.
    factor : int
        -1 where SPINE has the wrong sign.
    unmeasured : bool
        Leave out rows for which we have no value.
    blank : bool
        Only where SPINE has no value in any row.
    ruled : bool
        Rows may be what SPINE's own rule gives (`tests.golden.rules`) instead.
    """

    patterns: str
    section: str
    reason: str
    relative: float = RELATIVE
    absolute: float = 0.0
    share: float = 0.0
    factor: int = 1
    unmeasured: bool = False
    blank: bool = False
    ruled: bool = False

    def covers(self, name: str, expected: Array | Ragged) -> bool:
        """Whether the exception is about a column."""
        named = any(fnmatchcase(name, pattern) for pattern in self.patterns.split())
        return named and (not self.blank or is_blank(expected))


EXCEPTIONS: list[Exempt] = [
    Exempt(
        "save_*_depositions*_sum save_*_num_primary_particles save_*_particle_counts_* save_*_topology *.truth_time",
        "Tables of objects read back", "computed anew from points which were not there", blank=True,
    ),
    Exempt(
        "truth_*.depositions_adapt_q_sum save_*.truth_depositions_adapt_q_sum",
        "Sum of uncalibrated depositions of the adapted image", "always 0", share=1.0,
    ),
    Exempt("reco_particles.mass save_*.reco_mass", "Masses", "rounded masses", 2e-3),
    Exempt(
        "*csda_ke *csda_ke_per_pid*", "Energy loss", "ranges follow from the energy loss", 1e-3, absolute=0.04,
    ),
    Exempt(
        "*mcs_ke *mcs_ke_per_pid*", "Energy loss", "energies along a track follow from the energy loss", 1e-3,
    ),
    Exempt(
        "truth_particles.reco_start_dir save_*.truth_reco_start_dir_?",
        "Directions of true particles", "the sign is wrong", 2e-3, share=0.02, factor=-1, unmeasured=True,
    ),
    Exempt(
        "truth_particles.reco_momentum save_*.truth_reco_momentum_?",
        "Directions of true particles", "the sign is wrong", 2e-3, share=0.02, factor=-1, unmeasured=True,
    ),
    Exempt(
        "truth_particles.reco_end_dir save_*.truth_reco_end_dir_?",
        "Directions of true particles", "single precision", 1e-3, unmeasured=True,
    ),
    Exempt(
        "reco_particles.start_dir reco_particles.end_dir save_*.reco_start_dir_? save_*.reco_end_dir_?",
        "Direction of a single point", "rounding makes the direction of a single point", unmeasured=True,
    ),
    Exempt(
        "reco_particles.momentum reco_particles.p save_*.reco_momentum_? save_*.reco_p",
        "Energy loss", "follows from the kinetic energy", 1e-3, absolute=0.25, unmeasured=True,
    ),
    Exempt(
        "reco_particles.ke truth_particles.reco_ke save_*.reco_ke save_*.truth_reco_ke",
        "Energy loss", "the kinetic energy of tracks", 1e-3, absolute=0.04,
    ),
    Exempt(
        "reco_interactions.vertex reco_interactions.is_fiducial save_*.reco_vertex_? save_*.reco_is_fiducial",
        "Direction of a single point", "lines of particles without a direction do not count", share=0.01,
    ),
    Exempt(
        "truth_particles.children_counts",
        "Children of true particles", "numbers of the input mixed with rows of the list", ruled=True,
    ),
    Exempt(
        "reco_particles.*_dedx save_*.reco_*_dedx *.start_straightness save_*.reco_start_straightness",
        "What cannot be measured", "0 or -1 instead of nothing", unmeasured=True,
    ),
    Exempt(
        "*.vertex_distance *.directional_spread *.axial_spread save_*.reco_vertex_distance save_*.reco_*_spread",
        "What cannot be measured", "0, -1 or minus infinity instead of nothing", unmeasured=True,
    ),
]  # fmt: skip
"""Exceptions, the first that covers a column counts; what deviates further is an error all the same."""


def is_blank(values: Array | Ragged) -> bool:
    """Whether no row has a value."""
    if isinstance(values, Ragged):
        return len(values.values) == 0
    return set(map(str, np.unique(np.asarray(values).astype(str)))) <= set(BLANKS)


def exception_of(name: str, expected: Array | Ragged) -> Exempt | None:
    """The exception for a column, None when it must agree."""
    return next((exempt for exempt in EXCEPTIONS if exempt.covers(name, expected)), None)
