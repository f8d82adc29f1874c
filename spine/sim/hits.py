"""Energy deposits as pieces inside the voxels of the image."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spine.sim.config import ImageConfig
from spine.sim.transport import Deposits
from spine.sim.voxelise import split_lines

__all__ = ["EnergyBudget", "Hits", "make_hits", "voxel_cells"]

Array = NDArray[np.float64]
Index = NDArray[np.int64]


@dataclass(frozen=True)
class EnergyBudget:
    """Where the deposited energy went (MeV).

    Attributes
    ----------
    deposited, outside, below_threshold, image : float
        In all the argon; outside the image; in dropped voxels under the threshold; in the voxels of the event.
        The first is the sum of the others, to rounding.
    """

    deposited: float
    outside: float
    below_threshold: float
    image: float


@dataclass(frozen=True)
class Hits:
    """Pieces of deposits in the voxels that are kept, sorted by voxel.

    Attributes
    ----------
    voxel : (N,) int64
        Identifiers of the kept voxels in rising order, ``x + nx (y + ny z)``.
    row, track : (M,) int64
        Rows of the voxel and of the track of each piece.
    energy, length : (M,) float64
        Energy (MeV) and path length (cm).
    start, end, start_time, end_time : (M, 3) and (M,) float64
        Ends (cm) and times there (ns).
    """

    voxel: Index
    row: Index
    track: Index
    energy: Array
    length: Array
    start: Array
    end: Array
    start_time: Array
    end_time: Array


def voxel_cells(voxel: Index, cells: tuple[int, int, int]) -> Index:
    """Cells (N, 3) of voxel identifiers ``x + nx (y + ny z)``, as in larcv."""
    nx, ny, _ = cells
    return np.stack([voxel % nx, voxel // nx % ny, voxel // (nx * ny)], 1)


def make_hits(deposits: Deposits, image: ImageConfig) -> tuple[Hits, EnergyBudget]:
    """Split deposits over the voxels of the image and drop the voxels under the threshold.

    Parameters
    ----------
    deposits : Deposits
        Lines and points.
    image : ImageConfig
        Grid and threshold.

    Returns
    -------
    Hits, EnergyBudget
        Kept pieces, and where the energy went.
    """
    lower = np.array(image.lower)
    size = image.voxel_size
    pieces = split_lines((deposits.start - lower) / size, (deposits.end - lower) / size, image.cells)
    energy = deposits.energy[pieces.line] * (pieces.leave - pieces.enter)
    nx, ny, _ = image.cells
    voxel = pieces.cell[:, 0] + nx * (pieces.cell[:, 1] + ny * pieces.cell[:, 2])
    unique, row = np.unique(voxel, return_inverse=True)
    total = np.bincount(row, energy, len(unique))
    keep = (total > 0) & (total >= image.voxel_threshold)
    kept = keep[row] & (energy > 0)
    new_row = (np.cumsum(keep) - 1)[row]
    chosen = np.flatnonzero(kept)
    order = chosen[np.argsort(new_row[chosen], kind="stable")]
    everything, inside = float(deposits.energy.sum()), float(energy.sum())
    seen = float(total[keep].sum())
    hits = _cut(deposits, pieces.line[order], pieces.enter[order], pieces.leave[order], energy[order])
    return (
        Hits(unique[keep], new_row[order], *hits),
        EnergyBudget(everything, max(everything - inside, 0.0), max(inside - seen, 0.0), seen),
    )


def _cut(
    deposits: Deposits, line: Index, enter: Array, leave: Array, energy: Array
) -> tuple[Index, Array, Array, Array, Array, Array, Array]:
    step = deposits.end[line] - deposits.start[line]
    start = deposits.start[line] + enter[:, None] * step
    end = deposits.start[line] + leave[:, None] * step
    duration = deposits.end_time[line] - deposits.start_time[line]
    first = deposits.start_time[line] + enter * duration
    last = deposits.start_time[line] + leave * duration
    length = np.linalg.norm(step, axis=1) * (leave - enter)
    return deposits.track[line], energy, length, start, end, first, last
