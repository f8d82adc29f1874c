"""Events one after the other: a bad one stops the stage or is listed and left out."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from spine.errors import SpineError
from spine.schema import Event
from spine.stages.outcome import Progress
from spine.store.writer import Failure

__all__ = ["Action", "failure_of", "survivors"]


@dataclass(frozen=True)
class Action:
    """Something done to an event, and its name for messages."""

    name: str
    run: Callable[[Event], None]


def failure_of(event: Event, step: str, error: BaseException) -> Failure:
    """What is recorded of an event that failed."""
    info = event.get("run_info")
    run, subrun, number = (info.run, info.subrun, info.event) if info is not None else (-1, -1, -1)
    text = error.what if isinstance(error, SpineError) else f"{type(error).__name__}: {error}"
    return Failure(event.entry, int(run), int(subrun), int(number), step, text)


def _survives(event: Event, actions: Iterable[Action], on_error: str, progress: Progress) -> bool:
    name = ""
    try:
        for action in actions:
            name = action.name
            action.run(event)
    except Exception as error:
        error.add_note(f"in step {name!r} of {event.label}")
        if on_error == "stop":
            raise
        progress.skip(failure_of(event, name, error))
        return False
    return True


def survivors(events: Iterable[Event], actions: Iterable[Action], on_error: str, progress: Progress) -> list[Event]:
    """Run actions on each event.

    Parameters
    ----------
    events : iterable of Event
        Events, changed in place.
    actions : iterable of Action
        Run in order on each event.
    on_error : {'stop', 'skip'}
        Whether an event that fails ends the stage, or is recorded in ``progress`` and left out.
    progress : Progress
        Counts events and failures.

    Returns
    -------
    list of Event
        Events on which everything succeeded.
    """
    chosen = list(actions)
    return [event for event in events if _survives(event, chosen, on_error, progress)]
