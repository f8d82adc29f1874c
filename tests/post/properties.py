"""What every step must do: nothing on empty events, no exception on single points, the same in any order and again."""

from __future__ import annotations

from typing import Any

import numpy as np

from spine.schema import Event, Ragged, Table
from spine.steps import Step
from tests.post.peer_objects import applied, empty_event, event_of, peer_events

__all__ = ["check_empty", "check_order", "check_repeat", "same", "shuffled", "single_points"]

Array = np.ndarray[Any, Any]


def same(mine: Any, other: Any, tolerance: float = 2e-5) -> bool:
    """Equal columns, NaN included."""
    if isinstance(mine, Ragged):
        return [sorted(row) for row in mine.tolist()] == [sorted(row) for row in other.tolist()]
    if mine.dtype.kind == "f":
        return bool(np.allclose(mine, other, rtol=tolerance, atol=tolerance, equal_nan=True))
    return bool((mine == other).all())


def single_points() -> Event:
    """Six particles of one point each, of two classes and three species, in two interactions."""
    points = np.arange(18.0).reshape(6, 3)
    particles: dict[str, Any] = {
        "index": [[i] for i in range(6)],
        "shape": [0, 1, 0, 1, 0, 1],
        "pid": [0, 2, 1, 3, 1, 2],
        "interaction_id": [0, 0, 0, 1, 1, 1],
        "is_primary": [True] * 6,
        "start_point": points,
        "end_point": points,
        "start_dir": np.tile([1.0, 0.0, 0.0], (6, 1)),
        "end_dir": np.tile([1.0, 0.0, 0.0], (6, 1)),
        "pid_scores": np.full((6, 6), 1 / 6),
        "primary_scores": np.full((6, 2), 0.5),
        "calo_ke": np.ones(6),
    }
    return event_of(points, np.ones(6), particles, {"particle_ids": [[0, 1, 2], [3, 4, 5]], "vertex": points[:2]})


def check_empty(one: Step, *args: Any, **options: Any) -> None:
    """An event without points and objects stays without."""
    (event,) = applied(one, *args, events=[empty_event()], **options)
    assert len(event.reco.particles) == len(event.reco.interactions) == 0


def check_repeat(one: Step, *written: str, args: tuple[Any, ...] = (), **options: Any) -> None:
    """A second run changes nothing (columns of reconstructed particles)."""
    for first in applied(one, *args, **options):
        before = {name: np.array(first.reco.particles[name]) for name in written}
        applied(one, *args, events=[first], **options)
        assert all(same(first.reco.particles[name], before[name]) for name in written)


def shuffled(event: Event, seed: int, points: bool = True) -> tuple[Event, Array]:
    """The event with points and particles in another order, and the old row of each particle."""
    rng = np.random.default_rng(seed)
    particles, interactions = event.reco.particles, event.reco.interactions
    size = len(event["points"])
    moved = rng.permutation(size) if points else np.arange(size)
    order = rng.permutation(len(particles))
    place, number = np.argsort(moved), np.argsort(order).astype(np.int32)
    event["points"], event["depositions"] = event["points"][moved], event["depositions"][moved]
    event["reco_particles"] = _with_index(particles[order], place)
    event.reco.particles["id"] = np.arange(len(order))
    event["reco_interactions"] = _with_index(interactions.copy(), place)
    members = interactions["particle_ids"]
    event.reco.interactions["particle_ids"] = Ragged(number[members.values], members.offsets)
    return event, order


def _with_index(table: Table, place: Array) -> Table:
    index = table["index"]
    table["index"] = Ragged(place[index.values].astype(np.int32), index.offsets)
    return table


def check_order(one: Step, *written: str, args: tuple[Any, ...] = (), points: bool = True, **options: Any) -> None:
    """The order of points and particles does not matter (columns of reconstructed particles)."""
    for i, first in enumerate(applied(one, *args, **options)):
        other, order = shuffled(peer_events()[i], 7 + i, points)
        applied(one, *args, events=[other], **options)
        for name in written:
            assert same(other.reco.particles[name], first.reco.particles[name][order]), name
