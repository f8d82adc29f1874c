"""Events in batches for the networks, bounded by their voxels."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from spine.config.model import LoaderBlock
from spine.model.chain.plan import Plan
from spine.schema import Event
from spine.stages.loop import Action, survivors
from spine.stages.outcome import Progress

__all__ = ["batches", "run_chain"]


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
    """Run the chain on events, batch by batch; when a batch fails, its events one by one.

    Parameters
    ----------
    plan : Plan
        The chain.
    events : sequence of Event
        Changed in place.
    loader : LoaderBlock
        Size of the batches.
    on_error : {'stop', 'skip'}
        What happens to an event that fails alone.
    progress : Progress
        Records events that are left out.

    Returns
    -------
    list of Event
        Events on which the chain succeeded.
    """
    alone = [Action("chain", plan.run)]
    kept: list[Event] = []
    for batch in batches(events, loader.minibatch_size, loader.max_voxels):
        if len(batch) > 1 and _together(plan, batch):
            kept += batch
        else:
            kept += survivors(batch, alone, on_error, progress)
    return kept


def _together(plan: Plan, batch: list[Event]) -> bool:
    """Whether the chain succeeds on a batch; which event is at fault is found by running them one by one."""
    try:
        plan.run_events(batch)
    except Exception:
        return False
    return True
