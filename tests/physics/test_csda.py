from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spine.errors import DataError
from spine.physics import csda
from spine.physics.splines import LogSpline
from spine.schema.enums import Pid

FROZEN = Path(__file__).parent / "data" / "energy_loss.npz"
LENGTHS = [10.0, 50.0, 100.0, 300.0]


@pytest.mark.parametrize(
    ("pid", "want", "rel"),
    [
        (Pid.MUON, [47.573, 143.888, 250.302, 680.606], 2e-5),
        (Pid.PROTON, [115.065, 295.790, 455.448, 956.570], 2e-4),
        (Pid.PION, [52.796, 154.512, 262.923, 687.946], 6e-4),
        (Pid.KAON, [87.784, 232.094, 365.912, 816.009], 2e-4),
    ],
)
def test_known_energies(pid: Pid, want: list[float], rel: float) -> None:
    """SPINE 1.4.3: the same published tables for muons and protons, its own integral for the others."""
    np.testing.assert_allclose(csda.csda_ke(LENGTHS, pid), want, rtol=rel)


def test_known_losses() -> None:
    np.testing.assert_allclose(csda.csda_dedx(LENGTHS[:3], Pid.MUON), [3.0073, 2.1836, 2.1051], rtol=3e-5)
    np.testing.assert_allclose(csda.csda_dedx(LENGTHS[:3], Pid.PROTON), [6.5754, 3.5972, 2.9093], rtol=7e-4)


@pytest.mark.parametrize("pid", [2, 3, 4, 5])
def test_splines_against_the_peer(pid: int) -> None:
    z = np.load(FROZEN)
    np.testing.assert_allclose(csda.csda_ke(z["length"], pid), z[f"csda_ke_{pid}"], rtol=2e-3)
    np.testing.assert_allclose(csda.csda_dedx(z["length"], pid), z[f"csda_dedx_{pid}"], rtol=4e-3)


@pytest.mark.parametrize("pid", [Pid.MUON, Pid.PROTON])
def test_splines_go_through_the_published_rows(pid: Pid) -> None:
    table = csda.range_table(pid, "published")
    np.testing.assert_allclose(csda.csda_ke(table.length, pid), table.ke, rtol=1e-10)
    np.testing.assert_allclose(csda.csda_range(table.ke, pid), table.length, rtol=1e-10)
    np.testing.assert_allclose(csda.csda_dedx(table.length, pid), table.dedx, rtol=1e-10)


@pytest.mark.parametrize("pid", [Pid.MUON, Pid.PROTON])
def test_published_ranges_are_the_integral_of_published_losses(pid: Pid) -> None:
    """Trapezoids in logarithms between rows; 1 % from the spacing of the rows."""
    table = csda.range_table(pid, "published")
    good = (table.ke > 1) & (table.ke < 1e4)
    ke, length, integrand = table.ke[good], table.length[good], (table.ke / table.dedx)[good]
    steps = 0.5 * (integrand[1:] + integrand[:-1]) * np.diff(np.log(ke))
    np.testing.assert_allclose(steps, np.diff(length), rtol=0.04)
    assert steps.sum() == pytest.approx(length[-1] - length[0], rel=0.01)


def test_formula_and_published_ranges_agree() -> None:
    for pid in (Pid.MUON, Pid.PROTON):
        both = [csda.csda_ke(LENGTHS, pid, source) for source in ("published", "bethe")]
        np.testing.assert_allclose(both[0], both[1], rtol=2.5e-3)


@settings(deadline=None, max_examples=50)
@given(st.floats(0.1, 2000.0), st.sampled_from([2, 3, 4, 5]))
def test_energy_and_range_are_inverse_and_rise(length: float, pid: int) -> None:
    ke = csda.csda_ke([length, length * 1.01], pid)
    assert 0 < ke[0] < ke[1]
    np.testing.assert_allclose(csda.csda_range(ke, pid), [length, length * 1.01], rtol=2e-3)


def test_many_species_at_once_and_unknown_ones() -> None:
    found = csda.csda_ke([10.0, 10.0, 10.0, 0.0, -1.0, np.nan], [Pid.MUON, Pid.PROTON, Pid.PHOTON, 2, 2, 2])
    np.testing.assert_allclose(found, [47.573, 115.05, np.nan, 0, np.nan, np.nan], rtol=2e-4)
    assert csda.csda_ke(np.empty(0), np.empty(0, dtype=int)).shape == (0,)
    assert csda.csda_ke(np.ones((2, 1)), [2, 3, 4]).shape == (2, 3)


def test_species_without_a_table() -> None:
    with pytest.raises(DataError, match="no range table"):
        csda.range_table(Pid.ELECTRON)
    with pytest.raises(DataError, match="no range table"):
        csda.range_table(Pid.PION, "published")


def test_splines_follow_power_laws_and_refuse_bad_points() -> None:
    x = np.geomspace(1, 100, 5)
    spline = LogSpline(x, 3 * x**1.5)
    places = np.array([0.1, 1.0, 7.0, 1e4])
    np.testing.assert_allclose(spline(places), 3 * places**1.5, rtol=1e-12)
    assert float(LogSpline(x, 1 / x)(0.0)) == np.inf
    with pytest.raises(DataError, match="four rising"):
        LogSpline(x[::-1], x)
