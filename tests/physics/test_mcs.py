from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar
from scipy.spatial.transform import Rotation

from spine.errors import DataError
from spine.ops.arrays import FloatArray
from spine.physics import mcs
from spine.physics.constants import LIQUID_ARGON, MUON_MASS, PROTON_MASS
from spine.physics.energy_loss import energies_along_track
from spine.physics.mcs import AngleMethod, ScatteringModel

FROZEN = Path(__file__).parent / "data" / "mcs.npz"
SEEDS = st.integers(0, 10_000)


def directions(seed: int, count: int = 12) -> FloatArray:
    rays = np.random.default_rng(seed).normal(size=(count, 3))
    result: FloatArray = rays / np.linalg.norm(rays, axis=1)[:, None]
    return result


def test_known_width() -> None:
    assert float(mcs.highland(300.0, 105.658, 14.0)) == pytest.approx(0.0482763, abs=5e-8)


def test_widths_and_angles_equal_those_of_the_peer() -> None:
    z = np.load(FROZEN)
    np.testing.assert_allclose(mcs.highland(z["momenta"], MUON_MASS, 5.0), z["highland_2"], rtol=1e-5)
    np.testing.assert_allclose(mcs.highland(z["momenta"], PROTON_MASS, 5.0), z["highland_4"], rtol=1e-5)
    methods: tuple[AngleMethod, ...] = ("cos", "atan2", "kahan")
    for method in methods:
        found = mcs.scattering_angles(z["dirs"], method)
        np.testing.assert_allclose(found, z[f"angles_{method}"], atol=1e-12)
    np.testing.assert_allclose(mcs.projected_angles(z["dirs"]), z["projected"], atol=1e-12)


@pytest.mark.parametrize("track", range(4))
def test_likelihoods_and_fits_equal_those_of_the_peer(track: int) -> None:
    """Within 3e-4: constants differ in the fifth digit, the energy loss by 4e-4."""
    z = np.load(FROZEN)
    theta = z[f"theta_{track}"]
    plain, mixed = ScatteringModel(), ScatteringModel(tail_weight=0.5)
    found = [mcs.negative_log_likelihood(ke, theta, MUON_MASS, plain) for ke in (150.0, 300.0, 600.0, 3000.0)]
    np.testing.assert_allclose(found, z[f"nll_{track}"], atol=3e-3)
    fits = [(MUON_MASS, plain), (MUON_MASS, mixed), (PROTON_MASS, plain)]
    energies = [mcs.fit_kinetic_energy(theta, mass, model) for mass, model in fits]
    np.testing.assert_allclose(energies, z[f"fit_{track}"], rtol=3e-4)


def test_fit_recovers_the_energy_of_many_angles() -> None:
    """Closure: 2000 angles at one energy, spread sigma / sqrt(N) of about 2 %; no energy loss in thin steps."""
    rng = np.random.default_rng(5)
    model = ScatteringModel(step=0.01, resolution=0.0)
    energies = energies_along_track(300.0, MUON_MASS, 0.01, 2000, LIQUID_ARGON)
    momenta = np.sqrt(energies * (energies + 2 * MUON_MASS))
    theta = rng.rayleigh(mcs.highland(momenta[1:], MUON_MASS, 0.01))
    assert mcs.fit_kinetic_energy(theta, MUON_MASS, model) == pytest.approx(300.0, rel=0.05)


@settings(deadline=None, max_examples=40)
@given(SEEDS)
def test_angles_by_three_methods_and_under_rotation(seed: int) -> None:
    rays = directions(seed)
    angles = mcs.scattering_angles(rays)
    np.testing.assert_allclose(mcs.scattering_angles(rays, "cos"), angles, atol=1e-7)
    np.testing.assert_allclose(mcs.scattering_angles(rays, "kahan"), angles, atol=1e-12)
    turned = rays @ Rotation.random(rng=np.random.default_rng(seed)).as_matrix()
    np.testing.assert_allclose(mcs.scattering_angles(turned), angles, atol=1e-12)


@settings(deadline=None, max_examples=40)
@given(SEEDS)
def test_projected_angles_add_up(seed: int) -> None:
    """Signed angles in a plane add up to the angle between the first and the last, modulo a turn."""
    rays = directions(seed)
    angles = mcs.projected_angles(rays)
    total = mcs.projected_angles(rays[[0, -1]])[0]
    np.testing.assert_allclose(np.exp(1j * angles.sum(axis=0)), np.exp(1j * total), atol=1e-9)


@settings(deadline=None, max_examples=40)
@given(SEEDS)
def test_split_angles_make_up_the_angle(seed: int) -> None:
    rng = np.random.default_rng(seed)
    theta = rng.uniform(0, np.pi, 20)
    first, second = mcs.split_angles(theta, rng)
    np.testing.assert_allclose(np.sin(first) ** 2 + np.sin(second) ** 2, np.sin(theta) ** 2, atol=1e-12)
    assert ((np.abs(first) > np.pi / 2) == (theta > np.pi / 2)).all()


def test_nothing_to_fit() -> None:
    assert np.isnan(mcs.fit_kinetic_energy(np.empty(0), MUON_MASS))
    assert np.isnan(mcs.fit_kinetic_energy(np.zeros(5), MUON_MASS))
    assert mcs.fit_kinetic_energy(np.zeros(5), MUON_MASS, keep_invalid=True) == pytest.approx(1e5, rel=1e-4)
    assert np.isnan(mcs.negative_log_likelihood(100.0, np.empty(0), MUON_MASS, ScatteringModel()))
    assert mcs.negative_log_likelihood(20.0, np.ones(9), MUON_MASS, ScatteringModel()) == np.inf
    assert np.isnan(mcs.highland([0.0, np.nan], MUON_MASS, 5.0)).all()
    for count in (0, 1):
        assert mcs.scattering_angles(np.zeros((count, 3))).shape == (0,)
        assert mcs.projected_angles(np.zeros((count, 3))).shape == (0, 3)


def test_bounds_and_methods_are_checked() -> None:
    with pytest.raises(DataError, match="bounds"):
        mcs.fit_kinetic_energy(np.ones(3), MUON_MASS, bounds=(10.0, 5.0))
    with pytest.raises(DataError, match="angle method"):
        mcs.scattering_angles(np.zeros((2, 3)), "sin")  # type: ignore[arg-type]


@pytest.mark.parametrize("tail", [0.0, 0.4])
def test_compiled_fit_is_the_search_of_scipy(tail: float) -> None:
    rng = np.random.default_rng(8)
    sizes = rng.integers(1, 40, 12)
    offsets, masses = np.append(0, np.cumsum(sizes)), rng.choice([105.66, 139.57, 938.27], 12)
    angles = rng.rayleigh(0.05, offsets[-1])
    model = ScatteringModel(tail_weight=tail)
    found = mcs.fit_kinetic_energies(angles, offsets, masses, model, keep_invalid=True)
    for i, mass in enumerate(masses):
        own = (angles[offsets[i] : offsets[i + 1]], mass, model)
        want = minimize_scalar(mcs.negative_log_likelihood, bounds=(10.0, 1e5), method="bounded", args=own)
        assert found[i] == pytest.approx(want.x, rel=1e-6)
        assert found[i] == pytest.approx(mcs.fit_kinetic_energy(*own, keep_invalid=True), rel=1e-12)
