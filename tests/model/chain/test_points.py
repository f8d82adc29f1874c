"""Ends of clusters."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.distance import pdist

from spine.model.chain.points import ends_of
from spine.schema import Event, Ragged, Shape, Tensor
from tests.model.chain.events import EVENTS, FROZEN, event


def test_predicted_ends_are_those_of_spine() -> None:
    get = {key[4:]: FROZEN[key] for key in FROZEN.files if key.startswith("ppn/")}
    clusts, shapes = Ragged(get["index"].astype(np.int32), get["offsets"]), get["shapes"].astype(np.int64)
    one = Event({"data": Tensor(get["coords"].astype(np.int32), get["value"][:, None]), "ppn_points": get["raw"]})
    found = ends_of(one, clusts, shapes, "ppn")
    other = shapes != Shape.TRACK
    assert other.sum() == 60
    assert np.array_equal(found.start[other], get["start"][other])
    assert np.array_equal(found.end[other], get["end"][other])
    lengths = np.linalg.norm(get["end"].astype(float) - get["start"], axis=1)[~other]
    assert np.allclose(np.linalg.norm(found.end - found.start, axis=1)[~other], lengths, atol=1e-4)


@pytest.mark.parametrize("number", range(EVENTS))
def test_tracks_end_at_the_voxels_farthest_apart(number: int) -> None:
    one = event(number)
    coords = one["data"].coords.astype(float)
    clusts = Ragged.by_label(FROZEN[f"{number}/cluster"], 8)
    clusts = clusts[clusts.lengths > 0]
    found = ends_of(one, clusts, np.full(len(clusts), int(Shape.TRACK)), "extrema")
    for i, rows in enumerate(clusts):
        largest = pdist(coords[rows]).max(initial=0.0)
        assert np.linalg.norm(found.end[i] - found.start[i]) == pytest.approx(largest)
        for point in (found.start[i], found.end[i]):
            assert (coords[rows] == point).all(axis=1).any()


def test_a_shower_starts_where_its_charge_is() -> None:
    coords = np.column_stack([np.arange(50), np.zeros(50), np.zeros(50)]).astype(np.int32)
    charge = np.exp(-np.arange(50) / 10)[:, None].astype(np.float32)
    clusts = Ragged(np.arange(50, dtype=np.int32), np.array([0, 50]))
    for flip in (1, -1):
        one = Event({"data": Tensor(coords, charge[::flip])})
        found = ends_of(one, clusts, np.array([int(Shape.SHOWER)]), "extrema")
        assert found.start[0, 0] == (0 if flip == 1 else 49)
        assert np.array_equal(found.start, found.end)


def test_clusters_without_true_particle_fall_back_on_their_shape() -> None:
    one = event(1)
    rows = np.flatnonzero(FROZEN["1/particle_index"] < 0)[:5]
    clusts = Ragged(rows.astype(np.int32), np.array([0, 5]))
    shapes = np.array([int(Shape.TRACK)])
    assert np.array_equal(ends_of(one, clusts, shapes, "label").start, ends_of(one, clusts, shapes, "extrema").start)


@pytest.mark.parametrize("mode", ["label", "extrema", "ppn"])
def test_empty_clusters_have_no_ends(mode: str) -> None:
    one = event(1)
    one["ppn_points"] = np.zeros((len(one["data"]), 10), dtype=np.float32)
    for count in (0, 2):
        found = ends_of(one, Ragged.empty(count, np.int32), np.zeros(count, dtype=np.int64), mode)  # type: ignore[arg-type]
        assert found.start.shape == (count, 3)
        assert np.isnan(found.start).all()
        assert np.isnan(found.end).all()
