"""Computed Geant4 data against published numbers, and the directory that holds them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from spine.errors import ConfigError, StageError
from spine.sim.argon import DATA_SETS, argon_files, bremsstrahlung, inelastic_cross_section
from spine.sim.datadir import computed_data, find_data

AVOGADRO = 6.02214076e23
ARGON = 39.948


def test_bremsstrahlung_gives_the_radiation_length() -> None:
    """PDG 2024: radiation length of argon 19.55 g/cm2; loss per length is E / X0 (1 + 0.012) (Tsai, b / Z)."""
    ratio = np.linspace(1e-4, 1, 4001)
    area = np.trapezoid(bremsstrahlung(1e4, ratio), ratio)
    loss = AVOGADRO / ARGON * 18**2 * float(area) * 1e-27
    assert 1 / loss == pytest.approx(19.55 / 1.012, rel=0.03)


def test_inelastic_cross_section_gives_the_interaction_length() -> None:
    """PDG 2024: nuclear interaction length of argon 119.7 g/cm2, of aluminium 107.2 g/cm2."""
    for mass, length in ((ARGON, 119.7), (26.98, 107.2)):
        sigma = float(inelastic_cross_section(np.array([1e4]), mass)[0])
        assert mass / (AVOGADRO * sigma * 1e-27) == pytest.approx(length, rel=0.1)


def test_photoelectric_fit_follows_the_tables() -> None:
    """Elam tables (xraydb), per shell file format: cross section = sum a_i / E^i of the last shell row."""
    xraydb = pytest.importorskip("xraydb")
    files = dict(argon_files())
    folder = f"{DATA_SETS['G4LEDATA']}/epics2017/phot"
    for name, energy in (("high", 0.2), ("low", 0.05)):
        last = files[f"{folder}/pe-{name}-18.dat"].splitlines()[-1].split()
        value = sum(float(a) / energy ** (i + 1) for i, a in enumerate(last[1:]))
        table = float(xraydb.mu_elam("Ar", energy * 1e6, kind="photo")) * ARGON / 0.602214
        assert value == pytest.approx(table, rel=0.05)


def test_cache_is_written_once_and_checked(tmp_path: Path) -> None:
    first = computed_data(tmp_path)
    stamp = (first.path / "manifest.json").stat().st_mtime_ns
    assert computed_data(tmp_path) == first
    assert (first.path / "manifest.json").stat().st_mtime_ns == stamp
    assert [p.name for p in tmp_path.iterdir()] == [first.path.name]
    assert all((first.path / folder).is_dir() for folder in DATA_SETS.values())
    victim = first.path / DATA_SETS["G4LEDATA"] / "brem_SB" / "br18"
    victim.write_text("changed")
    with pytest.raises(StageError, match="changed after"):
        computed_data(tmp_path)


def test_the_users_data_win(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for folder in DATA_SETS.values():
        (tmp_path / "data" / folder).mkdir(parents=True)
    monkeypatch.setenv("GEANT4_DATA_DIR", str(tmp_path / "data"))
    assert find_data().origin == "environment"
    official = find_data(tmp_path / "data")
    assert official.origin == "option"
    said = official.provenance()
    assert (said["geant4_data"], said["geant4_data_path"]) == ("official (option)", str(tmp_path / "data"))
    with pytest.raises(ConfigError, match="complete"):
        find_data(tmp_path)
    monkeypatch.delenv("GEANT4_DATA_DIR")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    assert find_data().origin == "computed"
