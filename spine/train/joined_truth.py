"""Truth of the nodes of several events, from parts that remember what they have worked out."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from spine.model.grappa.truth import GraphTruth, Overlap
from spine.ops.arrays import NumberArray

__all__ = ["JoinedTruth"]


class JoinedTruth(GraphTruth):
    """Truth of several events.

    Parameters
    ----------
    parts : sequence of GraphTruth
        Truth of each event; labels and matches of nodes are worked out once for each and stay there.
    """

    def __init__(self, parts: Sequence[GraphTruth]) -> None:
        super().__init__([e for part in parts for e in part.events], [c for part in parts for c in part.clusts])
        self.parts = tuple(parts)

    def label(self, name: str) -> NumberArray:
        """(C,) or (C, k) label of most voxels of each node."""
        return np.concatenate([part.label(name) for part in self.parts])

    def overlap(self, name: str) -> Overlap:
        """Match of each node with the instances of a label."""
        columns = zip(*(part.overlap(name) for part in self.parts), strict=True)
        return Overlap(*(np.concatenate(column) for column in columns))
