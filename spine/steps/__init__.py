"""Steps of build, post and ana: declaration, lookup and order."""

from __future__ import annotations

from spine.steps.order import ordered
from spine.steps.step import Columns, Step, StepConfig, step

__all__ = ["Columns", "Step", "StepConfig", "ordered", "step"]
