"""Interactions and the flashes of light that belong to them."""

from __future__ import annotations

from typing import Literal, NamedTuple, Self

import numpy as np
from pydantic import Field, model_validator

from spine.errors import ConfigError
from spine.geometry import Detector
from spine.ops.arrays import BoolArray, FloatArray, IntArray
from spine.post.barycenters import Barycenters, charge_barycenters, light_axes, pair_chi2
from spine.post.flash_merging import FlashMerging, merge_flashes
from spine.post.objects import DepMode, Objects, PointMode, RunMode, columns, kinds, objects_of
from spine.schema import Event, Ragged, Table, offsets_of
from spine.steps import StepConfig, step

__all__ = ["FlashMatchConfig", "flash_match"]


class FlashMatchConfig(StepConfig):
    """Options of flash_match."""

    flash_key: str = Field(description="Product with the flashes")
    volume: Literal["tpc", "module"] = Field(description="What one optical volume is")
    ref_volume_id: int | None = Field(None, description="Move all charge to this volume first")
    method: Literal["barycenter"] = Field("barycenter", description="Compare where charge and light are")
    time_contained: bool = Field(False, description="Only interactions contained in time")
    max_cathode_offset: float | None = Field(None, description="Largest shift of cathode crossers (cm)")
    run_mode: RunMode = Field("reco", description="Sides: reco, truth or both")
    truth_point_mode: PointMode = Field("points", description="Points that make up true interactions")
    truth_dep_mode: DepMode = Field("depositions", description="Depositions of true interactions")
    volume_report_mode: Literal["all", "brightest"] = Field(
        "all", description="Flashes of all volumes, or the one with most photo-electrons"
    )
    merge: FlashMerging | None = Field(None, description="How flashes are merged first")
    update_flashes: bool = Field(False, description="Keep the merged flashes instead of the original ones")
    report_mode: Literal["all", "best_per_flash", "best_per_interaction"] = Field(
        "all", description="All pairs, or the best one of each flash or interaction"
    )
    dimensions: tuple[Literal[0, 1, 2], ...] = Field((1, 2), min_length=1, description="Coordinates to compare")
    charge_weighted: bool = Field(True, description="Weight points by depositions")
    time_window: tuple[float, float] | None = Field(None, description="Flashes between these times count (us)")
    first_flash_only: bool = Field(False, description="Only the first flash of each volume")
    min_inter_size: int | None = Field(None, description="Interactions with more points in the volume count")
    min_flash_pe: float | None = Field(None, description="Flashes with more photo-electrons count")
    candidate_distance: float | None = Field(None, ge=0, description="Largest distance of the centres (cm)")
    position_errors: float | tuple[float, ...] = Field(
        1.0, description="Uncertainty of positions: one, or one per coordinate (cm)"
    )
    angle_error: float | None = Field(None, gt=0, description="Uncertainty of the angle of the axes, if used (degrees)")
    max_chi2: float | None = Field(None, ge=0, description="Largest chi square")
    chi2_floor: float = Field(1e-6, gt=0, description="Chi square at which scores stop to rise")

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.report_mode == "all" and self.candidate_distance is None:
            raise ValueError("report_mode 'all' needs candidate_distance")
        if np.ndim(self.position_errors) and np.size(self.position_errors) not in (len(self.dimensions), 3):
            raise ValueError("give one position error, one per coordinate compared, or three")
        if (np.asarray(self.position_errors) <= 0).any():
            raise ValueError("position errors must be positive")
        return self

    @property
    def errors(self) -> FloatArray:
        """(d,) uncertainty of each coordinate compared, cm."""
        errors = np.asarray(self.position_errors, dtype=np.float64)
        return np.broadcast_to(errors[list(self.dimensions)] if errors.shape == (3,) else errors, len(self.dimensions))


class _Pairs(NamedTuple):
    """Matched rows of flashes and interactions, with scores."""

    flashes: IntArray
    interactions: IntArray
    scores: FloatArray


