"""A gallery of events as one page that needs nothing else."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml

from spine.errors import ConfigError, DataError
from spine.geometry import load_detector
from spine.report.content import Json
from spine.report.options import ReportOptions
from spine.report.page import packaged, rendered
from spine.report.payload import box_edges, encode
from spine.report.scene import scene_of
from spine.report.species import PID_COLORS, PIDS, SHAPE_COLORS, SHAPES
from spine.schema import Event
from spine.store.atomic import atomic_file
from spine.store.provenance import lineage_of, source_of
from spine.store.reader import EventFile
from spine.store.source import open_events
from spine.store.writer import NO_ENTRY

__all__ = ["detector_options", "write_display"]


@dataclass(frozen=True)
class Shown:
    """An event of the gallery.

    Parameters
    ----------
    number : int
        Its number over all inputs, by which links call it.
    label : str
        What readers call it.
    text : str
        Its encoded content.
    """

    number: int
    label: str
    text: str


def shares(lengths: Sequence[int], total: int) -> list[int]:
    """Events to take of each file: one of each in turn, until there are enough or no more."""
    taken = [0] * len(lengths)
    while sum(taken) < min(total, sum(lengths)):
        for i, length in enumerate(lengths):
            if taken[i] < length and sum(taken) < total:
                taken[i] += 1
    return taken


def _shown(event: Event, number: int, options: ReportOptions) -> Shown:
    info = event.run_info
    numbers = (int(info.run), int(info.subrun), int(info.event)) if info is not None else (-1, -1, -1)
    where = "run {}, subrun {}, event {}".format(*numbers) if info is not None else f"entry {event.entry}"
    label = f"{number}: {where} ({Path(event.source).stem})"
    header: dict[str, Json] = {"number": number, "run": list(numbers), "file": Path(event.source).name}
    return Shown(number, label, encode(scene_of(event, header), options.max_points))


def _gallery(files: Sequence[Path], options: ReportOptions) -> Iterator[Shown]:
    """The first events of each file, numbered over all inputs as in the merged tables."""
    lengths, starts = _places(files)
    for path, start, n in zip(files, starts, shares(lengths, options.events), strict=True):
        if n == 0:
            continue
        with open_events(path) as file:
            for event in file.block(0, n):
                yield _shown(event, start + int(event.get("index", event.entry)), options)


def _places(files: Sequence[Path]) -> tuple[list[int], list[int]]:
    """Events of each file, and the number of the first event of its input; files of one input follow each other."""
    lengths: list[int] = []
    starts: list[int] = []
    total, last = 0, ""
    for path in files:
        with open_events(path) as file:
            source = source_of(lineage_of(file)) or str(path)
            starts.append(starts[-1] if source == last else total)
            lengths.append(len(file))
            total += len(file) + sum(failure.entry != NO_ENTRY for failure in file.failures())
            last = source
    return lengths, starts


def detector_options(options: ReportOptions, detector: str, tag: str | None = None) -> ReportOptions:
    """The options with the active volumes of a detector.

    Parameters
    ----------
    options : ReportOptions
        Other settings.
    detector : str
        Name of a shipped detector, or a geometry file.
    tag : str, optional
        Its variant, the latest by default.

    Raises
    ------
    ConfigError
        When there is no such detector.
    """
    found = load_detector(detector, tag)
    corners = found.tpcs.transpose(0, 2, 1).tolist()
    boxes = tuple((_corner(lower), _corner(upper)) for lower, upper in corners)
    return replace(options, detector=found.name, boxes=boxes)


def _corner(values: Sequence[float]) -> tuple[float, float, float]:
    x, y, z = values
    return x, y, z


def _geometry(file: EventFile) -> Mapping[str, Any]:
    """Detector which the configuration of a file, or of one that it continues, names."""
    stored = [json.loads(file.attribute("config", "{}")), yaml.safe_load(file.attribute("cfg", "{}"))]
    for config in stored:
        geo = (config or {}).get("geo") or {}
        if geo.get("detector"):
            return dict(geo)
    return _geometry(file.parent()) if file.attribute("parent") else {}


def _with_volumes(files: Sequence[Path], options: ReportOptions) -> ReportOptions:
    """The options with the volumes of the detector of the first file, where none are given and it names a known one."""
    if options.boxes or not files:
        return options
    with open_events(files[0]) as file:
        geo = _geometry(file)
    if not geo:
        return options
    try:
        return detector_options(options, str(geo["detector"]), geo.get("tag"))
    except ConfigError:  # a geometry file of another machine: the page does without
        return options


def _island(value: Json) -> str:
    """JSON that can stand inside a script element."""
    return json.dumps(value, separators=(",", ":")).replace("<", "\\u003c")


def write_display(files: Sequence[Path], output: Path, options: ReportOptions) -> tuple[int, ...]:
    """Write a page that shows events.

    Parameters
    ----------
    files : sequence of Path
        Outputs of post (or build), in the order of the inputs of the run; the events are the first ones of each.
    output : Path
        The page.
    options : ReportOptions
        Title, number of events and points, detector; without one, that of the first file.

    Returns
    -------
    tuple of int
        Numbers of the events on the page (``index`` in the merged tables), for ``ReportOptions.shown``.

    Raises
    ------
    DataError
        When a file cannot be read or holds no points.
    StageError
        When the page cannot be written.
    """
    options = _with_volumes(files, options)
    gallery = list(_gallery(files, options))
    repeated = sorted({e.number for e in gallery if sum(o.number == e.number for o in gallery) > 1})
    if repeated:
        raise DataError("two events have the same number", where=output, got=repeated, mend="give each file once")
    settings: Json = {
        "title": options.title, "detector": options.detector,
        "boxes": [end for box in options.boxes for end in box_edges(*box)],
        "shape": {"names": list(SHAPES.values()), "colors": list(SHAPE_COLORS)},
        "pid": {"names": list(PIDS.values()), "colors": list(PID_COLORS)},
        "events": [{"number": event.number, "label": event.label} for event in gallery],
    }  # fmt: skip
    page = rendered(
        "display.html", options=options, gallery=gallery, settings=_island(settings), script=packaged("display.js")
    )
    with atomic_file(output) as path:
        path.write_text(page, encoding="utf-8")
    return tuple(event.number for event in gallery)
