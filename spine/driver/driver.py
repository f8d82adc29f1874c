"""The Driver: the steps of the stages in memory, one event or batch at a time.

It owns no algorithm: reading, inference, building, post-processing and analysis are the functions that the stages
call, so that a notebook and the workflow give the same numbers.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, MutableMapping, Sequence
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any, ClassVar, Self

from spine.config import Config
from spine.config.model import BaseBlock, GeoBlock
from spine.driver.batch import Batch, first_entry, scalars_of
from spine.driver.inputs import Inputs, Share
from spine.driver.log import Log, log_name, memory, open_log, summary
from spine.driver.networks import Chain
from spine.driver.pipeline import Pipeline, readable
from spine.driver.rules import asked_of, check_rules
from spine.driver.settings import DRIVER_KEYS, RUNTIME_KEYS, known_base_keys, settle_seeds, typed_config
from spine.driver.training import train
from spine.driver.watches import Watches
from spine.errors import ConfigError, StageError
from spine.schema import Event
from spine.stages.ana import TableRows, analyses
from spine.stages.build import build_actions
from spine.stages.loop import Action
from spine.stages.outputs import NAME_MAX, DriverOutputs, shortened, table_prefix
from spine.stages.post import post_actions
from spine.store.selection import Selected

__all__ = ["Driver"]

logger = logging.getLogger("spine")


class Driver:
    """Runs the chain on events of one or more files.

    Parameters
    ----------
    cfg : Config, mapping, or path of a YAML file
        Blocks base, geo, io, model, train, validation, build, post, ana, in our spelling or SPINE's. ``io`` holds a
        ``loader`` (batches, for networks), a ``dataset`` (single events of any input) or a ``reader`` (single events
        of files that were written before).
    rank : int, optional
        Number of this process among several.

    Raises
    ------
    ConfigError
        When the configuration is wrong, or combines what does not go together.
    DataError
        When an input is missing or broken.

    Examples
    --------
    >>> driver = Driver({"io": {"reader": {"file_keys": "spine.h5"}}, "post": {"direction": {}}})  # doctest: +SKIP
    >>> for event in driver:  # doctest: +SKIP
    ...     print(event.reco.particles)
    """

    RUNTIME_BASE_KEYS: ClassVar[frozenset[str]] = RUNTIME_KEYS
    DRIVER_BASE_KEYS: ClassVar[frozenset[str]] = DRIVER_KEYS

    def __init__(self, cfg: Config | Mapping[str, Any] | Path | str, rank: int | None = None) -> None:
        self.cfg = self.process_config(cfg)
        check_rules(self.cfg, rank)
        self.watch = Watches()
        self.watch.initialize("iteration")
        self.initialize_base(self.cfg.base, rank)
        self.initialize_geo(self.cfg.geo)
        self.initialize_io()
        try:
            self.initialize_model()
            self.initialize_builder()
            self.initialize_post()
            self.initialize_ana()
        except BaseException:
            self.io.close()
            raise
        self.log_manager: Log | None = None
        self.outputs = DriverOutputs(self.cfg, self.io.paths, self.rank if self.distributed else None)
        parts = (self.model, self.builder, self.post, self.ana, self.outputs if self.outputs.paths else None)
        self.pipeline = Pipeline(self.watch, self.base.on_error, *parts)
        self._entry_counter = 0

    @classmethod
    def process_config(cls, cfg: Config | Mapping[str, Any] | Path | str) -> Config:
        """The typed configuration, see `spine.driver.settings.typed_config`."""
        return typed_config(cfg)

    @staticmethod
    def normalize_seed_config(base: MutableMapping[str, Any], io: MutableMapping[str, Any]) -> None:
        """Settle seeds in place, see `spine.driver.settings.settle_seeds`."""
        settle_seeds(base, io)

    @classmethod
    def extract_driver_base_config(cls, base: Mapping[str, Any]) -> dict[str, Any]:
        """Keys of ``base`` that a Driver uses.

        Raises
        ------
        ConfigError
            When there are keys that nobody uses.
        """
        known_base_keys(base)
        return {key: value for key, value in base.items() if key in cls.DRIVER_BASE_KEYS}

    def initialize_base(self, base: BaseBlock, rank: int | None = None) -> None:
        """Take over the block ``base``: each of its keys is an attribute of the Driver."""
        for name in self.DRIVER_BASE_KEYS:
            setattr(self, name, getattr(base, name))
        self.rank = 0 if rank is None and base.world_size > 0 else rank
        self.main_process = not self.rank
        self.distributed = bool(base.distributed) or base.world_size > 1
        self.ddp = self.distributed if base.ddp is None else base.ddp
        self.base = base

    def initialize_geo(self, geo: GeoBlock) -> None:
        """Take over the block ``geo``; steps that need the detector are given it."""
        self.geo_cfg = geo if geo.detector is not None else None

    def initialize_io(self) -> None:
        """Open the inputs, and tell how many iterations there are."""
        share = Share(self.rank, self.base.world_size if self.distributed else 1)
        self.io = Inputs(self.cfg, share)
        self.watch.initialize(self.io.watch)
        self.iterations, self.epochs = self.base.iterations, self.base.epochs
        if self.iterations is not None and self.iterations < 0:
            self.iterations = self.io.iterations
        elif self.epochs is not None:
            self.iterations = int(self.epochs * self.io.iterations)

    def initialize_model(self) -> None:
        """Build the networks and their chain, where there is one."""
        self.model: Chain | None = None
        self.training = asked_of(self.cfg).train
        if asked_of(self.cfg).model and not self.training:
            self.watch.initialize("model", "unwrap")
            self.model = Chain(self.cfg, self.io.sources, self.rank)

    def initialize_builder(self) -> None:
        """Prepare the building of objects, where it is asked for."""
        asked = bool(self.cfg.build)
        self.builder = [self.watch.around(a, "build") for a in build_actions(self.cfg)] if asked else None

    def initialize_post(self) -> None:
        """Prepare post-processing, where it is asked for."""
        self.post: list[Action] | None = None
        if self.cfg.post.steps:
            self.watch.initialize("post")
            names = {entry.name for entry in self.cfg.post.steps}
            actions = post_actions(self.cfg)
            self.post = [self.watch.around(a, f"post_{a.name}") if a.name in names else a for a in actions]

    def initialize_ana(self) -> None:
        """Prepare the analysis; its rows are gathered under `tables`."""
        self._rows = TableRows(analyses(self.cfg))
        self.ana = self._rows if self.cfg.ana.steps else None
        if self.ana is not None:
            self.watch.initialize("ana")

    def initialize_log(self) -> None:
        """Open the log of a run.

        Raises
        ------
        ConfigError
            When it exists and may not be replaced.
        """
        start = self.model.start_iteration if self.model is not None else 0
        rank = self.rank if self.distributed else None
        name = log_name(self.model is not None, self.builder is not None, rank, start)
        if self.base.prefix_log:
            name = f"{shortened(table_prefix(self.io.paths), NAME_MAX - len(name) - 1)}_{name}"
        self.log_manager = open_log(self.base, name, self.main_process)

    def apply_filter(
        self,
        n_entry: int | None = None,
        n_skip: int | None = None,
        entry_list: Sequence[int] | None = None,
        skip_entry_list: Sequence[int] | None = None,
        run_event_list: Sequence[tuple[int, int, int]] | None = None,
        skip_run_event_list: Sequence[tuple[int, int, int]] | None = None,
    ) -> None:
        """Choose events anew, among all of the inputs; see `spine.store.selection.Selected`.

        Raises
        ------
        ConfigError
            When several kinds of choice are mixed, an entry does not exist, or nothing is left.
        """
        self.io.choose(Selected(n_entry, n_skip, entry_list, skip_entry_list, run_event_list, skip_run_event_list))
        self._entry_counter = 0

    def __len__(self) -> int:
        return len(self.io)

    def __iter__(self) -> Iterator[Event | Batch]:
        self._entry_counter = 0
        self.io.reset()
        return self

    def __next__(self) -> Event | Batch:
        if self.io.has_loader:
            return self.process()
        if self._entry_counter >= (self.io.iterations if self.io.columnar else len(self)):
            raise StopIteration
        self._entry_counter += 1
        return self.process(entry=self._entry_counter - 1)

    def process(
        self,
        entry: int | None = None,
        run: int | None = None,
        subrun: int | None = None,
        event: int | None = None,
        iteration: int | None = None,
        epoch: float | None = None,
    ) -> Event | Batch:
        """Run everything that is configured on the next batch, or on one event.

        Parameters
        ----------
        entry : int, optional
            Number among the chosen events, without a loader.
        run, subrun, event : int, optional
            Numbers of the event, instead of ``entry``.
        iteration, epoch : optional
            Without effect.

        Returns
        -------
        Event or Batch
            With all products: an `Event`; with a loader or a columnar reader a `Batch`. Rows of the analysis are
            under `tables`.

        Raises
        ------
        ConfigError, DataError, StopIteration
            See `Inputs.load`; when an event is broken, notes name the step.
        """
        del iteration, epoch
        self.watch.reset()
        with self.watch.timed("iteration"):
            with self.watch.timed(self.io.watch):
                found = self.io.load(entry, run, subrun, event)
            line = self.pipeline
            events = line.run(readable(found, line.on_error, line.progress))
        return Batch(events) if self.io.has_loader or self.io.columnar or not events else events[0]

    def run(self) -> None:
        """Process the configured number of iterations, with a log; write outputs and tables. With ``train``, train.

        Raises
        ------
        ConfigError
            When neither ``iterations`` nor ``epochs`` is set, or an output exists and may not be replaced.
        """
        if self.iterations is None:
            raise ConfigError(
                "a run needs iterations or epochs", where="base", mend="set base.iterations: -1 for one pass over all"
            )
        if self.training:
            train(self.cfg, self.io)
            return
        self.outputs.check()
        self.initialize_log()
        success = False
        try:
            for iteration in range(self.iterations):
                if self.io.has_loader and iteration % self.io.iterations == 0:
                    self.io.reset()
                entry = None if self.io.has_loader else iteration
                data = self.process(entry=entry, iteration=iteration)
                stamp = datetime.now().strftime("%Y-%m-%d %H:%M:%S")
                self.log(data, stamp, iteration, (iteration + 1) / self.io.iterations)
            success = True
        finally:
            self.cleanup(success)

    def log(
        self, data: Event | Batch, tstamp: str, iteration: int, epoch: float | None = None, stdout: bool = True
    ) -> None:
        """Write a row of the log, and a short table on the screen where its turn has come.

        Raises
        ------
        StageError
            Before `initialize_log`, or when the row has other columns than the first.
        """
        if self.log_manager is None:
            raise StageError("the log is not open", mend="call initialize_log first")
        row: dict[str, Any] = {"iter": iteration, "epoch": epoch, "first_entry": first_entry(data), **memory()}
        if self.model is not None:
            row |= self.model.memory()
        row |= {**self.watch.columns(), **scalars_of(data)}
        self.log_manager.append(row)
        if stdout and self.should_log_stdout(iteration):
            logger.info(summary(row, self.watch, tstamp, "inference"))

    def should_log_stdout(self, iteration: int) -> bool:
        """Whether an iteration is shown on the screen."""
        return (iteration + 1) % self.base.log_step == 0

    @property
    def tables(self) -> dict[str, dict[str, Any]]:
        """Columns of each table of the analysis, over the events processed so far."""
        return self._rows.columns()

    def cleanup(self, finalize_writer: bool = True) -> None:
        """Close the log and the outputs; after a failure the outputs do not appear."""
        if self.log_manager is not None:
            self.log_manager.close()
            self.log_manager = None
        self.outputs.fail(self.pipeline.progress.failures)
        self.outputs.close(self._rows if finalize_writer else None)

    def close(self) -> None:
        """Close everything; outputs that `run` or `cleanup` did not finish do not appear."""
        self.cleanup(finalize_writer=False)
        self.io.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.cleanup(finalize_writer=error is None)
        self.io.close()
