"""The Driver: the steps of the stages in memory, one event at a time.

It owns no algorithm: reading, inference, building, post-processing and analysis are the functions that the stages
call, so that a notebook and the workflow give the same numbers.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from spine.config import Config, load_config, resolve_config
from spine.config.inputs import expand_inputs
from spine.config.model import DatasetBlock, ReaderBlock
from spine.errors import ConfigError, DataError
from spine.schema import Block, Event
from spine.stages.loop import Action
from spine.store.selection import EventIndex, Selected
from spine.store.source import BadEvent, EventSource, open_source

if TYPE_CHECKING:
    from spine.stages.ana import TableRows

__all__ = ["Driver"]


def _typed(cfg: Config | Mapping[str, Any] | Path | str) -> Config:
    if isinstance(cfg, Config):
        return cfg
    if isinstance(cfg, Mapping):
        return resolve_config(cfg)
    return load_config(cfg)


class Driver:
    """Runs the chain on events of one or more files.

    Parameters
    ----------
    cfg : Config, mapping, or path of a YAML file
        Blocks base, geo, io, model, build, post, ana. ``io`` holds a ``loader`` (inputs of the chain) or a ``reader``
        (files of events); without a model the chain is not run.

    Raises
    ------
    ConfigError
        When the configuration is wrong, or ``io`` does not name its input.
    DataError
        When an input is missing or broken.

    Examples
    --------
    >>> driver = Driver({"io": {"loader": {"dataset": {"file_keys": "data/*.root"}}}})  # doctest: +SKIP
    >>> for event in driver:  # doctest: +SKIP
    ...     print(event.reco.particles)
    """

    def __init__(self, cfg: Config | Mapping[str, Any] | Path | str) -> None:
        self.cfg = _typed(cfg)
        self.dataset = _dataset(self.cfg)
        self.sources: list[EventSource] = []
        try:
            for path in _files(self.dataset):
                self.sources.append(_open(path, self.dataset))
        except BaseException:
            self.close()
            raise
        self.index = EventIndex(self.sources)
        self._actions = self._make_actions()
        self._tables = _tables(self.cfg)
        self._position = 0
        self.apply_filter(
            n_entry=self.dataset.n_entry, n_skip=self.dataset.n_skip, entry_list=self.dataset.entry_list,
            skip_entry_list=self.dataset.skip_entry_list, run_event_list=self.dataset.run_event_list,
            skip_run_event_list=self.dataset.skip_run_event_list,
        )  # fmt: skip

    def _make_actions(self) -> list[Action]:
        """Chain, build and post as far as they are configured."""
        from spine.stages.build import build_actions
        from spine.stages.infer import chain_actions, chain_of
        from spine.stages.post import post_actions

        actions: list[Action] = []
        if self.cfg.model.modules.chain.stages:
            actions += chain_actions(chain_of(self.cfg, self.sources))
        if self.cfg.build:
            actions += build_actions(self.cfg)
        if self.cfg.post.steps:
            actions += post_actions(self.cfg)
        return actions

    def apply_filter(
        self,
        n_entry: int | None = None,
        n_skip: int | None = None,
        entry_list: Sequence[int] | None = None,
        skip_entry_list: Sequence[int] | None = None,
        run_event_list: Sequence[tuple[int, int, int]] | None = None,
        skip_run_event_list: Sequence[tuple[int, int, int]] | None = None,
    ) -> None:
        """Choose events anew, among all of the inputs.

        Parameters
        ----------
        n_entry, n_skip : int, optional
            Number of events to take, after leaving out some.
        entry_list, skip_entry_list : sequence of int, optional
            Entries to take or to leave out.
        run_event_list, skip_run_event_list : sequence of (run, subrun, event), optional
            Events to take or to leave out.

        Raises
        ------
        ConfigError
            When several kinds of choice are mixed, an entry does not exist, or nothing is left.
        """
        self.index.choose(Selected(n_entry, n_skip, entry_list, skip_entry_list, run_event_list, skip_run_event_list))
        self._position = 0

    def __len__(self) -> int:
        return len(self.index)

    def __iter__(self) -> Iterator[Event]:
        self._position = 0
        return self

    def __next__(self) -> Event:
        if self._position >= len(self):
            raise StopIteration
        self._position += 1
        return self.process(entry=self._position - 1)

    def load(self, entry: int) -> Event:
        """Read an event without running anything on it.

        Parameters
        ----------
        entry : int
            Number among the chosen events.

        Raises
        ------
        DataError
            When there is no such entry, or the event is broken.
        """
        if not 0 <= entry < len(self):
            raise DataError("no such entry", got=entry, expected=f"0 to {len(self) - 1}")
        place = self.index[entry]
        event = self.sources[place.file].events(place.entry, place.entry + 1)[0]
        if isinstance(event, BadEvent):
            raise event.error
        event["index"], event["file_index"], event["file_entry_index"] = place.number, place.file, place.entry
        return event

    def process(
        self,
        entry: int | None = None,
        run: int | None = None,
        subrun: int | None = None,
        event: int | None = None,
    ) -> Event:
        """Run everything that is configured on one event.

        Parameters
        ----------
        entry : int, optional
            Number among the chosen events.
        run, subrun, event : int, optional
            Numbers of the event, instead of ``entry``.

        Returns
        -------
        Event
            With all products; tables of the analysis are under ``driver.tables``.

        Raises
        ------
        ConfigError
            When neither or both ways of naming the event are used.
        DataError
            When there is no such event, or it is broken; notes name the step.
        """
        named = run is not None and subrun is not None and event is not None
        if (entry is None) == (not named):
            raise ConfigError("name the event by entry, or by run, subrun and event")
        if entry is None:
            entry = self.index.find((int(run or 0), int(subrun or 0), int(event or 0)))
        data = self.load(entry)
        for action in self._actions:
            try:
                action.run(data)
            except Exception as error:
                error.add_note(f"in step {action.name!r} of {data.label}")
                raise
        self.log(data)
        return data

    def log(self, data: Event) -> None:
        """Add the rows that the analysis makes of an event to the tables."""
        self._tables.add(Block([data]))

    @property
    def tables(self) -> dict[str, dict[str, Any]]:
        """Columns of each table of the analysis, over the events processed so far."""
        return self._tables.columns()

    def run(self) -> None:
        """Process every chosen event, write the outputs of ``io.writer`` and the tables of ``ana``.

        With ``base.split_output`` there is one output for each input file.

        Raises
        ------
        ConfigError
            When a table or output exists and may not be replaced.
        """
        from spine.stages.outputs import DriverOutputs

        limit = self.cfg.base.iterations
        count = len(self) if limit is None or limit < 0 else min(limit, len(self))
        with DriverOutputs(self.cfg, [source.path for source in self.sources]) as outputs:
            for entry in range(count):
                outputs.write(self.process(entry=entry), self.index[entry].file)
            outputs.write_tables(self.tables)

    def close(self) -> None:
        """Close the inputs."""
        for source in self.sources:
            source.close()


def _dataset(config: Config) -> DatasetBlock | ReaderBlock:
    if (config.io.loader is None) == (config.io.reader is None):
        raise ConfigError(
            "io needs one of loader and reader", where="io", mend="name the input files under one of them"
        )
    return config.io.reader or config.io.dataset


def _files(dataset: DatasetBlock | ReaderBlock) -> list[Path]:
    if (dataset.file_keys is None) == (dataset.file_list is None):
        raise ConfigError("the input is not named", where="io", expected="one of file_keys and file_list")
    return [Path(name) for name in expand_inputs(dataset.file_keys or [str(dataset.file_list)])]


def _open(path: Path, dataset: DatasetBlock | ReaderBlock) -> EventSource:
    if isinstance(dataset, ReaderBlock):
        return open_source(path, "hdf5")
    return open_source(path, dataset.provider, dataset.parsers, dataset.has_truth)


def _tables(config: Config) -> TableRows:
    from spine.stages.ana import TableRows, analyses

    return TableRows(analyses(config))
