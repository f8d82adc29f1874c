"""Decoding of list members: against the interpretation of uproot, a plain-Python reading, and broken bytes."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
import uproot
from hypothesis import given, settings
from hypothesis import strategies as st

from spine.schema import Ragged
from spine.store.larcv.members import (
    DecodeError,
    decode_lists,
    decode_texts,
    decode_voxel_lists,
    scan_lists,
    scan_texts,
)
from spine.store.larcv.raw import RootFile
from tests.store.larcv import trees

SAMPLE = Path(__file__).parents[2] / "data" / "larcv2_sample.root"


def rows_of(array: object) -> Ragged:
    return Ragged.from_list([np.asarray(row, np.uint8) for row in array], np.uint8)  # type: ignore[attr-defined]


def test_genuine_strings_and_lists_are_those_that_uproot_reads() -> None:
    with uproot.open(SAMPLE) as root, RootFile(SAMPLE) as file:
        tree = root["particle_pcluster_tree"]
        part = file.tree("particle_pcluster").range(3, 9)
        counts = part.required_lists("_part_v._id", np.int64).lengths
        bounds = {"entry_start": 3, "entry_stop": 9, "library": "ak"}
        words = part.texts("_part_v._process", counts)
        lists = part.nested("_part_v._children_id", counts, "u8")
        assert words is not None
        assert lists is not None
        expected = tree["larcv::ParticleSet/_part_v/_part_v._process"].array(**bounds)
        assert words.tolist() == [word for row in expected.tolist() for word in row]
        expected = tree["larcv::ParticleSet/_part_v/_part_v._children_id"].array(**bounds)
        assert lists.tolist() == [items for row in expected.tolist() for items in row]


words = st.lists(
    st.lists(st.one_of(st.text(max_size=6), st.just("x" * 255), st.just("y" * 700)), max_size=4), max_size=4
)
numbers = st.lists(st.lists(st.lists(st.integers(0, 2**64 - 1), max_size=4), max_size=4), max_size=4)


@settings(deadline=None, max_examples=40)
@given(words)
def test_strings_come_back(rows: list[list[str]]) -> None:
    counts = np.array([len(row) for row in rows], np.int64)
    assert decode_texts(rows_of(trees.texts(rows)), counts).tolist() == [word for row in rows for word in row]


@settings(deadline=None, max_examples=40)
@given(numbers)
def test_lists_come_back(rows: list[list[list[int]]]) -> None:
    counts = np.array([len(row) for row in rows], np.int64)
    found = decode_lists(rows_of(trees.nested(rows, "u8")), counts, "u8")
    assert found.tolist() == [items for row in rows for items in row]


@settings(deadline=None, max_examples=40)
@given(
    st.lists(
        st.lists(st.lists(st.tuples(st.integers(0, 2**40), st.floats(0, 9, width=32)), max_size=4), max_size=3),
        max_size=4,
    )
)
def test_voxels_come_back(rows: list[list[list[tuple[int, float]]]]) -> None:
    clusters = [[([i for i, _ in c], [v for _, v in c]) for c in row] for row in rows]
    counts = np.array([len(row) for row in rows], np.int64)
    found = decode_voxel_lists(rows_of(trees.voxel_lists(clusters)), counts)
    assert found.ids.tolist() == [ids for row in clusters for ids, _ in row]
    assert found.values.tolist() == [v for row in clusters for _, values in row for v in values]


def plain_lists(raw: bytes, at: int, count: int, width: int) -> tuple[list[int], list[int], int]:
    """The same as `scan_lists` for one entry, in plain Python."""
    lengths, starts = [], []
    for _ in range(count):
        (length,) = struct.unpack_from(">I", raw, at)
        lengths.append(length)
        starts.append(at + 4)
        at += 4 + width * length
    return lengths, starts, at


def plain_texts(raw: bytes, at: int, count: int) -> tuple[list[int], list[int], int]:
    """The same as `scan_texts` for one entry, in plain Python."""
    lengths, starts = [], []
    for _ in range(count):
        length, at = raw[at], at + 1
        if length == 255:
            (length,) = struct.unpack_from(">I", raw, at)
            at += 4
        lengths.append(length)
        starts.append(at)
        at += length
    return lengths, starts, at


@settings(deadline=None, max_examples=30)
@given(st.lists(st.lists(st.integers(0, 9), max_size=5), max_size=5), words.filter(lambda rows: len(rows) > 0))
def test_kernels_agree_with_plain_python(items: list[list[int]], rows: list[list[str]]) -> None:
    raw = b"......" + b"".join(len(row).to_bytes(4, "big") + bytes(row) for row in items)
    bounds = (np.array([6]), np.array([len(raw)]), np.array([len(items)]))
    lengths, starts, stops = scan_lists(np.frombuffer(raw, np.uint8), *bounds, 1)
    assert (lengths.tolist(), starts.tolist(), int(stops[0])) == plain_lists(raw, 6, len(items), 1)
    text = np.asarray(trees.texts(rows[:1])[0]).tobytes()
    bounds = (np.array([6]), np.array([len(text)]), np.array([len(rows[0])]))
    lengths, starts, stops = scan_texts(np.frombuffer(text, np.uint8), *bounds)
    assert (lengths.tolist(), starts.tolist(), int(stops[0])) == plain_texts(text, 6, len(rows[0]))


@pytest.mark.parametrize("spoil", ["short", "long", "count", "flag", "header"])
def test_bytes_that_do_not_fit_name_the_entry(spoil: str) -> None:
    good = [np.asarray(row).tobytes() for row in trees.voxel_lists([[([1, 2], [0.5, 1.5])], [([3], [1.0])]])]
    bad = {
        "short": good[1][:-3],
        "long": good[1] + b"\x00\x00",
        "count": good[1][:12] + b"\x7f\xff\xff\xff" + good[1][16:],
        "flag": good[1][:4] + b"\x00" + good[1][5:],
        "header": good[1][:3],
    }[spoil]
    if spoil in ("short", "long"):
        bad = ((len(bad) - 4) | 0x40000000).to_bytes(4, "big") + bad[4:]
    raw = Ragged.from_list([np.frombuffer(row, np.uint8) for row in (good[0], bad)], np.uint8)
    with pytest.raises(DecodeError, match=r"^1$"):
        decode_voxel_lists(raw, np.array([1, 1]))
