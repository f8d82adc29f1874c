"""Splines are those of scipy."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.interpolate import CubicSpline

from spine.physics.splines import LogSpline, knot_slopes


@pytest.mark.parametrize("start", [None, 0.7])
@pytest.mark.parametrize("count", [4, 5, 60])
def test_same_as_scipy(start: float | None, count: int) -> None:
    rng = np.random.default_rng(count)
    x, y = np.cumsum(rng.uniform(0.1, 1.0, count)), rng.normal(size=count)
    ends = "not-a-knot" if start is None else ((1, np.array(start)), "not-a-knot")
    scipy = CubicSpline(x, y, bc_type=ends)
    assert_allclose(knot_slopes(x, y, start), scipy(x, 1), rtol=1e-8, atol=1e-8)
    ours = LogSpline(np.exp(x), np.exp(y), start)
    places = rng.uniform(x[0], x[-1], 50)
    assert_allclose(np.log(ours(np.exp(places))), scipy(places), rtol=1e-8, atol=1e-8)
