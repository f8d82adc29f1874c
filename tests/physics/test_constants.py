from __future__ import annotations

import math

import pytest
from particle import Particle

from spine.physics import constants
from spine.physics.constants import LIQUID_ARGON


@pytest.mark.parametrize(
    ("mass", "pdg"),
    [
        (constants.ELECTRON_MASS, 11),
        (constants.MUON_MASS, 13),
        (constants.PION_MASS, 211),
        (constants.KAON_MASS, 321),
        (constants.PROTON_MASS, 2212),
    ],
)
def test_masses_are_those_of_the_particle_data_group(mass: float, pdg: int) -> None:
    want = Particle.from_pdgid(pdg).mass
    assert want is not None
    assert mass == pytest.approx(want, rel=1e-7)


def test_liquid_argon_follows_from_its_formulas() -> None:
    """Moliere radius from X0 and Ec, and Sternheimer's C from I and the plasma energy (PDG eq. 34.6, 34.40)."""
    argon = LIQUID_ARGON
    assert argon.moliere_radius == pytest.approx(21.2052 * 14.0 / 32.84, rel=1e-3)
    plasma = 28.816e-6 * (argon.density * argon.atomic_number / argon.atomic_mass) ** 0.5

    assert argon.density_c == pytest.approx(2 * math.log(argon.excitation_energy / plasma) + 1, rel=1e-3)
    x0, log10 = argon.density_x0, 2 * math.log(10)
    at_x0 = log10 * x0 - argon.density_c + argon.density_a * (argon.density_x1 - x0) ** argon.density_k
    assert at_x0 == pytest.approx(argon.density_delta0, abs=2e-3)
