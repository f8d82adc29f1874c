"""One self-contained file from a chain of stage files, in either layout of the format."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final, Literal

import yaml

from spine.errors import ConfigError, DataError, did_you_mean
from spine.store.reader import EventFile
from spine.store.region_writer import RegionWriter
from spine.store.source import open_events
from spine.store.writer import EventWriter, FileInfo

__all__ = ["LAYOUTS", "Layout", "checked_layout", "export"]

Layout = Literal["v1", "v2"]

LAYOUTS: Final[dict[Layout, type[EventWriter]]] = {"v1": RegionWriter, "v2": EventWriter}
"""Writer of each layout: region references (``v1``) or columns (``v2``)."""

BLOCK = 64


def checked_layout(name: str) -> Layout:
    """The layout of that name.

    Raises
    ------
    ConfigError
        When there is none.
    """
    for layout in LAYOUTS:
        if layout == name:
            return layout
    raise ConfigError("no such layout", got=name, expected=", ".join(LAYOUTS), mend=did_you_mean(name, LAYOUTS))


def export(
    path: Path | str, output: Path | str, layout: Layout = "v2", keys: Sequence[str] | None = None, block: int = BLOCK
) -> int:
    """Write the events of a file, with the products it passes on from earlier stages, into one file.

    Parameters
    ----------
    path : Path or str
        File of events of either layout, the last one of a chain or any other.
    output : Path or str
        The file to write; complete or not there at all.
    layout : {'v2', 'v1'}
        Columns, or region references for readers of the older layout.
    keys : sequence of str, optional
        Products to write, all by default.
    block : int
        Events held in memory at a time.

    Returns
    -------
    int
        Number of events.

    Raises
    ------
    ConfigError
        When the layout is unknown, or the output would replace the input.
    DataError
        When a product is missing, or a file of the chain is.
    """
    path, output = Path(path), Path(output)
    writer_type = LAYOUTS[checked_layout(layout)]
    if path.resolve() == output.resolve():
        raise ConfigError("a file cannot be exported onto itself", where=path, mend="choose another output")
    with open_events(path) as file:
        chosen = _chosen(file, keys)
        declared = {name: file.declared(name) for name in chosen}
        with writer_type(output, _info(file), chosen, declared) as writer:
            for events in file.blocks(block):
                writer.append(list(events))
            writer.failures = file.failures()
        return len(file)


def _chosen(file: EventFile, keys: Sequence[str] | None) -> tuple[str, ...]:
    names = file.names()
    for key in keys or ():
        if key not in names:
            raise DataError(f"no product {key!r}", where=file.path, mend=did_you_mean(key, names))
    return names if keys is None else tuple(dict.fromkeys(keys))


def _info(file: EventFile) -> FileInfo:
    """Provenance: that of the last stage, without the file that it continued."""
    config = file.attribute("config") or json.dumps(yaml.safe_load(file.attribute("cfg", "{}")), default=str)
    inputs = ((file.path.name, ""),)
    info = FileInfo(stage="export", config=config, code=file.attribute("code"), inputs=inputs, steps=file.steps)
    return replace(info, seed=int(file.attribute("seed", "-1")), weights=file.attribute("weights"))
