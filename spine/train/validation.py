"""Validation: how good networks are on events that they are not trained on, and what follows from it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import torch

from spine.config.training import BestBlock, StoppingBlock, ValidationBlock
from spine.errors import ConfigError, did_you_mean
from spine.ops.arrays import IntArray
from spine.train.distributed import Team
from spine.train.objective import Objective
from spine.train.samples import Draw, Samples

__all__ = ["Judge", "ValidationSet", "Verdict", "monitored", "set_apart", "validate"]


def set_apart(count: int, fraction: float, seed: int) -> tuple[IntArray, IntArray]:
    """Events to train on, and a share that is set apart for validation.

    Parameters
    ----------
    count : int
        Number of events.
    fraction : float
        Share that is set apart, one event at least when it is not zero.
    seed : int
        Of the choice.

    Returns
    -------
    train, apart : (n,) and (m,) int64
        Events in rising order.
    """
    wanted = int(np.ceil(count * fraction)) if fraction else 0
    chosen = np.random.default_rng([seed, 3]).permutation(count)[:wanted]
    mask = np.zeros(count, dtype=np.bool_)
    mask[chosen] = True
    return np.flatnonzero(~mask), np.flatnonzero(mask)


@dataclass(frozen=True)
class ValidationSet:
    """Events to validate on."""

    samples: Samples
    entries: IntArray
    minibatch_size: int


def validate(objective: Objective, chosen: ValidationSet, team: Team) -> dict[str, float]:
    """Mean of all numbers over minibatches, weighted with their events.

    Each process takes its share of the events, or all when there are fewer events than processes.
    """
    objective.eval()
    few = len(chosen.entries) < team.world
    own = chosen.entries if few else np.array_split(chosen.entries, team.world)[team.rank]
    sums: dict[str, float] = {}
    with torch.no_grad():
        for start in range(0, len(own), chosen.minibatch_size):
            entries = own[start : start + chosen.minibatch_size]
            score = objective([chosen.samples[Draw(int(entry))] for entry in entries])
            for name, value in score.flat().items():
                sums[name] = sums.get(name, 0.0) + value * len(entries)
    objective.train()
    return team.average({name: value / len(own) for name, value in sums.items()}, len(own))


@dataclass
class Verdict:
    """What validations have shown so far.

    Parameters
    ----------
    best, leading : float, optional
        Best value of the number that decides about early stopping, and of the one that decides about the best snapshot.
    stale : int
        Validations since the former got better.
    stopped : bool
        Whether training ended before its time.
    """

    best: float | None = None
    leading: float | None = None
    stale: int = 0
    stopped: bool = False

    def state(self) -> dict[str, float | int | bool | None]:
        """What a snapshot keeps."""
        return {"best": self.best, "leading": self.leading, "stale": self.stale, "stopped": self.stopped}


@dataclass
class Judge:
    """Decides whether training goes on, and which snapshot is the best.

    Parameters
    ----------
    block : ValidationBlock
        How.
    verdict : Verdict
        What is known from before.
    """

    block: ValidationBlock
    verdict: Verdict = field(default_factory=Verdict)

    def see(self, numbers: Mapping[str, float]) -> bool:
        """Take the numbers of a validation; returns whether it is the best so far.

        Raises
        ------
        ConfigError
            When a number that decides is not there.
        """
        verdict, stopping, choice = self.verdict, self.block.early_stopping, self.block.best_checkpoint
        if stopping is not None:
            value = monitored(numbers, stopping.monitor, "validation.early_stopping")
            better = _improves(value, verdict.best, stopping)
            verdict.stale = 0 if better else verdict.stale + 1
            verdict.best = value if better else verdict.best
            verdict.stopped = verdict.stale >= stopping.patience
        if choice is None:
            return False
        value = monitored(numbers, choice.monitor, "validation.best_checkpoint")
        if not _improves(value, verdict.leading, choice):
            return False
        verdict.leading = value
        return True


def _improves(value: float, before: float | None, block: StoppingBlock | BestBlock) -> bool:
    if before is None:
        return value == value
    return value < before - block.min_delta if block.mode == "min" else value > before + block.min_delta


def monitored(numbers: Mapping[str, float], name: str, where: str) -> float:
    """A number of the validation.

    Raises
    ------
    ConfigError
        When there is no such number.
    """
    plain = name.removeprefix("val_")
    if plain not in numbers:
        raise ConfigError(f"the validation has no number {name!r}", where=where, mend=did_you_mean(plain, numbers))
    return numbers[plain]
