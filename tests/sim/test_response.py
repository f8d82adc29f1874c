"""Response of the detector: closed formulas for each effect, and an image that follows the detector."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from spine.errors import ConfigError
from spine.geometry import load_detector
from spine.physics.recombination import BoxModel
from spine.sim import SimulatedEvent, SimulationConfig, simulate_event
from spine.sim.config import GunConfig, ImageConfig, ResponseConfig
from spine.sim.hits import Hits, make_hits
from spine.sim.readout import MINIMUM_LOSS, Readout, free_electrons, measured, response_rng
from spine.sim.transport import Deposits
from spine.sim.volume import framed, volume_of

IMAGE = ImageConfig(cells=(60, 60, 60), lower=(0, 0, 0), voxel_threshold=0)
PAIR = 23.6e-6  # MeV


def line(energy: float, start: tuple[float, float, float], end: tuple[float, float, float]) -> Deposits:
    ends = np.array([start, end], np.float64)
    none = np.zeros(1)
    return Deposits(np.zeros(1, np.int64), np.array([energy]), ends[:1], ends[1:], none, none)


def readout(cfg: ResponseConfig) -> Readout:
    volume = volume_of(IMAGE, cfg, None)
    assert volume is not None
    return Readout(cfg, volume, response_rng(1, 2))


def seen(cfg: ResponseConfig, deposits: Deposits) -> Hits:
    return make_hits(deposits, IMAGE, None, readout(cfg))[0]


def test_without_effects_the_image_is_that_of_energy() -> None:
    deposits = line(4.2, (1, 2, 3), (3, 2.2, 3))
    plain, _ = make_hits(deposits, IMAGE)
    found = seen(ResponseConfig(), deposits)
    assert found.value is not None
    np.testing.assert_allclose(found.value, np.bincount(plain.row, plain.energy))
    charge = seen(ResponseConfig(unit="electrons"), deposits)
    assert charge.value is not None
    assert charge.value.sum() == pytest.approx(4.2 / PAIR)


def test_recombination_and_lifetime() -> None:
    """Box model at 2.1 MeV/cm and 0.5 kV/cm; attenuation exp(-t / lifetime) on the drift to the upper x face."""
    cfg = ResponseConfig(unit="electrons", recombination="box", lifetime=3000.0, drift_velocity=0.16)
    got = free_electrons(line(4.2, (5, 2, 3), (7, 2, 3)), readout(cfg))[0]
    dose = 0.203 / 0.5 / 1.396 * 2.1
    expected = np.log(0.906 + dose) / dose / PAIR * np.exp(-(18 - 6) / 0.16 / 3000)
    assert got == pytest.approx(expected)
    other = free_electrons(line(4.2, (5, 2, 3), (7, 2, 3)), readout(cfg.model_copy(update={"anode": "lower"})))[0]
    assert other / got == pytest.approx(np.exp((12 - 6) / 0.16 / 3000))
    across = cfg.model_copy(update={"lifetime": None, "ellipsoid": 1.25})
    along = free_electrons(line(4.2, (5, 2, 3), (7, 2, 3)), readout(across))[0]
    assert along * PAIR == pytest.approx(float(BoxModel(0.5, ellipsoid=1.25).survival(2.1, 1.0)))


def test_a_mip_reads_its_energy_and_a_stopping_proton_less() -> None:
    cfg = ResponseConfig(recombination="box")
    mip = seen(cfg, line(2 * MINIMUM_LOSS, (5, 2, 3), (7, 2, 3))).value
    proton = seen(cfg, line(40.0, (5, 2, 3), (7, 2, 3))).value
    assert mip is not None
    assert proton is not None
    assert mip.sum() == pytest.approx(2 * MINIMUM_LOSS)
    model = BoxModel(0.5)
    assert proton.sum() / 40 == pytest.approx(float(model.survival(20.0) / model.survival(MINIMUM_LOSS)))


def test_diffusion_spreads_as_sqrt_2dt() -> None:
    """Variance of charge across the drift: 2 D t, besides that of the voxel in which the deposit lies."""
    cfg = ResponseConfig(unit="electrons", transverse_diffusion=800.0, longitudinal_diffusion=0.0, drift_velocity=0.16)
    found = seen(cfg, line(1.0, (10.05, 9.15, 9.15), (10.05, 9.15, 9.15)))
    assert found.value is not None
    assert found.value.sum() == pytest.approx(1 / PAIR)
    cells = np.stack([found.voxel % 60, found.voxel // 60 % 60, found.voxel // 3600], 1)
    assert set(cells[:, 0]) == {33}
    place = (cells + 0.5) * 0.3 - np.array([10.05, 9.15, 9.15])
    variance = np.average(place[:, 1] ** 2, weights=found.value)
    expected = 2 * 800 * (18 - 10.05) / 0.16 * 1e-6
    assert variance == pytest.approx(expected + 0.3**2 / 12, rel=0.03)
    np.testing.assert_allclose(np.average(place, axis=0, weights=found.value)[1:], 0, atol=1e-6)
    assert found.energy.sum() == pytest.approx(1.0)


def test_noise_smearing_and_threshold() -> None:
    electrons = np.full(40_000, 2e4)
    noisy = measured(electrons, readout(ResponseConfig(unit="electrons", noise=500.0)))
    assert noisy.std() == pytest.approx(500, rel=0.02)
    assert noisy.mean() == pytest.approx(2e4, abs=10)
    smeared = measured(electrons, readout(ResponseConfig(unit="electrons", smearing=0.05)))
    assert smeared.std() == pytest.approx(1e3, rel=0.02)
    kept = seen(ResponseConfig(threshold=0.5), line(4.2, (1, 2, 3), (3, 2.2, 3)))
    assert kept.value is not None
    assert kept.value.min() >= 0.5
    assert len(kept.value) == len(kept.voxel) < len(seen(ResponseConfig(), line(4.2, (1, 2, 3), (3, 2.2, 3))).voxel)


def muon(response: ResponseConfig | None, image: ImageConfig) -> SimulationConfig:
    shot = GunConfig(pdg=13, kinetic_energy=(300, 300), position=(-20, 0, 3), direction=(1, 0.1, 0))
    return SimulationConfig(seed=5, bomb=None, cosmics=None, gun=shot, image=image, response=response)


def arrays(event: SimulatedEvent) -> list[NDArray[np.generic]]:
    return [event.coords, event.charge, event.semantics, event.cluster, event.cluster_charge]


def test_whole_events_with_a_response() -> None:
    full = ResponseConfig(
        recombination="box", lifetime=5000, longitudinal_diffusion=4, transverse_diffusion=13, noise=500, smearing=0.02
    )
    plain = simulate_event(muon(None, ImageConfig()), 0)
    first, again = (simulate_event(muon(full, ImageConfig()), 0) for _ in range(2))
    for a, b in zip(arrays(first), arrays(again), strict=True):
        np.testing.assert_array_equal(a, b)
    assert len(first.coords) > len(plain.coords)
    assert first.charge.min() > 0
    budget = first.energy
    assert budget.image + budget.outside + budget.below_threshold == pytest.approx(budget.deposited)
    assert first.cluster_charge.sum(dtype=np.float64) == pytest.approx(budget.image, rel=1e-6)
    assert first.charge.sum() / plain.charge.sum() == pytest.approx(0.9, abs=0.1)


def test_the_image_follows_the_detector() -> None:
    detector = load_detector("2x2")
    image = ImageConfig(frame="detector", voxel_size=0.4)
    event = simulate_event(muon(ResponseConfig(lifetime=2000), image), 0, detector)
    np.testing.assert_allclose(event.meta.lower, detector.box[:, 0])
    assert np.all(event.meta.upper >= detector.box[:, 1])
    assert np.all(event.meta.upper < detector.box[:, 1] + 0.4)
    volume = volume_of(image, None, detector)
    assert volume is not None
    centres = event.meta.lower + (event.coords + 0.5) * 0.4
    assert (volume.rows(centres) < 0).mean() < 0.1
    assert event.energy.outside > 1
    distance, axis = volume.distances(np.array([[-3.0, 1.0, 30.0]]))
    assert axis[0] == 0
    assert distance[0] == pytest.approx(abs(-3.0 - detector.anodes[volume.rows(np.array([[-3.0, 1.0, 30.0]]))[0]]))
    with pytest.raises(ConfigError, match=r"set geo\.detector"):
        framed(muon(None, image), None)
