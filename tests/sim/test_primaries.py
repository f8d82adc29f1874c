"""Primary particles: reproducible streams, and distributions with known moments."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from spine.errors import ConfigError
from spine.sim.config import BombConfig, CosmicsConfig, GunConfig, ImageConfig, SimulationConfig
from spine.sim.primaries import draw_primaries, event_rng, geant4_seed, image_bounds, muon_spectrum


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 2**32), st.integers(0, 10**6))
def test_an_event_is_its_own(seed: int, event: int) -> None:
    cfg = SimulationConfig(seed=seed)
    first, again = draw_primaries(cfg, event), draw_primaries(cfg, event)
    np.testing.assert_array_equal(first.direction, again.direction)
    np.testing.assert_array_equal(first.kinetic, again.kinetic)
    np.testing.assert_allclose(np.linalg.norm(first.direction, axis=1), 1)
    assert geant4_seed(seed, event) != geant4_seed(seed, event + 1)
    assert event_rng(seed, event).integers(2**62) != event_rng(seed, event + 1).integers(2**62)


def test_bombs_obey_their_limits() -> None:
    cfg = SimulationConfig(cosmics=None, bomb=BombConfig(vertices=(2, 2), multiplicity=(3, 6)))
    assert cfg.bomb is not None
    kinds = {s.pdg: s for s in cfg.bomb.species}
    lower, upper = image_bounds(cfg.image, -cfg.bomb.vertex_margin)
    for event in range(30):
        found = draw_primaries(cfg, event)
        assert found.vertices.shape == (2, 3)
        assert np.all((found.vertices >= lower) & (found.vertices <= upper))
        np.testing.assert_array_equal(found.vertex_nu, [0, 1])
        for vertex in range(2):
            codes, counts = np.unique(found.pdg[found.interaction == vertex], return_counts=True)
            assert 3 <= counts.sum() <= 6
            assert all(n <= kinds[int(c)].max_count for c, n in zip(codes, counts, strict=True))
        for code, energy in zip(found.pdg, found.kinetic, strict=True):
            span = kinds[int(code)].kinetic_energy
            assert span[0] <= energy <= span[1]


def test_cosmics_come_from_above_with_cos2() -> None:
    """Intensity cos^2 through a flat plate: flux cos^3, so the mean cosine is 4/5, its variance 2/3 - 16/25."""
    image = ImageConfig(cells=(400, 1, 400), voxel_size=0.5, lower=(-100, 0, -100))
    cosmics = CosmicsConfig(multiplicity=(400, 400), kinetic_energy=(500.0, 900.0), time=(-2.0, 2.0))
    found = draw_primaries(SimulationConfig(image=image, bomb=None, cosmics=cosmics), 0)
    lower, upper = image_bounds(image)
    cosine = -found.direction[:, 1]
    assert cosine.min() >= 0
    assert cosine.mean() == pytest.approx(0.8, abs=4 * np.sqrt((2 / 3 - 16 / 25) / 400))
    assert np.all((found.position >= lower) & (found.position <= upper))
    assert np.isclose(found.position[:, 1], upper[1]).mean() > 0.9
    assert set(np.unique(found.pdg)) == {-13, 13}
    assert np.all(np.abs(found.vertex_time) <= 2000)
    assert np.all(found.vertex_nu == -1)
    assert len(np.unique(found.interaction)) == 400


def test_muon_spectrum_has_the_known_intensity() -> None:
    """PDG 2024: vertical intensity of muons above 1 GeV/c about 70 per m2 s sr."""
    energy = np.geomspace(np.hypot(1000, 105.66) - 105.66, 1e6, 2000)
    total = np.trapezoid(muon_spectrum(energy), energy * 1e-3)
    assert float(total) * 1e4 == pytest.approx(70, rel=0.15)


def test_gun_and_nothing() -> None:
    gun = GunConfig(pdg=2212, kinetic_energy=(200, 200), position=(1, 2, 3), direction=(0, 0, 2))
    found = draw_primaries(SimulationConfig(bomb=None, cosmics=None, gun=gun), 5)
    np.testing.assert_array_equal(found.position, [[1, 2, 3]])
    np.testing.assert_array_equal(found.direction, [[0, 0, 1]])
    empty = draw_primaries(SimulationConfig(bomb=None, cosmics=None), 0)
    assert empty.position.shape == empty.direction.shape == empty.vertices.shape == (0, 3)


def test_wrong_configurations_are_refused() -> None:
    with pytest.raises(ConfigError, match="far from all faces"):
        draw_primaries(SimulationConfig(bomb=BombConfig(vertex_margin=200)), 0)
    with pytest.raises(ConfigError, match="no length"):
        draw_primaries(SimulationConfig(gun=GunConfig(direction=(0, 0, 0))), 0)
    with pytest.raises(ValidationError, match="above the upper end"):
        GunConfig(kinetic_energy=(3, 2))
    with pytest.raises(ValidationError, match="extra"):
        SimulationConfig.model_validate({"sed": 1})
