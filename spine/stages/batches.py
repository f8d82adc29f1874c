"""Events in batches for the networks, bounded by their voxels."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator, Sequence
from functools import partial

from spine.config.model import LoaderBlock
from spine.errors import StageError
from spine.model.chain.plan import Plan
from spine.schema import Event
from spine.stages.loop import Action, survivors
from spine.stages.outcome import Progress

__all__ = ["batches", "run_chain"]

log = logging.getLogger("spine")


def batches(events: Sequence[Event], most: int, max_voxels: int) -> Iterator[list[Event]]:
    """Consecutive events, as many as fit.

    Parameters
    ----------
    events : sequence of Event
        In order.
    most : int
        Largest number of events in a batch.
    max_voxels : int
        Largest number of voxels in a batch; an event with more stands alone.

    Yields
    ------
    list of Event
        One or more events.
    """
    batch: list[Event] = []
    voxels = 0
    for event in events:
        size = len(event["data"]) if "data" in event else 0
        if batch and (len(batch) >= most or voxels + size > max_voxels):
            yield batch
            batch, voxels = [], 0
        batch.append(event)
        voxels += size
    if batch:
        yield batch


def run_chain(
    plan: Plan, events: Sequence[Event], loader: LoaderBlock, on_error: str, progress: Progress
) -> list[Event]:
    """Run the chain on events, batch by batch.

    A batch that does not fit into memory is halved, again and again if need be. When a batch fails otherwise, its
    events run one by one, so that only the one at fault fails.

    Parameters
    ----------
    plan : Plan
        The chain.
    events : sequence of Event
        Changed in place.
    loader : LoaderBlock
        Size of the batches.
    on_error : {'stop', 'skip'}
        What happens to an event that fails alone, or alone does not fit into memory.
    progress : Progress
        Records events that are left out.

    Returns
    -------
    list of Event
        Events on which the chain succeeded.
    """
    alone = [Action("chain", partial(_alone, plan))]
    todo = list(batches(events, loader.minibatch_size, loader.max_voxels))
    kept: list[Event] = []
    while todo:
        batch = todo.pop(0)
        if len(batch) == 1:
            kept += survivors(batch, alone, on_error, progress)
        else:
            smaller = _smaller(plan, batch)
            kept += [] if smaller else batch
            todo = smaller + todo
    return kept


def _smaller(plan: Plan, batch: list[Event]) -> list[list[Event]]:
    """Run a batch; when it fails, return the smaller batches to try instead, with their events as they were."""
    before = [event.snapshot() for event in batch]
    try:
        plan.run_events(batch)
    except Exception as error:
        memory, what = _out_of_memory(error), f"{type(error).__name__}: {error}"
    else:
        return []
    for event, products in zip(batch, before, strict=True):
        event.restore(products)
    if not memory:
        log.debug("infer: %d events failed together, now one by one: %s", len(batch), what)
        return [[event] for event in batch]
    half = (len(batch) + 1) // 2
    log.warning("infer: %d events do not fit into memory together, now %d at a time", len(batch), half)
    return [batch[:half], batch[half:]]


def _alone(plan: Plan, event: Event) -> None:
    """Run the chain on one event; say so plainly when it does not fit into memory."""
    try:
        plan.run(event)
    except Exception as error:
        if not _out_of_memory(error):
            raise
        raise StageError(
            "the event does not fit into memory", where=event.label, got=f"{len(event['data'])} voxels",
            mend="run it on a device with more memory, or set base.on_error: skip to leave it out",
        ) from error  # fmt: skip


def _out_of_memory(error: Exception) -> bool:
    if isinstance(error, MemoryError) or "torch" not in sys.modules:
        return isinstance(error, MemoryError)
    from spine.model.devices import ran_out_of_memory

    return ran_out_of_memory(error)
