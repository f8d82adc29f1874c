"""Energy deposits as pieces inside the voxels of the image."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

import numpy as np
from numpy.typing import NDArray

from spine.sim.config import ImageConfig
from spine.sim.readout import Readout, free_electrons, measured, spread
from spine.sim.transport import Deposits
from spine.sim.volume import Volume
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
    value : (N,) float64, optional
        What is read out of each voxel, where the response of the detector is simulated.
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
    value: Array | None = None


def voxel_cells(voxel: Index, cells: tuple[int, int, int]) -> Index:
    """Cells (N, 3) of voxel identifiers ``x + nx (y + ny z)``, as in larcv."""
    nx, ny, _ = cells
    return np.stack([voxel % nx, voxel // nx % ny, voxel // (nx * ny)], 1)


@dataclass(frozen=True)
class _Parts:
    """Pieces of deposits in cells of the image.

    Line and cell, ends along the line, energy (MeV), electrons, and share of the piece that is in this cell.
    """

    line: Index
    cell: Index
    enter: Array
    leave: Array
    energy: Array
    electrons: Array
    share: Array


def make_hits(
    deposits: Deposits, image: ImageConfig, volume: Volume | None = None, readout: Readout | None = None
) -> tuple[Hits, EnergyBudget]:
    """Split deposits over the voxels of the image and drop the voxels under the threshold.

    Parameters
    ----------
    deposits : Deposits
        Lines and points.
    image : ImageConfig
        Grid and threshold.
    volume : Volume, optional
        Drift volumes outside of which nothing is seen.
    readout : Readout, optional
        Response of the detector.

    Returns
    -------
    Hits, EnergyBudget
        Kept pieces, and where the energy went.
    """
    parts = _parts(deposits, image, volume)
    if readout is not None:
        parts = _read_out(deposits, parts, image, readout)
    nx, ny, _ = image.cells
    voxel = parts.cell[:, 0] + nx * (parts.cell[:, 1] + ny * parts.cell[:, 2])
    unique, row = np.unique(voxel, return_inverse=True)
    total = np.bincount(row, parts.energy, len(unique))
    keep = (total > 0) & (total >= image.voxel_threshold)
    value = None
    if readout is not None:
        value = measured(np.bincount(row, parts.electrons, len(unique)).astype(np.float64), readout)
        keep &= (value > 0) & (value >= readout.cfg.threshold)
    chosen = np.flatnonzero(keep[row] & (parts.energy > 0))
    new_row = (np.cumsum(keep) - 1)[row]
    order = chosen[np.argsort(new_row[chosen], kind="stable")]
    everything, inside = float(deposits.energy.sum()), float(parts.energy.sum())
    seen = float(total[keep].sum())
    return (
        Hits(unique[keep], new_row[order], *_cut(deposits, parts, order), None if value is None else value[keep]),
        EnergyBudget(everything, max(everything - inside, 0.0), max(inside - seen, 0.0), seen),
    )


def _parts(deposits: Deposits, image: ImageConfig, volume: Volume | None) -> _Parts:
    lower, size = np.array(image.lower), image.voxel_size
    pieces = split_lines((deposits.start - lower) / size, (deposits.end - lower) / size, image.cells)
    energy = deposits.energy[pieces.line] * (pieces.leave - pieces.enter)
    parts = _Parts(pieces.line, pieces.cell, pieces.enter, pieces.leave, energy, energy, np.ones(len(energy)))
    if volume is None:
        return parts
    return _chosen(parts, volume.rows(_middles(deposits, parts)) >= 0)


def _chosen(parts: _Parts, rows: Index | NDArray[np.bool_]) -> _Parts:
    return _Parts(*(getattr(parts, f.name)[rows] for f in fields(_Parts)))


def _middles(deposits: Deposits, parts: _Parts) -> Array:
    place = 0.5 * (parts.enter + parts.leave)[:, None]
    start = deposits.start[parts.line]
    return np.asarray(start + place * (deposits.end[parts.line] - start))


def _read_out(deposits: Deposits, parts: _Parts, image: ImageConfig, readout: Readout) -> _Parts:
    """Turn energy into electrons and let them diffuse."""
    parts = replace(parts, electrons=parts.energy * free_electrons(deposits, readout)[parts.line])
    cfg = readout.cfg
    if max(cfg.longitudinal_diffusion, cfg.transverse_diffusion) == 0 or len(parts.line) == 0:
        return parts
    found = spread(_middles(deposits, parts), parts.cell, readout, np.array(image.lower), image.voxel_size)
    wide = _chosen(parts, found.piece)
    wide = replace(
        wide,
        cell=found.cell,
        energy=wide.energy * found.share,
        electrons=wide.electrons * found.share,
        share=found.share,
    )
    return _chosen(wide, np.all((found.cell >= 0) & (found.cell < np.array(image.cells)), axis=1))


def _cut(deposits: Deposits, parts: _Parts, order: Index) -> tuple[Index, Array, Array, Array, Array, Array, Array]:
    line, enter, leave = parts.line[order], parts.enter[order], parts.leave[order]
    step = deposits.end[line] - deposits.start[line]
    start = deposits.start[line] + enter[:, None] * step
    end = deposits.start[line] + leave[:, None] * step
    duration = deposits.end_time[line] - deposits.start_time[line]
    first = deposits.start_time[line] + enter * duration
    last = deposits.start_time[line] + leave * duration
    length = np.linalg.norm(step, axis=1) * (leave - enter) * parts.share[order]
    return deposits.track[line], parts.energy[order], length, start, end, first, last
