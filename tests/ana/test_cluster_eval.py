from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from sklearn.metrics import adjusted_mutual_info_score, adjusted_rand_score

from spine.ana.cluster_eval import ClusterEvalConfig, cluster_eval
from spine.errors import DataError
from spine.schema import Block, Event, Ragged, Table, Tensor
from spine.schema.object_records import RecoParticle, TruthParticle
from spine.schema.truth_records import ParticleLabel
from tests.ana.frozen import frozen_block, same_as_peer

OBJECTS = ClusterEvalConfig(
    obj_type=("particle", "interaction"),
    use_objects=True,
    truth_index_mode="index",
    metrics=("pur", "eff", "ari", "sbd"),
)
ADAPTED = ClusterEvalConfig(obj_type=("particle",), use_objects=True, per_shape=False, metrics=("sbd", "pur"))
TIMED = ClusterEvalConfig(
    obj_type=("particle", "interaction"), use_objects=True, truth_index_mode="index", time_window=(500.0, 900.0)
)


@pytest.mark.parametrize(("cfg", "prefix"), [(OBJECTS, ""), (ADAPTED, "adapt_"), (TIMED, "timed_")])
def test_objects_compare_as_in_the_peer(cfg: ClusterEvalConfig, prefix: str) -> None:
    block = frozen_block()
    for name, table in cluster_eval(block, cfg).items():
        same_as_peer(block, table, f"{prefix}{name}")


LABELS = st.lists(st.tuples(st.integers(-1, 3), st.integers(-1, 3), st.integers(0, 4)), min_size=0, max_size=40)


def _objects(labels: list[tuple[int, int, int]], order: list[int]) -> Event:
    """Event of particles 0..3 on both sides, in any order; particle i has class i."""
    columns = np.array(labels, dtype=np.int64).reshape(-1, 3).T
    turn = np.array(order)
    truth, reco = (Ragged.by_label(column, 4)[turn] for column in columns[:2])
    tables = {
        "truth_particles": Table(TruthParticle, 4, {"index": truth, "shape": turn}),
        "reco_particles": Table(RecoParticle, 4, {"index": reco, "shape": turn}),
    }
    return Event({"points": np.zeros((len(labels), 3)), **tables})


def _clusters(labels: list[tuple[int, int, int]]) -> Event:
    """The same as network output and labels."""
    columns = np.array(labels, dtype=np.int64).reshape(-1, 3).T
    particles = Table(ParticleLabel, 4, {"group": np.arange(4), "shape": np.arange(4), "interaction": [0, 0, 1, 1]})
    features = np.stack([np.ones(len(labels)), columns[2], columns[0]], axis=1).astype(np.float32)
    label = Tensor(np.zeros((len(labels), 3), np.int32), features, ("value", "cluster", "particle_index"), particles)
    return Event(
        {
            "clust_label_adapt": label,
            "particle_clusts": Ragged.by_label(columns[1], 4),
            "particle_shapes": np.arange(4),
            "particle_group_pred": np.array([0, 0, 1, 1]),
            "fragment_clusts": Ragged.by_label(columns[1], 4),
            "fragment_shapes": np.arange(4),
            "fragment_group_pred": np.array([3, 3, 2, 2]),
        }
    )


@settings(deadline=None, max_examples=30)
@given(LABELS, st.permutations(range(4)))
def test_order_of_objects_does_not_matter_and_sklearn_agrees(
    labels: list[tuple[int, int, int]], order: list[int]
) -> None:
    cfg = OBJECTS.model_copy(update={"obj_type": ("particle",), "metrics": ("ari", "ami", "eff")})
    block = Block([_objects(labels, [0, 1, 2, 3]), _objects(labels, order)])
    table = cluster_eval(block, cfg)["cluster_eval_particle"]
    for name, values in table.items():
        if name != "_row":
            np.testing.assert_allclose(values[0], values[1], rtol=1e-9, atol=1e-9, err_msg=name)
    both = np.array([pair[:2] for pair in labels if min(pair[:2]) >= 0]).reshape(-1, 2)
    assert table["ari_num_comparable_points"][0] == len(both)
    if len(both) > 1:
        assert table["ari"][0] == pytest.approx(adjusted_rand_score(*both.T), abs=1e-12)
        assert table["ami"][0] == pytest.approx(adjusted_mutual_info_score(*both.T), abs=1e-9)