@step(
    reads=(
        "points", "depositions", "sources", "points_label", "depositions_label", "sources_label", "flashes",
        *columns(kinds("interaction"), "index", "is_time_contained", "is_cathode_crosser", "cathode_offset"),
    ),
    writes=(
        "flashes",
        *columns(
            kinds("interaction"), "is_flash_matched", "flash_ids", "flash_volume_ids", "flash_times", "flash_scores",
            "flash_total_pe", "flash_hypo_pe", "flash_hypothesis_ids",
        ),
    ),
)  # fmt: skip
def flash_match(event: Event, cfg: FlashMatchConfig, detector: Detector | None) -> None:
    """Match flashes to interactions whose charge lies where the light was seen, volume by volume.

    Parameters
    ----------
    event : Event
        Fills the flash columns of interactions; the score of a pair is 1 / chi square.
    cfg : FlashMatchConfig
    detector : Detector

    Raises
    ------
    ConfigError
        When there is no detector, or axes are to be compared and it has no light sensors.
    """
    if detector is None:
        raise ConfigError("optical volumes are those of a detector", where="post.flash_match", mend="set geo.detector")
    original = event.table(cfg.flash_key)
    parts = Ragged(np.arange(len(original)), np.arange(len(original) + 1))
    flashes = original
    if cfg.merge is not None:
        flashes, parts = merge_flashes(original, cfg.merge)
    axes = _light_axes(flashes, cfg, detector)
    for objects in objects_of(event, ("interaction",), cfg.run_mode, cfg.truth_point_mode):
        pairs = _pairs(objects, flashes, axes, cfg, detector)
        kept = cfg.merge is None or cfg.update_flashes
        _store(objects.table, pairs, flashes, flashes if kept else original, None if kept else parts)
    if cfg.merge is not None and cfg.update_flashes:
        event[cfg.flash_key] = flashes


def _light_axes(flashes: Table, cfg: FlashMatchConfig, detector: Detector) -> FloatArray | None:
    if cfg.angle_error is None:
        return None
    if detector.optical is None:
        raise ConfigError(
            "the detector has no light sensors", where="post.flash_match.angle_error", got=detector.name,
            mend="leave angle_error out",
        )  # fmt: skip
    return light_axes(flashes, detector.optical)


def _pairs(
    objects: Objects, flashes: Table, axes: FloatArray | None, cfg: FlashMatchConfig, detector: Detector
) -> _Pairs:
    """Matches of all volumes."""
    sources = objects.sources().values
    volumes = detector.tpc_rows(sources) if cfg.volume == "tpc" else np.asarray(sources[:, 0], dtype=np.int64)
    found = [_Pairs(np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0))]
    for volume in np.unique(flashes["volume_id"]):
        rows = _chosen_flashes(flashes, int(volume), cfg)
        charge = _charge(objects, volumes == volume, cfg)
        centers = charge.centers + _shift(int(volume), cfg, detector)
        light = Barycenters(flashes["center"][rows].astype(np.float64), axes[rows] if axes is not None else axes)
        chi2 = _chi2(light, Barycenters(centers, charge.axes), cfg)
        first, second = _reported(chi2, cfg)
        found.append(_Pairs(rows[first], second, 1.0 / np.maximum(chi2[first, second], cfg.chi2_floor)))
    pairs = _Pairs(*(np.concatenate(column) for column in zip(*found, strict=True)))
    return pairs if cfg.volume_report_mode == "all" else _brightest(pairs, flashes)


def _chosen_flashes(flashes: Table, volume: int, cfg: FlashMatchConfig) -> IntArray:
    kept = flashes["volume_id"] == volume
    if cfg.time_window is not None:
        kept &= (flashes["time"] > cfg.time_window[0]) & (flashes["time"] < cfg.time_window[1])
    if cfg.min_flash_pe is not None:
        kept &= flashes["total_pe"] > cfg.min_flash_pe
    rows = np.flatnonzero(kept)
    return rows[:1] if cfg.first_flash_only else rows


def _charge(objects: Objects, inside: BoolArray, cfg: FlashMatchConfig) -> Barycenters:
    """Where the charge of each interaction in a volume lies; NaN for those that do not count."""
    table, points = objects.table, objects.points()
    counts = np.bincount(points.rows[inside], minlength=len(table))
    counted = counts > max(cfg.min_inter_size or 0, 0)
    if cfg.time_contained:
        counted &= table["is_time_contained"]
    if cfg.max_cathode_offset is not None:
        counted &= ~(table["is_cathode_crosser"] & (np.abs(table["cathode_offset"]) > cfg.max_cathode_offset))
    values = objects.depositions(cfg.truth_dep_mode).values[inside]
    weights = values if cfg.charge_weighted else np.ones_like(values)
    found = charge_barycenters(Ragged(points.values[inside], offsets_of(counts)), weights)
    return Barycenters(np.where(counted[:, None], found.centers, np.nan), found.axes)


