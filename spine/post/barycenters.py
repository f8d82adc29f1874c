"""Comparison of where charge lies with where light was seen."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from spine.errors import DataError
from spine.geometry import Optical
from spine.ops.arrays import FloatArray, IntArray, RealArray
from spine.ops.segments import lengths_to_offsets, segment_sum
from spine.schema import Ragged, Table

__all__ = ["Barycenters", "charge_barycenters", "light_axes", "pair_chi2", "principal_axes"]


class Barycenters(NamedTuple):
    """Centres (n, 3) in cm and, where asked for, principal axes (n, 2) in y and z; NaN where there are none."""

    centers: FloatArray
    axes: FloatArray | None


def charge_barycenters(points: Ragged, weights: RealArray) -> Barycenters:
    """Mean of the points (cm) of each object by positive weight, and their principal axis in y and z."""
    good = np.isfinite(points.values).all(axis=1) & np.isfinite(weights) & (weights > 0)
    values: FloatArray = points.values[good].astype(np.float64)
    charge: FloatArray = np.asarray(weights, dtype=np.float64)[good]
    offsets = lengths_to_offsets(np.bincount(points.rows[good], minlength=len(points)))
    total = segment_sum(charge, offsets)
    sums = segment_sum(charge[:, None] * values, offsets)
    centers = np.divide(sums, total[:, None], out=np.full(sums.shape, np.nan), where=total[:, None] > 0)
    return Barycenters(centers, principal_axes(values[:, 1:], charge, offsets))


def principal_axes(places: FloatArray, weights: FloatArray, offsets: IntArray) -> FloatArray:
    """(n, 2) unit vector along which each weighted set of (N, 2) places spreads most; NaN where none stands out."""
    counts = np.diff(offsets)
    owners = np.repeat(np.arange(len(counts)), counts)
    total = segment_sum(weights, offsets)
    safe = np.where(total > 0, total, 1.0)
    centred = places - (segment_sum(weights[:, None] * places, offsets) / safe[:, None])[owners]
    scatter = segment_sum(weights[:, None, None] * centred[:, :, None] * centred[:, None], offsets)
    values, vectors = np.linalg.eigh(scatter / safe[:, None, None])
    clear = (counts > 1) & (values[:, 1] > 1e-8) & ~np.isclose(values[:, 1], values[:, 0])
    axes: FloatArray = np.where(clear[:, None], vectors[:, :, 1], np.nan)
    return axes


def light_axes(flashes: Table, optical: Optical) -> FloatArray:
    """(f, 2) principal axis in y and z of the sensors of each flash, by squared photo-electrons.

    Raises
    ------
    DataError
        When a flash has other channels than the detector.
    """
    axes = np.full((len(flashes), 2), np.nan)
    for row, flash in enumerate(flashes):
        positions, channels = _sensors(optical, flash.volume_id)
        if len(flash.pe_per_ch) != len(channels):
            raise DataError(
                "a flash has other channels than the detector", where=f"flash {flash.id}",
                got=len(flash.pe_per_ch), expected=len(channels), mend="set the geo.detector that took the data",
            )  # fmt: skip
        places, place = np.unique(positions[:, 1:], axis=0, return_inverse=True)
        light: FloatArray = np.zeros(len(places))
        np.add.at(light, place.reshape(-1)[channels], flash.pe_per_ch)
        lit = light > 0
        axes[row] = principal_axes(places[lit], light[lit] ** 2, np.array([0, lit.sum()], dtype=np.int64))[0]
    return axes


def _sensors(optical: Optical, volume: int) -> tuple[FloatArray, np.ndarray[tuple[int], np.dtype[np.int64]]]:
    """Positions of the sensors that a flash can see, and the sensor of each channel."""
    count = optical.positions.shape[1]
    channels = np.arange(count) if optical.det_ids is None else optical.det_ids
    if optical.global_index:
        volumes = len(optical.positions)
        shifts = np.repeat(np.arange(volumes) * count, len(channels))
        return optical.positions.reshape(-1, 3), np.tile(channels, volumes) + shifts
    if not 0 <= volume < len(optical.positions):
        raise DataError("a flash is in no optical volume", got=volume, expected=f"0 to {len(optical.positions) - 1}")
    return optical.positions[volume], channels


def pair_chi2(first: FloatArray, second: FloatArray, errors: FloatArray) -> FloatArray:
    """(f, n) sum of squared differences of (f, d) and (n, d) places over (d,) errors."""
    chi2: FloatArray = (((first[:, None] - second[None]) / errors) ** 2).sum(axis=2)
    return chi2
