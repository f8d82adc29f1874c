from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from spine.errors import DataError
from spine.ops import segments
from spine.ops.arrays import IntArray, NumberArray

LENGTHS = st.lists(st.integers(0, 4), max_size=8).map(lambda v: np.array(v, dtype=np.int64))


def pieces(values: NumberArray, offsets: IntArray) -> list[NumberArray]:
    return [values[a:b] for a, b in itertools.pairwise(offsets)]


@settings(deadline=None, max_examples=40)
@given(LENGTHS, st.data())
def test_reductions_equal_numpy_on_each_piece(lengths: IntArray, data: st.DataObject) -> None:
    offsets = segments.lengths_to_offsets(lengths)
    numbers = st.floats(-10, 10, width=32) | st.just(np.nan)
    values = data.draw(hnp.arrays(np.float32, int(offsets[-1]), elements=numbers))
    parts = pieces(values, offsets)
    np.testing.assert_allclose(segments.segment_sum(values, offsets), [p.sum(dtype=float) for p in parts], atol=1e-9)
    want = [p.mean(dtype=float) if len(p) else np.nan for p in parts]
    np.testing.assert_allclose(segments.segment_mean(values, offsets), want, atol=1e-9)
    want = [p.max() if len(p) else np.nan for p in parts]
    np.testing.assert_array_equal(segments.segment_max(values, offsets), np.array(want, dtype=np.float32))
    want = [a + np.argmax(p) if len(p) else -1 for a, p in zip(offsets, parts, strict=False)]
    np.testing.assert_array_equal(segments.segment_argmax(values, offsets), np.array(want, dtype=np.int64))
    np.testing.assert_array_equal(segments.segment_count(offsets), [len(p) for p in parts])


@settings(deadline=None, max_examples=40)
@given(LENGTHS)
def test_lengths_offsets_owners_round_trip(lengths: IntArray) -> None:
    offsets = segments.lengths_to_offsets(lengths)
    owners = segments.offsets_to_owners(offsets)
    np.testing.assert_array_equal(segments.offsets_to_lengths(offsets), lengths)
    np.testing.assert_array_equal(segments.owners_to_offsets(owners, len(lengths)), offsets)
    assert owners.tolist() == [i for i, n in enumerate(lengths) for _ in range(n)]


def test_rows_of_several_columns() -> None:
    values = np.arange(12).reshape(6, 2)
    offsets = np.array([0, 0, 4, 6, 6])
    assert segments.segment_sum(values, offsets).tolist() == [[0, 0], [12, 16], [18, 20], [0, 0]]
    assert segments.segment_max(values, offsets).tolist() == [[-1, -1], [6, 7], [10, 11], [-1, -1]]
    np.testing.assert_array_equal(segments.segment_mean(values, offsets)[1], [3, 4])


def test_no_segments_give_no_rows() -> None:
    offsets = np.zeros(1, dtype=np.int64)
    for reduce in (
        segments.segment_sum,
        segments.segment_mean,
        segments.segment_max,
        segments.segment_argmax,
    ):
        assert reduce(np.empty(0), offsets).shape == (0,)


def test_sums_do_not_overflow_small_types() -> None:
    values = np.full(300, 200, dtype=np.uint8)
    assert segments.segment_sum(values, np.array([0, 300])).tolist() == [60000]
    assert segments.segment_sum(values > 0, np.array([0, 300])).tolist() == [300]


@pytest.mark.parametrize("offsets", [[], [0], [0, 3], [1, 2], [0, 2, 1, 2]])
def test_offsets_that_do_not_cover_the_values(offsets: list[int]) -> None:
    with pytest.raises(DataError, match="offsets do not cover"):
        segments.segment_sum(np.ones(2), np.array(offsets))


@pytest.mark.parametrize("owners", [[1, 0], [-1, 0], [0, 2]])
def test_owners_out_of_order_or_range(owners: list[int]) -> None:
    with pytest.raises(DataError, match="owners"):
        segments.owners_to_offsets(np.array(owners), 2)
