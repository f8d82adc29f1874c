"""What is calibrated: points with a value each, and where and when they were recorded."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spine.geometry import Detector
from spine.ops.arrays import FloatArray, IntArray, RealArray

__all__ = ["Hits", "hits_of"]


@dataclass(frozen=True)
class Hits:
    """Points and their values, in one step of a calibration.

    Parameters
    ----------
    points : (n, 3) float64
        Positions, cm.
    values : (n,) float64
        Depositions: ADC counts, electrons or MeV, as far as the calibration has come.
    tpcs : (n,) int64
        Drift volume that recorded each point, a row of ``detector.tpcs``.
    tracks : (n,) int64
        Which track a point belongs to, -1 for none.
    detector : Detector
    run : int, optional
        Number of the run, for constants that change with time.
    """

    points: FloatArray
    values: FloatArray
    tpcs: IntArray
    tracks: IntArray
    detector: Detector
    run: int | None = None


def hits_of(
    points: RealArray,
    values: RealArray,
    detector: Detector,
    sources: NDArray[Any] | None = None,
    tracks: IntArray | None = None,
    run: int | None = None,
) -> Hits:
    """Hits of points (cm) and values; without sources (module and TPC) each point is of the nearest drift volume."""
    places = np.asarray(points, dtype=np.float64).reshape(-1, 3)
    tpcs = detector.nearest_tpcs(places) if sources is None else detector.tpc_rows(np.asarray(sources))
    owners = np.full(len(places), -1, dtype=np.int64) if tracks is None else tracks
    return Hits(places, np.asarray(values, dtype=np.float64), tpcs, owners, detector, run)
