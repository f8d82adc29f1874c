"""Boosts and decays: conservation, and distributions with closed formulas."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spine.sim.kinematics import boost, decay, directed, invariant_mass, isotropic, two_body_momentum


@settings(deadline=None, max_examples=40)
@given(st.integers(2, 7), st.floats(1.0, 2000.0), st.integers(0, 10**6))
def test_decays_conserve_energy_and_momentum(count: int, spare: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    masses = rng.uniform(0, 500, count)
    momentum = rng.normal(0, 800, 3)
    total = np.r_[np.sqrt((masses.sum() + spare) ** 2 + (momentum**2).sum()), momentum]
    bodies = decay(rng, total, masses)
    np.testing.assert_allclose(bodies.sum(0), total, atol=1e-6)
    np.testing.assert_allclose(invariant_mass(bodies), masses, atol=1e-2)


def test_boost_there_and_back() -> None:
    frame = np.array([1500.0, 300.0, -700.0, 200.0])
    vector = np.array([600.0, -100.0, 50.0, 400.0])
    np.testing.assert_allclose(boost(boost(vector, frame), frame * [1, -1, -1, -1]), vector)
    at_rest = boost(np.r_[invariant_mass(frame), 0, 0, 0], frame)
    np.testing.assert_allclose(at_rest, frame)


def test_three_massless_bodies_fill_the_dalitz_plot() -> None:
    """Phase space of three massless bodies is flat in two energies: density of one energy rises as E, mean M/3."""
    rng = np.random.default_rng(4)
    total = np.array([1000.0, 0, 0, 0])
    energy = np.array([decay(rng, total, np.zeros(3))[:, 0] for _ in range(1500)])
    assert (energy[:, 0] < 250).mean() == pytest.approx(0.25, abs=0.04)
    np.testing.assert_allclose(energy.mean(0), 1000 / 3, rtol=0.03)


def test_known_decay_momenta() -> None:
    """PDG 2024: momenta in pi+ -> mu+ nu 29.79, K+ -> pi+ pi0 205, Lambda -> p pi- 101 MeV/c."""
    assert two_body_momentum(139.57039, 105.6583755, 0.0) == pytest.approx(29.79, abs=0.01)
    assert two_body_momentum(493.677, 139.570, 134.977) == pytest.approx(205, abs=0.5)
    assert two_body_momentum(1115.683, 938.272, 139.570) == pytest.approx(101, abs=1)
    assert two_body_momentum(100.0, 60.0, 60.0) == 0


def test_directions() -> None:
    rng = np.random.default_rng(1)
    axis = np.array([0.3, -2.0, 0.1])
    np.testing.assert_allclose(directed(np.array([0, 0, 2.0]), axis), 2 * axis / np.linalg.norm(axis))
    local = isotropic(rng, 50)
    np.testing.assert_allclose(directed(local, axis) @ directed(local, axis).T, local @ local.T, atol=1e-12)
    np.testing.assert_allclose(isotropic(rng, 20000).mean(0), 0, atol=0.02)
