"""Training through a Driver: its input becomes files of events, which the training of the stages reads."""

from __future__ import annotations

from pathlib import Path

from spine.config.model import Config
from spine.driver.inputs import Inputs
from spine.errors import DataError
from spine.schema import Event
from spine.store.selection import Selected
from spine.store.source import HDF5Source
from spine.store.writer import EventWriter, FileInfo

__all__ = ["train"]


def train(config: Config, inputs: Inputs) -> None:
    """Train the networks of a configuration on the chosen events.

    Snapshots and ``weights.ckpt`` go into the directory of ``train.weight_prefix``, logs into ``base.log_dir``.

    Parameters
    ----------
    config : Config
        Uses model, train, validation and base.
    inputs : Inputs
        The events.

    Raises
    ------
    ConfigError
        When the configuration cannot be used as written.
    DataError
        When an event cannot be read.
    """
    from spine.stages import train as stage

    prefix = Path(config.train.weight_prefix)
    folder = prefix.parent
    update: dict[str, object] = {"weight_prefix": prefix.name}
    if config.train.device == "auto" and "world_size" in config.base.model_fields_set:
        update["device"] = "cuda" if config.base.world_size else "cpu"
    block = config.train.model_copy(update=update)
    base = config.base.model_copy(update={"tensorboard": bool(config.base.tensorboard)})
    whole = config.model_copy(update={"train": block, "base": base})
    files = _files(inputs, folder)
    stage.run(stage.TrainInputs(files), folder, whole, Path(config.base.log_dir))


def _files(inputs: Inputs, folder: Path) -> tuple[Path, ...]:
    """Files that hold the chosen events: the inputs themselves where they are HDF5 and taken as a whole."""
    whole = Selected() == inputs.selected and inputs.dataset.keys is None and inputs.dataset.skip_keys is None
    if whole and all(isinstance(source, HDF5Source) for source in inputs.sources):
        return tuple(inputs.paths)
    path = folder / "inputs.h5"
    path.parent.mkdir(parents=True, exist_ok=True)
    with EventWriter(path, FileInfo(stage="driver", inputs=tuple((p.name, "") for p in inputs.paths))) as writer:
        for entry in range(len(inputs)):
            event = inputs.event(entry)
            if not isinstance(event, Event):
                raise DataError("an event to train on cannot be read", where=event.event.label) from event.error
            if writer.keys is None:
                writer.select(list(event))
            writer.append([event])
    return (path,)
