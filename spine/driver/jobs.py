"""A whole job: one Driver, or one per GPU, run with every set of weights."""

from __future__ import annotations

import logging
import multiprocessing
import os
import platform
import sys
from pathlib import Path

import yaml

from spine.config.model import Config
from spine.driver.driver import Driver
from spine.driver.rules import asked_of
from spine.errors import ConfigError, StageError

__all__ = ["export_weights", "run_driver", "run_job", "run_process"]

logger = logging.getLogger("spine")

ADDRESS = {"MASTER_ADDR": "localhost", "MASTER_PORT": "12355"}
"""Where processes of one machine meet, unless the environment says otherwise."""


def run_job(config: Config) -> None:
    """Run a configuration in this process, or in as many as ``base.world_size`` asks for.

    Parameters
    ----------
    config : Config
        Checked.

    Raises
    ------
    ConfigError
        When several GPUs are asked for, but not to share the events.
    StageError
        When one of several processes fails.
    """
    base = config.base
    if base.gpus is not None:
        os.environ["CUDA_VISIBLE_DEVICES"] = ",".join(map(str, base.gpus))
    distributed = base.world_size > 1 if base.distributed is None else base.distributed
    if base.world_size > 1 and not distributed:
        raise ConfigError(
            "several GPUs share the events", where="base.distributed", got=False, mend="set base.distributed: true"
        )
    if not distributed:
        run_process(None, config)
    elif "RANK" in os.environ:
        run_process(int(os.environ["RANK"]), config)
    else:
        _spawn(config)


def _spawn(config: Config) -> None:
    """One process per GPU on this machine."""
    context = multiprocessing.get_context("spawn")
    processes = [
        context.Process(
            target=_ranked, args=(rank, config.model_dump_json(by_alias=True), sorted(config.model_fields_set))
        )
        for rank in range(config.base.world_size)
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    failed = [rank for rank, process in enumerate(processes) if process.exitcode]
    if failed:
        raise StageError("some processes failed", got=f"ranks {failed}", mend="see their messages above")


def _ranked(rank: int, text: str, given: list[str]) -> None:
    """Body of one of several processes."""
    config = Config.model_validate_json(text)
    config.__pydantic_fields_set__.intersection_update(given)
    logging.basicConfig(level=logging.WARNING, format="%(message)s", stream=sys.stderr)
    logger.setLevel(logging.WARNING if rank else config.base.verbosity.upper())
    world = str(config.base.world_size)
    os.environ.update(ADDRESS | dict(os.environ) | {"RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": world})
    run_process(rank, config)


def run_process(rank: int | None, config: Config) -> None:
    """Run a configuration in this process."""
    _announce(config, rank)
    with Driver(config, rank) as driver:
        run_driver(driver)


def run_driver(driver: Driver) -> None:
    """Run a Driver once or, when there are several files of weights, once with each."""
    checkpoints = driver.model.checkpoints if driver.model is not None else []
    if driver.model is not None and len(checkpoints) > 1:
        logger.info("%d sets of weights:\n - %s", len(checkpoints), "\n - ".join(checkpoints))
        for path in checkpoints:
            driver.model.load_weights(path)
            driver.run()
    else:
        driver.run()


def _announce(config: Config, rank: int | None) -> None:
    """Say what runs where; the whole configuration with debug messages."""
    device = "cpu" if config.base.world_size == 0 else f"cuda:{rank or 0}"
    mode = "training" if asked_of(config).train else "inference"
    logger.info(
        "%s on %s (%s, Python %s), seed %d", mode, device, platform.node(), platform.python_version(), config.base.seed
    )
    text = yaml.safe_dump(config.model_dump(mode="json", by_alias=True), sort_keys=False)
    logger.debug("configuration:\n%s", text)


def export_weights(config: Config, path: Path) -> None:
    """Write the weights of all networks of a configuration into one file.

    Raises
    ------
    ConfigError
        When a network has no weights.
    """
    from spine.model.checkpoint import Checkpoint, write_checkpoint
    from spine.model.networks import build_networks
    from spine.model.weights import state_of

    networks = build_networks(config.model.modules.model_dump(), config.model.weight_path)
    digest = write_checkpoint(path, Checkpoint(state_of(networks)))
    logger.info("weights of %s -> %s, SHA-256 %s", ", ".join(networks), path, digest)
