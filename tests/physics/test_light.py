"""Photons of depositions, and the share that a sensor sees."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose

from spine.physics.light import photon_yield, solid_angle


def test_yield_is_the_published_one() -> None:
    assert photon_yield(1.0) == pytest.approx(23_729, rel=1e-3)
    assert photon_yield(1.0, recombination=0.0) == pytest.approx(51_271, rel=1e-3)
    assert_allclose(photon_yield([2.0, 0.0]), [2 * photon_yield(1.0), 0.0])


def test_faces_of_a_box_fill_the_sphere() -> None:
    size, point = np.array([4.0, 6.0, 10.0]), np.array([[0.7, -1.2, 3.0]])
    total = 0.0
    for axis in range(3):
        for side in (-1, 1):
            center, face = np.zeros(3), size.copy()
            center[axis], face[axis] = side * size[axis] / 2, 0.0
            total += float(solid_angle(point, center, face, "box")[0])
    assert total == pytest.approx(4 * np.pi)


def test_disk_on_its_axis_and_far_away() -> None:
    disk = np.array([0.1, 20.0, 20.0])
    near, far = solid_angle(np.array([[5.0, 0, 0], [1e4, 0, 0]]), np.zeros(3), disk, "disk")
    assert near == pytest.approx(2 * np.pi * (1 - 5 / np.hypot(5, 10)))
    assert far == pytest.approx(np.pi * 100 / 1e8, rel=1e-4)
    edge = solid_angle(np.array([[0.0, 300.0, 0.0]]), np.zeros(3), disk, "disk")
    dome = solid_angle(np.array([[0.0, 300.0, 0.0]]), np.zeros(3), disk, "ellipsoid")
    assert edge[0] == pytest.approx(0.0, abs=1e-12)
    assert dome[0] == pytest.approx(np.pi * 100 / 2 / 300**2, rel=1e-2)


def test_at_the_sensor_and_no_points() -> None:
    size = np.array([0.1, 20.0, 20.0])
    for shape in ("box", "disk", "ellipsoid"):
        assert solid_angle(np.zeros((1, 3)), np.zeros(3), size, shape)[0] == pytest.approx(2 * np.pi, rel=1e-6)
        assert solid_angle(np.empty((0, 3)), np.zeros(3), size, shape).shape == (0,)
