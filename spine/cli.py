"""The command line: one command per stage, and those for configuration and files."""

from __future__ import annotations

import logging
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from spine.campaign.cli import register
from spine.config_cli import app as config_app
from spine.model.weights_cli import app as weights_app
from spine.sim_cli import app as sim_app

if TYPE_CHECKING:
    from spine.config.model import Config

__all__ = ["app", "main"]

app = typer.Typer(
    help="Reconstruct images of liquid-argon time-projection chambers, one stage at a time.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
register(app)
app.add_typer(config_app, name="config")
app.add_typer(sim_app, name="sim")
app.add_typer(weights_app, name="weights")

ConfigOption = Annotated[
    str, typer.Option("--config", "-c", help="YAML file, or the JSON text of a stage's part of the configuration.")
]
SetOption = Annotated[str, typer.Option("--set", help="Overrides: post.direction.radius=5;base.on_error=skip")]
OutputOption = Annotated[Path, typer.Option("--output", "-o", help="File or directory to write.")]
KeysOption = Annotated[str, typer.Option(help="Products to write, separated by commas; all that are usual by default.")]
SourceArgument = Annotated[Path, typer.Argument(help="File to read.")]


def _config(text: str, overrides: str) -> Config:
    from spine.config import load_config
    from spine.config.slices import from_slice

    if text.lstrip().startswith("{"):
        return from_slice(text, overrides)
    return load_config(text, overrides)


@app.command()
def simulate(
    output: OutputOption,
    config: ConfigOption = "config/config.yaml",
    overrides: SetOption = "",
    number: Annotated[int, typer.Option(help="Number of the file: it decides which events are made.")] = 0,
    workers: Annotated[int | None, typer.Option(min=1, help="Processes; base.threads when left out.")] = None,
) -> None:
    """Simulate events with truth."""
    from spine.stages import simulate as stage

    stage.run(number, output, _config(config, overrides), workers)


@app.command()
def train(
    output: OutputOption,
    sources: Annotated[list[Path] | None, typer.Argument(help="HDF5 files with truth to train on.")] = None,
    listed: Annotated[Path | None, typer.Option("--list", help="Text file with one file per line.")] = None,
    validation: Annotated[list[Path] | None, typer.Option(help="File to validate on; may stand several times.")] = None,
    stop_status: Annotated[int, typer.Option(help="Exit status when asked to stop before the end.")] = 0,
    config: ConfigOption = "config/config.yaml",
    overrides: SetOption = "",
) -> None:
    """Train networks, or go on where an earlier run ended; weights.ckpt appears in the output at the end."""
    from spine.stages import train as stage

    lines = listed.read_text().split() if listed is not None else []
    files = (*(sources or ()), *map(Path, lines))
    inputs = stage.TrainInputs(files, tuple(validation or ()))
    _, outcome = stage.run(inputs, output, _config(config, overrides))
    if not outcome.finished and stop_status:
        raise typer.Exit(stop_status)


@app.command()
def infer(
    sources: Annotated[list[Path], typer.Argument(help="File to read; several with --entries.")],
    output: OutputOption,
    config: ConfigOption = "config/config.yaml",
    overrides: SetOption = "",
    entries: Annotated[
        str, typer.Option(help="FIRST:LAST for each file; the output is then a directory unless it ends in .h5.")
    ] = "",
) -> None:
    """Run the inference chain on a larcv or HDF5 file, or on ranges of events of files."""
    from spine.stages.ranges import infer_ranges

    infer_ranges(sources, output, _config(config, overrides), entries)


@app.command()
def build(
    source: SourceArgument,
    output: OutputOption,
    config: ConfigOption = "config/config.yaml",
    overrides: SetOption = "",
) -> None:
    """Build fragments, particles and interactions."""
    from spine.stages import build as stage
    from spine.stages.several import each_file

    options = _config(config, overrides)
    each_file(source, output, lambda file, made: stage.run(file, made, options))


@app.command()
def post(
    source: SourceArgument,
    output: OutputOption,
    config: ConfigOption = "config/config.yaml",
    overrides: SetOption = "",
) -> None:
    """Fill in energies, directions, vertices, containment and matches."""
    from spine.stages import post as stage
    from spine.stages.several import each_file

    options = _config(config, overrides)
    each_file(source, output, lambda file, made: stage.run(file, made, options))


@app.command()
def ana(
    source: SourceArgument,
    output: OutputOption,
    config: ConfigOption = "config/config.yaml",
    overrides: SetOption = "",
) -> None:
    """Write the analysis tables of a file."""
    from spine.stages import ana as stage
    from spine.stages.several import each_file

    options = _config(config, overrides)
    each_file(source, output, lambda file, made: stage.run(file, made, options), suffix="")


@app.command()
def inventory(
    output: OutputOption,
    files: Annotated[list[str] | None, typer.Argument(help="Input files, globs, or lists of these.")] = None,
    config: ConfigOption = "config/config.yaml",
    overrides: SetOption = "",
    jobs: Annotated[Path | None, typer.Option(help="Write also the jobs of the workflow, as a table.")] = None,
    events: Annotated[int, typer.Option(help="Events per job.")] = 100,
) -> None:
    """Count the events of files; of those alone that are new or have changed since the last time."""
    from spine.config.inputs import expand_inputs
    from spine.stages import inventory as stage

    found = expand_inputs(files or [])
    rows = stage.run(found, output, _config(config, overrides))
    if jobs is not None:
        stage.write_plan(found, rows, events, jobs)


@app.command()
def join(
    output: OutputOption,
    sources: Annotated[list[Path], typer.Argument(help="Directories written by ana, ranges of one file in order.")],
) -> None:
    """Join the tables of the ranges of one file."""
    from spine.stages import join as stage

    stage.run(sources, output)


@app.command()
def merge(
    output: OutputOption,
    sources: Annotated[list[Path] | None, typer.Argument(help="Directories written by ana.")] = None,
    listed: Annotated[Path | None, typer.Option("--list", help="Text file with one directory per line.")] = None,
    config: ConfigOption = "config/config.yaml",
    overrides: SetOption = "",
) -> None:
    """Join the tables of all inputs."""
    from spine.stages import merge as stage

    lines = listed.read_text().split() if listed is not None else []
    stage.run([*(sources or []), *map(Path, lines)], output, _config(config, overrides))


@app.command()
def report(
    tables: Annotated[Path | None, typer.Argument(help="Directory of the merged tables.")] = None,
    files: Annotated[list[Path] | None, typer.Argument(help="Outputs of post, for the displays.")] = None,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Directory to write.")] = None,
    benchmarks: Annotated[Path | None, typer.Option(help="Directory with time and memory of each job.")] = None,
    config: ConfigOption = "config/config.yaml",
    overrides: SetOption = "",
    compare: Annotated[
        tuple[Path, Path] | None, typer.Option(help="Two metrics.json, or directories with one: print what changed.")
    ] = None,
) -> None:
    """Write the report and the event display, or compare two reports."""
    if compare is not None:
        from spine.report.comparison import changes_text

        typer.echo(changes_text(*compare))
        return
    if tables is None or output is None:
        raise typer.BadParameter("give a directory of merged tables and --output, or --compare and two reports")
    from spine.stages import report as stage

    stage.run(stage.ReportInputs(tables, files or [], benchmarks), output, _config(config, overrides))


@app.command()
def export(
    source: SourceArgument,
    output: OutputOption,
    form: Annotated[
        str, typer.Option("--to", help="v2 or v1: one file in that layout; root: a file; parquet, csv: a directory.")
    ] = "v2",
    keys: KeysOption = "",
) -> None:
    """Write one self-contained file from a chain of stage files, or tables for other tools."""
    from spine.store import export as store

    chosen = store.checked_form(form)
    if chosen == "v1" or chosen == "v2":
        store.export(source, output, chosen, _keys(keys))
    else:
        store.export_tables(source, output, chosen, _keys(keys))


@app.command()
def display(
    sources: Annotated[list[Path], typer.Argument(help="Outputs of build or post, or files of SPINE.")],
    output: OutputOption = Path("events.html"),
    events: Annotated[int, typer.Option(help="Number of events, taken from each file in turn.")] = 20,
    max_points: Annotated[int, typer.Option(help="Points drawn per event and side.")] = 20_000,
    title: Annotated[str, typer.Option(help="Title of the page.")] = "Events",
    detector: Annotated[str, typer.Option(help="Detector whose volumes are drawn; that of the file by default.")] = "",
) -> None:
    """Write a page that shows events, which needs nothing else."""
    from spine.report import ReportOptions, detector_options, write_display

    options = ReportOptions(title=title, events=events, max_points=max_points)
    shown = write_display(sources, output, detector_options(options, detector) if detector else options)
    typer.echo(f"{output}: {len(shown)} events")


@app.command()
def litify(
    source: SourceArgument,
    output: OutputOption,
    keys: KeysOption = "",
    fixed_only: Annotated[bool, typer.Option("--fixed-only", help="Leave out all lists and strings.")] = False,
) -> None:
    """Write a reduced copy of a file: objects without their points."""
    from spine.store import lite

    lite.litify(source, output, _keys(keys), "fixed_only" if fixed_only else "lite")


def _keys(text: str) -> list[str] | None:
    return [key for key in text.split(",") if key] or None


def _version(value: bool) -> None:
    if value:
        from spine import __version__

        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def _common(
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Tracebacks and debug messages.")] = False,
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Version.")] = False,
) -> None:
    _speak(logging.DEBUG if verbose else logging.INFO)


def _speak(level: int) -> None:
    """Send messages to the screen."""
    logging.basicConfig(level=logging.WARNING, format="%(message)s", stream=sys.stderr)
    logging.getLogger("spine").setLevel(level)


def _fail(error: Exception) -> NoReturn:
    notes = "".join(f"\n  {note}" for note in getattr(error, "__notes__", ()))
    sys.stderr.write(f"error: {error}{notes}\n")
    raise SystemExit(1)


def main() -> None:
    """Entry point: errors of the package are one message, everything else keeps its traceback."""
    from spine.errors import SpineError
    from spine.job import is_job
    from spine.job import main as run_job

    if sys.argv[1:] == ["-v"]:  # SPINE's version; before a command it means verbose
        sys.argv[1:] = ["--version"]
    try:
        if is_job(sys.argv[1:]):
            _speak(logging.INFO)
            run_job(sys.argv[1:])
            return
        app()
    except SpineError as error:
        if logging.getLogger("spine").level == logging.DEBUG:
            raise
        _fail(error)
