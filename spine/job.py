"""``spine -c FILE``: a whole job with the options of SPINE's command, through the Driver."""

from __future__ import annotations

import argparse
import logging
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from spine.errors import ConfigError

if TYPE_CHECKING:
    from spine.config.peer import Composed

__all__ = ["is_job", "main", "make_parser", "overlaid"]

logger = logging.getLogger("spine")

CHOICES: Final = (
    "n_entry", "n_skip", "entry_list", "skip_entry_list", "run_event_list", "skip_run_event_list",
    "entry_fraction_range",
)  # fmt: skip
"""Ways to choose events: a new one replaces all that the file has."""
TARGETS: Final = ("primary", "secondary", "cache")


def is_job(arguments: Sequence[str]) -> bool:
    """Whether a command line is one of SPINE's: its first word is one of the options, none of them a help."""
    if not arguments or not arguments[0].startswith("-"):
        return False
    known = set(make_parser()._option_string_actions) - {"-h", "--help", "-v", "--version"}
    return arguments[0].partition("=")[0] in known


def _add_selection(parser: argparse.ArgumentParser, validation: bool) -> None:
    """Options that choose events, of the input or of the validation."""
    lead, what = ("--val-", "validation") if validation else ("--", "input")
    short = {} if validation else {"source": "-s", "source-list": "-S", "num-entries": "-n"}

    def add(name: str, **options: Any) -> None:
        flags = [*([short[name]] if name in short else []), f"{lead}{name}"]
        flags += ["--nskip"] if name == "skip-entries" and not validation else []
        dest = f"{'val_' if validation else ''}{name.replace('-', '_')}"
        parser.add_argument(*flags, dest=dest, **options)

    add("source", nargs="+", metavar="PATH", help=f"{what} files or globs")
    add("source-list", nargs="+", metavar="LIST", help=f"text files with one {what} file per line")
    add("num-entries", type=int, metavar="N", help=f"number of {what} events to take")
    add("skip-entries", type=int, metavar="N", help=f"number of {what} events to leave out first")
    add("entry-filter", metavar="FILE", help="not supported")
    for name in ("entry-list", "skip-entry-list", "run-event-list", "skip-run-event-list"):
        verb = "leave out" if name.startswith("skip") else "take"
        add(name, metavar="FILE", help=f"text file with {what} events to {verb}")
    add("entry-fraction-range", type=float, nargs=2, metavar=("START", "STOP"), help=f"share of the {what} events")


def make_parser() -> argparse.ArgumentParser:
    """Parser with every option of SPINE's command."""
    parser = argparse.ArgumentParser(
        prog="spine", allow_abbrev=False,
        description="Run a configuration as a whole. Other commands: spine --help.",
    )  # fmt: skip
    add, switch = parser.add_argument, argparse.BooleanOptionalAction
    add("-c", "--config", metavar="FILE", help="YAML file, in the language of SPINE or of this package")
    add("-i", "--info", action="store_true", help="versions of this package and of what it needs")
    _add_selection(parser, validation=False)
    _add_selection(parser, validation=True)
    add("-o", "--output", metavar="FILE", help="output file")
    add("--output-dir", metavar="DIR", help="directory of the output")
    add("--output-suffix", metavar="TEXT", help="end of the names of outputs")
    add("--log-dir", metavar="DIR", help="directory of the log and the tables")
    add("--world-size", type=int, metavar="N", help="GPUs, 0 for the processor")
    batch = parser.add_mutually_exclusive_group()
    batch.add_argument("--batch-size", type=int, metavar="N", help="events in a batch of all processes")
    batch.add_argument("--minibatch-size", type=int, metavar="N", help="events in a batch of one process")
    add("--num-workers", type=int, metavar="N", help="processes that prepare batches")
    length = parser.add_mutually_exclusive_group()
    length.add_argument("--epochs", type=float, metavar="X", help="passes over the events")
    length.add_argument("--iterations", type=int, metavar="N", help="batches to process, -1 for one pass")
    add("--tensorboard", action=switch, default=None, help="write a log for TensorBoard")
    add("--tensorboard-dir", metavar="DIR", help="where it goes, below the directory of the log")
    add("--weight-prefix", metavar="PATH", help="first part of the names of snapshots")
    weights = parser.add_mutually_exclusive_group()
    weights.add_argument("--weight-path", metavar="PATH", help="file of weights, or a pattern for several")
    weights.add_argument("--weight-list", metavar="LIST", help="text file with one file of weights per line")
    add("--module-weight", nargs="+", action="extend", metavar="MODULE=PATH", help="weights of single networks")
    add("--export-weights", metavar="PATH", help="write the weights of all networks into one file, and end")
    add("--resume", action=switch, default=None, help="go on with a training")
    add("--graceful-stop-file", metavar="PATH", help="file whose appearance ends a training")
    add("--inference", action="store_true", help="run the configuration of a training as an inference")
    add("--set", action="append", default=[], metavar="KEY=VALUE", help="set a value; may be given several times")
    return parser


