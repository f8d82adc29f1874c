"""Networks of a Driver: their chain, and one set of weights after the other."""

from __future__ import annotations

import glob
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from spine.config.model import Config
from spine.errors import ConfigError
from spine.schema import Event
from spine.stages.batches import run_chain
from spine.stages.infer import CHECK, chain_of, networks_of
from spine.stages.loop import survivors
from spine.stages.outcome import Progress
from spine.store.source import EventSource

__all__ = ["Chain", "checkpoints_of"]


def checkpoints_of(config: Config) -> list[str]:
    """Files of weights to run with, one after the other.

    Parameters
    ----------
    config : Config
        ``model.weight_path`` is a file, a URL or a pattern, ``model.weight_list`` a text file with one per line.

    Raises
    ------
    ConfigError
        When both are given, a pattern matches nothing, or the list cannot be read.
    """
    path, listed = config.model.weight_path, config.model.weight_list
    if path is not None and listed is not None:
        raise ConfigError("weight_path and weight_list exclude each other", where="model", mend="keep one of them")
    if listed is not None:
        try:
            lines = Path(listed).read_text().split()
        except OSError as error:
            raise ConfigError("the list of weights cannot be read", where=listed, got=error.strerror) from error
        return sorted(lines)
    if path is None or "://" in path or not glob.has_magic(path):
        return [] if path is None else [path]
    found = sorted(glob.glob(path))  # noqa: PTH207
    if not found:
        raise ConfigError("no file of weights matches", where="model.weight_path", got=path)
    return found


class Chain:
    """The inference chain of a Driver.

    Parameters
    ----------
    config : Config
        Uses model, io.loader and base.
    sources : sequence of EventSource
        Inputs, which must offer what the chain needs.
    gpu : int, optional
        GPU to run on, none for the processor.

    Raises
    ------
    ConfigError
        When the chain does not fit together, or there is no such GPU.
    """

    def __init__(self, config: Config, sources: Sequence[EventSource], gpu: int | None = None) -> None:
        self.config = config
        self.checkpoints = checkpoints_of(config)
        first = self.checkpoints[0] if self.checkpoints else None
        model = config.model.model_copy(update={"weight_path": first, "weight_list": None})
        self.networks = _networks(config.model_copy(update={"model": model}))
        self.start_iteration, self.gpu = 0, gpu
        if self.networks:
            from spine.model.devices import place_networks

            place_networks(self.networks, gpu, config.base.dtype)
            self.start_iteration = _start(first)
        self.plan = chain_of(config, sources, self.networks)

    @property
    def stage_names(self) -> tuple[str, ...]:
        """Stages in order."""
        return tuple(stage.name for stage in self.plan.stages)

    def memory(self) -> dict[str, float]:
        """Memory of the GPU that the networks are on."""
        if self.gpu is None or not self.networks:
            return {}
        from spine.model.devices import gpu_memory

        return gpu_memory(self.gpu)

    def load_weights(self, path: str) -> None:
        """Take other weights."""
        from spine.model.networks import weight_sources
        from spine.model.weights import load_weights

        load_weights(self.networks, weight_sources(self.config.model.modules.model_dump(), path))
        self.start_iteration = _start(path)

    def run(self, events: Sequence[Event], progress: Progress) -> list[Event]:
        """Run the chain on a batch; events that fail are left out where the configuration says so."""
        base, loader = self.config.base, self.config.io.loader
        assert loader is not None
        sound = survivors(events, [CHECK], base.on_error, progress)
        return run_chain(self.plan, sound, loader, base.on_error, progress)


def _networks(config: Config) -> Mapping[str, Any]:
    """Networks of a configuration; those without weights get random ones."""
    try:
        return networks_of(config, trained=False)
    except ModuleNotFoundError as error:
        if error.name != "torch":
            raise
        raise ConfigError("torch is not installed", where="model", mend="install spine-flow[model]") from error


def _start(path: str | None) -> int:
    """Iteration that follows the one at which weights were stored."""
    if path is None:
        return 0
    from spine.model.checkpoint import locate_weights, read_checkpoint

    step = read_checkpoint(locate_weights(path)).parts.get("global_step")
    return int(step) + 1 if isinstance(step, int) else 0
