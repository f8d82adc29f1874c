"""Detectors: drift volumes, light sensors and tagger planes, read from data files and passed as an argument."""

from __future__ import annotations

from spine.geometry.containment import Margin, VolumeMode, Volumes, contained, contained_by_source, margins, volumes_of
from spine.geometry.detector import Detector, Optical, Tagger
from spine.geometry.load import detector_names, load_detector

__all__ = [
    "Detector",
    "Margin",
    "Optical",
    "Tagger",
    "VolumeMode",
    "Volumes",
    "contained",
    "contained_by_source",
    "detector_names",
    "load_detector",
    "margins",
    "volumes_of",
]
