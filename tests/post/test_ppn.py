"""Points of particles against brute force; the points themselves are tested in tests/ops/test_proposals.py."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.distance import cdist

from spine.errors import DataError
from spine.post.ppn import ppn
from spine.schema import Event, Tensor
from tests.ops.test_proposals import frozen
from tests.post.peer_objects import applied, empty_event, event_of


def network_event() -> Event:
    """Voxels with network output, cut into particles of 40 voxels, every other one a track."""
    raw, _ = frozen(0, "default")
    rows = np.array_split(np.arange(len(raw.voxels)), len(raw.voxels) // 40)
    event = event_of(raw.voxels * 0.3, np.ones(len(raw.voxels)), {"index": rows, "shape": np.arange(len(rows)) % 2}, {})
    event["data"] = Tensor(raw.voxels.astype(np.int32), np.ones((len(raw.voxels), 1), dtype=np.float32))
    event["ppn_points"], event["segmentation"] = raw.points, raw.segmentation
    return event


@pytest.mark.parametrize("restrict", [False, True])
def test_points_on_particles(restrict: bool) -> None:
    (event,) = applied(ppn, events=[network_event()], assign_to_particles=True, restrict_shape=restrict)
    found, _ = event["ppn_pred"], event["data"]
    seen = 0
    for one in event.reco.particles:
        near = cdist(found[:, 1:4], event["data"].coords[one.index] + 0.5).min(axis=1) < 2.0
        want = np.flatnonzero(near & ((found[:, 12] == one.shape) | (not restrict)))
        assert one.ppn_ids.tolist() == want.tolist()
        seen += len(want)
    assert seen > 10


def test_repeat_gives_the_same() -> None:
    (event,) = applied(ppn, events=[network_event()], assign_to_particles=True)
    points, ids = event["ppn_pred"], event.reco.particles["ppn_ids"].tolist()
    applied(ppn, events=[event], assign_to_particles=True)
    np.testing.assert_array_equal(event["ppn_pred"], points)
    assert event.reco.particles["ppn_ids"].tolist() == ids


def test_endpoint_scores_add_columns() -> None:
    event = network_event()
    event["ppn_classify_endpoints"] = np.zeros((len(event["points"]), 2), dtype=np.float32)
    applied(ppn, events=[event])
    np.testing.assert_allclose(event["ppn_pred"][:, 13:], 0.5)


def test_empty_event_and_wrong_image() -> None:
    event = empty_event()
    event["data"] = Tensor(np.empty((0, 3), dtype=np.int32), np.empty((0, 1), dtype=np.float32))
    event["ppn_points"], event["segmentation"] = np.empty((0, 10)), np.empty((0, 5))
    applied(ppn, events=[event], assign_to_particles=True)
    assert event["ppn_pred"].shape == (0, 13)
    event["ppn_points"] = np.empty((4, 10))
    with pytest.raises(DataError, match="no image"):
        applied(ppn, events=[event])