def _below(tree: dict[str, Any], *keys: str) -> dict[str, Any]:
    """A block inside of others, made where it is missing."""
    for key in keys:
        value = tree.get(key)
        tree[key] = dict(value) if isinstance(value, dict) else {}
        tree = tree[key]
    return tree


def _input_keys(tree: dict[str, Any]) -> tuple[str, ...]:
    """Where the input is named."""
    io = tree.get("io")
    if not isinstance(io, dict):
        raise ConfigError("the configuration has no block io", where="io", mend="name the input in one")
    for keys in (("loader", "dataset"), ("dataset",), ("reader",)):
        if keys[0] in io:
            return ("io", *keys)
    raise ConfigError("io has no input", where="io", expected="one of loader, dataset and reader")


def _paths(values: Sequence[str], flag: str) -> list[str]:
    for value in values:
        if value.partition("=")[0] in TARGETS and "=" in value:
            raise ConfigError("inputs of several kinds are not joined", where=flag, got=value, mend="give paths alone")
    return list(values)


def _select(block: dict[str, Any], args: argparse.Namespace, lead: str = "") -> None:
    """Choose files and events in a block."""
    flag = "--val-" if lead else "--"
    source, listed = getattr(args, f"{lead}source"), getattr(args, f"{lead}source_list")
    if source is not None and listed is not None:
        raise ConfigError("files are named in one way only", where=f"{flag}source, {flag}source-list")
    if source is not None:
        block["file_keys"] = _paths(source, f"{flag}source")
        block.pop("file_list", None)
    if listed is not None:
        if len(_paths(listed, f"{flag}source-list")) > 1:
            raise ConfigError("there is one list of files", where=f"{flag}source-list", got=listed)
        block["file_list"] = listed[0]
        block.pop("file_keys", None)
    names = {"n_entry": "num_entries", "n_skip": "skip_entries"}
    given = {name: getattr(args, f"{lead}{names.get(name, name)}") for name in CHOICES}
    given = {name: value for name, value in given.items() if value is not None}
    if given:
        for name in CHOICES:
            block.pop(name, None)
        block.update(given)
    if getattr(args, f"{lead}entry_filter") is not None:
        raise ConfigError("filters of events are not read", where=f"{flag}entry-filter", mend=f"use {flag}entry-list")


def _as_inference(tree: dict[str, Any]) -> None:
    """Turn a configuration of a training into one that runs the networks once over all events."""
    base = _below(tree, "base")
    for block, names in ((tree, ("train", "validation")), (base, ("train", "epochs"))):
        for name in names:
            block.pop(name, None)
    base.setdefault("iterations", -1)
    io = tree.get("io")
    if isinstance(io, dict) and isinstance(io.get("loader"), dict):
        loader = _below(tree, "io", "loader")
        loader["shuffle"] = False
        loader.pop("sampler", None)
    if any(tree.get(name) is not None for name in ("build", "post", "ana")) or (io or {}).get("writer") is not None:
        base["unwrap"] = True


def _weights(tree: dict[str, Any], args: argparse.Namespace) -> None:
    """Files of weights."""
    if args.weight_path is not None or args.weight_list is not None:
        model = _below(tree, "model")
        model["weight_path"], model["weight_list"] = args.weight_path, args.weight_list
    for text in args.module_weight or ():
        module, found, path = text.partition("=")
        modules = (tree.get("model") or {}).get("modules") or {}
        if not found or not module or not path:
            raise ConfigError("weights of a network are given as MODULE=PATH", where="--module-weight", got=text)
        if not isinstance(modules.get(module), dict):
            raise ConfigError(
                "the model has no such module", where="--module-weight", got=module, expected=", ".join(modules)
            )
        _below(tree, "model", "modules", module)["weight_path"] = path


def _output(tree: dict[str, Any], args: argparse.Namespace) -> None:
    """Names of the outputs; without ``io.writer`` there are none."""
    given = {"file_name": args.output, "directory": args.output_dir, "suffix": args.output_suffix}
    given = {name: value for name, value in given.items() if value is not None}
    if given and not isinstance(tree["io"].get("writer"), dict):
        logger.warning("the configuration has no io.writer: %s is ignored", ", ".join(given.values()))
    elif given:
        _below(tree, "io", "writer").update(given)