def _shift(volume: int, cfg: FlashMatchConfig, detector: Detector) -> FloatArray:
    """(3,) way from a volume to the one in which all charge is compared, cm."""
    if cfg.ref_volume_id is None:
        return np.zeros(3)
    boxes = detector.tpcs if cfg.volume == "tpc" else detector.modules
    way: FloatArray = boxes[cfg.ref_volume_id].mean(axis=1) - boxes[volume].mean(axis=1)
    return way


def _chi2(light: Barycenters, charge: Barycenters, cfg: FlashMatchConfig) -> FloatArray:
    """(f, n) chi square of each flash and interaction, infinite for pairs that cannot match."""
    places = [side.centers[:, list(cfg.dimensions)] for side in (light, charge)]
    distance = np.sqrt(pair_chi2(places[0], places[1], np.ones(len(cfg.dimensions))))
    chi2 = pair_chi2(places[0], places[1], cfg.errors)
    if cfg.angle_error is not None and light.axes is not None and charge.axes is not None:
        angle = np.degrees(np.arccos(np.clip(np.abs(light.axes @ charge.axes.T), 0.0, 1.0)))
        chi2 = chi2 + (angle / cfg.angle_error) ** 2
    good = np.isfinite(chi2)
    if cfg.candidate_distance is not None:
        good &= distance <= cfg.candidate_distance
    if cfg.max_chi2 is not None:
        good &= chi2 <= cfg.max_chi2
    return np.where(good, chi2, np.inf)


def _reported(chi2: FloatArray, cfg: FlashMatchConfig) -> tuple[IntArray, IntArray]:
    """Rows of flashes and interactions that match; the first wins among equals."""
    good = np.isfinite(chi2)
    if cfg.report_mode == "best_per_flash" and chi2.size:
        good &= np.arange(chi2.shape[1])[None] == np.argmin(chi2, axis=1)[:, None]
    if cfg.report_mode == "best_per_interaction" and chi2.size:
        good &= np.arange(chi2.shape[0])[:, None] == np.argmin(chi2, axis=0)[None]
    first, second = np.nonzero(good)
    return first, second


def _brightest(pairs: _Pairs, flashes: Table) -> _Pairs:
    """For each interaction the match with most photo-electrons."""
    rows = np.arange(len(pairs.flashes))
    order = np.lexsort((rows, -flashes["total_pe"][pairs.flashes], pairs.interactions))
    best = order[np.unique(pairs.interactions[order], return_index=True)[1]]
    return _Pairs(pairs.flashes[best], pairs.interactions[best], pairs.scores[best])


def _store(table: Table, pairs: _Pairs, flashes: Table, named: Table, parts: Ragged | None) -> None:
    """Write matches to interactions; ``parts`` are the rows of ``named`` in each flash."""
    order = np.argsort(pairs.interactions, kind="stable")
    flash, owner, score = pairs.flashes[order], pairs.interactions[order], pairs.scores[order]
    counts = np.bincount(owner, minlength=len(table))
    total = np.bincount(owner, weights=flashes["total_pe"][flash], minlength=len(table))
    if parts is not None:
        size = parts.lengths[flash]
        owner, score, flash = np.repeat(owner, size), np.repeat(score, size), parts[flash].values
    offsets = offsets_of(np.bincount(owner, minlength=len(table)))
    table["is_flash_matched"] = counts > 0
    table["flash_total_pe"] = np.where(counts > 0, total, np.nan)
    table["flash_hypo_pe"] = np.full(len(table), np.nan)
    table["flash_hypothesis_ids"] = Ragged.empty(len(table), np.int32)
    for name, column in (("flash_ids", "id"), ("flash_volume_ids", "volume_id"), ("flash_times", "time")):
        table[name] = Ragged(named[column][flash], offsets)
    table["flash_scores"] = Ragged(score, offsets)
