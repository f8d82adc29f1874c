from __future__ import annotations

import itertools
from pathlib import Path
from typing import Literal

import numpy as np
import pytest

from spine.errors import DataError
from spine.ops.arrays import FloatArray
from spine.physics import pid
from spine.physics.csda import csda_dedx
from spine.physics.pid import TemplateOptions
from spine.physics.tracking import Tracking
from spine.schema.enums import Pid

FROZEN = np.load(Path(__file__).parent / "data" / "tracks.npz")
PIDS = (Pid.MUON, Pid.PION, Pid.PROTON, Pid.KAON)


def stopping_track(species: int, length: float = 40.0) -> tuple[FloatArray, FloatArray]:
    """Points every mm along x, each with the energy of its millimetre; stops at the origin."""
    distance = np.arange(0.05, length, 0.1)
    points = np.column_stack([distance, 0 * distance, 0 * distance])
    return points, csda_dedx(distance, species) * 0.1


@pytest.mark.parametrize(("source", "name"), [("table", "table"), ("mean", "mean"), ("mpv", "mpv")])
def test_chi2_equals_that_of_the_peer(source: Literal["table", "mean", "mpv"], name: str) -> None:
    """Within 1 %, from the interpolation of coarse range tables there."""
    options = TemplateOptions(source=source)
    for row, (a, b) in enumerate(itertools.pairwise(FROZEN["offsets"])):
        track = (FROZEN["points"][a:b], FROZEN["values"][a:b], FROZEN["ends"][row], FROZEN["starts"][row])
        found = pid.identify(*track, options)
        want = FROZEN[f"chi2_{name}"][row]
        assert found.pid == FROZEN[f"pid_{name}"][row]
        np.testing.assert_allclose(found.chi2, np.where(want < 0, np.nan, want), rtol=0.01)


@pytest.mark.parametrize("species", [Pid.MUON, Pid.PROTON, Pid.KAON])
def test_stopping_tracks_are_recognised_from_either_end(species: Pid) -> None:
    points, values = stopping_track(species)
    for end, start in ((points[0], points[-1]), (points[-1], points[0])):
        found = pid.identify(points, values, end, start, TemplateOptions(tracking=Tracking(length=2.0)))
        assert found.pid == species
        assert found.chi2[PIDS.index(species)] < 0.05
    one_end = TemplateOptions(both_ends=False, tracking=Tracking(length=2.0))
    assert pid.identify(points, values, points[-1], points[0], one_end).chi2.min() > 0.1


def test_tracks_that_leave_are_matched_at_a_distance() -> None:
    distance = np.arange(32.5, 80.0, 5.0)
    dedx = csda_dedx(distance, Pid.PROTON)
    options = TemplateOptions(fit_range=True)
    assert pid.template_chi2(dedx, distance - 30, Pid.PROTON, options) == pytest.approx(0, abs=1e-6)
    assert pid.template_chi2(dedx, distance - 30, Pid.PROTON) > 0.05


def test_nothing_to_identify() -> None:
    assert np.isnan(pid.template_chi2(np.empty(0), np.empty(0), Pid.MUON))
    assert np.isnan(pid.template_chi2(np.array([np.nan, 0]), np.ones(2), Pid.MUON))
    for count in (0, 1):
        found = pid.identify(np.zeros((count, 3)), np.ones(count), np.zeros(3), np.ones(3))
        assert found.pid == -1
        assert np.isnan(found.chi2).all()
    with pytest.raises(DataError, match="unknown template"):
        pid.expected_dedx(1.0, Pid.MUON, TemplateOptions(source="guess"))  # type: ignore[arg-type]
