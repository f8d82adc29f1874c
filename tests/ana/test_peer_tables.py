"""Diagnostic tables against those of the peer for eight events."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.spatial.distance import cdist

from spine.ana.calib_mcs import CalibMcsConfig, calib_mcs
from spine.ana.flash_match_eval import FlashMatchEvalConfig, flash_match_eval
from spine.ana.graph_edge_length import GraphEdgeLengthConfig, graph_edge_length
from spine.ana.point_completeness import PointCompletenessConfig, point_completeness
from spine.ana.point_eval import PointEvalConfig, point_eval
from spine.ana.shower_start_dedx import ShowerStartDedxConfig, shower_start_dedx
from spine.ana.track_completeness import TrackCompletenessConfig, track_completeness
from spine.schema import Block, Event, Tensor
from spine.steps import Columns, Step, StepConfig
from tests.ana.frozen import dressed_block, frozen_block, peer_text, read, same_as_peer

CASES: list[tuple[Step, StepConfig, str]] = [
    (track_completeness, TrackCompletenessConfig(include_pids=None), ""),
    (
        track_completeness,
        TrackCompletenessConfig(include_pids=(2, 3), length_threshold=None, run_mode="truth", time_window=(0.0, 900.0)),
        "muons_",
    ),
    (point_completeness, PointCompletenessConfig(obj_type=("particle", "interaction"), match_distance=0.4), ""),
]
EDGES = GraphEdgeLengthConfig(obj_type=("interaction",), run_mode="both")


@pytest.mark.parametrize(("step", "cfg", "prefix"), CASES)
def test_diagnostics_equal_the_peer(step: Step, cfg: StepConfig, prefix: str) -> None:
    block = dressed_block()
    tables = step(block, cfg)
    assert step.tables is not None
    assert tuple(tables) == step.tables(cfg)
    for name, table in tables.items():
        same_as_peer(block, table, f"{prefix}{name}")


@pytest.mark.parametrize("side", ["reco", "truth"])
def test_edge_lengths_equal_the_peer(side: str) -> None:
    """Of sinks at one distance, which are many on a grid, the peer takes any."""
    block = dressed_block()
    name = f"graph_edge_length_{side}_interactions"
    table = dict(graph_edge_length(block, EDGES)[name])
    theirs = read(peer_text(name))
    for row in np.flatnonzero(table["sink_id"] != theirs["sink_id"]):
        event = block.events[table["_row"][row]]
        lists = event[f"{side}_particles"]["index"]
        clouds = [event["points"][lists[int(i)]] for i in (table["source_id"][row], theirs["sink_id"][row])]
        assert cdist(*clouds).min() == pytest.approx(table["length"][row], abs=1e-4)
    assert (table["sink_id"] == theirs["sink_id"]).mean() > 0.9
    same_as_peer(block, table | {"sink_id": theirs["sink_id"].to_numpy()}, name)


FLASHES = [f"reco_flash_{name}_{i}" for name in ("ids", "volume_ids") for i in range(2)]


@pytest.mark.parametrize(
    ("cfg", "prefix"),
    [
        (FlashMatchEvalConfig(neutrino_only=False, max_num_flashes=2, extra_reco_attrs=("vertex",)), ""),
        (FlashMatchEvalConfig(time_window=(0.0, 780.0)), "nu_"),
    ],
)
def test_flash_tables_equal_the_peer(cfg: FlashMatchEvalConfig, prefix: str) -> None:
    block = dressed_block()
    for name, table in flash_match_eval(block, cfg).items():
        same_as_peer(block, table, f"{prefix}{name}", tuple(FLASHES))


def test_one_direction_of_flash_tables() -> None:
    block = dressed_block()
    cfg = FlashMatchEvalConfig(match_mode="truth_to_reco", time_window=(0.0, 780.0))
    tables = flash_match_eval(block, cfg)
    assert list(tables) == ["flash_match_eval_truth"]
    same_as_peer(block, tables["flash_match_eval_truth"], "nu_flash_match_eval_truth", tuple(FLASHES))


@pytest.mark.parametrize("prefix", ["scan_", "anchored_"])
def test_shower_starts_equal_the_peer(prefix: str) -> None:
    """The peer writes 0 where there is nothing to measure."""
    anchored = prefix == "anchored_"
    radii = (3.1,) if anchored else (3.1, 10.05)
    cfg = ShowerStartDedxConfig(radius=radii, mode=("default", "direction"), anchor=anchored)
    block = dressed_block()
    for name, table in shower_start_dedx(block, cfg).items():
        columns = dict(table) | {"dedx": _as_peer(table["dedx"], read(peer_text(f"{prefix}{name}"))["dedx"].to_numpy())}
        same_as_peer(block, columns, f"{prefix}{name}")


def _as_peer(mine: np.ndarray[Any, Any], theirs: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    return np.where(np.isnan(mine) & (theirs == 0), 0.0, mine)


@pytest.mark.parametrize(
    ("cfg", "prefix"),
    [
        (CalibMcsConfig(min_ke=100, segment_length=(5, 14)), ""),
        (CalibMcsConfig(min_ke=50, segment_length=(5.0,), segment_method="step", run_mode="reco"), "step_"),
        (
            CalibMcsConfig(
                min_ke=100,
                segment_length=(7.0,),
                segment_method="step_next",
                anchor_point=False,
                angle_method="kahan",
                time_window=(0.0, 900.0),
            ),
            "stepnext_",
        ),
    ],
)
def test_scattering_angles_equal_the_peer(cfg: CalibMcsConfig, prefix: str) -> None:
    block = dressed_block()
    for name, table in calib_mcs(block, cfg).items():
        columns = dict(table)
        if cfg.segment_method == "bin_pca":  # the peer leaves the sense of the direction to chance
            theirs = read(peer_text(f"{prefix}{name}"))
            turned = sum(columns[f"dir_{axis}"] * theirs[f"dir_{axis}"].to_numpy() for axis in "xyz") < 0
            columns |= {f"dir_{axis}": np.where(turned, -1, 1) * columns[f"dir_{axis}"] for axis in "xyz"}
        same_as_peer(block, columns, f"{prefix}{name}", atol=5e-5)


def _points(event: Event) -> Event:
    """The made-up points of interest which the peer was given for the same event."""
    e = event.entry
    n_true, n_found = {3: (0, 4), 8: (5, 0)}.get(e, (6 + e % 4, 9))
    i, j = np.arange(n_true), np.arange(n_found)
    true = (np.sin(np.arange(n_true * 3) * 1.7 + e) * 50 + 60).reshape(-1, 3).astype(np.float32)
    features = np.stack([(i + e) % 4, i, i % 2], axis=1).astype(np.float32)
    found = np.zeros((n_found, 15), dtype=np.float32)
    found[:, 1:4] = (np.cos(np.arange(n_found * 3) * 2.3 + e) * 50 + 60).reshape(-1, 3)
    found[:, 12] = (j * 3 + e) % 3
    found[:, 13:] = np.stack([np.sin(j), np.cos(j)], axis=1)
    products: dict[str, Any] = {name: event[name] for name in ("index", "file_index", "file_entry_index", "run_info")}
    products["ppn_label"] = Tensor(true, features, ("shape", "particle", "endpoint"))
    return Event(products | {"ppn_pred": found}, e)


@pytest.mark.parametrize(("endpoints", "prefix"), [(False, ""), (True, "ends_")])
def test_points_of_interest_equal_the_peer(endpoints: bool, prefix: str) -> None:
    block = Block([_points(event) for event in frozen_block()])
    for name, table in point_eval(block, PointEvalConfig(endpoints=endpoints)).items():
        same_as_peer(block, table, f"{prefix}{name}")


STEPS: list[tuple[Step, StepConfig]] = [
    *((step, cfg) for step, cfg, _ in CASES),
    (graph_edge_length, EDGES),
    (flash_match_eval, FlashMatchEvalConfig()),
    (shower_start_dedx, ShowerStartDedxConfig(radius=(3.0,))),
    (calib_mcs, CalibMcsConfig(min_ke=100, segment_length=(14.0,), run_mode="both")),
]


def _same(first: Columns, second: Columns) -> None:
    assert list(first) == list(second)
    for name, values in first.items():
        if name != "_row":
            np.testing.assert_array_equal(values, second[name], err_msg=name)


@pytest.mark.parametrize(("step", "cfg"), STEPS)
def test_split_blocks_give_the_same_rows(step: Step, cfg: StepConfig) -> None:
    block = dressed_block()
    whole = step(block, cfg)
    parts = [step(Block(block.events[:3]), cfg), step(Block(block.events[3:]), cfg)]
    for name, table in whole.items():
        _same(table, {key: np.concatenate([part[name][key] for part in parts]) for key in table})


@pytest.mark.parametrize(("step", "cfg"), STEPS)
def test_events_without_objects_and_blocks_without_events(step: Step, cfg: StepConfig) -> None:
    full = dressed_block()
    blank = dressed_block().events[0]
    for name in ("reco_particles", "truth_particles", "reco_interactions", "truth_interactions"):
        blank[name] = blank[name][:0]
    for name in ("points", "points_label", "points_g4", "depositions", "depositions_label"):
        blank[name] = blank[name][:0]
    for block in (Block([blank]), Block([blank, blank]), Block([])):
        for (name, table), (_, filled) in zip(step(block, cfg).items(), step(full, cfg).items(), strict=True):
            assert list(table) == list(filled), name
            assert all(len(values) == 0 for values in table.values())
            assert {k: v.dtype.kind for k, v in table.items()} == {k: v.dtype.kind for k, v in filled.items()}


def test_points_of_interest_of_no_events() -> None:
    for name, table in point_eval(Block([]), PointEvalConfig(endpoints=True)).items():
        assert list(table)[:3] == ["_row", "dist", "shape"], name
        assert all(len(values) == 0 for values in table.values())
