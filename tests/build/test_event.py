"""The objects built are those of SPINE, and what cannot be built is refused with a reason."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from pydantic import ValidationError

from spine.build import BuildConfig, build_event
from spine.errors import DataError
from spine.schema import Event, Ragged, Table, Tensor
from spine.schema.columns import Column
from spine.schema.truth_records import Particle
from tests.build.frozen import DATA, Frozen

TABLES = [f"{side}_{level}" for side in ("reco", "truth") for level in ("fragments", "particles", "interactions")]
UNLIKE = {"mass", "ke", "momentum", "p", "reco_ke", "reco_momentum", "depositions_adapt_q_sum", "units"}
"""Columns of newer constants, or in which we differ on purpose."""


def built(name: str, **options: object) -> tuple[Frozen, Event]:
    frozen = Frozen(DATA / f"{name}.npz")
    event = frozen.event()
    build_event(event, BuildConfig(**({"units": "px"} if name == "plain" else {}) | options))
    return frozen, event


def is_missing(column: Column, values: object) -> bool:
    if isinstance(values, Ragged):
        return len(values.values) == 0
    array = np.asarray(values)
    if array.dtype.kind == "f":
        return bool(np.isnan(array).all())
    return bool((array == column.missing).all())


def assert_same(got: object, want: object, name: str) -> None:
    if isinstance(want, Ragged):
        assert isinstance(got, Ragged)
        assert_array_equal(got.offsets, want.offsets, err_msg=name)
        assert_same(got.values, want.values, name)
    elif np.asarray(want).dtype.kind == "f":
        assert_allclose(np.asarray(got, dtype=float), np.asarray(want, dtype=float), 1e-5, 1e-4, err_msg=name)
    else:
        assert_array_equal(np.asarray(got), np.asarray(want), err_msg=name)


@pytest.mark.parametrize("case", ["ev5k_1", "rich", "plain"])
@pytest.mark.parametrize("name", TABLES)
def test_objects_are_those_of_spine(case: str, name: str) -> None:
    frozen, event = built(case)
    table = event.table(name)
    answers = frozen.answers(name)
    for column in set(table.record.columns) - UNLIKE:
        if column in answers:
            assert_same(table[column], answers[column], f"{name}.{column}")
        else:
            assert is_missing(table.record.columns[column], table[column]), f"{name}.{column}"


@pytest.mark.parametrize("case", ["rich", "plain"])
def test_images_are_those_of_spine(case: str) -> None:
    frozen, event = built(case)
    names = [key.removeprefix("out/") for key in frozen.arrays if key.count("/") == 1 and key.startswith("out/")]
    assert "points_label" in names
    for name in names:
        assert_allclose(event[name], frozen.arrays[f"out/{name}"], 1e-6, 1e-5, err_msg=name)


def test_points_are_float32_centres_of_voxels_in_cm() -> None:
    _, event = built("ev5k_1")
    meta = event["meta"]
    assert event["points"].dtype == np.float32
    assert_allclose(event["points"], meta.lower + (event["data"].coords + 0.5) * meta.size, 1e-5, 1e-4)
    assert set(event["truth_particles"]["units"]) == {"cm"}
    assert set(event["particles"]["units"]) == {"px"}


def test_adapted_uncalibrated_charge_is_summed() -> None:
    _, event = built("rich")
    table = event.table("truth_particles")
    charge = event["depositions_q"]
    assert_allclose(table["depositions_adapt_q_sum"], [charge[rows].sum() for rows in table["index_adapt"]], 1e-5)


def permuted(event: Event, rng: np.random.Generator) -> tuple[Event, np.ndarray]:
    """The same event with the voxels of image and labels in another order, and the old row of each."""
    order = rng.permutation(len(event["data"]))
    place = np.empty_like(order)
    place[order] = np.arange(len(order))
    other = Event({name: event[name] for name in event}, event.entry)
    for name in ("data", "clust_label"):
        other[name] = event[name].take(order)
    for name in ("fragment_clusts", "particle_clusts"):
        rows = event[name]
        other[name] = Ragged(place[rows.values], rows.offsets)
    return other, order


def test_order_of_voxels_does_not_matter() -> None:
    first = Frozen(DATA / "ev5k_1.npz").event()
    second, order = permuted(first, np.random.default_rng(3))
    for event in (first, second):
        build_event(event, BuildConfig())
    for name in TABLES:
        one, two = first.table(name), second.table(name)
        for column in set(one.record.columns) - {"index"}:
            assert_same(two[column], one[column], f"{name}.{column}")
        for a, b in zip(one["index"], two["index"], strict=True):
            assert_array_equal(np.sort(a), np.sort(order[b]))


def test_building_again_changes_nothing() -> None:
    _, event = built("rich")
    before = {name: event.table(name).copy() for name in TABLES}
    build_event(event, BuildConfig())
    for name, table in before.items():
        for column in table.record.columns:
            assert_same(event.table(name)[column], table[column], f"{name}.{column}")


def test_units_change_there_and_back() -> None:
    _, event = built("ev5k_1")
    table = event.table("truth_particles").copy()
    build_event(event, BuildConfig(units="px", lite=True))
    voxels = event.table("truth_particles")
    size = event["meta"].size[0]
    assert_allclose(voxels["length"], table["length"] / size)
    assert_allclose(voxels["start_point"], (table["start_point"] - event["meta"].lower) / size, 1e-4, 1e-3)
    build_event(event, BuildConfig(units="cm", lite=True))
    assert_allclose(event.table("truth_particles")["start_point"], table["start_point"], 1e-4, 1e-4)


def empty_event() -> Event:
    """An event of no voxels from a chain that found nothing."""
    source = Frozen(DATA / "ev5k_1.npz").event()
    none = np.zeros(0, dtype=np.int64)
    event = Event({name: source[name] for name in ("meta",)})
    event["data"] = source["data"].take(none)
    label: Tensor = source["clust_label"].take(none)
    event["clust_label"] = Tensor(label.coords, label.features, label.names, label.particles[none])
    event["particles"] = Table(Particle, 0)
    event["graph_label"] = np.zeros((0, 2), dtype=np.int64)
    for level in ("fragment", "particle"):
        event[f"{level}_clusts"] = Ragged.empty(0, np.int32)
    for name in source:
        if name not in event:
            event[name] = source[name][:0]
    return event


def test_empty_event() -> None:
    event = empty_event()
    build_event(event, BuildConfig())
    assert [len(event.table(name)) for name in TABLES] == [0] * 6
    assert event["points"].shape == (0, 3)


@pytest.mark.parametrize(("mode", "made"), [("reco", {"reco"}), ("truth", {"truth"}), ("all", {"reco", "truth"})])
def test_mode_says_which_sides_are_made(mode: str, made: set[str]) -> None:
    _, event = built("ev5k_1", mode=mode)
    assert {name.partition("_")[0] for name in TABLES if name in event} == made


def test_truth_cannot_be_made_without_labels() -> None:
    source = Frozen(DATA / "ev5k_1.npz").event()
    event = Event({name: source[name] for name in source if name != "clust_label"}, 3, "in.h5")
    with pytest.raises(DataError, match=r"in\.h5 entry 3: truth objects are asked for(.|\n)*build\.mode: reco"):
        build_event(event, BuildConfig())
    build_event(event, BuildConfig(mode="reco"))


def test_particles_that_do_not_match_their_clusters() -> None:
    event = Frozen(DATA / "ev5k_1.npz").event()
    event["particle_shapes"] = event["particle_shapes"][:-1]
    with pytest.raises(DataError, match=r"frozen\.h5 entry 3: particle_shapes does not match the clusters"):
        build_event(event, BuildConfig())


def test_particle_list_that_does_not_match_the_labels() -> None:
    event = Frozen(DATA / "ev5k_1.npz").event()
    event["particles"] = event["particles"][:4]
    with pytest.raises(DataError, match=r"frozen\.h5 entry 3: labels and particle list do not match"):
        build_event(event, BuildConfig())


def test_clusters_of_another_image() -> None:
    event = Frozen(DATA / "ev5k_1.npz").event()
    event["data"] = event["data"].take(np.arange(100))
    with pytest.raises(DataError, match="points outside the image"):
        build_event(event, BuildConfig())


def test_fragments_that_cross_particles() -> None:
    event = Frozen(DATA / "ev5k_1.npz").event()
    rows = event["particle_clusts"]
    event["particle_clusts"] = Ragged(np.roll(rows.values, 7), rows.offsets)
    with pytest.raises(DataError, match="points of a fragment lie in several particles"):
        build_event(event, BuildConfig())


def test_lite_mode_builds_nothing() -> None:
    with pytest.raises(DataError, match="lite mode"):
        build_event(Frozen(DATA / "ev5k_1.npz").event(), BuildConfig(lite=True))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"interactions": True, "particles": False}, "interactions are made of particles"),
        ({"sources": {"data_tenor": "data"}}, "did you mean 'data_tensor'"),
        ({"sources": {"data_tensor": "dta"}}, "no product is called 'dta'"),
        ({"fragment": True}, "Extra inputs"),
    ],
)
def test_wrong_options(options: dict[str, object], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        BuildConfig.model_validate(options)


def test_sources_can_be_chosen() -> None:
    _, event = built("rich", sources={"label_adapt_tensor": "clust_label_g4", "data_tensor": ["clust_label_g4"],
        "data_q_tensor": "clust_label_g4"}, mode="truth")  # fmt: skip
    assert len(event["points"]) == len(event["clust_label_g4"])
