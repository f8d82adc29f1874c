"""Against SPINE's answers, whose range tables differ by some 1e-3."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from spine.post.pid_template import PidTemplateConfig, pid_template
from tests.post.peer_objects import answer, applied, column
from tests.post.properties import check_empty, check_order, check_repeat, single_points

CASES: dict[str, dict[str, Any]] = {
    "pid_template": {},
    "pid_template_bethe": {
        "use_table": False, "include_pids": (2, 4), "optimize_orient": False, "segment_length": 3.0,
    },
    "pid_template_mpv": {"use_table": False, "use_mpv": True, "tracking_mode": "step"},
    "pid_template_truth": {"run_mode": "truth"},
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_same_as_spine(case: str) -> None:
    """SPINE has -1 where a species was not tried or nothing could be measured, here it is missing."""
    events = applied(pid_template, fill_per_pid=True, **CASES[case])
    table = "truth_particles" if case.endswith("truth") else "reco_particles"
    np.testing.assert_array_equal(column(events, table, "chi2_pid"), answer(case, "chi2_pid"))
    want = answer(case, "chi2_per_pid")
    want = np.where(want == -1, np.nan, want)
    np.testing.assert_allclose(column(events, table, "chi2_per_pid"), want, rtol=6e-3, atol=2e-3)


def test_free_range_is_no_worse_than_that_of_spine() -> None:
    """SPINE follows the slope from zero and may stop at a minimum of its own."""
    events = applied(pid_template, fill_per_pid=True, optimize_rr=True, include_pids=(2, 4))
    found = column(events, "reco_particles", "chi2_per_pid")
    want = answer("pid_template_rr", "chi2_per_pid")
    tried = want > 0
    assert tried.sum() > 50
    assert (found[tried] <= want[tried] * 1.004 + 2e-3).all()
    assert np.isclose(found[tried], want[tried], rtol=2e-2, atol=5e-3).mean() > 0.5


def test_properties() -> None:
    check_empty(pid_template)
    check_repeat(pid_template, "chi2_pid", "chi2_per_pid", fill_per_pid=True)
    check_order(pid_template, "chi2_pid", "chi2_per_pid", fill_per_pid=True, points=False)
    for mode in ("step", "step_next", "bin_pca"):
        (event,) = applied(pid_template, events=[single_points()], fill_per_pid=True, tracking_mode=mode)
        assert (event.reco.particles["chi2_pid"] == -1).all()
        assert np.isnan(event.reco.particles["chi2_per_pid"]).all()


def test_refuses_tables_of_most_probable_losses() -> None:
    with pytest.raises(ValidationError, match="use_table"):
        PidTemplateConfig(use_mpv=True)
