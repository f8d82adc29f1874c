"""Flashes made of planted charge find it again; expected light is kept; models of users."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from spine.config import resolve_config
from spine.config.slices import stage_code
from spine.errors import ConfigError, DataError
from spine.geometry import load_detector
from spine.physics.light import photon_yield
from spine.post.flash_likelihood import likelihood_chi2
from spine.post.flash_match import FlashMatchConfig, flash_match
from spine.post.light_models import light_model, sensors_of
from spine.schema import Event, Table
from spine.schema.detector_records import Flash
from tests.post.peer_objects import applied, empty_event, event_of

SBND = load_detector("sbnd")
OPTIONS: dict[str, Any] = {"flash_key": "flashes", "volume": "tpc"}
PLACES = np.array([[-100.0, -120.0, 60.0], [-50.0, 100.0, 400.0], [-150.0, 0.0, 250.0]])
"""Where charge is, in the first TPC of SBND."""

USER = '''
import numpy as np

def constant(points, photons, sensors, level=1.0):
    """The same light everywhere."""
    return np.full(len(sensors.positions), level * photons.sum())
'''


def planted(times: tuple[float, ...] = (1.0, 2.0, 3.0), driftv: float = 0.0) -> Event:
    """Three interactions of 40 points each, and flashes of their light in another order, with Poisson noise."""
    rng = np.random.default_rng(2)
    points = np.concatenate([place + rng.normal(0, 4.0, (40, 3)) for place in PLACES])
    index = [list(range(40 * i, 40 * i + 40)) for i in range(3)]
    event = event_of(points, np.full(120, 2.0), {"index": index}, {"particle_ids": [[0], [1], [2]]})
    event["sources"] = np.zeros((120, 2), dtype=np.int64)
    assert SBND.optical is not None
    sensors, model = sensors_of(SBND.optical, 0), light_model("solid_angle", {})
    order = [2, 0, 1]
    photons = photon_yield(np.full(40, 2.0))
    light = [model(points[index[i]], photons, sensors)[sensors.channels] for i in order]
    event["points"] = points.astype(np.float32)
    for i, time in zip(order, times, strict=True):
        event["points"][index[i]] -= (driftv * time * SBND.drifts[0]).astype(np.float32)
    seen = [rng.poisson(row).astype(np.float32) for row in light]
    flashes = {"id": [7, 8, 9], "volume_id": [0] * 3, "time": list(times), "pe_per_ch": seen}
    event["flashes"] = Table(Flash, 3, flashes | {"total_pe": [float(row.sum()) for row in seen]})
    return event


def test_light_is_matched_to_its_charge() -> None:
    (event,) = applied(flash_match, SBND, events=[planted()], **OPTIONS)
    found = event.reco.interactions
    assert found["flash_ids"].tolist() == [[8], [9], [7]]
    assert found["flash_times"].tolist() == [[2.0], [3.0], [1.0]]
    assert found["is_flash_matched"].all()
    assert (found["flash_scores"].values > 0.3).all()
    assert (np.abs(found["flash_hypo_pe"] / found["flash_total_pe"] - 1) < 0.2).all()
    assert "flash_hypotheses" not in event


def test_charge_is_moved_by_the_time_of_the_flash() -> None:
    late = {"times": (300.0, 500.0, 100.0), "driftv": 0.16}
    (event,) = applied(flash_match, SBND, events=[planted(**late)], driftv=0.16, **OPTIONS)  # type: ignore[arg-type]
    assert event.reco.interactions["flash_ids"].tolist() == [[8], [9], [7]]
    scores = event.reco.interactions["flash_scores"].values
    (blind,) = applied(flash_match, SBND, events=[planted(**late)], **OPTIONS)  # type: ignore[arg-type]
    assert scores.min() > 0.3
    assert blind.reco.interactions["flash_scores"].values.max() < scores.min()


def test_pattern_alone_matches_light_of_unknown_yield() -> None:
    event = planted()
    event["flashes"]["pe_per_ch"] = [row * 0.2 for row in event["flashes"]["pe_per_ch"]]
    applied(flash_match, SBND, events=[event], normalise=True, **OPTIONS)
    assert event.reco.interactions["flash_ids"].tolist() == [[8], [9], [7]]


def test_which_pairs_are_reported() -> None:
    (event,) = applied(flash_match, SBND, events=[planted()], report_mode="all", **OPTIONS)
    assert event.reco.interactions["flash_ids"].lengths.tolist() == [3, 3, 3]
    (event,) = applied(flash_match, SBND, events=[planted()], max_chi2=1e-6, **OPTIONS)
    assert not event.reco.interactions["is_flash_matched"].any()
    for mode in ("best_per_flash", "best_per_interaction"):
        (event,) = applied(flash_match, SBND, events=[planted()], report_mode=mode, **OPTIONS)
        assert event.reco.interactions["flash_ids"].tolist() == [[8], [9], [7]]


def test_expected_light_is_kept_for_every_interaction() -> None:
    event = planted()
    event["flashes"] = event["flashes"][:1]
    applied(flash_match, SBND, events=[event], store_hypotheses=True, **OPTIONS)
    light = event.table("flash_hypotheses")
    assert light["id"].tolist() == [0, 1, 2]
    assert light["interaction_id"].tolist() == [0, 1, 2]
    assert light["flash_ids"].tolist() == [[], [], [7]]
    assert np.isnan(light["score"][:2]).all()
    assert event.reco.interactions["flash_hypothesis_ids"].tolist() == [[0], [1], [2]]
    np.testing.assert_allclose(event.reco.interactions["flash_hypo_pe"][2], light["total_pe"][2], rtol=1e-5)
    applied(flash_match, SBND, events=[event], store_all_hypotheses=True, **OPTIONS)
    assert event.table("flash_hypotheses")["flash_ids"].tolist() == [[7], [7], [7]]


def test_again_changes_nothing() -> None:
    (event,) = applied(flash_match, SBND, events=[planted()], store_hypotheses=True, **OPTIONS)
    before = {name: event.reco.interactions[name].tolist() for name in ("flash_ids", "flash_scores", "flash_hypo_pe")}
    applied(flash_match, SBND, events=[event], store_hypotheses=True, **OPTIONS)
    assert {name: event.reco.interactions[name].tolist() for name in before} == before


def test_model_of_a_user(tmp_path: Path) -> None:
    path = tmp_path / "my_light.py"
    path.write_text(USER)
    options = OPTIONS | {"light_model": str(path), "light_options": {"level": 1e-4}, "store_hypotheses": True}
    (event,) = applied(flash_match, SBND, events=[planted()], **options)
    light = event.table("flash_hypotheses")["pe_per_ch"]
    np.testing.assert_allclose(light.values, 1e-4 * photon_yield(80.0), rtol=1e-5)
    config = resolve_config({"geo": {"detector": "sbnd"}, "post": {"flash_match": options}})
    before = stage_code(config, "post")
    from spine.config import fingerprint

    path.write_text(USER.replace("photons.sum()", "photons.max()"))
    fingerprint._read.cache_clear()
    assert stage_code(config, "post") != before


def test_models_that_cannot_be(tmp_path: Path) -> None:
    path = tmp_path / "two.py"
    path.write_text(USER + "\ndef other(points, photons, sensors):\n    return photons\n")
    with pytest.raises(ConfigError, match="cannot be told"):
        light_model(str(path), {})
    assert SBND.optical is not None
    with pytest.raises(DataError, match="one number per sensor"):
        light_model(f"{path}:other", {})(np.zeros((2, 3)), np.ones(2), sensors_of(SBND.optical, 0))
    with pytest.raises(ConfigError, match="no light model is called 'solid'"):
        light_model("solid", {})
    with pytest.raises(ValidationError, match="efficiency"):
        FlashMatchConfig(flash_key="flashes", volume="tpc", light_options={"efficiency": 2.0})
    with pytest.raises(ValidationError, match="only the method likelihood"):
        FlashMatchConfig(
            flash_key="flashes", volume="tpc", method="barycenter", candidate_distance=1.0, store_hypotheses=True
        )


def test_likelihood_ratio() -> None:
    mean = np.array([10.0, 0.0, 3.0])
    assert likelihood_chi2(mean, mean, 1e-12) == pytest.approx(0.0, abs=1e-9)
    assert likelihood_chi2(np.array([0.0]), np.array([4.0]), 0.0) == pytest.approx(8.0)
    assert likelihood_chi2(np.array([121.0]), np.array([100.0]), 0.0) == pytest.approx(4.131, rel=1e-3)


def test_events_without_light_or_charge() -> None:
    event = empty_event()
    event["flashes"], event["sources"] = Table(Flash, 0), np.empty((0, 2), dtype=np.int64)
    applied(flash_match, SBND, events=[event], store_hypotheses=True, **OPTIONS)
    assert len(event.table("flash_hypotheses")) == 0
    event = planted()
    event["flashes"] = Table(Flash, 0)
    applied(flash_match, SBND, events=[event], **OPTIONS)
    assert not event.reco.interactions["is_flash_matched"].any()