def _resources(tree: dict[str, Any], args: argparse.Namespace) -> None:
    """Length, size of batches, and what belongs to a training."""
    base = _below(tree, "base")
    for name, value in (("world_size", args.world_size), ("log_dir", args.log_dir),
                        ("graceful_stop_file", args.graceful_stop_file)):  # fmt: skip
        if value is not None:
            base[name] = value
    for name, other in (("epochs", "iterations"), ("iterations", "epochs")):
        if getattr(args, name) is not None:
            base[name] = getattr(args, name)
            base.pop(other, None)
    batch = {n: getattr(args, n) for n in ("batch_size", "minibatch_size", "num_workers")}
    batch = {name: value for name, value in batch.items() if value is not None}
    if batch:
        if not isinstance(tree["io"].get("loader"), dict):
            raise ConfigError("batches need a loader", where=", ".join(f"--{n.replace('_', '-')}" for n in batch))
        loader = _below(tree, "io", "loader")
        if "num_workers" not in batch or len(batch) > 1:
            loader.pop("batch_size", None), loader.pop("minibatch_size", None)
        loader.update(batch)
    _tensorboard(base, args)
    train = {"weight_prefix": args.weight_prefix, "resume": args.resume}
    train = {name: value for name, value in train.items() if value is not None}
    if train:
        where = tree if tree.get("train") is not None else base
        if where.get("train") is None:
            raise ConfigError("there is no block train", where=", ".join(f"--{n.replace('_', '-')}" for n in train))
        _below(where, "train").update(train)


def _tensorboard(base: dict[str, Any], args: argparse.Namespace) -> None:
    if args.tensorboard is False and args.tensorboard_dir is not None:
        raise ConfigError("--tensorboard-dir and --no-tensorboard exclude each other", where="--tensorboard-dir")
    if args.tensorboard is False:
        base["tensorboard"] = False
    elif args.tensorboard and not isinstance(base.get("tensorboard"), dict):
        base["tensorboard"] = True
    if args.tensorboard_dir is not None:
        found = base.get("tensorboard")
        base["tensorboard"] = {**(found if isinstance(found, dict) else {}), "log_dir": args.tensorboard_dir}


def _launcher(tree: dict[str, Any], args: argparse.Namespace) -> None:
    """Take over the number of processes from whoever started this one."""
    if "RANK" not in os.environ or "WORLD_SIZE" not in os.environ:
        return
    world = int(os.environ["WORLD_SIZE"])
    if args.world_size not in (None, world):
        raise ConfigError("the launcher started another number of processes", where="--world-size", expected=world)
    _below(tree, "base").update(world_size=world, distributed=True)


def overlaid(composed: Composed, args: argparse.Namespace) -> Composed:
    """A configuration with the options of the command line: dedicated ones over the file, ``--set`` over both.

    Parameters
    ----------
    composed : Composed
        As its files compose it.
    args : argparse.Namespace
        Options.

    Raises
    ------
    ConfigError
        When an option does not fit the configuration.
    """
    from spine.config.peer import assigned

    tree = composed.tree = dict(composed.tree)
    if args.inference:
        if any(value is not None for name, value in vars(args).items() if name.startswith("val_")):
            raise ConfigError("an inference has no validation", where="--inference", mend="leave out --val- options")
        _as_inference(tree)
    _weights(tree, args)
    if args.export_weights is None:
        _select(_below(tree, *_input_keys(tree)), args)
        if any(value is not None for name, value in vars(args).items() if name.startswith("val_")):
            _select(_below(tree, "validation"), args, "val_")
        _output(tree, args)
        _resources(tree, args)
    assigned(composed, args.set)
    _launcher(tree, args)
    return composed


def _info() -> None:
    """Print versions, without loading anything heavy."""
    import platform
    import sys
    from importlib.metadata import PackageNotFoundError, version

    lines = [f"Python {platform.python_version()} on {platform.platform()}"]
    for name in ("spine-flow", "numpy", "scipy", "numba", "h5py", "pandas", "torch", "uproot", "snakemake"):
        try:
            lines.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            lines.append(f"{name} is not installed")
    sys.stdout.write("\n".join(lines) + "\n")


def main(arguments: Sequence[str]) -> None:
    """Run one job.

    Parameters
    ----------
    arguments : sequence of str
        Command line without the name of the program.

    Raises
    ------
    ConfigError
        When the configuration, or an option, cannot be used.
    """
    parser = make_parser()
    args = parser.parse_args(arguments)
    if args.info:
        _info()
        return
    if args.config is None:
        parser.error("-c FILE is needed")
    from spine.config.peer import composed_any, find_file, translate
    from spine.driver.jobs import export_weights, run_job

    path = find_file(args.config, Path.cwd(), "--config")
    composed = overlaid(composed_any(path), args)
    composed.tree.setdefault("base", {})
    composed.tree["base"] = {**(composed.tree["base"] or {}), "parent_path": str(path.parent.absolute())}
    found = translate(composed)
    for note in found.notes:
        logger.info("note: %s", note)
    if args.export_weights is not None:
        export_weights(found.config, Path(args.export_weights))
    else:
        logger.setLevel(found.config.base.verbosity.upper())
        run_job(found.config)
