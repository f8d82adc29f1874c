"""Training of the networks: data, loop, validation, snapshots."""

from __future__ import annotations

from spine.train.loop import Outcome, train

__all__ = ["Outcome", "train"]
