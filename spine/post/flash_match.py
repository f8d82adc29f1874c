"""Interactions and the flashes of light that belong to them."""

from __future__ import annotations

import numpy as np

from spine.errors import ConfigError
from spine.geometry import Detector
from spine.ops.arrays import BoolArray, FloatArray
from spine.post.barycenters import Barycenters, charge_barycenters, light_axes, pair_chi2
from spine.post.flash_likelihood import hypotheses, likelihood_pairs
from spine.post.flash_merging import merge_flashes
from spine.post.flash_options import FlashMatchConfig
from spine.post.flash_pairs import Pairs, chosen_flashes, counted, reported, shift_to_reference, volume_rows
from spine.post.objects import Objects, columns, kinds, objects_of
from spine.schema import Event, Ragged, Table, offsets_of
from spine.schema.detector_records import FlashHypothesis
from spine.steps import step

__all__ = ["FlashMatchConfig", "flash_match"]


@step(
    reads=(
        "points", "depositions", "sources", "points_label", "depositions_label", "sources_label", "flashes",
        *columns(kinds("interaction"), "index", "is_time_contained", "is_cathode_crosser", "cathode_offset"),
    ),
    writes=(
        "flashes", "flash_hypotheses",
        *columns(
            kinds("interaction"), "is_flash_matched", "flash_ids", "flash_volume_ids", "flash_times", "flash_scores",
            "flash_total_pe", "flash_hypo_pe", "flash_hypothesis_ids",
        ),
    ),
    after=("trigger",),
)  # fmt: skip
def flash_match(event: Event, cfg: FlashMatchConfig, detector: Detector | None) -> None:
    """Match flashes to interactions, volume by volume: whose light fits, or whose charge lies where light was seen.

    Parameters
    ----------
    event : Event
        Fills the flash columns of interactions; the score of a pair is 1 / chi square (per channel for likelihood).
        On request gets the product flash_hypotheses with the light expected in each channel.
    cfg : FlashMatchConfig
    detector : Detector

    Raises
    ------
    ConfigError
        When there is no detector, or it has no light sensors and they are needed.
    """
    if detector is None:
        raise ConfigError("optical volumes are those of a detector", where="post.flash_match", mend="set geo.detector")
    original = event.table(cfg.flash_key)
    parts = Ragged(np.arange(len(original)), np.arange(len(original) + 1))
    flashes = original
    if cfg.merge is not None:
        flashes, parts = merge_flashes(original, cfg.merge)
    kept = cfg.merge is None or cfg.update_flashes
    rows = Ragged(np.arange(len(flashes)), np.arange(len(flashes) + 1)) if kept else parts
    named = flashes if kept else original
    expected: list[Table] = []
    for objects in objects_of(event, ("interaction",), cfg.run_mode, cfg.truth_point_mode):
        pairs, light = _matched(objects, flashes, Ragged(named["id"][rows.values], rows.offsets), cfg, detector)
        _store(objects.table, pairs, flashes, named, rows)
        _number(objects.table, light, sum(map(len, expected)))
        expected.append(light)
    if cfg.stores:
        event[cfg.hypothesis_key] = Table.concat(expected)
    if cfg.merge is not None and cfg.update_flashes:
        event[cfg.flash_key] = flashes


def _matched(
    objects: Objects, flashes: Table, named: Ragged, cfg: FlashMatchConfig, detector: Detector
) -> tuple[Pairs, Table]:
    """Matches of all volumes, and the expected light that is kept."""
    light = Table(FlashHypothesis, 0)
    if cfg.method == "likelihood":
        found, predictions = likelihood_pairs(objects, flashes, cfg, detector)
        if cfg.stores:
            light = hypotheses(predictions, found, named, cfg, objects.is_truth)
    else:
        found = _barycenter_pairs(objects, flashes, cfg, detector)
    none = np.empty(0, np.int64)
    parts = [Pairs(none, none, np.empty(0), np.empty(0)), *found]
    pairs = Pairs(*(np.concatenate(column) for column in zip(*parts, strict=True)))
    return (pairs if cfg.volume_report_mode == "all" else _brightest(pairs, flashes)), light


