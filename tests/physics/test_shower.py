from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.spatial.transform import Rotation

from spine.errors import DataError
from spine.physics import shower
from spine.physics.shower import LongitudinalModel, ShowerFit

FROZEN = np.load(Path(__file__).parent / "data" / "showers.npz")
CASES: list[tuple[int, LongitudinalModel]] = [(0, "lar"), (1, "lar"), (2, "lar"), (3, "lar"), (2, "gp"), (3, "gp")]
ENERGIES = st.floats(20.0, 2e4)
AXIS = (FROZEN["start"], FROZEN["direction"])


@pytest.mark.parametrize(("row", "model"), CASES)
def test_longitudinal_profiles_equal_those_of_the_peer(row: int, model: LongitudinalModel) -> None:
    energy = float(FROZEN["energies"][row])
    profile = shower.longitudinal_profile(FROZEN["depths"], energy, model)
    np.testing.assert_allclose(profile, FROZEN[f"long_{model}_{row}"], rtol=1e-9, atol=1e-12)
    quantiles = shower.longitudinal_quantile(energy, FROZEN["shares"], model)
    np.testing.assert_allclose(quantiles, FROZEN[f"longq_{model}_{row}"], rtol=1e-9)


@pytest.mark.parametrize("row", range(4))
def test_other_profiles_equal_those_of_the_peer(row: int) -> None:
    energy = float(FROZEN["energies"][row])
    across = shower.transverse_profile(FROZEN["radii"], FROZEN["depths"][:, None], energy)
    np.testing.assert_allclose(across, FROZEN[f"trans_{row}"], rtol=1e-9, atol=1e-12)
    shape = shower.transverse_shape(FROZEN["depths"], energy)
    np.testing.assert_allclose(np.array(shape), FROZEN[f"shape_{row}"], rtol=1e-9, atol=1e-12)
    angles = shower.angular_profile(FROZEN["angles"], energy)
    np.testing.assert_allclose(angles, FROZEN[f"angle_{row}"], rtol=1e-9)
    quantiles = shower.angular_quantile(energy, FROZEN["shares"])
    np.testing.assert_allclose(quantiles, FROZEN[f"angleq_{row}"], rtol=1e-9)


def test_densities_equal_those_of_the_peer() -> None:
    found = shower.energy_density(FROZEN["points"], *AXIS, 500.0)
    np.testing.assert_allclose(found, FROZEN["density"], rtol=1e-9, atol=1e-15)


def test_sampled_boxes_equal_those_of_the_peer() -> None:
    """Both sample: 1e5 points of 700 MeV, errors of 1 MeV each."""
    uniforms = np.random.default_rng(1).random((100_000, 4))
    shares = shower.box_shares(shower.place_points(uniforms, *AXIS, 700.0), FROZEN["boxes"])
    np.testing.assert_allclose(700 * shares, FROZEN["predicted"], atol=4.5)


@settings(deadline=None, max_examples=25)
@given(ENERGIES)
def test_profiles_hold_the_whole_energy(energy: float) -> None:
    depth = float(shower.longitudinal_quantile(energy, 0.6))
    inside, _ = quad(lambda x: float(shower.longitudinal_profile(x, energy)), 0, depth, limit=200)
    assert inside == pytest.approx(0.6 * energy, rel=1e-4)
    core, tail, share = (float(v) for v in shower.transverse_shape(depth, energy))
    inside, _ = quad(lambda r: float(shower.transverse_profile(r, depth, energy)), 0, 20, points=[core], limit=200)
    want = share * 400 / (400 + core**2) + (1 - share) * 400 / (400 + tail**2)
    assert inside == pytest.approx(want, rel=1e-5)
    angle = float(shower.angular_quantile(energy, 0.7))
    inside, _ = quad(lambda x: float(shower.angular_profile(x, energy)), 0, angle, limit=200)
    assert inside == pytest.approx(0.7, rel=1e-4)


@pytest.mark.parametrize("model", ["lar", "gp"])
def test_profile_peaks_at_its_maximum(model: LongitudinalModel) -> None:
    depths = np.linspace(1, 200, 20_000)
    peak = depths[np.argmax(shower.longitudinal_profile(depths, 2000.0, model))]
    assert peak == pytest.approx(shower.longitudinal_maximum(2000.0, model), abs=0.02)


def test_points_follow_the_profiles() -> None:
    uniforms = np.random.default_rng(2).random((40_000, 4))
    axis = AXIS[1] / np.linalg.norm(AXIS[1])
    depth = (shower.place_points(uniforms, *AXIS, 800.0) - AXIS[0]) @ axis
    shares = np.linspace(0.1, 0.9, 9)
    np.testing.assert_allclose(np.quantile(depth, shares), shower.longitudinal_quantile(800.0, shares), rtol=0.02)


def test_fit_returns_the_energy_that_made_the_boxes() -> None:
    uniforms = np.random.default_rng(3).random((100_000, 4))
    for energy in (150.0, 700.0):
        seen = energy * shower.box_shares(shower.place_points(uniforms, *AXIS, energy), FROZEN["boxes"])
        found = shower.fit_shower_energy(seen, FROZEN["boxes"], *AXIS, ShowerFit(count=20_000))
        assert found == pytest.approx(energy, rel=0.04)


@settings(deadline=None, max_examples=15)
@given(st.integers(0, 1000))
def test_density_turns_with_the_shower(seed: int) -> None:
    matrix = Rotation.random(rng=np.random.default_rng(seed)).as_matrix()
    turned = (FROZEN["points"] @ matrix, AXIS[0] @ matrix, 3 * AXIS[1] @ matrix)
    np.testing.assert_allclose(
        shower.energy_density(*turned, 500.0), shower.energy_density(FROZEN["points"], *AXIS, 500.0), rtol=1e-6
    )


def test_showers_without_points_boxes_or_direction() -> None:
    boxes, none = FROZEN["boxes"], np.full(3, np.nan)
    assert np.isnan(shower.fit_shower_energy(np.empty(0), boxes[:0], *AXIS))
    assert np.isnan(shower.fit_shower_energy(np.ones(2), boxes, none, AXIS[1]))
    assert shower.box_shares(np.empty((0, 3)), boxes).tolist() == [0, 0]
    assert shower.energy_density(np.empty((0, 3)), *AXIS, 500.0).shape == (0,)
    assert shower.place_points(np.empty((0, 4)), *AXIS, 500.0).shape == (0, 3)
    assert np.isnan(shower.longitudinal_profile(10.0, 50.0, "gp"))
    with pytest.raises(DataError, match="direction"):
        shower.energy_density(np.zeros((1, 3)), AXIS[0], np.zeros(3), 500.0)
