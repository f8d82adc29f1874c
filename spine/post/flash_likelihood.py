"""Flashes whose light, sensor by sensor, is that expected from the charge of an interaction."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from spine.errors import ConfigError, DataError
from spine.geometry import Detector, Optical
from spine.ops.arrays import BoolArray, FloatArray, IntArray
from spine.physics.light import photon_yield
from spine.post.flash_options import FlashMatchConfig
from spine.post.flash_pairs import Pairs, chosen_flashes, counted, reported, shift_to_reference, volume_rows
from spine.post.light_models import LightModel, Sensors, sensors_of
from spine.post.objects import Objects
from spine.schema import Ragged, Table
from spine.schema.detector_records import FlashHypothesis

__all__ = ["Prediction", "hypotheses", "likelihood_chi2", "likelihood_pairs"]


class Prediction(NamedTuple):
    """What was compared in one volume.

    ``rows`` (k,) are the interactions, ``light`` (k, c) what each channel should see of them, ``flashes`` (f,) and
    ``chi2`` (f, k) how well that fits, infinite for pairs that cannot match.
    """

    volume: int
    rows: IntArray
    light: FloatArray
    flashes: IntArray
    chi2: FloatArray


def likelihood_chi2(seen: FloatArray, expected: FloatArray, floor: float = 0.1) -> FloatArray:
    """Twice the log of the likelihood ratio of (..., c) counts to (..., c) Poisson expectations, over all channels.

    S. Baker, R. D. Cousins, Nucl. Instrum. Meth. A 221, 437 (1984). ``floor`` is added to the expectation.
    """
    mean = expected + floor
    counts = np.maximum(seen, 0.0)
    logs = counts * np.log(np.where(counts > 0, counts, 1.0) / mean)
    return np.asarray(2 * (mean - counts + logs).sum(axis=-1))


def likelihood_pairs(
    objects: Objects, flashes: Table, cfg: FlashMatchConfig, detector: Detector
) -> tuple[list[Pairs], list[Prediction]]:
    """Matches in each volume, and what they were made of.

    Raises
    ------
    ConfigError
        When the detector has no light sensors.
    """
    if detector.optical is None:
        raise ConfigError(
            "the detector has no light sensors", where="post.flash_match.method", got=detector.name,
            mend="set method: barycenter",
        )  # fmt: skip
    found = list(_predictions(objects, flashes, cfg, detector, detector.optical))
    pairs = []
    for one in found:
        first, second = reported(one.chi2, cfg)
        scores = 1.0 / np.maximum(one.chi2[first, second], cfg.chi2_floor)
        pairs.append(Pairs(one.flashes[first], one.rows[second], scores, one.light[second].sum(axis=1)))
    return pairs, found


def _predictions(
    objects: Objects, flashes: Table, cfg: FlashMatchConfig, detector: Detector, optical: Optical
) -> Iterator[Prediction]:
    """Expected light and chi square per channel of all flashes and interactions, volume by volume."""
    volumes, model = volume_rows(objects, cfg, detector), cfg.light
    lit = np.unique(flashes["volume_id"])
    wanted = np.union1d(lit, np.arange(len(optical.positions))) if cfg.stores else lit
    for volume in wanted.tolist():
        inside = volumes == volume
        rows = np.flatnonzero(counted(objects, inside, cfg, least=1))
        sensors = sensors_of(optical, volume if cfg.ref_volume_id is None else cfg.ref_volume_id)
        chosen = chosen_flashes(flashes, volume, cfg)
        seen = _seen(flashes, chosen, len(sensors.channels))
        shift = shift_to_reference(volume, cfg, detector)
        sources = _sources(objects, rows, inside, cfg, detector)
        light = _light(sources, sensors, model, shift, 0.0)
        chi2 = np.full((len(chosen), len(rows)), np.inf)
        for i, time in enumerate(flashes["time"][chosen]):
            moved = light
            if cfg.driftv is not None:
                moved = _light(sources, sensors, model, shift, float(time) * cfg.driftv)
            chi2[i] = _compared(seen[i], moved, cfg)
        yield Prediction(volume, rows, light, chosen, chi2)


def _seen(flashes: Table, rows: IntArray, channels: int) -> FloatArray:
    """(f, c) photo-electrons of flashes."""
    found: Ragged = flashes["pe_per_ch"][rows]
    if (found.lengths != channels).any():
        raise DataError(
            "a flash has other channels than the detector", where=f"flash {flashes['id'][rows][0]}",
            got=found.lengths.tolist(), expected=channels, mend="set the geo.detector that took the data",
        )  # fmt: skip
    return found.values.reshape(len(rows), channels).astype(np.float64)


class _Source(NamedTuple):
    """Where light of an interaction is made: places (cm), photons, and the (n, 3) direction to the anode."""

    places: FloatArray
    photons: FloatArray
    drifts: FloatArray


def _sources(
    objects: Objects, rows: IntArray, inside: BoolArray, cfg: FlashMatchConfig, detector: Detector
) -> list[_Source]:
    """Sources of light of interactions in a volume."""
    points, values = objects.points(), objects.depositions(cfg.truth_dep_mode).values
    drifts = detector.drifts[detector.tpc_rows(objects.sources().values)]
    energies = cfg.scaling * np.maximum(values.astype(np.float64), 0.0)
    photons = photon_yield(energies, cfg.recombination_mip, cfg.alpha)
    found = []
    for row in rows:
        own = np.arange(points.offsets[row], points.offsets[row + 1])
        own = own[inside[own]]
        found.append(_Source(points.values[own].astype(np.float64), photons[own], drifts[own]))
    return found


def _light(sources: list[_Source], sensors: Sensors, model: LightModel, shift: FloatArray, drift: float) -> FloatArray:
    """(k, c) photo-electrons that each channel should see, charge being moved, also towards the anode (cm)."""
    light = np.zeros((len(sources), len(sensors.channels)))
    for i, one in enumerate(sources):
        light[i] = model(one.places + shift + drift * one.drifts, one.photons, sensors)[sensors.channels]
    return light


def _compared(seen: FloatArray, light: FloatArray, cfg: FlashMatchConfig) -> FloatArray:
    """(k,) chi square per channel of one flash with each expectation; infinite above the limit, or without light."""
    used = np.setdiff1d(np.arange(light.shape[1]), cfg.masked_channels)
    seen, expected = seen[used], light[:, used]
    total = expected.sum(axis=1, keepdims=True)
    if cfg.normalise:
        expected = np.divide(expected * seen.sum(), total, out=np.zeros_like(expected), where=total > 0)
    chi2 = likelihood_chi2(seen[None], expected, cfg.min_expected) / max(len(used), 1)
    good = (total[:, 0] > 0) & (chi2 <= (np.inf if cfg.max_chi2 is None else cfg.max_chi2))
    return np.where(good, chi2, np.inf)


def hypotheses(
    predictions: list[Prediction], pairs: list[Pairs], named: Ragged, cfg: FlashMatchConfig, truth: bool
) -> Table:
    """Expected light of each interaction and volume; matches are named with it, further ones in rows of their own.

    Parameters
    ----------
    predictions, pairs : list
        Of each volume.
    named : Ragged
        Numbers by which each flash is called.
    cfg : FlashMatchConfig
    truth : bool
        Whether the interactions are true ones.
    """
    records: list[dict[str, object]] = []
    for one, match in zip(predictions, pairs, strict=True):
        chosen = (match.flashes, match.interactions, match.scores)
        if cfg.store_all_hypotheses:
            first, second = np.nonzero(np.isfinite(one.chi2))
            chosen = (one.flashes[first], one.rows[second], 1.0 / np.maximum(one.chi2[first, second], cfg.chi2_floor))
        for row, light in zip(one.rows, one.light, strict=True):
            own = np.flatnonzero(chosen[1] == row)
            base = {"interaction_id": int(row), "volume_id": one.volume, "is_truth": truth, "pe_per_ch": light}
            matched = [base | {"score": chosen[2][i], "flash_ids": named[int(chosen[0][i])]} for i in own]
            records += matched or [base | {"score": np.nan, "flash_ids": np.empty(0, np.int32)}]
    columns = {name: [record[name] for record in records] for name in (records[0] if records else {})}
    return Table(FlashHypothesis, len(records), {"id": np.arange(len(records)), **columns})
