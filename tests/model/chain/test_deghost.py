"""Ghosts taken out by the truth: rows, labels and charge follow."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from spine.build import BuildConfig, build_event
from spine.errors import ConfigError, DataError
from spine.model.chain import LABEL_STAGES, Stage, compose
from spine.model.chain.charge import Hits, shared_charge
from spine.schema import Event, Shape, Tensor
from tests.model.chain.events import event

HITS = np.load(Path(__file__).parent / "data" / "hit_charge.npz")


def with_ghosts(number: int) -> Event:
    """A frozen event with a ghost beside every third voxel; voxels that the truth knows keep their order."""
    one = event(number)
    voxels = one["data"].coords
    beside = np.unique(voxels[::3] + np.array([900, 0, 0], dtype=np.int32), axis=0)
    coords = np.concatenate([beside[:20], voxels, beside[20:]])
    rng = np.random.default_rng(number)
    hits = np.column_stack([rng.random((len(coords), 3)), rng.integers(-1, 400, (len(coords), 3))])
    features = np.column_stack([np.ones(len(coords)), hits]).astype(np.float32)
    seg = np.full((len(coords), 1), int(Shape.GHOST), dtype=np.float32)
    seg[20 : 20 + len(voxels)] = one["seg_label"].features
    one["data"] = Tensor(coords, features, ("value", *(f"value_{i}" for i in range(1, 7))))
    one["seg_label"] = Tensor(coords, seg)
    one["sources"] = np.column_stack([np.zeros(len(coords)), np.arange(len(coords))]).astype(np.int64)
    return one


def deghost(**config: Any) -> Stage:
    return Stage("deghosting", "deghost", {"mode": "label", **config})


def test_charge_of_hits_is_shared_as_in_spine() -> None:
    hits = Hits(HITS["charge"], HITS["ids"].astype(np.int64))
    assert np.array_equal(hits.uses(), HITS["uses"])
    np.testing.assert_allclose(shared_charge(hits), HITS["average"], rtol=1e-6)
    np.testing.assert_allclose(shared_charge(hits, collection_only=True), HITS["collection"], rtol=1e-6)


def test_charge_of_one_plane_is_kept_in_sum() -> None:
    ids = np.array([[5, -1, -1], [5, -1, -1], [7, -1, -1], [-1, -1, -1]])
    charge = np.array([[3.0, 0, 0], [3.0, 0, 0], [2.0, 0, 0], [9.0, 0, 0]])
    assert shared_charge(Hits(charge, ids)).tolist() == [1.5, 1.5, 2.0, 0.0]


def test_later_stages_see_the_image_without_ghosts() -> None:
    one, plain = with_ghosts(1), event(1)
    compose([deghost(charge_rescaling="label"), *LABEL_STAGES]).run(one)
    compose(LABEL_STAGES).run(plain)
    assert np.array_equal(one["data_adapt"].coords, plain["data"].coords)
    np.testing.assert_array_equal(one["data_adapt"].feature("value"), plain["clust_label"].feature("value"))
    assert np.array_equal(one["orig_index"], 20 + np.arange(len(plain["data"])))
    assert np.array_equal(one["orig_index_label"], one["orig_index"])
    assert np.array_equal(one["sources_adapt"], one["sources"][one["orig_index"]])
    assert np.array_equal(one["sources_label"], one["sources_adapt"])
    assert one["ghost_pred"].sum() == len(one["data"]) - len(plain["data"])
    for name in ("seg_pred", "fragment_shapes", "particle_group_pred", "particle_start_points"):
        np.testing.assert_array_equal(one[name], plain[name])
    assert one["particle_clusts"].tolist() == plain["particle_clusts"].tolist()


def test_objects_know_their_rows_of_the_input() -> None:
    one = with_ghosts(2)
    compose([deghost(), *LABEL_STAGES]).run(one)
    build_event(one, BuildConfig(mode="reco", units="px"))
    particles = one.reco.particles
    assert len(one["points"]) == len(one["data_adapt"])
    for index, original in zip(particles["index"], particles["orig_index"], strict=True):
        assert np.array_equal(one["data"].coords[original], one["data_adapt"].coords[index])


def test_charge_is_shared_among_the_voxels_that_are_left() -> None:
    one = with_ghosts(0)
    stage = deghost(charge_rescaling="average", store_charge_info=True)
    plan = compose([stage])
    assert {"charge_per_plane", "charge_multiplicity"} <= set(plan.products)
    plan.run(one)
    left = one["data_adapt"]
    assert left.features.shape[1] == 7
    assert np.array_equal(one["charge_multiplicity"] > 0, left.features[:, 4:] >= 0)
    seven = left.features[:, 4:] == left.features[0, 4]
    if left.features[0, 4] >= 0:
        assert one["charge_multiplicity"][0, 0] == seven.sum()
    shares = one["charge_per_plane"] / np.maximum(one["charge_multiplicity"], 1) * (one["charge_multiplicity"] > 0)
    planes = np.maximum((one["charge_multiplicity"] > 0).sum(axis=1), 1)
    np.testing.assert_allclose(left.feature("value"), shares.sum(axis=1) / planes, rtol=1e-5)


def test_what_cannot_be_done_is_refused() -> None:
    with pytest.raises(ConfigError, match="store_charge_info needs charge_rescaling"):
        compose([deghost(store_charge_info=True)])
    with pytest.raises(ConfigError, match="charge_rescaling"):
        compose([Stage("deghost", config={"mode": "uresnet", "charge_rescaling": "label"})])
    one = event(0)
    with pytest.raises(DataError, match="does not tell their hits"):
        compose([deghost(charge_rescaling="collection")]).run(one)


def test_an_event_of_ghosts_alone() -> None:
    one = event(0)
    one["seg_label"] = Tensor(one["data"].coords, np.full((len(one["data"]), 1), 5, dtype=np.float32))
    one["clust_label"] = one["clust_label"].take(np.empty(0, dtype=np.int64))
    compose([deghost(), *LABEL_STAGES]).run(one)
    assert (len(one["data_adapt"]), len(one["seg_pred"]), len(one["particle_clusts"])) == (0, 0, 0)
