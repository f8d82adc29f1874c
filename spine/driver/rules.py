"""What a configuration may not combine in a Driver; the first rule that is broken is reported."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from spine.config.model import Config
from spine.errors import ConfigError

__all__ = ["Asked", "asked_of", "check_rules"]


class Asked(NamedTuple):
    """What a configuration asks for."""

    model: bool
    train: bool
    validation: bool
    build: bool
    post: bool
    ana: bool
    writer: bool

    @property
    def events(self) -> dict[str, bool]:
        """Blocks that work on single events."""
        return {"build": self.build, "post": self.post, "ana": self.ana, "io.writer": self.writer}


def asked_of(config: Config) -> Asked:
    """Which blocks are there."""
    given = config.model_fields_set
    return Asked(
        bool(config.model.modules.chain.stages),
        "train" in given,
        "validation" in given,
        bool(config.build),
        bool(config.post.steps),
        bool(config.ana.steps),
        config.io.writer is not None,
    )


def check_rules(config: Config, rank: int | None = None) -> None:
    """Refuse what does not go together.

    Parameters
    ----------
    config : Config
        Checked.
    rank : int, optional
        Number of this process among several.

    Raises
    ------
    ConfigError
        For the first rule that is broken.
    """
    for rules in (_input_rules, _process_rules, _model_rules, _event_rules, _train_rules, _columnar_rules):
        for broken in rules(config, asked_of(config), rank):
            raise broken


def _input_rules(config: Config, asked: Asked, rank: int | None) -> Iterator[ConfigError]:
    del asked, rank
    io, base = config.io, config.base
    given = [name for name, value in (("loader", io.loader), ("dataset", io.direct), ("reader", io.reader)) if value]
    if len(given) != 1:
        yield ConfigError(
            "io needs exactly one of loader, dataset and reader", where="io", got=" and ".join(given) or "none of them",
            mend="name the input files under one of them",
        )  # fmt: skip
    if base.iterations is not None and base.epochs is not None:
        yield ConfigError("iterations and epochs exclude each other", where="base", mend="keep one of them")


def _process_rules(config: Config, asked: Asked, rank: int | None) -> Iterator[ConfigError]:
    base = config.base
    if rank is None and base.world_size > 1:
        yield ConfigError("several GPUs need the rank of this process", where="base.world_size", got=base.world_size)
    if rank is not None and rank >= base.world_size:
        yield ConfigError(
            "the rank of this process is too large", where="base.world_size", got=rank,
            expected=f"below {base.world_size}",
        )  # fmt: skip
    distributed = base.distributed or base.world_size > 1
    if base.ddp and not distributed:
        yield ConfigError("ddp needs several processes", where="base.ddp", mend="set base.distributed: true")
    if asked.train and distributed and base.ddp is False:
        yield ConfigError("training in several processes needs ddp", where="base.ddp", mend="set base.ddp: true")


def _model_rules(config: Config, asked: Asked, rank: int | None) -> Iterator[ConfigError]:
    del rank
    if asked.train and not asked.model:
        yield ConfigError("there is a train block but no model to train", where="train", mend="add a model block")
    if asked.model and config.io.loader is None:
        yield ConfigError("a model needs a loader", where="io", mend="name the input under io.loader")


def _event_rules(config: Config, asked: Asked, rank: int | None) -> Iterator[ConfigError]:
    del rank
    if not asked.model:
        return
    for name, there in asked.events.items():
        if there and config.base.unwrap is False:
            yield ConfigError(
                f"{name} works on single events, which base.unwrap forbids", where="base.unwrap",
                mend="set base.unwrap: true",
            )  # fmt: skip
    if asked.build and config.model.to_numpy is False:
        yield ConfigError(
            "objects are built from arrays, which model.to_numpy forbids", where="model.to_numpy",
            mend="set model.to_numpy: true",
        )  # fmt: skip


def _train_rules(config: Config, asked: Asked, rank: int | None) -> Iterator[ConfigError]:
    del rank
    train = getattr(config, "train", None)
    scheduler = getattr(train, "lr_scheduler", None)
    if asked.validation:
        if not asked.train:
            yield ConfigError("validation belongs to a training", where="validation", mend="add a train block")
        if getattr(train, "save_step", None) is None and getattr(train, "save_epoch", None) is None:
            yield ConfigError(
                "validation runs at snapshots, of which there are none", where="validation",
                mend="set train.save_step or train.save_epoch",
            )  # fmt: skip
    elif asked.train and scheduler is not None and scheduler.interval == "validation":
        yield ConfigError(
            "the scheduler waits for a validation", where="train.lr_scheduler.interval", mend="add a validation block"
        )


def _columnar_rules(config: Config, asked: Asked, rank: int | None) -> Iterator[ConfigError]:
    del rank
    if config.io.reader is None or not config.io.reader.columnar:
        return
    others = {"model": asked.model, "build": asked.build, "post": asked.post, "io.writer": asked.writer}
    found = [name for name, there in others.items() if there]
    if found:
        yield ConfigError(
            "a columnar reader is for analysis alone", where="io.reader.columnar", got=", ".join(found),
            mend="remove these blocks, or read events one by one",
        )  # fmt: skip
    if not asked.ana:
        yield ConfigError("a columnar reader needs an analysis", where="io.reader.columnar", mend="add an ana block")
