"""Simulated particles against published numbers: a fast part of benchmarks/simulation.py."""

from __future__ import annotations

import numpy as np

from benchmarks import physics
from benchmarks.physics import Check


def agrees(check: Check) -> None:
    assert check.good, check


def test_ranges() -> None:
    """Groom et al. (PDG) and PSTAR (NIST), 2 %."""
    agrees(physics.ranges(-13, 100.0, 30))
    agrees(physics.ranges(2212, 200.0, 30))


def test_energy_loss() -> None:
    """Most probable loss in 3 mm (PDG 34.12): 4 % with short steps, 10 % with the usual cut."""
    agrees(physics.apart(physics.most_probable, 1000.0, 0.3, 40, 0.003))
    agrees(physics.most_probable(1000.0, 0.3, 40))


def test_scattering() -> None:
    """Highland (PDG 34.16), good to 11 %."""
    agrees(physics.scattering(400.0, 14.0, 60))


def test_showers() -> None:
    """Depth of the maximum and radius after Grindhammer and Peters, 8 %."""
    found = physics.shower(11, 1000.0, 25)
    agrees(physics.depth_of_maximum(found, 1000.0))
    agrees(physics.moliere(found, 1000.0, 1.0))
    agrees(physics.moliere(found, 1000.0, 2.0))


def test_photons() -> None:
    """Attenuation length and share of pairs after XCOM (NIST)."""
    for pair in physics.apart(physics.conversions, [5.0, 20.0, 300.0], 800):
        for check in pair:
            agrees(check)


def test_muons_at_rest() -> None:
    """Michel spectrum, lifetimes free and bound, decays in orbit."""
    energy, found = physics.michel_spectrum(800)
    for check in [*found, *physics.capture(500)]:
        agrees(check)
    assert np.all(energy < 53.0)
    assert len(energy) == 800
