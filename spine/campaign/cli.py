"""Commands about campaigns."""

from __future__ import annotations

import os
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


def run(
    config: Annotated[Path, typer.Argument(help="Configuration, laid over that of the workflow.")],
    files: Annotated[list[str] | None, typer.Argument(help="Input files, globs, or lists of these.")] = None,
    directory: Annotated[Path, typer.Option(help="Directory of the run.")] = Path(),
    profile: Annotated[str, typer.Option(help="default, slurm, htcondor, generic, or a directory.")] = "default",
    cores: Annotated[int, typer.Option(help="Jobs at a time on this machine; 0: as many as it has cores.")] = 0,
    overrides: Annotated[str, typer.Option("--set", help="Overrides: post.direction.radius=5")] = "",
    dry: Annotated[bool, typer.Option("--dry-run", "-n", help="Say what would be done, and do nothing.")] = False,
    option: Annotated[list[str] | None, typer.Option(help="Further option of Snakemake; may be repeated.")] = None,
) -> None:
    """Run the whole workflow; a run that was cut off goes on where it stopped."""
    from spine.campaign import run as campaign

    what = campaign.Run(config, files or [], directory, profile, cores or os.cpu_count() or 1, overrides, option or [])
    plan = campaign.dry_run(what)
    typer.echo(plan or "nothing is to be done: all results are there and up to date")
    status = 0 if dry or not plan else campaign.run(what)
    if status:
        typer.echo(f"some jobs failed: logs are in {directory / 'logs'}; the same command goes on where it stopped")
        raise typer.Exit(status)
    shown = campaign.shown_results(directory)
    if shown and not dry:
        typer.echo("results: " + "  ".join(map(str, shown)))


def register(app: typer.Typer) -> None:
    """Add the commands to the command line."""
    app.command()(provenance)
    app.command()(run)
