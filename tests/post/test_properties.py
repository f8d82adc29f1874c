"""What holds for any event: order does not matter, nothing is invented, running twice changes nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from pydantic import ValidationError

from spine.errors import ConfigError, DataError
from spine.post.calo_ke import evaluated
from spine.post.direction import DirectionConfig, direction
from spine.post.match import MatchConfig, match, purity_and_efficiency
from spine.schema import Event, Ragged, Shape, Table, row_of
from spine.schema.object_records import OBJECT_RECORDS
from spine.steps import Step, ordered
from spine.steps.registry import load_step
from tests.post import frozen

CHAIN: dict[str, dict[str, Any]] = {
    "shape_logic": {},
    "direction": {},
    "calo_ke": {"run_mode": "both"},
    "csda_ke": {},
    "mcs_ke": {},
    "containment": {"margin": 5.0, "mode": "meta"},
    "vertex": {},
    "topology_threshold": {"ke_thresholds": 25},
    "fiducial": {"margin": 5.0, "mode": "meta"},
    "children_count": {},
    "match": {"particle": True, "interaction": True},
}
OBJECTS = [f"{side}_{kind}s" for side, kind in OBJECT_RECORDS if kind != "fragment"]


def run_all(event: Event) -> None:
    for name, options in CHAIN.items():
        step = load_step("post", name)
        cfg = step.config.model_validate(options)
        step.run(event, cfg, None) if step.takes_detector else step.run(event, cfg)


def assert_tables_equal(got: Table, want: Table) -> None:
    for column in want.record.columns:
        a, b = got[column], want[column]
        if isinstance(b, Ragged):
            assert_array_equal(a.offsets, b.offsets, err_msg=column)
            a, b = a.values, b.values
        assert_array_equal(a, b, err_msg=column)


def random_event(seed: int, counts: tuple[int, int], size: int = 200) -> Event:
    """Points with random objects of either side, some of them without points."""
    rng = np.random.default_rng(seed)
    event = Event({}, seed)
    event["meta"] = row_of("meta", lower=[-50, -50, -50], upper=[50, 50, 50], size=[0.5] * 3, count=[200] * 3)
    for suffix in ("", "_label"):
        event[f"points{suffix}"] = rng.uniform(-50, 50, (size, 3)).astype(np.float32)
        event[f"depositions{suffix}"] = rng.uniform(0, 2, size).astype(np.float32)
    for side, n in zip(("reco", "truth"), counts, strict=True):
        event[f"{side}_particles"] = random_particles(rng, side, n, size)
        owner = rng.integers(0, 2, n)
        members = Ragged.by_label(owner, 2)
        record = OBJECT_RECORDS[side, "interaction"]
        index = Ragged.from_list([np.arange(3), np.arange(3, 9)], np.int32)
        event[f"{side}_interactions"] = Table(record, 2, {"id": [0, 1], "particle_ids": members, "index": index})
    return event


def random_particles(rng: np.random.Generator, side: str, n: int, size: int) -> Table:
    owner = rng.integers(-1, max(n, 1), size)
    particles = Table(OBJECT_RECORDS[side, "particle"], n, {"id": np.arange(n), "index": Ragged.by_label(owner, n)})
    particles["shape"] = rng.integers(0, 5, n)
    particles["pid"] = rng.integers(-1, 6, n)
    particles["parent_id" if side == "truth" else "interaction_id"] = rng.integers(0, max(n, 1), n)
    particles["is_primary"] = rng.random(n) < 0.5
    for name in ("start_point", "end_point", "momentum", "start_dir"):
        if name in particles.record.columns:
            particles[name] = rng.uniform(-50, 50, (n, 3))
    if side == "reco":
        particles["pid_scores"], particles["primary_scores"] = rng.random((n, 6)), rng.random((n, 2))
    return particles


@settings(deadline=None, max_examples=8)
@given(st.integers(0, 99), st.tuples(st.integers(0, 6), st.integers(0, 6)))
def test_running_again_changes_nothing(seed: int, counts: tuple[int, int]) -> None:
    event = random_event(seed, counts)
    run_all(event)
    before = {name: event.table(name).copy() for name in OBJECTS}
    run_all(event)
    for name, table in before.items():
        skipped = {"pid_scores", "primary_scores"}
        for column in skipped & set(table.record.columns):
            assert_allclose(event.table(name)[column], table[column], 1e-6)
            event.table(name)[column] = table[column]
        assert_tables_equal(event.table(name), table)


def test_events_without_points_or_objects() -> None:
    event = random_event(0, (0, 0), 0)
    for side in ("reco", "truth"):
        event[f"{side}_interactions"] = event.table(f"{side}_interactions")[np.zeros(0, dtype=np.int64)]
    run_all(event)
    assert [len(event.table(name)) for name in OBJECTS] == [0] * 4
    assert event["particle_matches_r2t"].shape == (0, 2)


def test_objects_without_points_measure_nothing() -> None:
    event = random_event(1, (3, 3))
    for side in ("reco", "truth"):
        event.table(f"{side}_particles")["index"] = Ragged.empty(3, np.int32)
    run_all(event)
    for name in ("calo_ke", "csda_ke", "mcs_ke"):
        values = event.reco.particles[name]
        assert ((values == 0) | np.isnan(values)).all()
    assert event.reco.particles["is_contained"].all()
    assert not event.reco.particles["is_matched"].any()
    assert np.isnan(event.reco.interactions["vertex"]).all()


def test_one_point_has_no_direction() -> None:
    event = random_event(2, (2, 0))
    particles = event.reco.particles
    particles["index"] = Ragged.from_list([[5], [7]], np.int32)
    particles["start_point"] = event["points"][[5, 8]]
    particles["shape"] = Shape.SHOWER
    direction.run(event, DirectionConfig(run_mode="reco"))
    assert np.isnan(particles["start_dir"][0]).all()
    toward = event["points"][7] - event["points"][8]
    assert_allclose(particles["start_dir"][1], toward / np.linalg.norm(toward), 1e-5)


@settings(deadline=None, max_examples=8)
@given(st.integers(0, 99))
def test_order_of_objects_and_points_does_not_matter(seed: int) -> None:
    first, rng = random_event(seed, (5, 4)), np.random.default_rng(seed + 1000)
    second = random_event(seed, (5, 4))
    order, points = rng.permutation(5), rng.permutation(200)
    place, row = np.argsort(order), np.argsort(points)
    particles = second.table("reco_particles")[order]
    index: Ragged = particles["index"]
    particles["index"], particles["id"] = Ragged(row[index.values], index.offsets), np.arange(5)
    second["reco_particles"] = particles
    second["points"], second["depositions"] = second["points"][points], second["depositions"][points]
    members: Ragged = second.reco.interactions["particle_ids"]
    second.reco.interactions["particle_ids"] = Ragged(place[members.values], members.offsets)
    cfg = {"particle": True}
    for event in (first, second):
        for name in ("shape_logic", "direction", "calo_ke", "containment", "csda_ke", "vertex"):
            step = load_step("post", name)
            options = step.config.model_validate(CHAIN[name] | {"run_mode": "reco"} if name != "shape_logic" else {})
            step.run(event, options, None) if step.takes_detector else step.run(event, options)
        event["truth_particles"]["index"] = event["reco_particles"]["index"][np.arange(4)]
        match.run(event, MatchConfig.model_validate(cfg))
    for column in ("start_dir", "end_dir", "calo_ke", "is_contained", "pid", "length", "csda_ke", "match_overlaps"):
        one, two = first.reco.particles[column][order], second.reco.particles[column]
        if isinstance(one, Ragged):
            one, two = one.lengths, two.lengths
            continue
        assert_allclose(two, one, 1e-4, 1e-4, err_msg=column)
    assert_allclose(second.reco.interactions["vertex"], first.reco.interactions["vertex"], 1e-4, 1e-3)


@settings(deadline=None, max_examples=15)
@given(st.integers(0, 99), st.sampled_from(["iou", "dice", "count", "chamfer"]))
def test_matches_are_symmetric(seed: int, mode: str) -> None:
    event = random_event(seed, (5, 4))
    match.run(event, MatchConfig.model_validate({"particle": True, "overlap_mode": mode}))
    reco, truth = event.reco.particles, event.truth.particles
    pairs = set(zip(reco["match_ids"].rows, reco["match_ids"].values, reco["match_overlaps"].values, strict=True))
    back = set(zip(truth["match_ids"].values, truth["match_ids"].rows, truth["match_overlaps"].values, strict=True))
    assert pairs == back
    falling = [np.diff(row) for row in reco["match_overlaps"]]
    assert all((d >= 0).all() if mode == "chamfer" else (d <= 0).all() for d in falling)
    assert_array_equal(reco["is_matched"], reco["match_ids"].lengths > 0)
    assert_array_equal(event["particle_matches_r2t"][:, 1], reco["best_match_id"])
    assert_allclose(event["particle_matches_r2t_overlap"], reco["best_match_overlap"])
    swapped = random_event(seed, (5, 4))
    swapped["reco_particles"], swapped["truth_particles"] = (
        Table(a.record, len(b), {"index": b["index"]}) for a, b in ((reco, truth), (truth, reco))
    )
    for suffix, other in (("", "_label"), ("_label", "")):
        swapped[f"points{suffix}"] = event[f"points{other}"]
    match.run(swapped, MatchConfig.model_validate({"particle": True, "overlap_mode": mode}))
    assert_allclose(swapped.reco.particles["best_match_overlap"], truth["best_match_overlap"], 1e-6)


@pytest.mark.parametrize("number", frozen.EVENTS)
def test_purity_and_efficiency_count_common_points(number: int) -> None:
    event = frozen.event(number)
    reco, truth = event.reco.particles, event.truth.particles
    quality = purity_and_efficiency(reco, truth)
    for i, particle in enumerate(reco):
        if not particle.is_matched:
            assert np.isnan(quality[i]).all()
            continue
        partner = truth["index"][particle.best_match_id]
        common = len(np.intersect1d(particle.index, partner))
        assert_allclose(quality[i], [common / particle.size, common / len(partner)])
        assert_allclose(particle.best_match_overlap, common / (particle.size + len(partner) - common), 1e-5)


def test_matching_images_with_ghost_points() -> None:
    event = random_event(5, (4, 3))
    for name in ("reco_particles", "truth_particles"):
        index: Ragged = event.table(name)["index"]
        event.table(name)["orig_index"] = Ragged(index.values + (1000 if name.startswith("t") else 0), index.offsets)
    match.run(event, MatchConfig.model_validate({"particle": True, "ghost": True}))
    assert not event.reco.particles["is_matched"].any()
    event["points_label"] = event["points"]
    match.run(event, MatchConfig.model_validate({"particle": True, "ghost": True, "use_orig_index": False}))
    by_voxel = event.reco.particles["match_overlaps"].values
    match.run(event, MatchConfig.model_validate({"particle": True}))
    assert_allclose(np.sort(event.reco.particles["match_overlaps"].values), np.sort(by_voxel), 1e-6)
    event.table("truth_particles")["orig_index"] = Ragged.empty(3, np.int32)
    with pytest.raises(DataError, match="do not know their rows"):
        match.run(event, MatchConfig.model_validate({"particle": True, "ghost": True}))


def test_children_are_counted_by_their_parent() -> None:
    event = random_event(0, (0, 5))
    particles = event.truth.particles
    particles["orig_id"] = [3, 4, 0, 1, 2]
    particles["parent_id"] = [0, 0, 0, 1, 1]
    particles["shape"] = [1, 1, 2, 3, 3]
    load_step("post", "children_count").run(event, load_step("post", "children_count").config())
    assert [row.tolist() for row in particles["children_counts"]] == [
        [0, 1, 1, 0, 0], [0, 0, 0, 2, 0], [0] * 5, [0] * 5, [0] * 5
    ]  # fmt: skip


def test_steps_run_in_an_order_that_gives_each_what_it_reads() -> None:
    steps: list[Step] = [load_step("post", name) for name in sorted(CHAIN)]
    names = [step.name for step in ordered(steps)]
    for before, after in [
        ("shape_logic", "csda_ke"), ("shape_logic", "vertex"), ("direction", "vertex"), ("vertex", "fiducial"),
        ("csda_ke", "topology_threshold"), ("containment", "mcs_ke"), ("containment", "topology_threshold"),
    ]:  # fmt: skip
        assert names.index(before) < names.index(after), (before, after)


@pytest.mark.parametrize(("text", "value"), [("1/0.83", 1 / 0.83), ("-2**3 + 1", -7.0), (2.5, 2.5), ("(1-3)*4", -8.0)])
def test_factors_may_be_arithmetic(text: object, value: float) -> None:
    assert evaluated(text) == pytest.approx(value)


@pytest.mark.parametrize("text", ["__import__('os')", "1/0", "a*2", "1 +"])
def test_factors_are_nothing_else(text: str) -> None:
    with pytest.raises(ValueError, match=r"not a number|not arithmetic"):
        evaluated(text)


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("containment", {"margin": 1.0, "logical": True}, "needs mode 'source'"),
        ("containment", {"margin": 1.0, "cathode_margin": 2.0}, "needs mode 'tpc' or 'source'"),
        ("fiducial", {"margin": 1.0, "cathode_margin": 2.0}, "needs mode 'tpc'"),
        ("match", {}, "one of fragment, particle and interaction"),
        ("match", {"particle": True, "overlap_mode": "count", "weight_overlap": True}, "can be weighted"),
        ("match", {"particle": {"overlap": 1}}, "overlap"),
        ("mcs_ke", {"lower_bound": 20.0, "upper_bound": 10.0}, "below upper_bound"),
    ],
)
def test_options_that_make_no_sense(name: str, options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        load_step("post", name).config.model_validate(options)


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    event = random_event(0, (2, 2))
    containment = load_step("post", "containment")
    with pytest.raises(ConfigError, match="needs a detector"):
        containment.run(event, containment.config.model_validate({"margin": 1.0}), None)
    only = Event({name: event[name] for name in event if not name.startswith("truth")}, 4, "in.h5")
    with pytest.raises(DataError, match=r"in\.h5 entry 4: the event has no truth_particles(.|\n)*run_mode: reco"):
        direction.run(only, DirectionConfig())
    event.reco.particles["units"] = np.array(["px", "px"], dtype=object)
    with pytest.raises(DataError, match="not in cm"):
        direction.run(event, DirectionConfig())
    threshold = load_step("post", "topology_threshold")
    with pytest.raises(ConfigError, match="have no energy 'shape'"):
        threshold.run(random_event(0, (2, 2)), threshold.config.model_validate({"reco_ke_mode": "shape"}))
