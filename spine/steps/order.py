"""The order of steps: what writes a column runs before what reads it."""

from __future__ import annotations

from collections.abc import Sequence
from graphlib import CycleError, TopologicalSorter

from spine.errors import ConfigError
from spine.steps.step import Step

__all__ = ["order_of", "ordered"]


def _touches(a: str, b: str) -> bool:
    """True when two names mean the same data: equal, or one is the product of the other's column."""
    return a == b or a.startswith(b + ".") or b.startswith(a + ".")


def _writes_for(writer: Step, reader: Step) -> bool:
    return any(_touches(w, r) for w in writer.writes for r in reader.reads)


def _follows(one: Step, other: Step) -> bool:
    """Whether one states that it runs after the other."""
    return other.name in one.after


def _check_writers(steps: Sequence[Step]) -> None:
    for i, first in enumerate(steps):
        for second in steps[i + 1 :]:
            shared = sorted(set(first.writes) & set(second.writes))
            told = first is second or _follows(first, second) or _follows(second, first)
            if shared and not told and not _writes_for(first, second) and not _writes_for(second, first):
                raise ConfigError(
                    f"steps {first.name!r} and {second.name!r} both write {shared[0]!r}",
                    mend="list the steps under 'stages:' in the order in which they shall run",
                )


def ordered(steps: Sequence[Step]) -> list[Step]:
    """Steps in the order in which they must run; see `order_of`."""
    return [steps[i] for i in order_of(steps)]


def order_of(steps: Sequence[Step]) -> list[int]:
    """Order in which steps must run.

    Parameters
    ----------
    steps : sequence of Step
        In the order of the configuration, which settles ties; a step may stand in it several times.

    Returns
    -------
    list of int
        Places in ``steps``: every step after all that write what it reads, and after those that it names.

    Raises
    ------
    ConfigError
        When steps need each other, or two write one column without one reading what the other writes.
    """
    _check_writers(steps)
    graph = TopologicalSorter(
        {i: [j for j, other in enumerate(steps) if j != i and _runs_before(other, one)] for i, one in enumerate(steps)}
    )
    try:
        graph.prepare()
    except CycleError as error:
        names = " -> ".join(steps[i].name for i in error.args[1])
        raise ConfigError(f"steps need each other: {names}", mend="list them under 'stages:'") from error
    out: list[int] = []
    ready: list[int] = []
    while graph.is_active():
        ready = sorted([*ready, *graph.get_ready()])
        first = ready.pop(0)
        out.append(first)
        graph.done(first)
    return out


def _runs_before(one: Step, other: Step) -> bool:
    """What a step states about its order counts; else one that updates what it reads runs before pure readers."""
    if one is other or _follows(one, other):
        return False
    if _follows(other, one):
        return True
    if not _writes_for(one, other):
        return False
    return not _writes_for(other, one) or _updates(other) > _updates(one)


def _updates(one: Step) -> int:
    return sum(_touches(w, r) for w in one.writes for r in one.reads)
