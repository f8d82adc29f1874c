"""Truth rules: against labels that SPINE gave to random particle lists, and properties that follow from the rules."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from spine.store.larcv.leaves import ObjectList
from spine.store.larcv.sentinels import (
    INVALID_ID,
    INVALID_INDEX,
    INVALID_TRACK,
    without_any,
    without_huge,
    without_ids,
    without_interactions,
)
from spine.store.larcv.truth import TruthLabels, truth_labels
from spine.store.larcv.truth.ids import ancestor_rows, interaction_numbers, labelled
from spine.store.larcv.truth.lineage import bridged, parent_edges
from spine.store.larcv.truth.neutrinos import by_interaction, by_multiplicity, by_position
from spine.store.larcv.truth.primaries import group_primaries, interaction_primaries, leader_species

Ints = NDArray[np.int64]
GOLDEN = dict(np.load(Path(__file__).parent / "data" / "truth_rules.npz"))
BOUNDS = np.concatenate([[0], np.cumsum(GOLDEN["n"])])
NEUTRINO_BOUNDS = np.concatenate([[0], np.cumsum(GOLDEN["neutrino_n"])])


def objects(columns: dict[str, Any]) -> ObjectList:
    return ObjectList(np.array([0, len(next(iter(columns.values())))]), columns)


def golden_particles(event: int) -> ObjectList:
    rows = slice(BOUNDS[event], BOUNDS[event + 1])
    columns = {name.removeprefix("in_"): GOLDEN[name][rows] for name in GOLDEN if name.startswith("in_")}
    columns["ancestor_position"] = GOLDEN["ancestor_position"][rows]
    columns["ancestor_creation_process"] = np.where(columns.pop("has_process") == 1, "decay", "").astype(object)
    return objects(columns)


@cache
def golden_labels(event: int) -> TruthLabels:
    mode = int(GOLDEN["mode"][event])
    rows = slice(NEUTRINO_BOUNDS[event], NEUTRINO_BOUNDS[event + 1])
    position, interaction = GOLDEN["neutrino_position"][rows], GOLDEN["neutrino_interaction"][rows]
    mpv = objects({"position": position}) if mode == 1 else None
    neutrinos = objects({"position": position, "interaction_id": interaction}) if mode >= 2 else None
    return truth_labels(golden_particles(event), mpv, neutrinos, bool(GOLDEN["label_le"][event]))


@pytest.mark.parametrize(
    ("column", "golden"),
    [
        ("parent", "parent"), ("group", "group"), ("ancestor_track", "ancestor"), ("interaction", "interaction"),
        ("nu", "nu"), ("group_primary", "group_primary"), ("interaction_primary", "interaction_primary"),
        ("pid", "pid"),
    ],
)  # fmt: skip
def test_labels_of_random_lists_are_those_of_the_reference(column: str, golden: str) -> None:
    found = [getattr(golden_labels(event), column) for event in range(len(GOLDEN["n"]))]
    np.testing.assert_array_equal(np.concatenate(found), GOLDEN[f"out_{golden}"])


def golden_graphs() -> Iterator[tuple[Ints, Ints]]:
    stops = np.cumsum(GOLDEN["graph_n"])
    for event, n in enumerate(GOLDEN["n"]):
        rows = slice(BOUNDS[event], BOUNDS[event] + n)
        parent, group = without_ids(GOLDEN["graph_parent"][rows]), GOLDEN["graph_group"][rows]
        within = bool(GOLDEN["graph_within"][event])
        empty = (GOLDEN["graph_size"][rows] == 0) & (parent >= 0) & ((group == np.arange(n)) | within)
        edges = bridged(parent_edges(parent, group, within), empty)
        yield edges, GOLDEN["graph_edges"][stops[event] - GOLDEN["graph_n"][event] : stops[event]]


def test_edges_of_random_lists_are_those_of_the_reference() -> None:
    for found, expected in golden_graphs():
        np.testing.assert_array_equal(found, expected)


def test_sentinels_of_both_ages() -> None:
    assert without_ids(np.array([0, INVALID_INDEX, 2])).tolist() == [0, -1, 2]
    assert without_ids(np.array([0, INVALID_INDEX, INVALID_ID])).tolist() == [0, INVALID_INDEX, -1]
    assert without_interactions(np.array([3, INVALID_INDEX])).tolist() == [3, -1]
    assert without_interactions(np.array([INVALID_INDEX, INVALID_ID])).tolist() == [INVALID_INDEX, -1]
    assert without_any(np.array([1, INVALID_TRACK, -5]), INVALID_TRACK).tolist() == [1, -1, -1]
    huge = without_huge(np.array([1.0, np.finfo(np.float64).max, np.finfo(np.float32).max, -np.inf]))
    assert np.isnan(huge).tolist() == [False, True, True, True]


def test_no_particles_give_no_labels() -> None:
    labels = truth_labels(golden_particles(int(np.flatnonzero(GOLDEN["n"] == 0)[0])))
    assert [len(getattr(labels, name)) for name in labels.__dataclass_fields__] == [0] * 9


small = st.integers(0, 9)


def ints(n: int, low: int, high: int) -> st.SearchStrategy[Ints]:
    return hnp.arrays(np.int64, n, elements=st.integers(low, high))


@settings(deadline=None, max_examples=60)
@given(st.data(), small)
def test_at_most_one_primary_per_group_and_it_leads(data: st.DataObject, n: int) -> None:
    group = data.draw(ints(n, -1, n + 1))
    valid, eligible = (data.draw(hnp.arrays(bool, n)) for _ in range(2))
    start = data.draw(hnp.arrays(np.float64, n, elements=st.sampled_from([0.0, 1.0, 2.0, np.nan])))
    primary = group_primaries(group, valid, eligible, start)
    for i in np.flatnonzero(primary == 1):
        assert group[i] == i
        assert eligible[i]
        others = np.flatnonzero((group == i) & eligible & (np.arange(n) != i))
        assert (start[others] > start[i]).all()
    for row, leader in enumerate(group.tolist()):
        known = 0 <= leader < n and valid[leader]
        assert (primary[row] == -1) == (not known)


@settings(deadline=None, max_examples=60)
@given(st.data(), small)
def test_members_of_a_group_share_the_species_of_the_leader(data: st.DataObject, n: int) -> None:
    group, valid = data.draw(ints(n, -1, n + 1)), data.draw(hnp.arrays(bool, n))
    pdg = data.draw(hnp.arrays(np.int64, n, elements=st.sampled_from([11, -11, 22, 13, 2212, -2212, 2112])))
    table = {11: 1, -11: 1, 22: 0, 13: 2, 2212: 4}
    expected = [table.get(int(pdg[g]), -1) if v and 0 <= g < n else -1 for g, v in zip(group, valid, strict=True)]
    assert leader_species(group, valid, pdg).tolist() == expected


@settings(deadline=None, max_examples=60)
@given(st.data(), small)
def test_primaries_come_from_the_ancestor_or_its_decay(data: st.DataObject, n: int) -> None:
    group, valid = data.draw(ints(n, -1, n + 1)), data.draw(hnp.arrays(bool, n))
    track, parent, ancestor = (data.draw(ints(n, 1, 4)) for _ in range(3))
    pdg = data.draw(hnp.arrays(np.int64, n, elements=st.sampled_from([111, -3212, 13])))
    expected = []
    for i in range(n):
        g = group[i]
        if not (valid[i] and 0 <= g < n):
            expected.append(-1)
        else:
            decay = pdg[g] in (111, -3212) and parent[g] == ancestor[g]
            expected.append(int(decay or track[g] == ancestor[i]))
    assert interaction_primaries(group, valid, track, parent, ancestor, pdg).tolist() == expected


@settings(deadline=None, max_examples=60)
@given(st.data(), small)
def test_neutrinos_are_the_same_for_a_whole_interaction(data: st.DataObject, n: int) -> None:
    interaction, group, primary = (data.draw(ints(n, -1, 3)) for _ in range(3))
    points = data.draw(hnp.arrays(np.float64, (n, 3), elements=st.sampled_from([0.0, 1.0])))
    vertices = data.draw(hnp.arrays(np.float64, (2, 3), elements=st.sampled_from([0.0, 1.0])))
    for nu in (
        by_multiplicity(interaction, group, primary),
        by_position(interaction, points, vertices),
        by_interaction(interaction, np.array([2, -1, 0, 2])),
    ):
        assert (nu[interaction < 0] == -1).all()
        for i in np.unique(interaction[interaction >= 0]):
            assert len(np.unique(nu[interaction == i])) == 1
    assert set(by_interaction(np.array([0, 1, 2]), np.array([2, -1, 0, 2])).tolist()) == {2, -1, 0}


@settings(deadline=None, max_examples=60)
@given(st.data(), small)
def test_labels_follow_a_permutation_of_the_particles(data: st.DataObject, n: int) -> None:
    points = data.draw(hnp.arrays(np.float64, (n, 3), elements=st.sampled_from([0.0, 1.0])))
    order = np.array(data.draw(st.permutations(range(n))), dtype=np.int64)
    none = np.full(n, INVALID_INDEX)
    valid = labelled(none, data.draw(ints(n, 1, 3)), np.full(n, "decay", dtype=object))
    assert valid.all()
    numbers = interaction_numbers(none, points, valid)
    np.testing.assert_array_equal(interaction_numbers(none, points[order], valid), numbers[order])
    same = (points[:, None] == points[None]).all(axis=2)
    np.testing.assert_array_equal(numbers[:, None] == numbers[None], same)


def test_ancestor_rows_take_the_last_of_equal_tracks() -> None:
    assert ancestor_rows(np.array([5, 7, 5, -1]), np.array([5, 9, 7, -1])).tolist() == [2, -1, 1, -1]


@settings(deadline=None, max_examples=80)
@given(st.data(), st.integers(0, 12))
def test_bridges_lead_to_the_nearest_ancestor_that_is_not_empty(data: st.DataObject, n: int) -> None:
    parent = np.array([data.draw(st.integers(-1, i - 1)) for i in range(n)], dtype=np.int64)
    empty = data.draw(hnp.arrays(bool, n))
    edges = parent_edges(parent, np.arange(n))
    expected = []
    for child in range(n):
        at = parent[child]
        while at >= 0 and empty[at]:
            at = parent[at]
        if at >= 0 and not empty[child]:
            expected.append([at, child])
    assert bridged(edges, empty).tolist() == expected
    once = bridged(edges, empty)
    np.testing.assert_array_equal(bridged(once, empty), once)
