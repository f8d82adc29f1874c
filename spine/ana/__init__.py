"""Analysis steps: tables of numbers from the objects of many events at once."""

from __future__ import annotations

__all__ = ["STEPS"]

STEPS: dict[str, str] = {
    "save": "spine.ana.save",
    "cluster_eval": "spine.ana.cluster_eval",
    "segment_eval": "spine.ana.segment_eval",
    "event_summary": "spine.ana.event_summary",
}
"""Module of each analysis step by its name in the configuration."""
