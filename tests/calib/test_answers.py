"""Calibrations give what SPINE's give, forward and inverse, and undo themselves."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from pydantic import ValidationError

from spine.calib import Hits, calibrate, calibrate_points, hits_of
from spine.errors import ConfigError, DataError
from spine.geometry import load_detector
from spine.post.calibration import CalibrationConfig
from tests.calib.databases import field_file, lifetime_file, transparency_file

DATA = Path(__file__).parent / "data" / "peer_calibration.npz"
ICARUS = load_detector("icarus")
GAINS = {"gain": [75.0, 80.0, 78.0, 82.0]}
TRACKS = {"segment_length": 4.0, "min_count": 5}
YZ = {"transparency_db": "YZ"}
LIFE = {"lifetime": 3000.0, "driftv": 0.16}

CASES: dict[str, dict[str, Any]] = {
    "gain": {"gain": GAINS},
    "gain_inverse": {"gain": GAINS, "inverse": True},
    "lifetime": {"lifetime": {"lifetime": 3000.0, "driftv": [0.16, 0.157, 0.158, 0.159]}},
    "lifetime_nearest": {"lifetime": LIFE},
    "lifetime_db": {"lifetime": {"lifetime_db": "LIFE", "driftv": 0.16, "lifetime_db_value_scale": 2.0}},
    "transparency": {"transparency": YZ},
    "transparency_correction": {"transparency": {**YZ, "map_type": "correction"}},
    "response": {"response": {"response_func": "x*(1 + 1e-4*x) + where(x > 300, 5, 0)"}},
    "recombination_inverse": {"gain_applied": True, "inverse": True, "recombination": {"efield": 0.5}},
    "tracks_step": {
        "gain": {"gain": 80.0},
        "recombination": {"efield": 0.4938, "tracking_mode": "step_next", "segment_length": 3.0},
    },
    "chain": {
        "stages": [
            {"name": "t", "provider": "transparency", "config": YZ},
            {"name": "gain", "config": GAINS},
            {"name": "life", "provider": "lifetime", "config": LIFE},
            {"name": "recombination", "config": {"efield": 0.4938}},
        ]
    },
    "chain_priority": {
        "gain": {"gain": 80.0, "priority": 1},
        "lifetime": {**LIFE, "priority": 3},
        "recombination": {"efield": 0.5, "priority": 0},
        "response": {"response_func": "x + 10", "priority": 2},
    },
}
for model in ("mbox", "birks", "mbox_ell"):
    options = {"efield": 0.4938, "model": model}
    CASES[f"recombination_{model}"] = {"gain": {"gain": 80.0}, "recombination": options}
    CASES[f"tracks_{model}"] = {"gain": {"gain": 80.0}, "recombination": {**options, **TRACKS}}
RUNS = {"lifetime_db": 250, "transparency": 120, "transparency_correction": 220, "chain": 205}
"""Run of each case that depends on it."""


@cache
def arrays() -> dict[str, Any]:
    with np.load(DATA) as file:
        return dict(file)


def hits(case: str = "gain") -> Hits:
    data = arrays()
    tracks = data["tracks"].astype(np.int64) if case.startswith("tracks") else None
    sources = None if case == "lifetime_nearest" else data["sources"]
    return hits_of(data["points"], data["values"], ICARUS, sources, tracks, RUNS.get(case))


def config(case: str, folder: Path) -> CalibrationConfig:
    paths = {"LIFE": lifetime_file, "YZ": transparency_file}

    def filled(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: filled(item) for key, item in value.items()}
        if isinstance(value, list):
            return [filled(item) for item in value]
        return paths[value](folder) if isinstance(value, str) and value in paths else value

    return CalibrationConfig.model_validate(filled(CASES[case]))


@pytest.mark.parametrize("case", [case for case in CASES if not case.startswith("tracks")])
def test_same_as_spine(case: str, tmp_path: Path) -> None:
    cfg = config(case, tmp_path)
    found = calibrate(hits(case), cfg.stages, cfg.inverse)
    assert_allclose(found.values, arrays()[f"out/{case}"], 1e-5)


@pytest.mark.parametrize("case", [case for case in CASES if case.startswith("tracks")])
def test_tracks_as_in_spine(case: str, tmp_path: Path) -> None:
    """From one end or the other, which SPINE leaves to the sign of an axis; points of no segment are 0 there."""
    cfg, one = config(case, tmp_path), hits(case)
    first, other = (calibrate(h, cfg.stages).values for h in (one, replace(one, points=-one.points)))
    wanted = arrays()[f"out/{case}"]
    chunks = one.tracks * 4 + one.tpcs
    for chunk in np.unique(chunks):
        rows = np.flatnonzero((chunks == chunk) & (wanted > 0))
        away = min(np.abs(values[rows] / wanted[rows] - 1).max() for values in (first, other))
        assert away < 1e-4
    along, flat = first[one.tracks >= 0], 80.0 * one.values[one.tracks >= 0]
    assert np.ptp(along / flat) > 1e-6


@pytest.mark.parametrize(("bounds", "scale"), [("zero", 1.0), ("clip", -1.0)])
def test_field_moves_points_as_in_spine(bounds: str, scale: float, tmp_path: Path) -> None:
    data = arrays()
    path = field_file(tmp_path / "field.root", data["field_values"], data["field_ranges"])
    cfg = CalibrationConfig.model_validate({"field": {"map_file": path, "bounds": bounds, "scale": scale}})
    assert cfg.moves_points
    found = calibrate(hits(), cfg.stages)
    assert_allclose(found.points, data[f"out/field_{bounds}"], atol=2e-4)
    assert_array_equal(found.values, data["values"])
    ends = np.vstack([data["points"][:50], np.full((1, 3), np.nan)])
    moved = calibrate_points(ends, ICARUS, cfg.stages)
    assert_allclose(moved[:50], found.points[:50], atol=2e-4)
    assert np.isnan(moved[50]).all()


@pytest.mark.parametrize("case", ["gain", "lifetime", "lifetime_db", "transparency", "recombination_birks"])
def test_inverse_undoes(case: str, tmp_path: Path) -> None:
    cfg = config(case, tmp_path)
    there = calibrate(hits(case), cfg.stages)
    back = calibrate(there, cfg.stages, inverse=True)
    assert not np.allclose(there.values, back.values, 1e-3)
    assert_allclose(back.values, arrays()["values"], 1e-6)


def test_response_is_undone_by_its_inverse() -> None:
    functions = {"response_func": "2*x + 3", "inverse_response_func": "(x - 3)/2"}
    cfg = CalibrationConfig.model_validate({"response": functions})
    back = calibrate(calibrate(hits(), cfg.stages), cfg.stages, inverse=True)
    assert_allclose(back.values, arrays()["values"], 1e-6)


def test_values_follow_their_points() -> None:
    cfg = CalibrationConfig.model_validate({"lifetime": LIFE, "gain": GAINS})
    one = hits()
    order = np.random.default_rng(3).permutation(len(one.values))
    mixed = Hits(one.points[order], one.values[order], one.tpcs[order], one.tracks[order], ICARUS)
    assert_allclose(calibrate(mixed, cfg.stages).values, calibrate(one, cfg.stages).values[order], 1e-12)


def test_smearing_is_the_same_at_each_run() -> None:
    cfg = CalibrationConfig.model_validate({"smearing": {"scale": 0.1, "mean": 1.0, "mode": "multiplicative"}})
    first, second = (calibrate(hits(), cfg.stages).values for _ in range(2))
    assert_array_equal(first, second)
    ratio = first / arrays()["values"]
    assert abs(ratio.mean() - 1) < 0.02
    assert 0.08 < ratio.std() < 0.12
    whole = CalibrationConfig.model_validate({"smearing": {"scale": 5.0, "scope": "image", "clip_min": 55.0}})
    moved = calibrate(hits(), whole.stages).values
    assert moved.min() >= 55.0
    assert len(np.unique(np.round((moved - arrays()["values"])[moved > 55.0], 3))) == 1


def test_no_points() -> None:
    cfg = CalibrationConfig.model_validate({"gain": GAINS, "lifetime": LIFE, "recombination": {"efield": 0.5}})
    empty = hits_of(np.empty((0, 3)), np.empty(0), ICARUS)
    assert len(calibrate(empty, cfg.stages).values) == 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"recombination": {"efield": 0.5}}, "gain_applied"),
        ({"recombination": {"efield": 0.5, "priority": 2}, "gain": GAINS}, "gain must stand before"),
        ({"gain": {}}, "one of gain and gain_db"),
        ({"gain": {"gain": 1.0, "gain_db": "x.db"}}, "one of gain and gain_db"),
        ({"stages": [{"name": "gein", "config": GAINS}]}, "no calibration is called 'gein'; did you mean 'gain'"),
        ({"response": {"response_func": "x + y"}}, "of x alone"),
        ({"lifetime": {**LIFE, "lifetime_db_value_keys": ["a"]}}, "columns of a SQLite file"),
        ({"transparency": {}}, "one of transparency_db and transparency_file"),
        ({"field": {"map_file": "a.root", "map_suffixes": ["_E", "_W"]}}, "map_selection_boundaries rise"),
    ],
)
def test_options_that_make_no_sense(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        CalibrationConfig.model_validate(options)


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    cfg = config("lifetime_db", tmp_path)
    with pytest.raises(DataError, match="depends on the run"):
        calibrate(hits("gain"), cfg.stages)
    few = CalibrationConfig.model_validate({"gain": {"gain": [1.0, 2.0]}})
    with pytest.raises(ConfigError, match="one number or one per TPC"):
        calibrate(hits(), few.stages)
    for stage in ({"response": {"response_func": "x"}}, {"smearing": {"scale": 1.0}}):
        with pytest.raises(ConfigError, match=r"no inverse|cannot be undone"):
            calibrate(hits(), CalibrationConfig.model_validate(stage).stages, inverse=True)
    missing = CalibrationConfig.model_validate({"gain": {"gain_db": str(tmp_path / "none.db")}})
    with pytest.raises(ConfigError, match="no such database"):
        calibrate(hits(), missing.stages)
