"""Commands about campaigns."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["register"]


def provenance(
    path: Annotated[Path, typer.Argument(help="File of events, table, or directory of tables.")],
    reproduce: Annotated[bool, typer.Option("--reproduce", help="Print the commands that make it again.")] = False,
    into: Annotated[Path | None, typer.Option(help="Directory for what these commands make.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Everything that is known, as JSON.")] = False,
) -> None:
    """Say where a result comes from."""
    import json

    from spine.campaign.lineage import commands, described, result_of

    result = result_of(path)
    if reproduce:
        typer.echo("\n".join(commands(result, into)))
    elif as_json:
        typer.echo(json.dumps({"stages": list(result.stages), "places": result.places}, indent=1))
    else:
        typer.echo(described(result))


def register(app: typer.Typer) -> None:
    """Add the commands to the command line."""
    app.command()(provenance)
