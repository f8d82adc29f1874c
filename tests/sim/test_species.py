"""Masses and process names."""

from __future__ import annotations

import numpy as np
import pytest

from spine.sim.species import mass, process_names


def test_masses_agree_with_the_particle_package() -> None:
    particle = pytest.importorskip("particle")
    codes = np.array([11, -13, 22, 111, 211, 221, 310, 321, 2112, 2212, 3122, 3112, 3222])
    known = [float(particle.Particle.from_pdgid(int(c)).mass) for c in codes]
    np.testing.assert_allclose(mass(codes), known, rtol=1e-4)


def test_nuclear_masses() -> None:
    """AME 2020 nuclear masses: argon 40 37215.52, argon 39 36285.83, chlorine 35 32564.59 MeV."""
    codes = np.array([1000180400, 1000180390, 1000170350, 1000020040])
    np.testing.assert_allclose(mass(codes), [37215.52, 36285.83, 32564.59, 3727.379], atol=10)
    assert np.isnan(mass(np.array([999]))[0])


def test_process_names_depend_on_the_parent() -> None:
    creator = np.array([b"Ionisation"] * 4 + [b"Capture", b"Capture", b"Conversion", b"Primary", b"Decay"])
    parent = np.array([13, -211, 11, 1000020040, 13, 2112, 22, 0, 211])
    assert process_names(creator, parent).tolist() == [
        "muIoni", "hIoni", "eIoni", "ionIoni", "muMinusCaptureAtRest", "nCapture", "conv", "primary", "Decay",
    ]  # fmt: skip
    assert len(process_names(creator[:0], parent[:0])) == 0
