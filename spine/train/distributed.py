"""Training by several processes at once: each takes a share of every minibatch, and gradients are averaged."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, distributed, nn

from spine.errors import ConfigError

__all__ = ["Team", "join"]


@dataclass(frozen=True)
class Team:
    """The processes that train together.

    Parameters
    ----------
    device : torch.device
        Where this process computes.
    rank, world : int
        Number of this process, and how many there are.
    """

    device: torch.device
    rank: int = 0
    world: int = 1

    @property
    def leads(self) -> bool:
        """Whether this process writes files."""
        return self.rank == 0

    def average_gradients(self, parameters: Iterable[nn.Parameter]) -> None:
        """Replace gradients by their mean over all processes; one that is missing counts as zero."""
        if self.world == 1:
            return
        trained = [p for p in parameters if p.requires_grad]
        parts = [torch.zeros_like(p) if p.grad is None else p.grad for p in trained]
        if not parts:
            return
        flat = torch.cat([part.reshape(-1) for part in parts])
        distributed.all_reduce(flat)
        flat /= self.world
        for parameter, part in zip(trained, torch.split(flat, [p.numel() for p in trained]), strict=True):
            parameter.grad = part.view_as(parameter).clone()

    def average(self, numbers: Mapping[str, float], weight: float = 1.0) -> dict[str, float]:
        """Weighted mean of numbers over all processes; all have the same names in the same order."""
        if self.world == 1:
            return dict(numbers)
        values = torch.tensor([*(v * weight for v in numbers.values()), weight], dtype=torch.float64)
        values = self._summed(values)
        mean = values[:-1] / values[-1]
        return dict(zip(numbers, mean.tolist(), strict=True))

    def any(self, flag: bool) -> bool:
        """Whether the flag is set in one process at least."""
        if self.world == 1:
            return flag
        return bool(self._summed(torch.tensor([float(flag)], dtype=torch.float64))[0] > 0)

    def wait(self) -> None:
        """Wait for all processes."""
        self.any(False)

    def _summed(self, values: Tensor) -> Tensor:
        there = values.to(self.device)
        distributed.all_reduce(there)
        return there.cpu()


def _device(name: str, local_rank: int) -> torch.device:
    """The device that a configuration asks for.

    Raises
    ------
    ConfigError
        When it is not there.
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise ConfigError(
            "there is no such device", where="train.device", got=name, expected="cpu, cuda, auto"
        ) from error
    if device.type == "cuda" and not torch.cuda.is_available():
        raise ConfigError("there is no GPU", where="train.device", got=name, mend="set train.device=cpu")
    return torch.device("cuda", local_rank) if name == "cuda" else device


@contextmanager
def join(device: str = "auto") -> Iterator[Team]:
    """The team of this process, as the environment that torchrun sets says; alone without it.

    Processes that have been put together already stay together.

    Parameters
    ----------
    device : str
        ``cpu``, ``cuda`` or ``auto``.

    Yields
    ------
    Team
    """
    world = int(os.environ.get("WORLD_SIZE", "1"))
    found = _device(device, int(os.environ.get("LOCAL_RANK", "0")))
    if found.type == "cuda":
        torch.cuda.set_device(found)
    if world == 1:
        yield Team(found)
        return
    own = not distributed.is_initialized()
    if own:
        distributed.init_process_group("nccl" if found.type == "cuda" else "gloo")
    try:
        yield Team(found, distributed.get_rank(), world)
    finally:
        if own:
            distributed.destroy_process_group()
