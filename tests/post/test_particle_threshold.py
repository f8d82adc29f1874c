"""Against SPINE's answers, and the error of scores that reach nothing."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from spine.errors import DataError
from spine.post.particle_threshold import ParticleThresholdConfig, particle_threshold
from tests.post.peer_objects import answers, applied, column
from tests.post.properties import check_empty, check_order, check_repeat, single_points

OPTIONS: dict[str, Any] = {
    "shower_pid_thresholds": {1: 0.3, 0: 0.0},
    "track_pid_thresholds": {4: 0.6, 3: 0.4, 5: 0.3, 2: 0.0},
    "primary_threshold": 0.7,
}


def test_same_as_spine() -> None:
    events = applied(particle_threshold, **OPTIONS)
    for name, want in answers("particle_threshold").items():
        np.testing.assert_array_equal(column(events, "reco_particles", name), want)


def test_properties() -> None:
    check_empty(particle_threshold, **OPTIONS)
    check_repeat(particle_threshold, "pid", "is_primary", **OPTIONS)
    check_order(particle_threshold, "pid", "is_primary", **OPTIONS)


def test_order_of_species_survives_json() -> None:
    config = ParticleThresholdConfig.model_validate(OPTIONS)
    assert ParticleThresholdConfig.model_validate(config.model_dump(mode="json")) == config


def test_refuses_scores_below_all_thresholds_and_no_options() -> None:
    with pytest.raises(DataError, match="reach no threshold"):
        applied(particle_threshold, events=[single_points()], track_pid_thresholds={2: 0.9})
    with pytest.raises(ValidationError, match="primary_threshold"):
        ParticleThresholdConfig()


def test_particles_without_scores_keep_their_species() -> None:
    event = single_points()
    event.reco.particles["pid_scores"] = np.full((6, 6), np.nan)
    event.reco.particles["primary_scores"] = np.full((6, 2), np.nan)
    applied(particle_threshold, events=[event], **OPTIONS)
    assert event.reco.particles["pid"].tolist() == [0, 2, 1, 3, 1, 2]
    assert event.reco.particles["is_primary"].all()
