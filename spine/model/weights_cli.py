"""Commands on files of weights: ``spine weights info|compose|verify``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from spine.errors import ConfigError, DataError

if TYPE_CHECKING:
    from torch import Tensor

    from spine.config.model import Config
    from spine.model.checkpoint import Checkpoint

__all__ = ["app"]

app = typer.Typer(help="Look at files of weights and put them together.", no_args_is_help=True, rich_markup_mode=None)

SourceArgument = Annotated[str, typer.Argument(help="File, or URL followed by #sha256=<64 digits>.")]


@app.command()
def info(source: SourceArgument) -> None:
    """Say what a file of weights holds."""
    from spine.model.checkpoint import locate_weights, read_checkpoint

    path = locate_weights(source)
    checkpoint = read_checkpoint(path)
    typer.echo(f"{path}: format {checkpoint.format_version}")
    for key in ("created_at", "spine_version", "torch_version"):
        if checkpoint.manifest.get(key):
            typer.echo(f"  {key}: {checkpoint.manifest[key]}")
    for key in ("global_step", "global_epoch"):
        if key in checkpoint.parts:
            typer.echo(f"  {key}: {checkpoint.parts[key]}")
    others = sorted(set(checkpoint.parts) - {"global_step", "global_epoch"})
    typer.echo(f"  also holds: {', '.join(others) or 'nothing'}")
    for module, count in checkpoint.modules.items():
        size = sum(value.numel() for name, value in checkpoint.state.items() if name.partition(".")[0] == module)
        typer.echo(f"  {module}: {count} tensors, {size:,} numbers")


@app.command()
def verify(source: SourceArgument) -> None:
    """Compare a file of weights with its SHA-256, given or in the file beside it."""
    from spine.model.checkpoint import locate_weights, read_checkpoint, verify_checkpoint

    path = locate_weights(source)
    digest = verify_checkpoint(path)
    if digest is None and "#sha256=" not in source:
        raise DataError("there is no SHA-256 to compare with", where=path, mend="give FILE#sha256=<64 digits>")
    read_checkpoint(path)
    typer.echo(f"{path}: as it should be")


@app.command()
def compose(
    output: Annotated[Path, typer.Option("--output", "-o", help="File to write.")],
    sources: Annotated[
        list[str], typer.Argument(help="Files or URLs of whole chains, or MODULE=FILE to take one module from a file.")
    ],
    half: Annotated[bool, typer.Option("--half", help="Round numbers to 16 bits, for half the size.")] = False,
) -> None:
    """Put weights from several files into one; of a module that several have, the last is taken."""
    from spine.model.checkpoint import Checkpoint, file_sha256, locate_weights, read_checkpoint, write_checkpoint

    chosen: dict[str, tuple[Path, Checkpoint, str]] = {}
    for source in sources:
        module, name = _split(source)
        path = locate_weights(name)
        if path.resolve() == output.resolve():
            raise ConfigError("the output would overwrite a file that is read", got=path)
        checkpoint = read_checkpoint(path)
        for found in [module] if module else checkpoint.modules:
            chosen[found] = (path, checkpoint, _namespace(checkpoint, found))
    state = {}
    for module, (_, checkpoint, space) in chosen.items():
        state.update({f"{module}.{k[len(space) :]}": v for k, v in checkpoint.state.items() if k.startswith(space)})
    if half:
        state = {name: _rounded(name, value) for name, value in state.items()}
    records = [{"module": m, "path": str(p), "sha256": file_sha256(p)} for m, (p, _, _) in chosen.items()]
    digest = write_checkpoint(output, Checkpoint(state, {"weight_sources": records}))
    typer.echo(f"{output}: {', '.join(chosen)}, {len(state)} tensors, sha256 {digest}")


def _rounded(name: str, value: Tensor) -> Tensor:
    """A weight in 16 bits; statistics of normalisation layers, which may be large, stay as they are."""
    if not value.is_floating_point() or "running_" in name:
        return value
    return value.half()


@app.command()
def draw(
    output: Annotated[Path, typer.Option("--output", "-o", help="File to write.")],
    config: Annotated[str, typer.Option(help="YAML file, or the configuration itself as JSON.")],
) -> None:
    """Write weights drawn at random, as training starts with them, from base.seed."""
    import torch

    from spine.model.checkpoint import Checkpoint, write_checkpoint
    from spine.model.networks import make_networks
    from spine.model.weights import state_of

    settings = _settings(config)
    torch.manual_seed(settings.base.seed)
    networks = make_networks(settings.model.modules.model_dump())
    digest = write_checkpoint(output, Checkpoint(state_of(networks)))
    typer.echo(f"{output}: {', '.join(networks)}, sha256 {digest}")


def _settings(config: str) -> Config:
    from spine.config import load_config
    from spine.config.slices import from_slice

    return from_slice(config) if config.startswith("{") else load_config(config)


def _split(source: str) -> tuple[str, str]:
    """Module and file of ``MODULE=FILE``; no module for a file alone."""
    head, sign, rest = source.partition("=")
    return (head, rest) if sign and head.isidentifier() else ("", source)


def _namespace(checkpoint: Checkpoint, module: str) -> str:
    """What stands in front of the names of a module in a file: its name, or nothing in the file of one network."""
    return f"{module}." if module in checkpoint.modules else ""
