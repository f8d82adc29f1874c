"""Analysis steps: tables of numbers from the objects of many events at once."""

from __future__ import annotations

__all__ = ["STEPS"]

STEPS: dict[str, str] = {
    "save": "spine.ana.save",
    "cluster_eval": "spine.ana.cluster_eval",
    "segment_eval": "spine.ana.segment_eval",
    "event_summary": "spine.ana.event_summary",
    "point_eval": "spine.ana.point_eval",
    "efficiency": "spine.ana.efficiency",
    "selection": "spine.ana.selection",
    "point_completeness": "spine.ana.point_completeness",
    "track_completeness": "spine.ana.track_completeness",
    "shower_start_dedx": "spine.ana.shower_start_dedx",
    "graph_edge_length": "spine.ana.graph_edge_length",
    "flash_match_eval": "spine.ana.flash_match_eval",
    "calib_mcs": "spine.ana.calib_mcs",
}
"""Module of each analysis step by its name in the configuration."""
