"""True clusters adapted to predicted classes: SPINE's answers, and what must hold for any prediction."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from spine.model.chain.label_adaptation import AdaptationConfig, adapted_clusters
from spine.schema import Shape, Tensor
from tests.model.chain.events import empty, event, same_partition

FROZEN = np.load(Path(__file__).parent / "data" / "label_adaptation.npz")
OPTIONS = {"default": AdaptationConfig(), "steps": AdaptationConfig(weighted=False, break_classes=(0, 1))}


def image(coords: NDArray[Any]) -> Tensor:
    return Tensor(coords.astype(np.int32), np.ones((len(coords), 1), dtype=np.float32))


def adapted(number: int, cfg: AdaptationConfig, rows: NDArray[Any] | slice = slice(None)) -> Tensor:
    """The frozen case, the voxels that are left in the given order."""
    coords = FROZEN[f"{number}/coords"].astype(np.int32)
    truth = Tensor(coords, FROZEN[f"{number}/seg"][:, None].astype(np.float32))
    keep = FROZEN[f"{number}/keep"].astype(np.int64)[rows]
    classes = FROZEN[f"{number}/pred"].astype(np.int64)[rows]
    return adapted_clusters(event(number)["clust_label"], truth, image(coords[keep]), classes, cfg)


@pytest.mark.parametrize("number", [0, 1])
@pytest.mark.parametrize("name", OPTIONS)
def test_clusters_and_particles_are_those_of_spine(number: int, name: str) -> None:
    found = adapted(number, OPTIONS[name])
    assert np.array_equal(found.feature("cluster"), FROZEN[f"{number}/{name}"])
    assert np.array_equal(found.feature("particle_index"), FROZEN[f"{number}/{name}_index"])
    assert (found.feature("cluster") < 0).sum() > 100


def test_the_order_of_voxels_does_not_matter() -> None:
    plain = adapted(1, OPTIONS["default"])
    rows = np.random.default_rng(1).permutation(len(plain))
    mixed = adapted(1, OPTIONS["default"], rows)
    assert np.array_equal(mixed.features[:, [0, 2]], plain.features[rows][:, [0, 2]])
    assert same_partition(mixed.feature("cluster"), plain.feature("cluster")[rows])


def test_a_right_prediction_changes_nothing_but_cuts_clusters() -> None:
    one = event(3)
    truth, clusters = one["seg_label"], one["clust_label"]
    classes = truth.feature("value").astype(np.int64)
    uncut = AdaptationConfig(break_classes=())
    assert np.array_equal(adapted_clusters(clusters, truth, one["data"], classes, uncut).features, clusters.features)
    cut = adapted_clusters(clusters, truth, one["data"], classes, AdaptationConfig()).feature("cluster")
    pairs = np.unique(np.column_stack([cut, clusters.feature("cluster")]), axis=0)
    assert len(np.unique(pairs[:, 0])) == len(pairs) > len(np.unique(pairs[:, 1]))


def test_between_two_clusters_the_nearer_one_claims_and_a_tie_stays_open() -> None:
    line = np.array([[x, 5, 5] for x in range(9)])
    labels = np.column_stack([np.ones(4), [0, 0, 1, 1], [0, 0, 1, 1]]).astype(np.float32)
    clusters = Tensor(line[[0, 1, 7, 8]].astype(np.int32), labels, ("value", "cluster", "particle_index"))
    seg = np.full((9, 1), int(Shape.GHOST), dtype=np.float32)
    seg[[0, 1, 7, 8]] = Shape.TRACK
    cfg = AdaptationConfig(break_classes=())
    tracks = np.full(9, int(Shape.TRACK))
    found = adapted_clusters(clusters, Tensor(line, seg), image(line), tracks, cfg)
    assert found.feature("cluster").tolist() == [0, 0, 0, 0, -1, 1, 1, 1, 1]
    assert found.feature("value").tolist() == [1, 1, 1, 1, -1, 1, 1, 1, 1]
    showers = np.where(np.arange(9) == 3, int(Shape.SHOWER), tracks)
    found = adapted_clusters(clusters, Tensor(line, seg), image(line), showers, cfg)
    assert found.feature("cluster").tolist() == [0, 0, 0, -1, 1, 1, 1, 1, 1]


def test_empty_images_and_empty_truth() -> None:
    one, none = event(0), empty()
    nothing = np.empty(0, dtype=np.int64)
    whole = (one["clust_label"], one["seg_label"])
    assert len(adapted_clusters(*whole, image(np.empty((0, 3))), nothing, AdaptationConfig())) == 0
    found = adapted_clusters(
        none["clust_label"], none["seg_label"], image(np.zeros((1, 3))), np.array([1]), AdaptationConfig()
    )
    assert found.features.tolist() == [[-1.0, -1.0, -1.0]]
