from __future__ import annotations

import importlib
from typing import Any

import pytest

from spine.ana import STEPS
from spine.steps import Step

OPTIONS: dict[str, dict[str, Any]] = {
    "save": {"obj_type": ["fragment", "particle", "interaction"]},
    "cluster_eval": {"obj_type": "particle"},
    "selection": {"selections": {"a": {"cuts": {"all": "size > 0"}}}},
    "shower_start_dedx": {"radius": 3.0},
    "calib_mcs": {"min_ke": 600, "segment_length": [5, 14]},
}
TABLES = {
    "save": [f"save_{side}_{kind}s" for kind in ("fragment", "particle", "interaction") for side in ("reco", "truth")],
    "segment_eval": ["segment_eval_summary"],
    "point_eval": ["point_eval_truth_to_reco", "point_eval_reco_to_truth"],
    "calib_mcs": ["calib_mcs_truth_mcs_sl5.0", "calib_mcs_truth_mcs_sl14.0"],
    "graph_edge_length": ["graph_edge_length_truth_particles", "graph_edge_length_truth_interactions"],
    "selection": ["selection_a", "selection_a_cut_flow"],
}


@pytest.mark.parametrize("name", STEPS)
def test_each_step_is_where_it_is_said_to_be(name: str) -> None:
    step = getattr(importlib.import_module(STEPS[name]), name)
    assert isinstance(step, Step)
    assert (step.name, step.module, step.per) == (name, STEPS[name], "block")
    assert step.doc
    assert all(field.description for field in step.config.model_fields.values())
    assert step.tables is not None
    tables = step.tables(step.config.model_validate(OPTIONS.get(name, {})))
    assert list(tables) == TABLES.get(name, list(tables))
    assert all(table.startswith(name) for table in tables)
