"""Weights of networks: which go where, from one file or several, and which stay as they are."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor, nn

from spine.errors import ConfigError, DataError, did_you_mean
from spine.model.checkpoint import Checkpoint, file_sha256, locate_weights, read_checkpoint

__all__ = ["Loaded", "WeightSource", "freeze", "load_weights", "state_of", "weights_for"]

SHOWN = 8
"""Most weights that an error lists."""


@dataclass(frozen=True)
class WeightSource:
    """Where weights come from.

    Parameters
    ----------
    path : str
        File, or URL with its SHA-256: ``https://host/name.ckpt#sha256=<64 digits>``.
    module : str
        Module that takes them, dots for a part of it; empty for all modules.
    namespace : str, optional
        Name of the module in the file, empty for the whole file; by default that of ``module``, or the whole file
        when that fits.
    """

    path: str
    module: str = ""
    namespace: str | None = None


@dataclass(frozen=True)
class Loaded:
    """Weights that went from a file into a module."""

    module: str
    namespace: str
    path: Path
    sha256: str
    names: tuple[str, ...]


def state_of(networks: Mapping[str, nn.Module]) -> dict[str, Tensor]:
    """Weights of several modules, each name with that of its module in front."""
    return {f"{name}.{key}": value for name, net in networks.items() for key, value in net.state_dict().items()}


def load_weights(networks: Mapping[str, nn.Module], sources: Sequence[WeightSource]) -> list[Loaded]:
    """Fill modules with weights; all files are read and checked before any module is changed.

    Parameters
    ----------
    networks : mapping of str to torch.nn.Module
        Modules by name.
    sources : sequence of WeightSource
        One for all modules fills those that have none of their own. Later ones replace what earlier ones have filled.
        Modules of a file that are not among ``networks`` are left alone.

    Returns
    -------
    list of Loaded
        What went where, in order.

    Raises
    ------
    ConfigError
        When a source names a module that is not there.
    DataError
        When a file is broken, or a weight is missing, left over, or has the wrong shape or type; names the module.
    """
    rest = [name for name in networks if name not in {source.module for source in sources}]
    ready: list[tuple[nn.Module, dict[str, Tensor], Loaded]] = []
    for source in sources:
        names = [source.module] if source.module else rest
        modules = {name: _submodule(networks, name) for name in names}
        path = locate_weights(source.path)
        checkpoint, digest = read_checkpoint(path), file_sha256(path)
        for name, module in modules.items():
            whole = source.namespace if source.module or len(networks) == 1 else name
            namespace, state = weights_for(module, checkpoint, name, whole)
            ready.append((module, state, Loaded(name, namespace, path, digest, tuple(state))))
    for module, state, _ in ready:
        module.load_state_dict(state)
    return [record for _, _, record in ready]


def _submodule(networks: Mapping[str, nn.Module], name: str) -> nn.Module:
    first, _, rest = name.partition(".")
    if first not in networks:
        raise ConfigError(f"no module is called {first!r}", mend=did_you_mean(first, networks))
    try:
        return networks[first].get_submodule(rest)
    except AttributeError as error:
        raise ConfigError(f"module {first!r} has no part {rest!r}", got=str(error)) from error


def weights_for(
    module: nn.Module, checkpoint: Checkpoint, name: str, namespace: str | None = None
) -> tuple[str, dict[str, Tensor]]:
    """The weights of a module from a checkpoint, and where in the file they were found.

    Parameters
    ----------
    module : torch.nn.Module
        Says which names, shapes and types there must be.
    checkpoint : Checkpoint
        File.
    name, namespace : str
        Name of the module, and its name in the file; by default the same, or the whole file when only that fits.

    Raises
    ------
    DataError
        When a weight is missing, left over, or has the wrong shape or type.
    """
    spaces = (name, "") if namespace is None else (namespace,)
    found = {space: _below(checkpoint.state, space) for space in spaces}
    wanted = module.state_dict()
    problems = {space: list(_problems(wanted, state)) for space, state in found.items()}
    fits = [space for space in spaces if not problems[space]]
    if not fits:
        best = min(spaces, key=lambda space: len(problems[space]))
        raise _misfit(name, best, problems[best], checkpoint)
    return fits[0], found[fits[0]]


def _below(state: Mapping[str, Tensor], namespace: str) -> dict[str, Tensor]:
    prefix = f"{namespace}." if namespace else ""
    return {key[len(prefix) :]: value for key, value in state.items() if key.startswith(prefix)}


def _problems(wanted: Mapping[str, Tensor], found: Mapping[str, Tensor]) -> Iterable[str]:
    """What is wrong with weights, one line each."""
    yield from (f"{key} is missing" for key in wanted if key not in found)
    yield from (f"{key} is left over" for key in found if key not in wanted)
    for key in wanted.keys() & found.keys():
        here, there = wanted[key], found[key]
        if here.shape != there.shape:
            yield f"{key} has shape {tuple(there.shape)} instead of {tuple(here.shape)}"
        elif here.is_floating_point() != there.is_floating_point():
            yield f"{key} has type {there.dtype} instead of {here.dtype}"


def _misfit(name: str, namespace: str, problems: Sequence[str], checkpoint: Checkpoint) -> DataError:
    shown = sorted(problems)[:SHOWN]
    if len(problems) > SHOWN:
        shown.append(f"and {len(problems) - SHOWN} more")
    what = f"the weights below {namespace!r} do not fit module {name!r}:\n    " + "\n    ".join(shown)
    held = ", ".join(f"{module} ({count})" for module, count in checkpoint.modules.items())
    mend = "use the configuration with which they were trained, or set model_name to their name in the file"
    return DataError(what, where=checkpoint.path, got=f"weights of {held or 'nothing'}", mend=mend)


def freeze(module: nn.Module) -> None:
    """Keep the weights of a module as they are: no gradients, and evaluation mode whatever its owner is in.

    Statistics of normalisation layers do not move either, and dropout lets everything pass.
    """
    module.requires_grad_(False)
    module.eval()
    for part in module.modules():
        object.__setattr__(part, "train", _stay(part))


def _stay(part: nn.Module) -> object:
    def train(mode: bool = True) -> nn.Module:
        del mode
        return part

    return train
