"""Stages with truth: the partitions of the truth come back exactly."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.special import softmax

from spine.model.chain import DATA_STAGES, LABEL_DBSCAN_STAGES, LABEL_STAGES, Stage, compose
from spine.schema import PRODUCTS, Event, Shape
from tests.model.chain.events import EVENTS, FROZEN, empty, event, same_partition, truth, voxel_labels

PRESETS = {"label": LABEL_STAGES, "label_dbscan": LABEL_DBSCAN_STAGES, "data": DATA_STAGES}
CANONICAL = {
    "seg_pred", "fragment_clusts", "fragment_shapes", "fragment_start_points", "fragment_end_points",
    "fragment_group_pred", "fragment_node_pred", "particle_clusts", "particle_shapes", "particle_start_points",
    "particle_end_points", "particle_primaries", "particle_group_pred", "particle_node_type_pred",
    "particle_node_primary_pred",
}  # fmt: skip


@pytest.mark.parametrize("number", range(EVENTS))
def test_label_stages_give_the_truth_back(number: int) -> None:
    one = event(number)
    compose(LABEL_STAGES).run(one)
    assert np.array_equal(one["seg_pred"], FROZEN[f"{number}/seg"])
    owned = np.isin(truth(number, "shape"), range(4))
    for clusts, values, expected in (
        ("fragment_clusts", None, FROZEN[f"{number}/cluster"].astype(np.int64)),
        ("fragment_clusts", one["fragment_group_pred"], truth(number, "group")),
        ("particle_clusts", None, truth(number, "group")),
        ("particle_clusts", one["particle_group_pred"], truth(number, "interaction")),
    ):
        assert same_partition(voxel_labels(one, clusts, values), np.where(owned, expected, -1))


@pytest.mark.parametrize("number", range(EVENTS))
def test_particles_have_the_species_and_origin_of_their_leader(number: int) -> None:
    one = event(number)
    compose(LABEL_STAGES).run(one)
    table = FROZEN[f"{number}/label"]
    group = voxel_labels(one, "particle_clusts", np.arange(len(one["particle_clusts"])))
    leaders = np.array([truth(number, "group")[group == i][0] for i in range(len(one["particle_clusts"]))])
    leads = np.array([(truth(number, "particle")[group == i] == leaders[i]).any() for i in range(len(leaders))])
    types = softmax(one["particle_node_type_pred"], axis=1)
    primaries = softmax(one["particle_node_primary_pred"], axis=1)
    known = leads & (table[leaders, 3] >= 0)
    assert known.sum() > 5
    assert np.array_equal(types.argmax(axis=1)[known], table[leaders, 3][known])
    assert (types.max(axis=1)[known] > 0.999).all()
    assert np.array_equal(primaries.argmax(axis=1)[leads], table[leaders, 5][leads])


@pytest.mark.parametrize("number", range(EVENTS))
def test_true_points_are_the_nearest_voxels_of_the_earliest_particle(number: int) -> None:
    one = event(number)
    compose(LABEL_STAGES).run(one)
    index = FROZEN[f"{number}/particle_index"].astype(np.int64)
    coords, times, ends = one["data"].coords, FROZEN[f"{number}/time"], FROZEN[f"{number}/ends"]
    for i, rows in enumerate(one["particle_clusts"]):
        inside = np.unique(index[rows])
        first = inside[np.argmin(times[inside])]
        for name, point in (("start", ends[first, :3]), ("end", ends[first, 3:])):
            voxels = coords[rows]
            found = one[f"particle_{name}_points"][i]
            if one["particle_shapes"][i] != Shape.TRACK:
                voxels = np.concatenate([coords[r] for r in _primary_fragments(one, i)])
            gaps = np.linalg.norm(voxels + 0.5 - point, axis=1)
            assert np.linalg.norm(found + 0.5 - point) == pytest.approx(gaps.min(), abs=1e-3)
            assert (voxels == found).all(axis=1).any()


def _primary_fragments(one: Event, i: int) -> list[NDArray[Any]]:
    chosen = np.flatnonzero((one["fragment_group_pred"] == i) & (one["particle_primaries"] == 1))
    return [one["fragment_clusts"][int(k)] for k in chosen]


@pytest.mark.parametrize("stages", PRESETS.values(), ids=PRESETS)
def test_every_preset_makes_all_canonical_products_with_the_declared_types(stages: tuple[Stage, ...]) -> None:
    for one in (event(1), empty()):
        plan = compose(stages)
        plan.run(one)
        assert set(one.changed) == set(plan.products) == CANONICAL
        counts = {"seg": len(one["data"])} | {k: len(one[f"{k}_clusts"]) for k in ("fragment", "particle")}
        for name in CANONICAL:
            product, value = PRODUCTS[name], one[name]
            expected = counts[name.split("_")[0]]
            if name == "particle_primaries":
                expected = counts["fragment"]
            assert len(value) == expected, name
            assert value.dtype == product.numpy, name
            if product.kind == "array":
                assert value.shape[1:] == ((product.width,) if product.width else ()), name


@pytest.mark.parametrize("stages", PRESETS.values(), ids=PRESETS)
def test_one_primary_fragment_per_particle(stages: tuple[Stage, ...]) -> None:
    one = event(3)
    compose(stages).run(one)
    groups, primary = one["fragment_group_pred"], one["particle_primaries"] == 1
    assert np.array_equal(np.sort(groups[primary]), np.arange(len(one["particle_clusts"])))
    assert np.array_equal(one["fragment_shapes"][primary][np.argsort(groups[primary])], one["particle_shapes"])
    joined = voxel_labels(one, "fragment_clusts", groups)
    assert np.array_equal(joined, voxel_labels(one, "particle_clusts"))


@pytest.mark.parametrize("number", range(EVENTS))
@pytest.mark.parametrize("stages", PRESETS.values(), ids=PRESETS)
def test_partitions_do_not_depend_on_the_order_of_rows(stages: tuple[Stage, ...], number: int) -> None:
    plain = event(number)
    order = np.random.default_rng(number).permutation(len(plain["data"]))
    mixed = event(number, order)
    plan = compose(stages)
    plan.run(plain)
    plan.run(mixed)
    assert np.array_equal(plain["seg_pred"][order], mixed["seg_pred"])
    for name in ("fragment_clusts", "particle_clusts"):
        assert np.array_equal(voxel_labels(plain, name)[order], voxel_labels(mixed, name))
    for name in CANONICAL - {"seg_pred", "fragment_clusts", "particle_clusts"}:
        assert np.allclose(plain[name], mixed[name], equal_nan=True), name


def test_voxels_that_the_truth_lacks_have_no_class() -> None:
    one = event(1)
    image = one["data"]
    moved = image.coords.copy()
    moved[0] += 1000
    one["data"] = type(image)(moved, image.features, image.names)
    compose(LABEL_STAGES[:2]).run(one)
    assert one["seg_pred"][0] == Shape.UNKNOWN
    assert np.array_equal(one["seg_pred"][1:], FROZEN["1/seg"][1:])
    assert 0 not in one["fragment_clusts"].values


def test_part_of_an_image_keeps_the_labels_of_its_voxels() -> None:
    rows = np.flatnonzero(np.random.default_rng(0).random(len(FROZEN["2/seg"])) < 0.5)
    one = event(2, rows)
    compose(LABEL_STAGES).run(one)
    assert np.array_equal(one["seg_pred"], FROZEN["2/seg"][rows])
    expected = np.where(np.isin(truth(2, "shape"), range(4)), truth(2, "group"), -1)[rows]
    assert same_partition(voxel_labels(one, "particle_clusts"), expected)
