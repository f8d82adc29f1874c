from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spine.physics.recombination import BirksModel, BoxModel, charge_to_energy, energy_to_charge


def test_known_factors() -> None:
    """SPINE 1.4.3 at 2.1 MeV/cm and 0.5 kV/cm."""
    assert float(BoxModel(0.5).survival(2.1)) == pytest.approx(0.682063, abs=5e-7)
    assert float(BirksModel(0.5).survival(2.1)) == pytest.approx(0.697948, abs=5e-7)


def test_ellipsoid_is_the_box_with_a_smaller_field_along_the_drift() -> None:
    """cos = 1 stretches b by R, cos = 0 leaves it."""
    model = BoxModel(0.5, ellipsoid=1.25)
    assert float(model.survival(5.0, 0.0)) == pytest.approx(float(BoxModel(0.5).survival(5.0)), rel=1e-12)
    stretched = BoxModel(0.5, beta=0.203 * 1.25)
    assert float(model.survival(5.0, 1.0)) == pytest.approx(float(stretched.survival(5.0)), rel=1e-12)
    assert float(model.survival(5.0, -1.0)) == pytest.approx(float(model.survival(5.0, 1.0)), rel=1e-12)


@settings(deadline=None, max_examples=60)
@given(st.floats(0.5, 40.0), st.floats(0.1, 2.0), st.floats(-1, 1), st.booleans())
def test_energy_and_charge_are_inverse(dedx: float, field: float, cosine: float, box: bool) -> None:
    model = BoxModel(field, ellipsoid=1.25) if box else BirksModel(field)
    dqdx = energy_to_charge(dedx, dedx, model, cosine)
    assert float(model.energy_loss(dqdx, cosine)) == pytest.approx(dedx, rel=1e-9)
    charge = energy_to_charge(3.0, dedx, model, cosine)
    assert float(charge_to_energy(charge, dqdx, model, cosine)) == pytest.approx(3.0, rel=1e-9)


def test_more_field_frees_more_charge_and_more_energy_loss_less() -> None:
    dedx = np.array([6.0, 10.0])  # the box model does not hold much below a minimum-ionising particle
    for model in (BoxModel, BirksModel):
        assert (model(1.0).survival(dedx) > model(0.5).survival(dedx)).all()
        assert model(0.5).survival(dedx)[0] > model(0.5).survival(dedx)[1]


def test_impossible_charges_and_empty_arrays() -> None:
    assert np.isnan(BirksModel(0.5).energy_loss(1e7))
    assert np.isnan(BoxModel(0.5).survival([0.0, np.nan])).all()
    assert BoxModel(0.5).energy_loss(np.empty(0)).shape == (0,)
    assert BirksModel(0.5).survival(np.empty(0)).shape == (0,)
