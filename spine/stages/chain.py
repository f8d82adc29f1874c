"""One link of the chain of files: read a stage file, change its events, write what is new."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from spine.config.model import BaseBlock
from spine.stages.loop import Action, survivors
from spine.stages.outcome import Progress, StageReport
from spine.store.provenance import lineage_of
from spine.store.reader import EventFile
from spine.store.source import open_events
from spine.store.writer import EventWriter, Failure, FileInfo

__all__ = ["ChainLink", "event_stage", "link_info", "with_input_entries"]


@dataclass(frozen=True)
class ChainLink:
    """Who writes a file of the chain.

    Parameters
    ----------
    stage : str
        Name of the stage.
    config : str
        Its slice of the configuration.
    code : str
        Fingerprint of its code.
    steps : tuple of str
        Steps it runs.
    weights : str
        sha256 of network weights.
    """

    stage: str
    config: str
    code: str
    steps: tuple[str, ...] = ()
    weights: str = ""


def link_info(link: ChainLink, file: EventFile, output: Path) -> FileInfo:
    """Provenance of a file that continues another one."""
    parent = os.path.relpath(file.path.resolve(), output.parent.resolve())
    return FileInfo(
        stage=link.stage,
        config=link.config,
        code=link.code,
        inputs=((file.path.name, ""),),
        parent=parent,
        parent_id=file.identity,
        steps=(*file.steps, *link.steps),
        weights=link.weights,
        history=json.dumps(lineage_of(file)),
    )


def with_input_entries(failures: Sequence[Failure], file: EventFile) -> list[Failure]:
    """Failures of a stage with the entries that the events have in the input of the chain."""
    entries = file.input_entries() if failures else ()
    return [replace(failure, entry=int(entries[failure.entry])) for failure in failures]


def event_stage(source: Path, output: Path, base: BaseBlock, link: ChainLink, actions: Sequence[Action]) -> StageReport:
    """Run actions on every event of a file and write the products they set.

    Parameters
    ----------
    source, output : Path
        Files to read and to write.
    base : BaseBlock
        Block size and what to do with bad events.
    link : ChainLink
        Who writes.
    actions : sequence of Action
        Run in order on each event.

    Returns
    -------
    StageReport
        Events written and skipped, those of earlier stages included.
    """
    with open_events(source) as file:
        progress = Progress(link.stage, len(file))
        with EventWriter(output, link_info(link, file, output)) as writer:
            for block in file.blocks(base.block_size):
                kept = survivors(block, actions, base.on_error, progress)
                writer.append(kept)
                progress.advance(len(kept))
            writer.failures = [*file.failures(), *with_input_entries(progress.failures, file)]
    return progress.finish(output)
