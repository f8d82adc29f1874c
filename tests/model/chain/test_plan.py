"""Plans: what is wrong is said before any event is read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pytest
from pydantic import Field

from spine.errors import ConfigError, DataError, StageError
from spine.model.chain import DATA_STAGES, FAMILIES, LABEL_STAGES, Networks, Result, Stage, compose, provider
from spine.schema import Block, Event
from spine.steps.step import StepConfig
from tests.model.chain.events import event

SEGMENTATION, FRAGMENTS, PARTICLES, INTERACTIONS = LABEL_STAGES


def _message(stages: Sequence[Stage], **more: Any) -> str:
    with pytest.raises(ConfigError) as caught:
        compose(stages, **more)
    return str(caught.value)


def test_unknown_provider_mode_and_key_are_named_with_a_suggestion() -> None:
    assert "did you mean 'segmentation'" in _message([Stage("s", "segmentatoin")])
    text = _message([Stage("segmentation", config={"mode": "lable"})])
    assert "did you mean 'label'?" in text
    assert "geometric" in text
    text = _message([SEGMENTATION, Stage("fragmentation", config={"mode": "dbscan", "epps": 2})])
    assert "epps: unknown key; did you mean 'eps'?" in text
    assert "chain.fragmentation" in text
    assert "no mode" in _message([Stage("segmentation")])


def test_all_problems_are_listed_at_once() -> None:
    stages = [
        Stage("segmentation", config={"mode": "lable"}),
        Stage("fragmentation", config={"mode": "dbscan", "dbscan": {"min_size": "many", "shapes": [0, 9]}}),
    ]
    text = _message(stages)
    for part in ("lable", "min_size", "shapes.1", "chain.fragmentation.dbscan"):
        assert part in text


def test_one_value_per_class_or_one_for_all() -> None:
    good = {"mode": "dbscan", "shapes": [0, 1], "eps": [1.8, 2.5], "break_shapes": []}
    compose([SEGMENTATION, Stage("fragmentation", config=good)])
    assert "eps needs one value" in _message([SEGMENTATION, Stage("fragmentation", config={**good, "eps": [1, 2, 3]})])


def test_two_makers_of_a_product_must_say_so() -> None:
    text = _message([SEGMENTATION, Stage("again", "segmentation", {"mode": "geometric"})])
    assert "'segmentation' and 'again' both make 'seg_pred'" in text
    assert "two stages are called" in _message([SEGMENTATION, SEGMENTATION])


def test_a_product_that_no_earlier_stage_makes() -> None:
    text = _message([SEGMENTATION, INTERACTIONS, FRAGMENTS, PARTICLES])
    assert "'interaction_aggregation' needs 'particle_clusts'" in text
    assert "move stage 'particle_aggregation' before it" in text
    text = _message([SEGMENTATION, Stage("fragmentation", config={"mode": "dbscan"})])
    assert "needs 'ppn_pred'" in text
    assert "provider makes 'ppn_pred': segmentation" in text


def test_a_plan_may_start_from_stored_products() -> None:
    plan = compose([PARTICLES], inputs=("fragment_clusts", "fragment_shapes"))
    assert set(plan.inputs) == {"data", "fragment_clusts", "fragment_shapes", "clust_label", "coord_label"}


def test_paths_are_joint_or_separate() -> None:
    both = {"shower_aggregation": "label", "particle_aggregation": "label"}
    text = _message([FRAGMENTS, Stage("particle_aggregation", config=both)])
    assert "together or apart" in text
    assert "no path is on" in _message([FRAGMENTS, Stage("particle_aggregation", config={"shower_aggregation": None})])
    bad = {"track_aggregation": "skip", "skip_trak": {}}
    text = _message([FRAGMENTS, Stage("particle_aggregation", config=bad)])
    assert "did you mean 'skip_track'?" in text
    primary = {"track_aggregation": "skip", "shower_aggregation": "skip", "shower_primary": "grappa"}
    assert "shower_primary" in _message([FRAGMENTS, Stage("particle_aggregation", config=primary)])


def test_separate_paths_own_their_classes() -> None:
    modes = {"shower_aggregation": "label", "track_aggregation": "skip"}
    one = event(3)
    compose([*LABEL_STAGES[:2], Stage("particle_aggregation", config=modes)]).run(one)
    tracks = one["fragment_shapes"] == 1
    assert len(np.unique(one["fragment_group_pred"][tracks])) == tracks.sum()
    assert one["fragment_group_pred"][~tracks].max() < one["fragment_group_pred"][tracks].min()
    assert (one["fragment_group_pred"] >= 0).all()
    only = {"track_aggregation": "skip"}
    one = event(3)
    compose([*LABEL_STAGES[:2], Stage("particle_aggregation", config=only)]).run(one)
    assert np.array_equal(one["fragment_group_pred"] >= 0, tracks)
    assert np.isnan(one["fragment_start_points"][~tracks]).all()


def test_a_file_without_truth_is_met_with_advice() -> None:
    plan = compose(LABEL_STAGES)
    assert plan.inputs == ("data", "seg_label", "clust_label", "coord_label")
    plan.check(plan.inputs)
    with pytest.raises(ConfigError, match="the file has no truth: use the preset for data") as caught:
        plan.check({"data", "meta", "run_info"}, where="run.h5")
    text = str(caught.value)
    assert text.startswith("run.h5: stage 'segmentation' needs 'seg_label'")
    assert "stage 'fragmentation' needs 'clust_label'" in text
    assert "data, meta, run_info" in text
    compose(DATA_STAGES).check({"data"})
    with pytest.raises(ConfigError, match="read these products from the input as well"):
        plan.check({"data", "seg_label", "clust_label"})


def test_a_failing_stage_is_named() -> None:
    one = Event({"data": event(1)["data"]}, entry=7, source="run.h5")
    with pytest.raises(DataError) as caught:
        compose(LABEL_STAGES).run(one)
    assert any("'segmentation'" in note and "run.h5 entry 7" in note for note in caught.value.__notes__)


class NetworkConfig(StepConfig):
    shift: int = Field(0, description="Added to the class")


@provider("segmentation", "network", requires=("data",), provides=("seg_pred",), per="block")
def network(block: Block, cfg: NetworkConfig, networks: Networks) -> list[Result]:
    sizes = [len(one["data"]) for one in block]
    classes = networks["net"](sum(sizes)) + cfg.shift
    return [{"seg_pred": part} for part in np.split(classes, np.cumsum(sizes)[:-1])]


@provider("segmentation", "forgetful", requires=("data",), provides=("seg_pred", "segmentation"))
def forgetful(event: Event, cfg: NetworkConfig) -> Mapping[str, Any]:
    return {"seg_pred": np.zeros(len(event["data"]), dtype=np.int64)}


@pytest.fixture
def further_modes(monkeypatch: pytest.MonkeyPatch) -> None:
    modes = FAMILIES["segmentation"].modes
    monkeypatch.setitem(modes, "network", f"{__name__}:network")
    monkeypatch.setitem(modes, "forgetful", f"{__name__}:forgetful")
    monkeypatch.setitem(modes, "nowhere", f"{__name__}:nothing")


@pytest.mark.usefixtures("further_modes")
def test_networks_are_further_modes_which_may_take_events_together() -> None:
    calls: list[int] = []

    def net(count: int) -> Any:
        calls.append(count)
        return np.ones(count, dtype=np.int64)

    stage = Stage("segmentation", config={"mode": "network", "shift": 1}, uses="net")
    events = [event(1), event(2)]
    compose([stage], {"net": net}).run_events(events)
    assert calls == [sum(len(one["data"]) for one in events)]
    assert all((one["seg_pred"] == 2).all() and len(one["seg_pred"]) == len(one["data"]) for one in events)
    assert "no network is called 'net'" in _message([stage], networks={"nett": net})


@pytest.mark.usefixtures("further_modes")
def test_a_provider_must_keep_its_word() -> None:
    plan = compose([Stage("segmentation", config={"mode": "forgetful"})])
    with pytest.raises(StageError, match="did not make segmentation"):
        plan.run(event(1))
    assert "no provider is defined there" in _message([Stage("segmentation", config={"mode": "nowhere"})])


def test_joined_modes_own_different_classes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(FAMILIES["fragmentation"].modes, "other_dbscan", "spine.model.chain.fragmentation:dbscan")
    blocks = {"dbscan": {"shapes": [0, 2, 3], "break_shapes": []}, "other_dbscan": {"shapes": [1], "break_shapes": []}}
    stages = [SEGMENTATION, Stage("fragmentation", config={"mode": "dbscan_other_dbscan", **blocks})]
    one, whole = event(3), event(3)
    compose(stages).run(one)
    alone = {"mode": "dbscan", "shapes": [0, 2, 3, 1], "break_shapes": []}
    compose([SEGMENTATION, Stage("fragmentation", config=alone)]).run(whole)
    assert np.array_equal(one["fragment_shapes"], whole["fragment_shapes"])
    assert one["fragment_clusts"].tolist() == whole["fragment_clusts"].tolist()
    blocks["other_dbscan"] = {"shapes": [1, 0]}
    stages = [SEGMENTATION, Stage("fragmentation", config={"mode": "dbscan_other_dbscan", **blocks})]
    assert "two modes of the stage own shape 0" in _message(stages)


def test_a_provider_states_its_options() -> None:
    with pytest.raises(ConfigError, match="annotated by its StepConfig"):

        @provider("segmentation", "bad", requires=(), provides=())
        def bad(event: Event, cfg: int) -> Result:
            return {}
