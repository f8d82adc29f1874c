"""Commands around the event generator: ``spine sim data``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["app"]

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)


@app.callback()
def _group() -> None:
    """Look after the event generator."""


@app.command()
def data(
    directory: Annotated[Path | None, typer.Argument(help="Directory of the official Geant4 data.")] = None,
    download: Annotated[bool, typer.Option("--download", help="Fetch the official data (2 GB) there first.")] = False,
) -> None:
    """Say which Geant4 data events are made with; compute those for argon where there are no official ones."""
    from spine.sim.datadir import download_data, find_data

    if download:
        download_data(directory)
    found = find_data(directory)
    for name, value in found.provenance().items():
        typer.echo(f"{name}: {value}")
    if directory is not None:
        typer.echo(f"use them: sim.transport.geant4_data={found.path}, or export GEANT4_DATA_DIR={found.path}")