@settings(deadline=None, max_examples=20)
@given(LABELS)
def test_objects_and_network_output_agree(labels: list[tuple[int, int, int]]) -> None:
    cfg = ClusterEvalConfig(obj_type=("particle",), truth_index_mode="index", metrics=("pur", "sbd"))
    raw = cluster_eval(Block([_clusters(labels)]), cfg)["cluster_eval_particle"]
    built = cluster_eval(Block([_objects(labels, [0, 1, 2, 3])]), cfg.model_copy(update={"use_objects": True}))
    for name, values in built["cluster_eval_particle"].items():
        if name != "num_truth":  # objects without points count among objects only
            np.testing.assert_array_equal(values, raw[name], err_msg=name)


def test_network_output_at_the_other_levels() -> None:
    labels = [(0, 0, 0), (0, 1, 0), (1, 1, 1), (2, 2, 2), (3, 3, 2), (-1, 3, -1)]
    block = Block([_clusters(labels)])
    tables = cluster_eval(block, ClusterEvalConfig(obj_type=("fragment", "interaction")))
    assert tables["cluster_eval_interaction"]["ari"][0] == 1.0
    assert tables["cluster_eval_interaction"]["num_reco"][0] == 2
    assert tables["cluster_eval_fragment"]["eff"][0] == pytest.approx((0.5 + 1 + 0.5) / 3)
    alone = cluster_eval(block, ClusterEvalConfig(per_object=False, label_col="interaction"))
    assert alone["cluster_eval_interaction"]["ari"][0] == 1.0
    grouped = cluster_eval(block, ClusterEvalConfig(per_object=False, label_col="group"))["cluster_eval_group"]
    assert grouped["pur"][0] == pytest.approx((2 / 3 + 1 / 2) / 2)
    assert grouped["num_reco"][0] == 4


def test_split_blocks_and_empty_events_give_the_same_rows() -> None:
    whole = cluster_eval(frozen_block(0, 1, 2), OBJECTS)["cluster_eval_particle"]
    parts = [cluster_eval(frozen_block(i), OBJECTS)["cluster_eval_particle"] for i in range(3)]
    for name in list(whole)[1:]:
        np.testing.assert_array_equal(whole[name], np.concatenate([part[name] for part in parts]), err_msg=name)
    blank = Event(
        {
            "points": np.zeros((0, 3)),
            "reco_particles": Table(RecoParticle, 0),
            "truth_particles": Table(TruthParticle, 0),
        }
    )
    cfg = OBJECTS.model_copy(update={"obj_type": ("particle",)})
    row = cluster_eval(Block([blank]), cfg)["cluster_eval_particle"]
    assert np.isnan(row["ari"][0])
    assert (row["ari_valid"][0], row["num_points"][0], row["num_reco"][0]) == (0, 0, 0)
    none = cluster_eval(Block([]), cfg)["cluster_eval_particle"]
    assert list(none) == list(row)
    assert all(len(values) == 0 for values in none.values())


def test_points_outside_the_image_are_an_error() -> None:
    event = _objects([(0, 0, 0), (1, 1, 1)], [0, 1, 2, 3])
    event["points"] = np.zeros((1, 3))
    with pytest.raises(DataError, match="points which the image does not have"):
        cluster_eval(Block([event]), OBJECTS.model_copy(update={"obj_type": ("particle",)}))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({}, "obj_type"),
        ({"per_object": False}, "label_col"),
        ({"per_object": False, "label_col": "group", "use_objects": True}, "use_objects"),
        ({"obj_type": "particle", "metrics": ["rand"]}, "'pur'"),
        ({"obj_type": "particle", "time_window": [2, 1]}, "lower end"),
    ],
)
def test_impossible_options_are_refused(options: dict[str, object], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        ClusterEvalConfig.model_validate(options)
