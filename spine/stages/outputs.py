"""Outputs of the Driver: HDF5 files as ``io.writer`` says, tables as ``ana`` says."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from spine.ana.tables import write_csv
from spine.config.check import table_names
from spine.config.model import Config, WriterBlock
from spine.errors import ConfigError
from spine.schema import Event
from spine.stages.ana import EVENTS, TableRows
from spine.store.region_writer import RegionWriter
from spine.store.writer import EventWriter, Failure, FileInfo

__all__ = ["DriverOutputs", "output_paths", "shortened", "table_prefix"]

NAME_MAX = 255
"""Most characters of a file name."""
GAP = "---"
SOURCES = {"source_file_index": "file_index", "source_file_entry_index": "file_entry_index"}
"""Where an event came from first, by the number that tells it in this run."""


def output_paths(writer: WriterBlock, inputs: Sequence[Path], split: bool) -> list[Path]:
    """Outputs for some inputs: one, or one per input.

    Parameters
    ----------
    writer : WriterBlock
        Name, directory and suffix.
    inputs : sequence of Path
        Input files.
    split : bool
        One output per input.

    Returns
    -------
    list of Path
        One path, or as many as inputs.
    """
    folder, end = Path(writer.directory or "."), f"_{writer.suffix}.h5"
    most = NAME_MAX - len(end)
    if writer.file_name is None:
        stems = [path.stem for path in inputs] if split else [table_prefix(inputs)]
        return [folder / f"{shortened(stem, most)}{end}" for stem in stems]
    name = Path(writer.file_name)
    if writer.directory is not None:
        name = folder / name.name
    if not split or len(inputs) == 1:
        return [name]
    return [name.with_name(f"{name.stem}_{i}.h5") for i in range(len(inputs))]


def table_prefix(inputs: Sequence[Path]) -> str:
    """Name for a set of inputs: the stem of one, the first and last of two, with the number of more."""
    stems = [path.stem for path in inputs]
    if len(set(stems)) <= 1:
        return stems[0] if stems else "output"
    if len(stems) == 2:
        return "--".join(stems)
    return f"{stems[0]}--{len(stems)}files--{stems[-1]}"


def shortened(name: str, most: int) -> str:
    """A name of at most so many characters: both ends of a longer one."""
    if len(name) <= most:
        return name
    kept = most - len(GAP)
    return f"{name[: (kept + 1) // 2]}{GAP}{name[-(kept // 2) :]}"


def _free(path: Path, overwrite: bool, key: str) -> Path:
    if path.exists() and not overwrite:
        raise ConfigError("the output exists", where=path, mend=f"remove it, or set {key}: true")
    return path


class DriverOutputs:
    """Writers of a Driver, each opened at the first event it gets.

    Parameters
    ----------
    config : Config
        Uses io.writer, ana and base.
    inputs : sequence of Path
        Input files.
    rank : int, optional
        Number of this process among several, which each write files of their own.
    """

    def __init__(self, config: Config, inputs: Sequence[Path], rank: int | None = None) -> None:
        self.config, self.inputs = config, list(inputs)
        self._process = "" if rank is None else f"_proc{rank}"
        self._writers: dict[int, tuple[EventWriter, ExitStack]] = {}
        self._in_order = True
        self._last = -1
        writer = config.io.writer
        paths = output_paths(writer, self.inputs, config.base.split_output) if writer is not None else []
        self.paths = [path.with_name(f"{path.stem}{self._process}{path.suffix}") for path in paths]

    def check(self) -> None:
        """Make sure that no output is in the way.

        Raises
        ------
        ConfigError
            When an output exists and may not be replaced.
        """
        writer = self.config.io.writer
        for path in self.paths:
            _free(path, writer is not None and writer.overwrite, "io.writer.overwrite")
        if self.config.ana.steps:
            for name in (EVENTS, *table_names(self.config.ana)):
                _free(self._table(name), self.config.ana.overwrite, "ana.overwrite")

    def _table(self, name: str) -> Path:
        end = f"_{name}{self._process}.csv"
        prefix = shortened(table_prefix(self.inputs), NAME_MAX - len(end))
        return Path(self.config.base.log_dir) / (f"{prefix}{end}" if self.config.ana.prefix_output else end[1:])

    def _writer(self, number: int) -> EventWriter:
        """The writer of an output."""
        if number not in self._writers:
            block = self.config.io.writer
            assert block is not None
            path = _free(self.paths[number], block.overwrite, "io.writer.overwrite")
            info = FileInfo(stage="driver", config=self.config.model_dump_json(by_alias=True), steps=self._steps())
            kind = RegionWriter if block.format_version == RegionWriter.version else EventWriter
            stack = ExitStack()
            keys = None if block.keys is None else dict.fromkeys([*block.keys, "index", *SOURCES])
            self._writers[number] = (stack.enter_context(kind(path, info, list(keys) if keys else None)), stack)
        return self._writers[number][0]

    def _steps(self) -> tuple[str, ...]:
        return (*stage_names(self.config), *(entry.name for entry in self.config.post.steps))

    def write(self, event: Event) -> None:
        """Write an event to the output of its input file; once a later file has its turn, earlier ones are finished."""
        block = self.config.io.writer
        if block is None:
            return
        number = int(event["file_index"]) if len(self.paths) > 1 else 0
        self._advance(number)
        for name, here in SOURCES.items():
            event[name] = event.get(name, event[here])
        writer = self._writer(number)
        if writer.keys is None:
            skipped = set(block.skip_keys or ())
            writer.select([name for name in event if name not in skipped])
        writer.append([event])

    def _advance(self, number: int) -> None:
        self._in_order &= number >= self._last
        if self._in_order and number > self._last:
            for earlier in [n for n in self._writers if n < number]:
                self._writers.pop(earlier)[1].close()
        self._last = max(self._last, number)

    def fail(self, failures: Sequence[Failure]) -> None:
        """Record events that were left out in the outputs that are open."""
        for writer, _ in self._writers.values():
            writer.failures = list(failures)

    def close(self, rows: TableRows | None) -> None:
        """Finish the outputs and write the tables; without rows, after a failure, open outputs do not appear."""
        failed = StopIteration() if rows is None else None
        for _, stack in self._writers.values():
            stack.__exit__(type(failed) if failed else None, failed, None)
        self._writers = {}
        if rows is None or not self.config.ana.steps:
            return
        Path(self.config.base.log_dir).mkdir(parents=True, exist_ok=True)
        for name, columns in rows.complete((EVENTS, *table_names(self.config.ana))).items():
            write_csv(_free(self._table(name), self.config.ana.overwrite, "ana.overwrite"), columns)


def stage_names(config: Config) -> tuple[str, ...]:
    """Stages of the chain by name."""
    return tuple(stage.name for stage in config.model.modules.chain.stages)
