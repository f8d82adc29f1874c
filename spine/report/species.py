"""Names of classes and species as the pages show them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from spine.schema import Pid, Shape

__all__ = ["CLUSTERED", "PIDS", "PID_COLORS", "SHAPES", "SHAPE_COLORS"]

SHAPES: Final[Mapping[int, str]] = {
    Shape.SHOWER: "shower",
    Shape.TRACK: "track",
    Shape.MICHEL: "Michel",
    Shape.DELTA: "delta",
    Shape.LOWE: "low energy",
    Shape.GHOST: "ghost",
}
"""Semantic classes by number."""

CLUSTERED: Final[Mapping[int, str]] = {
    shape: SHAPES[shape] for shape in (Shape.SHOWER, Shape.TRACK, Shape.MICHEL, Shape.DELTA)
}
"""Classes whose voxels are grouped into particles."""

PIDS: Final[Mapping[int, str]] = {
    Pid.PHOTON: "photon",
    Pid.ELECTRON: "electron",
    Pid.MUON: "muon",
    Pid.PION: "pion",
    Pid.PROTON: "proton",
    Pid.KAON: "kaon",
}
"""Species by number."""

SHAPE_COLORS: Final = ("#56b4e9", "#ff8c3b", "#2ecf8f", "#e58bc0", "#8d99a8", "#5b6470")
"""Colours of the semantic classes on a dark ground."""

PID_COLORS: Final = ("#f2d13c", "#56b4e9", "#ff8c3b", "#2ecf8f", "#e5575f", "#b98af0")
"""Colours of the species on a dark ground."""
