from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from sklearn.metrics import confusion_matrix

from spine.ana.segment_eval import SegmentEvalConfig, segment_eval
from spine.errors import DataError
from spine.schema import Block, Event, Table, Tensor
from spine.schema.object_records import RecoParticle, TruthParticle
from tests.ana.frozen import frozen_block, same_as_peer


def _tensor(values: np.ndarray[Any, Any]) -> Tensor:
    return Tensor(np.zeros((len(values), 3), np.int32), values[:, None].astype(np.float32))


def _voxels(event: Event, ghost: bool, size: int | None = None) -> Event:
    """The made-up classes and scores which the peer was given for as many voxels."""
    k = np.arange(len(event["points"]))[:size]
    label = (k * 7) % 11 % 5
    scores = np.sin(k[:, None] * 0.37 + np.arange(5) * 1.3).astype(np.float32) * 3
    ghosts = np.sin(k[:, None] * 0.11 + np.arange(2) * 2.0).astype(np.float32)
    if ghost:
        label[k % 6 == 0] = 5
        scores = scores[np.argmax(ghosts, axis=1) == 0]
    products = {name: event[name] for name in ("index", "file_index", "file_entry_index", "run_info")}
    return Event(products | {"seg_label": _tensor(label), "segmentation": scores, "ghost": ghosts})


@pytest.mark.parametrize(("ghost", "name"), [(False, "raw"), (True, "ghost")])
def test_voxels_compare_as_in_the_peer(ghost: bool, name: str) -> None:
    block = Block([_voxels(event, ghost) for event in frozen_block()])
    summary = segment_eval(block, SegmentEvalConfig(ghost=ghost))["segment_eval_summary"]
    same_as_peer(block, summary, f"{name}_segment_eval_summary")
    last = Block([_voxels(frozen_block(7).events[0], ghost, 300)])
    pixels = segment_eval(last, SegmentEvalConfig(ghost=ghost, summary=False))["segment_eval_pixel"]
    same_as_peer(last, pixels, f"{name}_segment_eval_pixel")


def test_particles_compare_as_in_the_peer() -> None:
    block = frozen_block()
    table = segment_eval(block, SegmentEvalConfig(use_particles=True))["segment_eval_summary"]
    same_as_peer(block, table, "segment_eval_summary")


CLASSES = st.lists(st.tuples(st.integers(0, 5), st.integers(0, 4)), max_size=30)


@settings(deadline=None, max_examples=30)
@given(CLASSES, CLASSES)
def test_counts_are_a_confusion_matrix(first: list[tuple[int, int]], second: list[tuple[int, int]]) -> None:
    pairs = [np.array(part, dtype=np.int64).reshape(-1, 2) for part in (first, second)]
    block = Block([Event({"seg_label": _tensor(p[:, 0]), "seg_pred": p[:, 1]}) for p in pairs])
    table = segment_eval(block, SegmentEvalConfig())["segment_eval_summary"]
    for i, pair in enumerate(pairs):
        counts = np.array([[table[f"count_{p}{t}"][i] for p in range(5)] for t in range(5)])
        known = pair[pair[:, 0] < 5]
        want = confusion_matrix(known[:, 0], known[:, 1], labels=range(5)) if len(known) else np.zeros((5, 5))
        np.testing.assert_array_equal(counts, want)


def test_blocks_without_voxels_or_events() -> None:
    blank = Event({"seg_label": _tensor(np.empty(0)), "segmentation": np.empty((0, 5))})
    for block, rows in ((Block([blank, blank]), 2), (Block([]), 0)):
        summary = segment_eval(block, SegmentEvalConfig())["segment_eval_summary"]
        assert summary["count_00"].tolist() == [0] * rows
        pixels = segment_eval(block, SegmentEvalConfig(summary=False))["segment_eval_pixel"]
        assert list(pixels) == ["_row", "label", "pred", *(f"score_{i}" for i in range(5))]
        assert len(pixels["label"]) == 0


def test_wrong_inputs_say_so() -> None:
    uneven = Event({"seg_label": _tensor(np.zeros(3)), "segmentation": np.zeros((2, 5))})
    with pytest.raises(DataError, match="same voxels"):
        segment_eval(Block([uneven]), SegmentEvalConfig())
    adapted = Event(
        {
            "points": np.zeros((3, 3)),
            "truth_particles": Table(TruthParticle, 1),
            "reco_particles": Table(RecoParticle, 0),
        }
    )
    with pytest.raises(DataError, match="without points"):
        segment_eval(Block([adapted]), SegmentEvalConfig(use_particles=True))
    for options in ({"use_fragments": True, "use_particles": True}, {"use_particles": True, "ghost": True}):
        with pytest.raises(ValidationError):
            SegmentEvalConfig.model_validate(options)
