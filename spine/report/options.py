"""What the report and the event display are asked for."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

__all__ = ["Box", "ReportOptions", "ReportOutputs"]

Box = tuple[tuple[float, float, float], tuple[float, float, float]]
"""Lower and upper corner of a volume in cm."""


@dataclass(frozen=True)
class ReportOutputs:
    """Files that the report writes.

    Parameters
    ----------
    html : Path
        The page.
    metrics : Path
        Its numbers, as JSON.
    """

    html: Path
    metrics: Path


@dataclass(frozen=True)
class ReportOptions:
    """Settings of both pages.

    Parameters
    ----------
    title : str
        Title of the pages.
    events : int
        Events in the display.
    max_points : int
        Points drawn per event and side; an event with more is thinned out evenly.
    min_overlap : float
        Overlap with the best match from which an object counts as found.
    tail : int
        Rows in the lists of worst cases.
    max_failures : int
        Failures listed on the page; the table behind its link has all of them.
    display : str
        Address of the event display as seen from the report.
    shown : tuple of int
        Numbers of the events in the display, which the report may link to.
    detector : str
        Name of the detector.
    boxes : tuple of Box
        Active volumes drawn in the display.
    compare : Path, optional
        ``metrics.json`` of another run, whose numbers are put beside these.
    """

    title: str = "Reconstruction report"
    events: int = 4
    max_points: int = 20_000
    min_overlap: float = 0.5
    tail: int = 10
    max_failures: int = 200
    display: str = "events.html"
    shown: tuple[int, ...] = ()
    detector: str = ""
    boxes: tuple[Box, ...] = ()
    compare: Path | None = None
