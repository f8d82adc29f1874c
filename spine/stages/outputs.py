"""Outputs of the Driver: HDF5 files as ``io.writer`` says, tables as ``ana`` says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from spine.ana.tables import write_csv
from spine.config.model import Config, WriterBlock
from spine.errors import ConfigError
from spine.schema import Event
from spine.store.writer import EventWriter, FileInfo

__all__ = ["DriverOutputs", "output_paths", "table_prefix"]

NAME_MAX = 255


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
    folder = Path(writer.directory or ".")
    if not split:
        return [folder / (writer.file_name or f"{table_prefix(inputs)}_{writer.suffix}.h5")]
    if writer.file_name is None:
        return [folder / f"{path.stem}_{writer.suffix}.h5" for path in inputs]
    stem = Path(writer.file_name).with_suffix("")
    return [folder / f"{stem}_{i}.h5" for i in range(len(inputs))]


def table_prefix(inputs: Sequence[Path]) -> str:
    """Name for a set of inputs: the stem of one, the first and last of two, with the number of more."""
    if not inputs:
        return "output"
    first, last = inputs[0].stem, inputs[-1].stem
    if len(inputs) == 1:
        name = first
    elif len(inputs) == 2:
        name = f"{first}--{last}"
    else:
        name = f"{first}--{len(inputs)}files--{last}"
    limit = NAME_MAX - 64
    return name if len(name) <= limit else f"{name[: limit // 2]}---{name[-limit // 2 :]}"


def _free(path: Path, overwrite: bool, key: str) -> Path:
    if path.exists() and not overwrite:
        raise ConfigError("the output exists", where=path, mend=f"remove it, or set {key}: true")
    return path


class DriverOutputs:
    """Writers of a Driver, open for one run.

    Parameters
    ----------
    config : Config
        Uses io.writer, ana and base.
    inputs : sequence of Path
        Input files.

    Raises
    ------
    ConfigError
        When an output exists and may not be replaced.
    """

    def __init__(self, config: Config, inputs: Sequence[Path]) -> None:
        self.config, self.inputs = config, inputs
        self._stack = ExitStack()
        self._writers: list[EventWriter] = []

    def __enter__(self) -> Self:
        block = self.config.io.writer
        if block is not None:
            info = FileInfo(stage="driver", config=self.config.model_dump_json(by_alias=True), steps=self._steps())
            for path in output_paths(block, self.inputs, self.config.base.split_output):
                target = _free(path, block.overwrite, "io.writer.overwrite")
                self._writers.append(self._stack.enter_context(EventWriter(target, info, block.keys)))
        return self

    def _steps(self) -> tuple[str, ...]:
        return (*stage_names(self.config), *(entry.name for entry in self.config.post.steps))

    def write(self, event: Event, file: int) -> None:
        """Write an event to the output of its input file.

        Parameters
        ----------
        event : Event
            The event.
        file : int
            Number of its input file.
        """
        block = self.config.io.writer
        if block is None:
            return
        writer = self._writers[file if len(self._writers) > 1 else 0]
        if writer.keys is None:
            skipped = set(block.skip_keys or ())
            writer.select([name for name in event if name not in skipped])
        writer.append([event])

    def write_tables(self, tables: Mapping[str, Mapping[str, Any]]) -> None:
        """Write the tables of the analysis to the log directory."""
        ana, base = self.config.ana, self.config.base
        if not ana.steps:
            return
        prefix = f"{table_prefix(self.inputs)}_" if ana.prefix_output or base.prefix_log else ""
        folder = Path(base.log_dir)
        folder.mkdir(parents=True, exist_ok=True)
        for name, columns in tables.items():
            path = _free(folder / f"{prefix}{name}.csv", ana.overwrite or base.overwrite_log, "ana.overwrite")
            write_csv(path, columns)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.__exit__(kind, error, trace)


def stage_names(config: Config) -> tuple[str, ...]:
    """Stages of the chain by name."""
    return tuple(stage.name for stage in config.model.modules.chain.stages)
