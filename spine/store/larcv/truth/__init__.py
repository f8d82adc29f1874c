"""Truth labels of simulated particles: pure functions on columns."""

from __future__ import annotations

from spine.store.larcv.truth.labels import TruthLabels, leaders, truth_labels

__all__ = ["TruthLabels", "leaders", "truth_labels"]
