from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from spine.physics import dedx

FROZEN = np.load(Path(__file__).parent / "data" / "tracks.npz")
TRACKS = (FROZEN["points"], FROZEN["offsets"], FROZEN["values"])
REFS = FROZEN["starts"] + np.float32(0.1)


def test_local_losses_equal_those_of_the_peer() -> None:
    np.testing.assert_allclose(dedx.local_dedx(*TRACKS, REFS), FROZEN["local_dedx_0"], rtol=1e-5)
    anchored = dedx.anchor_refs(*TRACKS[:2], REFS)
    np.testing.assert_allclose(dedx.local_dedx(*TRACKS, anchored), FROZEN["local_dedx_1"], rtol=1e-5)


def test_directed_losses_equal_those_of_the_peer() -> None:
    anchored = dedx.anchor_refs(*TRACKS[:2], REFS)
    found = dedx.directed_dedx(*TRACKS, anchored, FROZEN["dirs"])
    np.testing.assert_allclose(np.array(found).T, FROZEN["directed"], rtol=1e-4)


def test_losses_equal_numpy() -> None:
    found = dedx.directed_dedx(*TRACKS, REFS, FROZEN["dirs"], 6.0)
    for row, (ref, ray) in enumerate(zip(REFS, FROZEN["dirs"], strict=True)):
        chosen = slice(*FROZEN["offsets"][row : row + 2])
        lines = FROZEN["points"][chosen].astype(float) - ref
        along = lines @ ray
        kept = (np.linalg.norm(lines, axis=1) <= 6) & (along >= -1e-3)
        spread = np.linalg.norm(lines[kept] - np.outer(along[kept], ray), axis=1).mean()
        energy = FROZEN["values"][chosen][kept].sum()
        want = [energy / np.ptp(along[kept]), energy, np.ptp(along[kept]), spread, kept.sum()]
        np.testing.assert_allclose([column[row] for column in found], want, rtol=1e-5)


def test_a_line_of_points_has_its_density() -> None:
    points = np.linspace(0, 10, 101)[:, None] * np.array([0.0, 0.6, 0.8])
    offsets, values = np.array([0, 101]), np.full(101, 0.2)
    ref, ray = np.zeros((1, 3)), np.array([[0.0, 0.6, 0.8]])
    assert dedx.local_dedx(points, offsets, values, ref, 3.05)[0] == pytest.approx(31 * 0.2 / 3)
    assert dedx.local_dedx(points, offsets, values, ref, -1.0)[0] == pytest.approx(101 * 0.2 / 10)
    found = dedx.directed_dedx(points, offsets, values, points[50:51], ray, 2.05)
    assert found.dedx[0] == pytest.approx(21 * 0.2 / 2)
    assert found.spread[0] == pytest.approx(0, abs=1e-12)


def test_particles_of_few_points() -> None:
    points, offsets, values = np.ones((3, 3)), np.array([0, 0, 1, 3]), np.ones(3)
    refs = np.zeros((3, 3))
    assert np.isnan(dedx.local_dedx(points, offsets, values, refs, 1.0)).all()
    found = dedx.directed_dedx(points, offsets, values, points, np.eye(3))
    assert np.isnan(found.dedx).all()
    assert found.size.tolist() == [0, 1, 2]
    np.testing.assert_array_equal(dedx.anchor_refs(points, offsets, refs)[:, 0], [np.nan, 1, 1])
    none = (points[:0], np.zeros(1, dtype=np.int64), values[:0])
    assert dedx.local_dedx(*none, refs[:0]).shape == (0,)
    assert dedx.anchor_refs(*none[:2], refs[:0]).shape == (0, 3)
    assert np.isnan(dedx.local_dedx(points, np.array([0, 3]), values, np.full((1, 3), np.nan))).all()
