"""One self-contained file from a chain of stage files, in either layout of the format, and tables for other tools."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final, Literal

import yaml

from spine.errors import ConfigError, DataError, did_you_mean
from spine.store.provenance import lineage_of
from spine.store.reader import EventFile
from spine.store.region_writer import RegionWriter
from spine.store.source import open_events
from spine.store.table_files import TABLE_FORMS, TableForm, write_tables
from spine.store.writer import EventWriter, FileInfo

__all__ = ["FORMS", "LAYOUTS", "Layout", "checked_form", "export", "export_tables", "file_info"]

Layout = Literal["v1", "v2"]

LAYOUTS: Final[dict[Layout, type[EventWriter]]] = {"v1": RegionWriter, "v2": EventWriter}
"""Writer of each layout: region references (``v1``) or columns (``v2``)."""

FORMS: Final = (*LAYOUTS, *TABLE_FORMS)
"""What a file can be exported to."""

BLOCK = 64


def checked_form(name: str) -> Layout | TableForm:
    """The form of that name.

    Raises
    ------
    ConfigError
        When there is none.
    """
    for form in FORMS:
        if form == name:
            return form
    raise ConfigError("no such form", got=name, expected=", ".join(FORMS), mend=did_you_mean(name, FORMS))


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
    path, output = _places(path, output)
    if layout not in LAYOUTS:
        raise ConfigError("no such layout", got=layout, expected=", ".join(LAYOUTS), mend=did_you_mean(layout, LAYOUTS))
    writer_type = LAYOUTS[layout]
    with open_events(path) as file:
        chosen = _chosen(file, keys)
        declared = {name: file.declared(name) for name in chosen}
        with writer_type(output, file_info(file, "export"), chosen, declared) as writer:
            for events in file.blocks(block):
                writer.append(list(events))
            writer.failures = file.failures()
        return len(file)


def export_tables(
    path: Path | str, output: Path | str, form: TableForm, keys: Sequence[str] | None = None, block: int = BLOCK
) -> int:
    """Write the products of the events of a file as flat tables.

    Parameters
    ----------
    path : Path or str
        File of events of either layout, the last one of a chain or any other.
    output : Path or str
        The ROOT file, or the directory of the Parquet or CSV files.
    form : {'root', 'parquet', 'csv'}
        See `spine.store.table_files.write_tables`.
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
        When the output would replace the input.
    DataError
        When a product is missing, or a file of the chain is.
    """
    path, output = _places(path, output)
    with open_events(path) as file:
        write_tables(file, output, form, _chosen(file, keys), block)
        return len(file)


def _places(path: Path | str, output: Path | str) -> tuple[Path, Path]:
    if Path(path).resolve() == Path(output).resolve():
        raise ConfigError("a file cannot be exported onto itself", where=path, mend="choose another output")
    return Path(path), Path(output)


def _chosen(file: EventFile, keys: Sequence[str] | None) -> tuple[str, ...]:
    names = file.names()
    for key in keys or ():
        if key not in names:
            raise DataError(f"no product {key!r}", where=file.path, mend=did_you_mean(key, names))
    return names if keys is None else tuple(dict.fromkeys(keys))


def file_info(file: EventFile, stage: str) -> FileInfo:
    """Provenance: that of the last stage, without the file that it continued."""
    config = file.attribute("config") or json.dumps(yaml.safe_load(file.attribute("cfg", "{}")), default=str)
    inputs = ((file.path.name, ""),)
    history = json.dumps(lineage_of(file))
    code = file.attribute("code")
    info = FileInfo(stage, config, code, inputs, steps=file.steps, history=history)
    return replace(info, seed=int(file.attribute("seed", "-1")), weights=file.attribute("weights"))
