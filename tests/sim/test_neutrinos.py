"""Neutrino interactions: cross sections with closed limits, conservation laws, and the truth record."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from pydantic import ValidationError
from scipy.integrate import quad

from spine.errors import ConfigError
from spine.sim import SimulatedEvent, SimulationConfig, simulate_event
from spine.sim.config import FlavourConfig, NeutrinoConfig, RainConfig
from spine.sim.neutrinos import CC, NC, NeutrinoInteraction, channels, draw_interaction
from spine.sim.nucleon import NUCLEON_MASS, deep_grid, deep_total, elastic_spectrum
from spine.sim.species import is_charged, mass
from spine.stages.simulated import simulated_products

FERMI2 = 1.1663788e-5**2 * 0.97367**2 * 0.389379e-27 * 1e38  # G_F^2 |V_ud|^2 in 1e-38 cm2 / GeV2
CHARGE = {11: -1, -11: 1, 13: -1, -13: 1, 2212: 1, 211: 1, -211: -1}


def elastic_total(energy: float, lepton: float, sign: int) -> float:
    q2, density = elastic_spectrum(energy, lepton, sign, 1030.0)
    return float(np.trapezoid(density, q2))


@pytest.fixture(scope="module")
def sample() -> list[NeutrinoInteraction]:
    rng = np.random.default_rng(3)
    return [draw_interaction(rng, NeutrinoConfig(direction=(1, 2, 2))) for _ in range(250)]


def test_elastic_cross_section_at_low_energy() -> None:
    """Static limit (Vogel and Beacom, Phys. Rev. D 60 (1999) 053003): G^2 V^2 / pi (1 + 3 g^2) E p."""
    energy, lepton = 3.0, 0.51099895
    static = FERMI2 / np.pi * (1 + 3 * 1.2754**2) * energy * np.sqrt(energy**2 - lepton**2) * 1e-6
    both = (elastic_total(energy, lepton, 1) + elastic_total(energy, lepton, -1)) / 2
    assert both == pytest.approx(static, rel=0.01)


def test_elastic_cross_section_at_high_energy() -> None:
    """Limit G^2 V^2 / 2 pi times the integral of F_A^2 + F_1^2 + eta F_2^2, the same for antineutrinos."""

    def integrand(q2: float) -> float:
        eta = q2 / (4 * (NUCLEON_MASS * 1e-3) ** 2)
        vector = (1 + q2 / 0.71) ** -4 * (1 + eta * 4.70589**2) / (1 + eta)
        return float(vector + (1.2754 * (1 + q2 / 1.03**2) ** -2) ** 2)

    limit = FERMI2 / (2 * np.pi) * quad(integrand, 0, 60)[0]
    mean = (elastic_total(20000, 105.66, 1) + elastic_total(20000, 105.66, -1)) / 2
    assert mean == pytest.approx(limit, rel=0.03)
    assert elastic_total(1000, 105.66, 1) > 2 * elastic_total(1000, 105.66, -1)
    assert elastic_total(100, 105.66, 1) == 0


def test_deep_cross_sections_reach_the_measured_ones() -> None:
    """PDG 2024, sec. 52: 0.677 and 0.334 e-38 cm2 per GeV far above the threshold."""
    for sign, slope in ((1, 0.677), (-1, 0.334)):
        assert deep_total(2e5, deep_grid(2e5, 105.66, sign), sign) / 200 == pytest.approx(slope, rel=0.06)
    assert deep_total(1000, deep_grid(1000, 105.66, 1), 1) == 0


def test_conservation_laws(sample: list[NeutrinoInteraction]) -> None:
    for nu in sample:
        np.testing.assert_allclose(nu.neutrino + nu.struck, nu.lepton + nu.vectors.sum(0), atol=1e-6)
        codes, vectors = nu.seen
        expected = mass(codes)
        np.testing.assert_allclose(np.sqrt((vectors[:, 1:] ** 2).sum(1) + expected**2), vectors[:, 0], atol=1e-6)
        protons, nucleons = nu.remnant // 10_000 % 1000, nu.remnant // 10 % 1000
        assert sum(CHARGE.get(int(c), 0) for c in codes) + protons == 18
        assert np.isin(codes, (2212, 2112)).sum() + nucleons == 40
        assert nu.q2 > -1e-6
        assert 0 < nu.transfer[0] < nu.neutrino[0]
        np.testing.assert_allclose(nu.neutrino[1:] / nu.neutrino[0], np.array([1, 2, 2]) / 3)


def test_records_are_consistent(sample: list[NeutrinoInteraction]) -> None:
    for nu in sample:
        assert nu.lepton_pdg == (nu.pdg - np.sign(nu.pdg) if nu.current == CC else nu.pdg)
        match nu.mode:
            case 0:
                assert nu.kind == 1001 + nu.current
                assert nu.hadronic_mass == pytest.approx(938.9, abs=1)
            case 1:
                assert 1003 <= nu.kind <= 1016
                assert 1078 < nu.hadronic_mass < 1700
            case 2:
                assert nu.kind == 1091 + nu.current
                assert nu.hadronic_mass > 1700
                assert nu.quark in (1, 2)
    assert {(n.current, n.mode) for n in sample} == {(c, m) for c in (CC, NC) for m in range(3)}


def test_options_decide_what_happens() -> None:
    rng = np.random.default_rng(9)
    only = NeutrinoConfig(
        flavours=(FlavourConfig(pdg=-12),), spectrum=((500, 1), (900, 0)), nc_weight=0, res_weight=0, dis_weight=0
    )
    drawn = [draw_interaction(rng, only) for _ in range(40)]
    assert {(n.pdg, n.current, n.mode, n.nucleon, n.lepton_pdg) for n in drawn} == {(-12, 0, 0, 2212, -11)}
    energy = np.array([n.neutrino[0] for n in drawn])
    assert energy.min() >= 500
    assert energy.mean() == pytest.approx(500 + 400 / 3, abs=60)
    assert {c.nucleon for c in channels(14, 800, NeutrinoConfig(nc_weight=0, res_weight=0))} == {2112}
    with pytest.raises(ConfigError, match="do not interact"):
        draw_interaction(rng, NeutrinoConfig(flavours=(FlavourConfig(pdg=14),), energy=(90, 100), nc_weight=0))
    with pytest.raises(ValidationError, match="Input should be"):
        FlavourConfig.model_validate({"pdg": 16})


def particles_of(event: SimulatedEvent, name: str) -> NDArray[np.int64]:
    return np.asarray(event.particles[name], np.int64)


def test_truth_products() -> None:
    cfg = SimulationConfig(seed=3, bomb=None, neutrino=NeutrinoConfig(vertices=(2, 2)))
    event = simulate_event(cfg, 0)
    products = simulated_products(event, 0)
    table, particles = products["neutrinos"], products["particles"]
    np.testing.assert_array_equal(table["interaction_id"], [0, 1])
    np.testing.assert_array_equal(particles["nu_id"], particles_of(event, "nu_id"))
    np.testing.assert_array_equal(
        particles["nu_id"], np.where(particles["interaction_id"] < 2, particles["interaction_id"], -1)
    )
    for row in range(len(table)):
        lepton = np.flatnonzero(particles["track_id"] == table["lepton_track_id"][row])
        assert particles["pdg_code"][lepton] == table["lepton_pdg_code"][row]
        size = np.linalg.norm(particles["momentum"][lepton[0]])
        assert size == pytest.approx(1e3 * table["lepton_p"][row], rel=1e-4)
        first = particles["position"][lepton[0]]
        np.testing.assert_allclose(first, table["position"][row], atol=1e-3)
    assert particles["nu_id"].max() == 1
    np.testing.assert_allclose(
        table["momentum_transfer_mag"] ** 2 - table["energy_transfer"] ** 2, table["momentum_transfer"]
    )
    beam = np.linalg.norm(table["momentum"], axis=1) * 1e-3
    np.testing.assert_allclose(beam, table["energy_init"], rtol=1e-5)


def test_rain_is_not_of_neutrinos() -> None:
    cfg = SimulationConfig(seed=3, rain=RainConfig(multiplicity=(3, 3)))
    event = simulate_event(cfg, 1)
    particles = simulated_products(event, 0)["particles"]
    np.testing.assert_array_equal(particles["nu_id"], particles_of(event, "nu_id"))
    assert set(np.unique(particles["nu_id"])) == {-1, 0}
    assert event.mpv is not None
    assert len(np.asarray(event.mpv["id"])) == event.num_primaries - (len(event.vertices) - 1)
    assert event.vertex_nu_id.tolist() == [0] + [-1] * (len(event.vertices) - 1)
    assert is_charged(np.array([211])).all()
