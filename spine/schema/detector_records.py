"""What a detector reports beside charge: run numbers, image frame, trigger, light flashes, cosmic-ray tagger hits."""

from __future__ import annotations

from spine.schema.columns import Record, col, derived, point, ragged, text, vector
from spine.schema.table import Table

__all__ = ["CRTHit", "Flash", "FlashHypothesis", "ImageMeta2D", "ImageMeta3D", "RunInfo", "Trigger"]


class RunInfo(Record):
    """Numbers that identify an event."""

    run = col("Run number", "i8")
    subrun = col("Subrun number", "i8")
    event = col("Event number", "i8")


class ImageMeta2D(Record):
    """Frame of a 2D image."""

    lower = col("Lower corner", "f4", shape=(2,), axes="xy", unit="cm")
    upper = col("Upper corner", "f4", shape=(2,), axes="xy", unit="cm")
    size = col("Size of a pixel", "f4", shape=(2,), axes="xy", unit="cm")
    count = col("Number of pixels", "i8", shape=(2,), axes="xy")


class ImageMeta3D(Record):
    """Frame of a 3D image: upper = lower + size * count."""

    lower = vector("Lower corner", unit="cm")
    upper = vector("Upper corner", unit="cm")
    size = vector("Size of a voxel", unit="cm")
    count = col("Number of voxels", "i8", shape=(3,), axes="xyz")


class Trigger(Record):
    """Trigger of the event."""

    id = col("Trigger number", "i8")
    type = col("Type of trigger", "i8")
    time_s = col("Trigger time, whole seconds", "i8", unit="s")
    time_ns = col("Trigger time, rest", "i8", unit="ns")
    beam_time_s = col("Beam gate time, whole seconds", "i8", unit="s")
    beam_time_ns = col("Beam gate time, rest", "i8", unit="ns")


class Flash(Record):
    """Flash of scintillation light."""

    units = text("Unit of positions (cm or px)", missing="cm")
    id = col("Flash number", "i8")
    volume_id = col("Optical volume which saw the flash", "i8")
    frame = col("Readout frame", "i8")
    on_beam_time = col("1 when in time with the beam", "i8")
    in_beam_frame = col("In the frame of the beam gate", "?")
    time = col("Time with respect to the trigger", unit="us")
    time_width = col("Width in time", unit="us")
    time_abs = col("Time on the clock of the detector")
    total_pe = col("Total number of photo-electrons")
    fast_to_total = col("Fraction of prompt light")
    pe_per_ch = ragged("Photo-electrons by optical channel", "f4")
    center = point("Barycentre of the light")
    width = vector("Spread of the light", unit="cm")


class CRTHit(Record):
    """Hit of the cosmic-ray tagger."""

    units = text("Unit of positions (cm or px)", missing="cm")
    id = col("Hit number", "i8")
    plane = col("Tagger plane", "i8")
    ts0_s = col("Absolute time, whole seconds", "i8", unit="s")
    ts0_ns = col("Absolute time, rest", unit="ns")
    ts0_s_corr = col("Corrected absolute time, whole seconds", unit="s")
    ts0_ns_corr = col("Corrected absolute time, rest", unit="ns")
    ts1_ns = col("Time with respect to the trigger", unit="ns")
    total_pe = col("Total number of photo-electrons")
    tagger = text("Name of the tagger wall")
    feb_id = ragged("Front-end board numbers", "u1")
    center = point("Position")
    width = vector("Uncertainty of the position", unit="cm")
    time = derived(col("Time with respect to the trigger", unit="us"), of=lambda hits: _ns_to_us(hits, "ts1_ns"))


def _ns_to_us(table: Table, name: str) -> object:
    return table[name] * 1e-3


class FlashHypothesis(Record):
    """Light expected from an interaction."""

    id = col("Hypothesis number", "i8")
    interaction_id = col("Interaction that makes the light", "i8")
    volume_id = col("Optical volume", "i8")
    score = col("Score of the match")
    is_truth = col("From a true interaction", "?")
    flash_ids = ragged("Flashes matched to it")
    pe_per_ch = ragged("Expected photo-electrons by channel", "f4")
    total_pe = derived(
        col("Total expected photo-electrons"),
        of=lambda hypotheses: _row_sums(hypotheses, "pe_per_ch"),
        needs=("pe_per_ch",),
    )


def _row_sums(table: Table, name: str) -> object:
    return [float(row.sum()) for row in table[name]]
