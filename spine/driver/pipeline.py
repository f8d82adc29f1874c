"""What a Driver does to the events of one iteration: the same functions that the stages call, each timed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from spine.driver.networks import Chain
from spine.driver.watches import Watches
from spine.schema import Block, Event
from spine.stages.ana import TableRows
from spine.stages.loop import Action, failure_of, survivors
from spine.stages.outcome import Progress
from spine.stages.outputs import DriverOutputs
from spine.store.source import BadEvent

__all__ = ["Pipeline", "readable"]


@dataclass
class Pipeline:
    """The parts of a Driver that events go through, in this order; those that are not configured are None.

    Parameters
    ----------
    watch : Watches
        Stopwatches.
    on_error : {'stop', 'skip'}
        Whether an event that fails ends the run, or is left out and recorded.
    chain : Chain, optional
        Networks.
    builder, post : list of Action, optional
        Building and post-processing.
    rows : TableRows, optional
        Analysis.
    outputs : DriverOutputs, optional
        Files to write.
    """

    watch: Watches
    on_error: str = "stop"
    chain: Chain | None = None
    builder: list[Action] | None = None
    post: list[Action] | None = None
    rows: TableRows | None = None
    outputs: DriverOutputs | None = None
    progress: Progress = field(default_factory=lambda: Progress("driver", 0))

    def __post_init__(self) -> None:
        if self.outputs is not None:
            self.watch.initialize("write")

    def run(self, events: Sequence[Event]) -> list[Event]:
        """Run everything on events; those that are left out do not come back."""
        kept = list(events)
        if self.chain is not None:
            with self.watch.timed("model"):
                kept = self.chain.run(kept, self.progress)
        for name, actions in (("build", self.builder), ("post", self.post)):
            if actions is not None:
                with self.watch.timed(name):
                    kept = survivors(kept, actions, self.on_error, self.progress)
        if self.rows is not None and kept:
            with self.watch.timed("ana"):
                kept = self._analysed(kept)
        if self.outputs is not None:
            with self.watch.timed("write"):
                for event in kept:
                    self.outputs.write(event)
        return kept

    def _analysed(self, events: list[Event]) -> list[Event]:
        """Add rows to the tables; when a batch fails, event by event."""
        assert self.rows is not None
        try:
            self.rows.add(Block(events))
        except Exception:
            if self.on_error == "stop":
                raise
            return survivors(events, [Action("ana", self._one)], self.on_error, self.progress)
        return events

    def _one(self, event: Event) -> None:
        assert self.rows is not None
        self.rows.add(Block([event]))


def readable(found: Sequence[Event | BadEvent], on_error: str, progress: Progress) -> list[Event]:
    """Events that could be read; the others end the run or are recorded and left out."""
    good = []
    for one in found:
        if isinstance(one, Event):
            good.append(one)
        elif on_error == "stop":
            raise one.error
        else:
            progress.skip(failure_of(one.event, "read", one.error))
    return good
