"""Augmentation: image, labels, points and clusters change together."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from spine.config.training import TrainBlock
from spine.errors import ConfigError
from spine.ops.segments import lengths_to_offsets
from spine.schema import Event, Ragged
from spine.train.augment import Augmentation, make_augmentation

from .made_up import SIZE, made_up

ALL = {
    "flip": {"axis": [0, 2]}, "rotate": {}, "tilt": {}, "translate": {}, "jitter": {}, "response": {"noise_sigma": 0.1},
    "crop": {"min_dimensions": 30, "max_dimensions": 60}, "mask": {"min_dimensions": 4, "max_dimensions": 8},
}  # fmt: skip


def augmentation(**options: Any) -> Augmentation:
    found = make_augmentation(TrainBlock.model_validate({"augment": options}).augment)
    assert found is not None
    return found


def with_clusters(number: int) -> Event:
    """An event with its true particles as fragments, and proposals that point at the start of each."""
    event = made_up(number)
    owners = event["clust_label"].feature("cluster").astype(np.int64)
    order = np.argsort(owners, kind="stable").astype(np.int32)
    event["fragment_clusts"] = Ragged(order, lengths_to_offsets(np.bincount(owners, minlength=6)))
    event["fragment_shapes"] = np.array([1, 0, 0, 1, 0, 0])
    event["fragment_group_pred"] = np.arange(6)
    event["seg_pred"] = event["seg_label"].feature("value").astype(np.int64)
    raw = np.zeros((len(owners), 10), dtype=np.float32)
    raw[:, :3] = event["coord_label"].coords[owners, :3] - event["data"].coords - 0.5
    event["ppn_points"] = raw
    return event


def start_gaps(event: Event) -> NDArray[np.float64]:
    """Distance of each voxel from the start of its particle, sorted by particle and distance."""
    owners = event["clust_label"].feature("cluster").astype(np.int64)
    starts = event["coord_label"].coords[owners, :3]
    gaps = np.linalg.norm(event["data"].coords + 0.5 - starts, axis=1)
    ordered: NDArray[np.float64] = gaps[np.lexsort((gaps, owners))]
    return ordered


@pytest.mark.parametrize("name", ["flip", "rotate", "translate", "tilt"])
@pytest.mark.parametrize("draw", range(4))
def test_distances_stay(name: str, draw: int) -> None:
    before = with_clusters(draw)
    after = augmentation(**{name: {}})(before, np.random.default_rng([7, draw]))
    moved = not np.array_equal(before["data"].coords, after["data"].coords)
    assert moved or (name in ("flip", "rotate"))
    if len(after["data"]) == len(before["data"]):
        limit = 1.5 * np.sqrt(3) if name == "tilt" else 1e-4
        np.testing.assert_allclose(start_gaps(after), start_gaps(before), atol=limit)
        assert after["data"].features.sum() == pytest.approx(before["data"].features.sum(), rel=1e-6)
    owners = after["clust_label"].feature("cluster").astype(np.int64)
    aimed = after["data"].coords + 0.5 + np.asarray(after["ppn_points"])[:, :3]
    limit = 1.5 * np.sqrt(3) if name == "tilt" else 1e-4
    np.testing.assert_allclose(aimed, after["coord_label"].coords[owners, :3], atol=limit)
    assert len(np.unique(after["data"].coords, axis=0)) == len(after["data"])


@pytest.mark.parametrize("name", sorted(ALL))
@pytest.mark.parametrize("draw", range(3))
def test_rows_stay_together(name: str, draw: int) -> None:
    """Labels, predictions and clusters still speak of the same voxels."""
    after = augmentation(**{name: ALL[name]})(with_clusters(draw), np.random.default_rng([3, draw]))
    owners = after["clust_label"].feature("cluster").astype(np.int64)
    shapes = np.asarray(after["clust_label"].label("shape"))
    np.testing.assert_array_equal(after["seg_label"].feature("value"), shapes)
    np.testing.assert_array_equal(after["seg_pred"], shapes)
    for rows, number in zip(after["fragment_clusts"], after["fragment_group_pred"], strict=True):
        assert len(rows)
        if name != "jitter":  # there, a cluster keeps a voxel that a stronger one has joined
            assert set(owners[rows]) == {number}
    coords = after["data"].coords
    assert ((coords >= 0) & (coords < SIZE)).all()
    for label in ("seg_label", "clust_label"):
        np.testing.assert_array_equal(after[label].coords, coords)


def test_what_is_drawn_follows_from_the_generator() -> None:
    augment = augmentation(**ALL)
    first, again, other = (augment(with_clusters(0), np.random.default_rng(seed)) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first["data"].coords, again["data"].coords)
    np.testing.assert_array_equal(first["data"].features, again["data"].features)
    assert first["data"].coords.shape != other["data"].coords.shape or (
        first["data"].coords != other["data"].coords
    ).any()  # fmt: skip


def test_voxels_that_meet_add_their_charge() -> None:
    before = with_clusters(1)
    after = augmentation(jitter={"max_offset": 2})(before, np.random.default_rng(0))
    assert len(after["data"]) < len(before["data"])
    assert after["data"].features.sum() == pytest.approx(before["data"].features.sum(), rel=1e-6)
    assert np.abs(start_gaps(after).mean() - start_gaps(before).mean()) < 1.0


def test_response_changes_charges() -> None:
    before = with_clusters(2)
    options = {"gain_range": [2.0, 2.0], "threshold": 3.0, "saturation": 6.0}
    after = augmentation(response=options)(before, np.random.default_rng(0))
    doubled = 2 * before["data"].feature("value")
    np.testing.assert_allclose(after["data"].feature("value"), np.clip(doubled[doubled >= 3.0], 0, 6), rtol=1e-6)


def test_right_angles_four_times_are_none() -> None:
    turn = augmentation(rotate={"axes": [0, 1], "k": 1})
    event = before = with_clusters(3)
    for _ in range(4):
        event = turn(event, np.random.default_rng(0))
    np.testing.assert_array_equal(event["data"].coords, before["data"].coords)
    np.testing.assert_allclose(event["ppn_label"].coords, before["ppn_label"].coords, atol=1e-4)


def test_the_order_is_that_of_the_configuration() -> None:
    names = [name for name, _ in augmentation(translate={}, flip={}, crop=ALL["crop"]).steps]
    assert names == ["translate", "flip", "crop"]
    with pytest.raises(ConfigError, match="did you mean 'flip'"):
        augmentation(flap={})
    with pytest.raises(ConfigError, match=r"train\.augment\.crop"):
        augmentation(crop={"min_dimension": 3})
