"""Energy loss near the start or the end of many particles at once."""

from __future__ import annotations

from typing import NamedTuple

import numba
import numpy as np

from spine.ops.arrays import FloatArray, IntArray, NumberArray, RealArray
from spine.ops.segments import check_offsets, offsets_to_owners, segment_argmax

__all__ = ["LocalDedx", "anchor_refs", "directed_dedx", "local_dedx"]


class LocalDedx(NamedTuple):
    """dE/dx (MeV/cm), energy (MeV), length (cm), mean distance from the axis (cm) and number of points, (n,) each.

    All but the number are NaN where fewer than two points or no length are left.
    """

    dedx: FloatArray
    energy: FloatArray
    length: FloatArray
    spread: FloatArray
    size: IntArray


def anchor_refs(points: RealArray, offsets: NumberArray, refs: RealArray) -> FloatArray:
    """Return for each particle its point nearest to its (3,) reference, (n, 3) float64; NaN without points."""
    cloud: FloatArray = np.ascontiguousarray(points, dtype=np.float64).reshape(-1, 3)
    ends = check_offsets(offsets, len(cloud))
    gaps = np.linalg.norm(cloud - np.asarray(refs, dtype=np.float64)[offsets_to_owners(ends)], axis=1)
    rows = segment_argmax(-gaps, ends)
    nearest = np.full((len(rows), 3), np.nan)
    nearest[rows >= 0] = cloud[rows[rows >= 0]]
    return nearest


def local_dedx(
    points: RealArray, offsets: NumberArray, values: RealArray, refs: RealArray, radius: float = 3.0
) -> FloatArray:
    """Return the energy within a radius over the distance of the farthest point in it, (n,) float64, MeV/cm.

    Parameters
    ----------
    points, offsets : (N, 3) float array in cm, (n + 1,) int array
    values : (N,) float array, MeV
    refs : (n, 3) float array
        End of each particle, cm.
    radius : float
        cm; the whole particle if not positive.

    Notes
    -----
    NaN where fewer than two points or no distance are left.
    """
    return _measure(points, offsets, values, refs, None, radius).dedx


def directed_dedx(
    points: RealArray,
    offsets: NumberArray,
    values: RealArray,
    refs: RealArray,
    directions: RealArray,
    radius: float = 3.0,
) -> LocalDedx:
    """Return the energy within a radius ahead of an end over the extent along the (n, 3) unit directions.

    Directions point into the particle; points more than 0.01 mm behind the end are left out. The other parameters
    are those of `local_dedx`.
    """
    return _measure(points, offsets, values, refs, directions, radius)


def _measure(
    points: RealArray,
    offsets: NumberArray,
    values: RealArray,
    refs: RealArray,
    directions: RealArray | None,
    radius: float,
) -> LocalDedx:
    cloud: FloatArray = np.ascontiguousarray(points, dtype=np.float64).reshape(-1, 3)
    energies: FloatArray = np.ascontiguousarray(values, dtype=np.float64)
    starts: FloatArray = np.ascontiguousarray(refs, dtype=np.float64).reshape(-1, 3)
    rays = np.zeros_like(starts) if directions is None else np.asarray(directions, np.float64).reshape(-1, 3)
    ends = check_offsets(offsets, len(cloud))
    reach = radius if radius > 0 else np.inf
    table: FloatArray = _local(cloud, ends, energies, starts, np.ascontiguousarray(rays), float(reach))
    return LocalDedx(table[:, 0], table[:, 1], table[:, 2], table[:, 3], table[:, 4].astype(np.int64))


@numba.njit(cache=True)
def _local(
    points: FloatArray,
    offsets: IntArray,
    values: FloatArray,
    refs: FloatArray,
    rays: FloatArray,
    radius: float,
) -> FloatArray:
    """Return dE/dx, energy, length, spread and size per particle; a zero ray stands for no direction."""
    table = np.full((len(refs), 5), np.nan)
    for particle in range(len(refs)):
        directed = (rays[particle] != 0.0).any()
        low, high, energy, spread, count = np.inf, -np.inf, 0.0, 0.0, 0
        for row in range(offsets[particle], offsets[particle + 1]):
            line = points[row] - refs[particle]
            gap = np.sqrt((line * line).sum())
            along = (line * rays[particle]).sum() if directed else gap
            if gap <= radius and along >= -1e-3:
                low, high = min(low, along), max(high, along)
                energy += values[row]
                spread += np.sqrt(((line - along * rays[particle]) ** 2).sum())
                count += 1
        table[particle, 4] = count
        length = high - low if directed else high
        if count > 1 and length > 0.0:
            table[particle, :4] = np.array([energy / length, energy, length, spread / count])
    return table
