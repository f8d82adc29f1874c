"""Species of stopping tracks from their energy loss against residual range."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from spine.errors import DataError
from spine.ops.arrays import FloatArray, RealArray
from spine.physics.csda import csda_dedx
from spine.physics.energy_loss import bethe_ke, most_probable_loss, stopping_power
from spine.physics.tracking import Tracking, dedx_profile
from spine.schema.enums import Pid
from spine.schema.species import PID_MASSES

__all__ = ["Identification", "TemplateOptions", "expected_dedx", "identify", "template_chi2"]


@dataclass(frozen=True)
class TemplateOptions:
    """How tracks are compared with templates.

    Parameters
    ----------
    pids : tuple of int
        Species to try.
    source : {'table', 'mean', 'mpv'}
        Range tables, Bethe's mean, or the most probable loss.
    fit_range : bool
        Let the track stop up to ``max_range`` (cm) beyond its end.
    max_range : float
    both_ends : bool
        Try either end as the stopping one.
    tracking : Tracking
        How the track is cut into segments.
    thickness : float
        Layer of the most probable loss, cm.
    """

    pids: tuple[int, ...] = (Pid.MUON, Pid.PION, Pid.PROTON, Pid.KAON)
    source: Literal["table", "mean", "mpv"] = "table"
    fit_range: bool = False
    max_range: float = 100.0
    both_ends: bool = True
    tracking: Tracking = field(default_factory=Tracking)
    thickness: float = 1.0


class Identification(NamedTuple):
    """Best species (-1 for none) and chi2 per measured segment for each species tried, NaN where not measured."""

    pid: int
    chi2: FloatArray


def expected_dedx(distance: ArrayLike, pid: int, options: TemplateOptions | None = None) -> FloatArray:
    """Return the energy loss (MeV/cm) of a species at a residual range (cm)."""
    options = options or TemplateOptions()
    if options.source == "table":
        return csda_dedx(distance, pid)
    mass = float(PID_MASSES[pid])
    ke = bethe_ke(distance, mass)
    if options.source == "mean":
        return stopping_power(ke, mass)
    if options.source == "mpv":
        return most_probable_loss(ke, mass, options.thickness) / options.thickness
    raise DataError("unknown template", got=options.source, expected=("table", "mean", "mpv"))


def template_chi2(dedx: RealArray, distance: RealArray, pid: int, options: TemplateOptions | None = None) -> float:
    """Return the mean of (measured - expected)^2 / measured (MeV/cm) over segments of positive loss.

    ``dedx`` (S,) in MeV/cm, ``distance`` (S,) from the stopping end in cm. With ``fit_range`` the least over the
    distance left out at the end. NaN without segments.
    """
    options = options or TemplateOptions()
    measured = np.asarray(dedx, dtype=np.float64) > 0
    if not measured.any():
        return float("nan")
    values, places = np.asarray(dedx, np.float64)[measured], np.asarray(distance, np.float64)[measured]

    def chi2(offset: float) -> float:
        expected = expected_dedx(places + offset, pid, options)
        return float(np.mean((values - expected) ** 2 / values))

    if not options.fit_range:
        return chi2(0.0)
    grid = np.linspace(0.0, options.max_range, 41)
    rough = [chi2(offset) for offset in grid]
    best = int(np.argmin(rough))
    bounds = (grid[max(best - 1, 0)], grid[min(best + 1, 40)])
    from scipy.optimize import minimize_scalar

    return min(rough[best], float(minimize_scalar(chi2, bounds=bounds, method="bounded").fun))


def identify(
    points: RealArray,
    values: RealArray,
    end: RealArray,
    start: RealArray | None = None,
    options: TemplateOptions | None = None,
) -> Identification:
    """Compare one track with the templates of several species; the least chi2 over the ends tried counts.

    (N, 3) points in cm with (N,) values in MeV; the start is needed only to try both ends.
    """
    options = options or TemplateOptions()
    ends = [end] if start is None or not options.both_ends else [end, start]
    table = np.full((len(ends), len(options.pids)), np.nan)
    for row, stop in enumerate(ends):
        profile = dedx_profile(points, values, stop, options.tracking)
        for column, pid in enumerate(options.pids):
            table[row, column] = template_chi2(profile.dedx, profile.distance, pid, options)
    chi2 = np.fmin.reduce(table, axis=0)
    known = np.isfinite(chi2)
    best = int(np.argmin(np.where(known, chi2, np.inf))) if known.any() else -1
    return Identification(int(options.pids[best]) if best >= 0 else -1, chi2)
