"""Parsers of neutrinos, of what the detector reports beside charge, and of the frame of the image."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, field_validator, model_validator

from spine.schema import NuInteractionScheme, Ragged, Row, Table, row_of
from spine.schema.detector_records import CRTHit, Flash
from spine.schema.ragged import offsets_of
from spine.schema.truth_records import Neutrino
from spine.store.larcv.block import RawEvent
from spine.store.larcv.leaves import CRTHITS, FLASHES, NEUTRINOS, ObjectList
from spine.store.larcv.parsers.options import FrameOptions, ImageOptions, ParserOptions
from spine.store.larcv.parsers.particles import in_image
from spine.store.larcv.sentinels import INVALID_ID, INVALID_INDEX, INVALID_INT, INVALID_TRACK, without_any

__all__ = [
    "CRTHitOptions",
    "FlashOptions",
    "MetaOptions",
    "NeutrinoOptions",
    "RunInfoOptions",
    "TriggerOptions",
    "crthit",
    "flash",
    "meta",
    "neutrino",
    "run_info",
    "trigger",
]


class NeutrinoOptions(FrameOptions):
    """Options of `neutrino`."""

    neutrino_event: str = Field(description="neutrino product")
    particle_event: str | None = Field(None, description="particle product of the same event (not read)")
    pixel_coordinates: bool = Field(True, description="Give positions in voxels of the image instead of cm")
    asis: bool = Field(False, description="Numbers as in the file, sentinels included")
    interaction_scheme: NuInteractionScheme = Field(
        NuInteractionScheme.LARSOFT, description="Generator whose numbering of modes and types the file follows"
    )

    @field_validator("interaction_scheme", mode="before")
    @classmethod
    def _by_name(cls, value: object) -> object:
        names = NuInteractionScheme.__members__
        return names.get(value.upper(), value) if isinstance(value, str) else value

    @model_validator(mode="after")
    def _consistent(self) -> NeutrinoOptions:
        if self.asis and self.pixel_coordinates:
            raise ValueError("asis needs pixel_coordinates to be false")
        if self.pixel_coordinates and not self.image:
            raise ValueError("pixel_coordinates needs sparse_event or cluster_event")
        return self


class FlashOptions(ParserOptions):
    """Options of `flash`."""

    flash_event: str | None = Field(None, description="opflash product")
    flash_event_list: tuple[str, ...] | None = Field(None, description="opflash products, one per optical volume")
    channels_per_volume: int | None = Field(
        None, ge=1, description="Optical channels of a volume: lists of photo-electrons are cut or padded to it"
    )

    @model_validator(mode="after")
    def _one_source(self) -> FlashOptions:
        if (self.flash_event is None) == (self.flash_event_list is None):
            raise ValueError("give flash_event or flash_event_list")
        return self


class CRTHitOptions(ParserOptions):
    """Options of `crthit`."""

    crthit_event: str = Field(description="crthit product")


class TriggerOptions(ParserOptions):
    """Options of `trigger`."""

    trigger_event: str = Field(description="trigger product")


class MetaOptions(ImageOptions):
    """Options of `meta`."""


class RunInfoOptions(ImageOptions):
    """Options of `run_info`."""


def neutrino(event: RawEvent, cfg: NeutrinoOptions) -> Table:
    """Neutrinos of the generator, one row each, positions in voxels (``units`` px) unless told otherwise."""
    neutrinos = event.objects(cfg.neutrino_event, NEUTRINOS)
    columns: dict[str, Any] = dict(neutrinos.columns)
    if not cfg.asis:
        for name in ("id", "interaction_id", "mct_index"):
            columns[name] = without_any(neutrinos.array(name), INVALID_INDEX, INVALID_ID)
        for name in ("track_id", "lepton_track_id"):
            columns[name] = without_any(neutrinos.array(name), INVALID_TRACK)
    table = Table(Neutrino, len(neutrinos), columns)
    table["interaction_scheme"] = np.full(len(table), int(cfg.interaction_scheme))
    if cfg.pixel_coordinates:
        table["position"] = in_image(table["position"], event.frame(cfg.image))
        table["units"] = np.full(len(table), "px", dtype=object)
    return table


def _flashes(flashes: ObjectList) -> Table:
    columns: dict[str, Any] = dict(flashes.columns)
    columns["id"] = without_any(flashes.array("id"), INVALID_INDEX, INVALID_ID)
    columns["in_beam_frame"] = flashes.array("in_beam_frame") > 0
    photons = flashes.lists("pe_per_ch")
    columns["total_pe"] = np.bincount(photons.rows, photons.values, minlength=len(flashes))
    return Table(Flash, len(flashes), columns)


def in_volume(photons: Ragged, volume: NDArray[np.int64], channels: int) -> Ragged:
    """Photo-electrons of the channels of one volume.

    Parameters
    ----------
    photons : Ragged
        Photo-electrons by channel, one row per flash.
    volume : (n,) int64
        Volume of each flash; a row longer than a volume is cut to its part of the channels.
    channels : int
        Channels of a volume; shorter rows are filled with zeros.
    """
    offset = np.where(photons.lengths > channels, volume.clip(min=0) * channels, 0)
    place = np.arange(len(photons.values)) - photons.offsets[:-1][photons.rows] - offset[photons.rows]
    inside = (place >= 0) & (place < channels)
    result = np.zeros((len(photons), channels), dtype=photons.dtype)
    result[photons.rows[inside], place[inside]] = photons.values[inside]
    return Ragged(result.ravel(), offsets_of(np.full(len(photons), channels)))


def flash(event: RawEvent, cfg: FlashOptions) -> Table:
    """Flashes of light; those of a list of products are numbered through, their volume is the place in the list."""
    products = (cfg.flash_event,) if cfg.flash_event is not None else cfg.flash_event_list or ()
    parts = [_flashes(event.objects(product, FLASHES)) for product in products]
    if cfg.flash_event_list is not None:
        for volume, part in enumerate(parts):
            part["volume_id"] = np.full(len(part), volume)
    table = Table.concat(parts)
    if cfg.flash_event_list is not None:
        table["id"] = np.arange(len(table))
    if cfg.channels_per_volume is not None:
        table["pe_per_ch"] = in_volume(table["pe_per_ch"], table["volume_id"], cfg.channels_per_volume)
    return table


def crthit(event: RawEvent, cfg: CRTHitOptions) -> Table:
    """Hits of the cosmic-ray tagger, one row each."""
    hits = event.objects(cfg.crthit_event, CRTHITS)
    columns: dict[str, Any] = dict(hits.columns)
    columns["id"] = without_any(hits.array("id"), INVALID_INDEX, INVALID_ID)
    return Table(CRTHit, len(hits), columns)


def trigger(event: RawEvent, cfg: TriggerOptions) -> Row:
    """Trigger of the event; larcv has no beam gate time, which stays missing."""
    members = {"id": "_id", "type": "_type", "time_s": "_time_s", "time_ns": "_time_ns"}
    values = np.array([event.scalar(cfg.trigger_event, member) for member in members.values()], dtype=np.int64)
    clean = without_any(values, INVALID_ID)
    narrow = np.array([INVALID_INDEX, INVALID_INT, INVALID_ID, INVALID_TRACK])
    clean[values == narrow] = -1
    return row_of("trigger", **dict(zip(members, clean.tolist(), strict=True)))


def meta(event: RawEvent, cfg: MetaOptions) -> Row:
    """Frame of the image."""
    return cfg.frame(event).meta()


def run_info(event: RawEvent, cfg: RunInfoOptions) -> Row:
    """Run, subrun and event number."""
    run, subrun, number = event.numbers(cfg.image)
    return row_of("run_info", run=run, subrun=subrun, event=number)
