"""Calibration of depositions and points: what the electronics saw, turned into energy and place, and back."""

from __future__ import annotations

from spine.calib.chain import Calibration, StageEntry, calibrate, calibrate_points
from spine.calib.hits import Hits, hits_of

__all__ = ["Calibration", "Hits", "StageEntry", "calibrate", "calibrate_points", "hits_of"]