def _light_axes(flashes: Table, cfg: FlashMatchConfig, detector: Detector) -> FloatArray | None:
    if cfg.angle_error is None:
        return None
    if detector.optical is None:
        raise ConfigError(
            "the detector has no light sensors", where="post.flash_match.angle_error", got=detector.name,
            mend="leave angle_error out",
        )  # fmt: skip
    return light_axes(flashes, detector.optical)


def _barycenter_pairs(objects: Objects, flashes: Table, cfg: FlashMatchConfig, detector: Detector) -> list[Pairs]:
    """Matches in each volume of charge that lies where the light was seen."""
    volumes, axes, found = volume_rows(objects, cfg, detector), _light_axes(flashes, cfg, detector), []
    for volume in np.unique(flashes["volume_id"]):
        rows = chosen_flashes(flashes, int(volume), cfg)
        charge = _charge(objects, volumes == volume, cfg)
        centers = charge.centers + shift_to_reference(int(volume), cfg, detector)
        light = Barycenters(flashes["center"][rows].astype(np.float64), axes[rows] if axes is not None else axes)
        chi2 = _chi2(light, Barycenters(centers, charge.axes), cfg)
        first, second = reported(chi2, cfg)
        scores = 1.0 / np.maximum(chi2[first, second], cfg.chi2_floor)
        found.append(Pairs(rows[first], second, scores, np.full(len(first), np.nan)))
    return found


def _charge(objects: Objects, inside: BoolArray, cfg: FlashMatchConfig) -> Barycenters:
    """Where the charge of each interaction in a volume lies; NaN for those that do not count."""
    points = objects.points()
    values = objects.depositions(cfg.truth_dep_mode).values[inside]
    weights = values if cfg.charge_weighted else np.ones_like(values)
    counts = np.bincount(points.rows[inside], minlength=len(points))
    found = charge_barycenters(Ragged(points.values[inside], offsets_of(counts)), weights)
    good = counted(objects, inside, cfg)
    return Barycenters(np.where(good[:, None], found.centers, np.nan), found.axes)


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


def _brightest(pairs: Pairs, flashes: Table) -> Pairs:
    """For each interaction the match with most photo-electrons."""
    rows = np.arange(len(pairs.flashes))
    order = np.lexsort((rows, -flashes["total_pe"][pairs.flashes], pairs.interactions))
    best = order[np.unique(pairs.interactions[order], return_index=True)[1]]
    return Pairs(pairs.flashes[best], pairs.interactions[best], pairs.scores[best], pairs.expected[best])


def _store(table: Table, pairs: Pairs, flashes: Table, named: Table, parts: Ragged) -> None:
    """Write matches to interactions; ``parts`` are the rows of ``named`` in each flash."""
    order = np.argsort(pairs.interactions, kind="stable")
    flash, owner, score = pairs.flashes[order], pairs.interactions[order], pairs.scores[order]
    counts = np.bincount(owner, minlength=len(table))
    for name, values in (("flash_total_pe", flashes["total_pe"][flash]), ("flash_hypo_pe", pairs.expected[order])):
        total = np.bincount(owner, weights=values, minlength=len(table))
        table[name] = np.where(counts > 0, total, np.nan)
    size = parts.lengths[flash]
    score, row = np.repeat(score, size), parts[flash].values
    offsets = offsets_of(np.bincount(np.repeat(owner, size), minlength=len(table)))
    table["is_flash_matched"] = counts > 0
    for name, column in (("flash_ids", "id"), ("flash_volume_ids", "volume_id"), ("flash_times", "time")):
        table[name] = Ragged(named[column][row], offsets)
    table["flash_scores"] = Ragged(score, offsets)


def _number(table: Table, light: Table, first: int) -> None:
    """Number expected light from ``first`` on, and name it at its interactions."""
    light["id"] = first + np.arange(len(light))
    found = Ragged.by_label(light["interaction_id"], len(table))
    table["flash_hypothesis_ids"] = Ragged((found.values + first).astype(np.int32), found.offsets)
