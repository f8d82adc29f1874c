"""Vertices of interactions: SPINE's answers on frozen proposals."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from spine.errors import ConfigError
from spine.model.chain import Stage, compose
from spine.schema import Event, Ragged, Tensor, row_of

FROZEN = np.load(Path(__file__).parent / "data" / "vertexing.npz")
AVAILABLE = ("vertex_points", "particle_clusts", "particle_group_pred", "particle_node_vertex_pred",
             "particle_start_points", "particle_end_points")  # fmt: skip
PPN: dict[str, dict[str, Any]] = {
    "default": {},
    "mean": {"score_threshold": 0.3, "pool_radius": 2.5, "pool_score_fn": "mean"},
    "sure": {"score_threshold": 0.9999},
}
GRAPPA: dict[str, dict[str, Any]] = {
    "plain": {},
    "anchor": {"use_anchor_points": True},
    "share": {"normalize_positions": True},
    "both": {"normalize_positions": True, "use_anchor_points": True},
}


def frozen_event(rows: Any = slice(None), scale: float = 1.0) -> Event:
    """The frozen case with its voxels in the given order, and raw positions of particles scaled."""
    coords, part = FROZEN["coords"][rows].astype(np.int32), FROZEN["part"][rows].astype(np.int64)
    raw = FROZEN["pred"].copy()
    raw[:, 2:] *= np.float32(scale)
    return Event({
        "data": Tensor(coords, np.ones((len(coords), 1), dtype=np.float32)),
        "vertex_points": FROZEN["raw"][rows],
        "particle_clusts": Ragged.by_label(part, 9),
        "particle_group_pred": FROZEN["group"].astype(np.int64),
        "particle_node_vertex_pred": raw,
        "particle_start_points": FROZEN["start"],
        "particle_end_points": FROZEN["end"],
        "meta": row_of("meta", count=np.array([100, 100, 200])),
    })  # fmt: skip


def vertices(event: Event, mode: str, options: dict[str, Any]) -> Any:
    compose([Stage("interaction_vertexing", config={"mode": mode, **options})], inputs=AVAILABLE).run(event)
    return np.column_stack([event["interaction_vertices"], event["interaction_vertex_scores"]])


@pytest.mark.parametrize("name", PPN)
def test_vertices_from_proposals_at_voxels(name: str) -> None:
    found = vertices(frozen_event(), "ppn", PPN[name])
    np.testing.assert_allclose(found, FROZEN[f"ppn/{name}"], rtol=1e-5, atol=1e-5)
    rows = np.random.default_rng(3).permutation(len(FROZEN["coords"]))
    assert np.array_equal(vertices(frozen_event(rows), "ppn", PPN[name]), found)


@pytest.mark.parametrize("name", GRAPPA)
def test_vertices_from_particles(name: str) -> None:
    event = frozen_event(scale=0.01 if "normalize_positions" in GRAPPA[name] else 1.0)
    found = vertices(event, "grappa", GRAPPA[name])
    np.testing.assert_allclose(found, FROZEN[f"grappa/{name}"], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("mode", ["ppn", "grappa"])
def test_particles_without_an_interaction_and_events_without_particles(mode: str) -> None:
    event = frozen_event()
    event["particle_group_pred"] = np.where(FROZEN["group"] == 7, -1, FROZEN["group"]).astype(np.int64)
    name = "ppn/default" if mode == "ppn" else "grappa/plain"
    expected = FROZEN[name][[0, 1, 3]]
    np.testing.assert_allclose(vertices(event, mode, {}), expected, rtol=1e-4, atol=1e-4)
    nothing = np.empty(0, dtype=np.int64)
    event = frozen_event(nothing)
    event["particle_clusts"], event["particle_group_pred"] = Ragged.by_label(nothing, 0), nothing
    event["particle_node_vertex_pred"] = np.empty((0, 5), dtype=np.float32)
    assert vertices(event, mode, {}).shape == (0, 4)


def test_vertices_need_proposals() -> None:
    with pytest.raises(ConfigError, match="needs 'vertex_points', which no earlier stage makes"):
        compose([Stage("interaction_vertexing", config={"mode": "ppn"})], inputs=("particle_clusts",))
    with pytest.raises(ConfigError, match="normalize_positions: unknown key"):
        compose([Stage("interaction_vertexing", config={"mode": "ppn", "normalize_positions": True})])
