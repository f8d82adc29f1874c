"""Splitting of lines over voxels, against a plain numpy version and closed formulas."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from spine.sim.voxelise import split_lines

CELLS = (7, 5, 6)
POINT = st.tuples(*[st.floats(-3, 10, allow_nan=False, width=32)] * 3)
LINES = st.lists(st.tuples(POINT, POINT), max_size=12)
Array = NDArray[np.float64]


def plain_split(start: Array, end: Array) -> dict[tuple[int, int, int], float]:
    """Fraction of one line per voxel, from the sorted crossings of all planes."""
    step = end - start
    cuts = [0.0, 1.0]
    for k in range(3):
        if step[k] != 0:
            at = (np.arange(CELLS[k] + 1) - start[k]) / step[k]
            cuts += at[(at > 0) & (at < 1)].tolist()
    edges = np.unique(cuts)
    shares: dict[tuple[int, int, int], float] = {}
    for a, b in pairwise(edges):
        cell = np.floor(start + 0.5 * (a + b) * step).astype(int)
        if np.all((cell >= 0) & (cell < CELLS)):
            key = (int(cell[0]), int(cell[1]), int(cell[2]))
            shares[key] = shares.get(key, 0.0) + float(b - a)
    return shares


def arrays(lines: list[tuple[tuple[float, ...], tuple[float, ...]]]) -> tuple[Array, Array]:
    both = np.array(lines, np.float64).reshape(-1, 2, 3)
    return both[:, 0], both[:, 1]


@settings(deadline=None, max_examples=60)
@given(LINES)
def test_agrees_with_the_plain_version(lines: list[tuple[tuple[float, ...], tuple[float, ...]]]) -> None:
    start, end = arrays(lines)
    pieces = split_lines(start, end, CELLS)
    for i in range(len(start)):
        rows = np.flatnonzero(pieces.line == i)
        expected = plain_split(start[i], end[i])
        got = dict.fromkeys(expected, 0.0)
        for row in rows:
            x, y, z = (int(c) for c in pieces.cell[row])
            share = float(pieces.leave[row] - pieces.enter[row])
            got[(x, y, z)] = got.get((x, y, z), 0.0) + share
        for cell in got:
            assert abs(got[cell] - expected.get(cell, 0.0)) < 1e-9


@settings(deadline=None, max_examples=40)
@given(st.lists(st.tuples(*[st.tuples(*[st.floats(0, n - 1e-3) for n in CELLS])] * 2), min_size=1, max_size=20))
def test_conserves_length_inside_the_grid(lines: list[tuple[tuple[float, ...], tuple[float, ...]]]) -> None:
    start, end = arrays(lines)
    pieces = split_lines(start, end, CELLS)
    total = np.bincount(pieces.line, pieces.leave - pieces.enter, len(start))
    np.testing.assert_allclose(total, 1.0, atol=1e-12)
    following = pieces.line[1:] == pieces.line[:-1]
    np.testing.assert_array_equal(pieces.enter[1:][following], pieces.leave[:-1][following])


def test_permutation_of_lines_and_axes() -> None:
    rng = np.random.default_rng(4)
    start, end = rng.uniform(-2, 8, (2, 200, 3))
    order = rng.permutation(200)
    straight = split_lines(start, end, CELLS)
    mixed = split_lines(start[order], end[order], CELLS)
    key = np.lexsort((mixed.enter, order[mixed.line]))
    np.testing.assert_array_equal(mixed.cell[key], straight.cell)
    np.testing.assert_array_equal(mixed.enter[key], straight.enter)
    turned = split_lines(start[:, [2, 0, 1]], end[:, [2, 0, 1]], (CELLS[2], CELLS[0], CELLS[1]))
    np.testing.assert_array_equal(turned.cell, straight.cell[:, [2, 0, 1]])


def test_points_and_nothing() -> None:
    none = split_lines(np.zeros((0, 3)), np.zeros((0, 3)), CELLS)
    assert none.cell.shape == (0, 3)
    spot = np.array([[1.5, 2.0, 5.999], [7.0, 0.0, 0.0], [-0.1, 1.0, 1.0]])
    pieces = split_lines(spot, spot, CELLS)
    np.testing.assert_array_equal(pieces.cell, [[1, 2, 5]])
    assert (pieces.enter[0], pieces.leave[0]) == (0.0, 1.0)
