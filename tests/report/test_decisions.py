"""Points of interest and yes-or-no questions, from tables written by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from spine.report.decisions import decisions
from spine.report.options import ReportOptions
from spine.report.proposals import proposals
from spine.report.tables import Tables


def points(distances: list[float], shapes: list[int], same: list[float]) -> pd.DataFrame:
    frame = pd.DataFrame({"index": 0, "dist": distances, "shape": shapes, "closest_shape": 0})
    for shape in range(4):
        frame[f"dist_{shape}"] = np.where(frame["shape"] == shape, same, -1.0)
    return frame


def test_points_count_as_found_when_near(tmp_path: Path) -> None:
    truth = points([0.5, 5.0, 5.1, -1.0], [0, 1, 1, 1], [0.5, 9.0, -1.0, -1.0])
    truth.to_csv(tmp_path / "point_eval_truth_to_reco.csv", index=False)
    points([2.0, 8.0], [1, 1], [2.0, 8.0]).to_csv(tmp_path / "point_eval_reco_to_truth.csv", index=False)
    section = proposals(Tables(tmp_path), ReportOptions())
    numbers = {name: metric.value for name, metric in section.metrics.items()}
    assert numbers["found"] == 0.5
    assert numbers["found_shower"] == 1.0
    assert numbers["found_track"] == pytest.approx(1 / 3)
    assert numbers["found_track_same_class"] == 0.0
    assert numbers["right"] == 0.5
    assert np.isnan(numbers["found_delta"])
    assert numbers["truth_to_reco_distance_median"] == pytest.approx(5.0)
    assert len(section.figures) == 1


def test_without_points_the_section_says_so(tmp_path: Path) -> None:
    section = proposals(Tables(tmp_path), ReportOptions())
    assert not section.metrics
    assert not section.figures
    assert len(section.missing) == 2


def test_primaries_and_species_of_what_was_found(tmp_path: Path) -> None:
    pd.DataFrame({
        "index": 0,
        "truth_is_primary": [True, True, False, False, True],
        "reco_is_primary": [True, False, False, True, True],
        "truth_shape": [1, 1, 1, 0, 1],
        "truth_pid": [2, 4, 2, 0, 2],
        "reco_pid": [2, 2, 2, 0, 4],
        "truth_size": [100, 30, 29, 50, 400],
        "match_overlap": [0.9, 0.5, 0.7, 0.8, 0.4],
    }).to_csv(tmp_path / "save_truth_particles.csv", index=False)  # fmt: skip
    section = decisions(Tables(tmp_path), ReportOptions())
    numbers = {name: (metric.value, metric.n) for name, metric in section.metrics.items()}
    assert numbers["particle_primary_accuracy"] == (0.5, 4)
    assert numbers["particle_primary_efficiency"] == (0.5, 2)
    assert numbers["particle_primary_purity"] == (0.5, 2)
    assert numbers["pid_long_tracks"] == (0.5, 2)
    assert numbers["pid_showers"] == (1.0, 1)
    assert "save_truth_fragments" in section.missing[0]
