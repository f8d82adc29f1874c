"""Which events are in which minibatch: a function of the seed alone, so that training can go on anywhere."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from spine.config.training import SamplerBlock
from spine.errors import DataError
from spine.ops.arrays import IntArray

__all__ = ["Minibatch", "MinibatchSize", "Schedule", "split_batches"]


@dataclass(frozen=True)
class MinibatchSize:
    """Limits of a minibatch.

    Parameters
    ----------
    events, voxels : int
        Most events and voxels of one process.
    processes : int
        Processes that share a minibatch.
    """

    events: int
    voxels: int
    processes: int = 1


@dataclass(frozen=True)
class Minibatch:
    """One minibatch of all processes.

    Parameters
    ----------
    number : int
        Number in the training, from 0.
    epoch : float
        Epochs that are over when it has been used.
    entries : (n,) int64
        Events.
    """

    number: int
    epoch: float
    entries: IntArray

    def share(self, rank: int, world: int) -> IntArray:
        """Events of one process."""
        return np.array_split(self.entries, world)[rank]


@dataclass(frozen=True)
class Schedule:
    """Minibatches of a whole training.

    Parameters
    ----------
    entries : (n,) int64
        Events to train on.
    sizes : (m,) int64
        Voxels of each event, by entry.
    sampler : SamplerBlock
        Order of the events.
    limits : MinibatchSize
        Size of minibatches.
    seed : int
        Of all choices.
    """

    entries: IntArray
    sizes: IntArray
    sampler: SamplerBlock
    limits: MinibatchSize
    seed: int

    def order(self, epoch: int) -> IntArray:
        """Events of an epoch in their order."""
        random = np.random.default_rng([self.seed, 1, epoch])
        if self.sampler.provider == "sequential":
            return self.entries
        if self.sampler.provider == "random":
            return random.permutation(self.entries)
        if self.sampler.provider == "bootstrap":
            return random.choice(self.entries, len(self.entries))
        return _shuffled_runs(self.entries, self.limits.events * self.limits.processes, random)

    def epoch(self, number: int) -> list[IntArray]:
        """Minibatches of an epoch.

        Raises
        ------
        DataError
            When the events do not fill one.
        """
        found = split_batches(self.order(number), self.sizes, self.limits, self.sampler.drop_last)
        if not found:
            wanted = self.limits.events * self.limits.processes
            raise DataError(
                "there are fewer events than in one minibatch", got=len(self.entries), expected=wanted,
                mend="give more events, a smaller minibatch_size, or sampler.drop_last=false",
            )  # fmt: skip
        return found

    def minibatches(self, start: int = 0) -> Iterator[Minibatch]:
        """All minibatches from one on, without end."""
        number = epoch = 0
        while True:
            batches = self.epoch(epoch)
            for place, entries in enumerate(batches):
                if number >= start:
                    yield Minibatch(number, epoch + (place + 1) / len(batches), entries)
                number += 1
            epoch += 1

    def count(self, epochs: float) -> int:
        """Minibatches in a number of epochs, rounded up."""
        whole = int(epochs)
        total = sum(len(self.epoch(number)) for number in range(whole))
        rest = epochs - whole
        return total + (int(np.ceil(rest * len(self.epoch(whole)))) if rest else 0)


def _shuffled_runs(entries: IntArray, length: int, random: np.random.Generator) -> IntArray:
    """Runs of neighbours from a random place on, in random order; what fills no run is left out."""
    turned = np.roll(entries, -int(random.integers(len(entries))))
    runs = turned[: len(turned) // length * length].reshape(-1, length)
    return runs[random.permutation(len(runs))].reshape(-1)


def split_batches(
    order: Sequence[int] | IntArray, sizes: IntArray, limits: MinibatchSize, drop: bool
) -> list[IntArray]:
    """Consecutive events, as many as fit.

    Parameters
    ----------
    order : (n,) int
        Events in order.
    sizes : (m,) int64
        Voxels of each event, by entry.
    limits : MinibatchSize
        Most events and voxels; every process gets one event at least.
    drop : bool
        Leave out the last ones when they fill no minibatch.
    """
    most, voxels = limits.events * limits.processes, limits.voxels * limits.processes
    batches: list[IntArray] = []
    batch: list[int] = []
    total = 0
    for entry in map(int, order):
        full = len(batch) == most or (len(batch) >= limits.processes and total + int(sizes[entry]) > voxels)
        if batch and full:
            batches.append(np.array(batch, dtype=np.int64))
            batch, total = [], 0
        batch.append(entry)
        total += int(sizes[entry])
    if batch and (len(batch) == most or (not drop and len(batch) >= limits.processes)):
        batches.append(np.array(batch, dtype=np.int64))
    return batches
