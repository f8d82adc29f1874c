"""A gallery of events as one page that needs nothing else."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from spine.errors import DataError
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
from spine.store.writer import NO_ENTRY

__all__ = ["write_display"]


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
        with EventFile(path) as file:
            for event in file.block(0, n):
                yield _shown(event, start + int(event.get("index", event.entry)), options)


def _places(files: Sequence[Path]) -> tuple[list[int], list[int]]:
    """Events of each file, and the number of the first event of its input; files of one input follow each other."""
    lengths: list[int] = []
    starts: list[int] = []
    total, last = 0, ""
    for path in files:
        with EventFile(path) as file:
            source = source_of(lineage_of(file)) or str(path)
            starts.append(starts[-1] if source == last else total)
            lengths.append(len(file))
            total += len(file) + sum(failure.entry != NO_ENTRY for failure in file.failures())
            last = source
    return lengths, starts


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
        Title, number of events and points, detector.

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
