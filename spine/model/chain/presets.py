"""Stages for the usual cases without networks."""

from __future__ import annotations

from spine.model.chain.plan import Stage

__all__ = ["DATA_STAGES", "LABEL_DBSCAN_STAGES", "LABEL_STAGES"]

LABEL_STAGES = (
    Stage("segmentation", config={"mode": "label"}),
    Stage("fragmentation", config={"mode": "label"}),
    Stage("particle_aggregation", config={"particle_aggregation": "label"}),
    Stage("interaction_aggregation", config={"mode": "label"}),
)
"""Truth everywhere: what perfect networks would give."""

LABEL_DBSCAN_STAGES = (
    LABEL_STAGES[0],
    Stage("fragmentation", config={"mode": "dbscan", "dbscan": {"use_label_break_points": True}}),
    *LABEL_STAGES[2:],
)
"""Truth everywhere but in fragments, which are density clusters broken at true points."""

DATA_STAGES = (
    Stage("segmentation", config={"mode": "geometric"}),
    Stage("fragmentation", config={"mode": "dbscan", "dbscan": {"break_linearity": 0.7}}),
    Stage("particle_aggregation", config={"shower_aggregation": "geometric", "track_aggregation": "geometric"}),
    Stage("interaction_aggregation", config={"mode": "geometric"}),
)
"""No truth and no networks: a fallback for data."""
