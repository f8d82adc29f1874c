"""Whole simulated events: physics against published numbers, bookkeeping, identities."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from dataclasses import astuple

import numpy as np
import pytest
from numpy.typing import NDArray

from spine.errors import ConfigError
from spine.sim import SimulatedEvent, SimulationConfig, simulate_event, simulate_events
from spine.sim.config import GunConfig, ImageConfig, LabelConfig, TransportConfig
from spine.sim.labels import PRECEDENCE
from spine.sim.transport import data_in_use


def column(event: SimulatedEvent, name: str) -> NDArray[np.float64]:
    return np.asarray(event.particles[name])


def ids(event: SimulatedEvent, name: str) -> NDArray[np.int64]:
    return np.asarray(event.particles[name], np.int64)


def fingerprint(event: SimulatedEvent) -> str:
    total = hashlib.sha256()
    for part in (event.coords, event.charge, event.cluster, event.semantics, event.cluster_charge):
        total.update(part.tobytes())
    for name in sorted(event.particles):
        total.update(repr([np.asarray(v).tolist() for v in event.particles[name]]).encode())
    return total.hexdigest()


def gun(pdg: int, energy: float) -> SimulationConfig:
    shot = GunConfig(pdg=pdg, kinetic_energy=(energy, energy), position=(0, 0, 0))
    return SimulationConfig(seed=5, bomb=None, cosmics=None, gun=shot)


def test_energy_is_conserved(events: list[SimulatedEvent]) -> None:
    for e in events:
        budget = e.energy
        assert budget.outside + budget.below_threshold + budget.image == pytest.approx(budget.deposited, rel=1e-9)
        assert e.charge.sum(dtype=np.float64) == pytest.approx(budget.image, rel=1e-6)
        assert e.cluster_charge.sum(dtype=np.float64) == pytest.approx(budget.image, rel=1e-6)
        assert column(e, "energy_deposit").sum() == pytest.approx(budget.image, rel=1e-6)
        assert e.charge.min() >= 0.0499
        per_voxel = np.bincount(e.cluster_row, e.cluster_charge, len(e.charge))
        np.testing.assert_allclose(per_voxel, e.charge, rtol=1e-5)


def test_events_of_the_defaults_stay(events: list[SimulatedEvent]) -> None:
    """Particles and voxels of each class of the first events, frozen: samples made before can be made again."""
    counts = [(len(column(e, "id")), *np.bincount(e.semantics, minlength=5).tolist()) for e in events]
    assert counts == [
        (625, 1083, 1889, 76, 41, 750),
        (569, 1285, 3732, 0, 274, 673),
        (358, 1261, 3749, 0, 204, 388),
        (356, 1022, 2099, 65, 19, 412),
    ]
    energy = [e.energy.image for e in events]
    np.testing.assert_allclose(energy, [2315.0, 3049.8, 2797.5, 1752.8], atol=0.06)


def test_argon_outside_the_image_is_booked() -> None:
    image = ImageConfig(cells=(100, 100, 100), lower=(-15, -15, -15), box_margin=30)
    shot = GunConfig(pdg=13, kinetic_energy=(150, 150), position=(0, 0, 0), direction=(1, 0, 0))
    e = simulate_event(SimulationConfig(image=image, bomb=None, cosmics=None, gun=shot), 0)
    assert e.energy.outside > 50
    assert e.energy.outside + e.energy.below_threshold + e.energy.image == pytest.approx(e.energy.deposited)
    assert column(e, "last_step")[0, 0] == pytest.approx(15, abs=1e-3)
    assert column(e, "end_position")[0, 0] > 30


def test_muon_range() -> None:
    """CSDA range of 200 MeV muons in liquid argon: 76.15 cm (Groom, Mokhov, Striganov, ADNDT 78 (2001) 183)."""
    path = [column(e, "distance_travel")[0] for e in simulate_events(gun(-13, 200), 0, 10)]
    assert np.mean(path) == pytest.approx(76.15, abs=2.0)


def test_proton_range() -> None:
    """CSDA range of 200 MeV protons: 25.98 cm (NIST PSTAR); the median, as a third interact on the way."""
    path = [column(e, "distance_travel")[0] for e in simulate_events(gun(2212, 200), 0, 16)]
    assert np.median(path) == pytest.approx(25.98, abs=0.7)


def test_stopped_muons_have_a_michel_electron() -> None:
    """Every stopped mu+ decays; the positron takes at most half the muon mass, 52.83 MeV."""
    for e in simulate_events(gun(-13, 60), 0, 6):
        shape, pdg = column(e, "shape"), column(e, "pdg_code")
        michel = np.flatnonzero(shape == 2)
        assert michel.tolist() == np.flatnonzero((pdg == -11) & (column(e, "parent_pdg_code") == -13)).tolist()
        assert len(michel) == 1
        assert column(e, "energy_init")[michel[0]] < 52.84
        assert e.particles["creation_process"][michel[0]] == "Decay"
        assert column(e, "parent_id")[michel[0]] == 0
        assert 2 in e.semantics
        muon_end = column(e, "end_position")[0]
        assert np.linalg.norm(column(e, "position")[michel[0]] - muon_end) < 1e-3


def test_bound_muons_decay_under_the_name_of_the_capture() -> None:
    """About a quarter of mu- decay in argon (lifetime 568 ns, Suzuki et al., Phys. Rev. C 35 (1987) 2212)."""
    found = 0
    for e in simulate_events(gun(13, 40), 0, 40):
        rows = np.flatnonzero(column(e, "shape") == 2)
        found += len(rows)
        assert all(e.particles["creation_process"][int(r)] == "muMinusCaptureAtRest" for r in rows)
    assert 3 <= found <= 19


def test_events_are_the_same_however_split(config: SimulationConfig, events: list[SimulatedEvent]) -> None:
    expected = [fingerprint(e) for e in events]
    assert [fingerprint(simulate_event(config, i)) for i in (3, 1)] == [expected[3], expected[1]]
    assert [fingerprint(e) for e in simulate_events(config, 2, 4)] == expected[2:]


def test_events_are_the_same_in_a_new_process(config: SimulationConfig, events: list[SimulatedEvent]) -> None:
    code = (
        "import sys; from spine.sim import SimulationConfig, simulate_event\n"
        "e = simulate_event(SimulationConfig.model_validate_json(sys.argv[1]), 2)\n"
        "sys.stdout.write(e.charge.tobytes().hex() + e.cluster.tobytes().hex())"
    )
    command = [sys.executable, "-c", code, config.model_dump_json()]
    out = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert out == events[2].charge.tobytes().hex() + events[2].cluster.tobytes().hex()


def test_voxels_agree_with_their_particles(events: list[SimulatedEvent]) -> None:
    for e in events:
        shape = column(e, "shape")
        order = np.lexsort(e.coords.T)
        np.testing.assert_array_equal(order, np.arange(len(order)))
        assert len(np.unique(e.coords, axis=0)) == len(e.coords)
        labelled = e.cluster >= 0
        np.testing.assert_array_equal(shape[e.cluster[labelled]], e.semantics[labelled])
        assert set(e.semantics[~labelled]) <= {4}
        rank = np.argsort(PRECEDENCE)
        best = np.full(len(e.coords), 9)
        np.minimum.at(best, e.cluster_row, rank[shape[e.cluster_particle].astype(int)])
        np.testing.assert_array_equal(best, rank[e.semantics])
        np.testing.assert_array_equal(np.bincount(e.cluster_particle, minlength=len(shape)), column(e, "num_voxels"))
        inside = (e.coords >= 0) & (e.coords < e.meta.count)
        assert inside.all()


def test_ids_are_consistent(events: list[SimulatedEvent]) -> None:
    for e in events:
        rows: NDArray[np.int64] = np.arange(len(column(e, "id")))
        parent, group = ids(e, "parent_id"), ids(e, "group_id")
        np.testing.assert_array_equal(column(e, "id"), rows)
        assert np.all((parent >= 0) & (parent < len(rows)))
        np.testing.assert_array_equal(group[group], group)
        assert len(np.unique(column(e, "track_id"))) == len(rows)
        interaction = column(e, "interaction_id")
        np.testing.assert_array_equal(interaction[parent], interaction)
        np.testing.assert_array_equal(interaction[group], interaction)
        np.testing.assert_array_equal(column(e, "nu_id"), e.vertex_nu_id[interaction])
        np.testing.assert_array_equal(column(e, "ancestor_position"), e.vertices[interaction].astype("f4"))
        assert set(e.particles["ancestor_creation_process"]) == {"primary"}
        assert column(e, "ancestor_track_id").max() <= e.num_primaries
        assert np.all(parent <= rows)
        children = e.particles["children_id"]
        assert sum(len(c) for c in children) == int((parent != rows).sum())
        assert all(np.all(parent[np.asarray(c)] == i) for i, c in enumerate(children) if len(c))
        beginning = column(e, "group_primary") == 1
        np.testing.assert_array_equal(group[beginning], rows[beginning])
        muon = np.abs(column(e, "pdg_code")) == 13
        momentum2 = (column(e, "momentum").astype(float)[muon] ** 2).sum(1)
        np.testing.assert_allclose(column(e, "energy_init")[muon] ** 2, momentum2 + 105.6583755**2, rtol=1e-6)


def test_low_energy_labels_on_request(config: SimulationConfig, events: list[SimulatedEvent]) -> None:
    told = config.model_copy(update={"labels": LabelConfig(label_le=True)})
    e = simulate_event(told, 0)
    assert e.cluster.min() >= 0
    np.testing.assert_array_equal(np.where(e.semantics == 4, -1, e.cluster), events[0].cluster)


def test_an_event_without_particles_is_an_event() -> None:
    e = simulate_event(SimulationConfig(bomb=None, cosmics=None), 0)
    assert e.coords.shape == (0, 3)
    assert e.vertices.shape == (0, 3)
    assert all(len(c) == 0 for c in e.particles.values())
    assert column(e, "first_step").shape == (0, 3)
    assert astuple(e.energy) == (0, 0, 0, 0)
    assert list(simulate_events(SimulationConfig(n_events=0))) == []


def test_particles_that_leave_no_voxel() -> None:
    e = simulate_event(gun(14, 100), 0)
    assert len(e.coords) == len(column(e, "id")) == 0
    assert len(e.vertices) == e.num_tracks == 1


def test_geant4_data_cannot_change_in_a_process(
    config: SimulationConfig, events: list[SimulatedEvent], tmp_path: pytest.TempPathFactory
) -> None:
    assert data_in_use(config).path.is_dir()
    other = config.model_copy(update={"transport": TransportConfig(geant4_data=str(tmp_path))})
    with pytest.raises(ConfigError, match="other data"):
        simulate_event(other, 0)


def test_unknown_particles_are_refused() -> None:
    with pytest.raises(ConfigError, match="99999"):
        simulate_event(gun(99999, 100), 0)


def test_other_physics_need_another_process(events: list[SimulatedEvent]) -> None:
    """Geant4 keeps tables of an earlier range cut, so that events would depend on what ran before."""
    cfg = SimulationConfig(seed=11, transport=TransportConfig(default_cut=0.003))
    with pytest.raises(ConfigError, match="started with other physics"):
        simulate_event(cfg, len(events))
