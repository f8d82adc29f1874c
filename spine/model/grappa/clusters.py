"""The clusters of one event that a graph network works on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from spine.errors import DataError
from spine.ops.arrays import BoolArray, IntArray, NumberArray, RealArray
from spine.ops.segments import check_offsets
from spine.schema import Ragged

__all__ = ["Clusters"]


@dataclass(frozen=True)
class Clusters:
    """Clusters of voxels, one after the other.

    Parameters
    ----------
    points : (N, 3) float32
        Voxels, in voxel units.
    offsets : (n + 1,) int64
        Where each cluster starts.
    values : (N,) float32
        Charge of the voxels.
    shapes : (n,) int64
        Semantic class of each cluster.
    ends : (n, 6) float32, optional
        Start and end point of each cluster, in voxel units.
    groups : (n,) int64, optional
        Groups between which there are no edges.
    primaries : (n,) bool, optional
        Which clusters come from the vertex; for bipartite graphs.
    """

    points: RealArray
    offsets: IntArray
    values: RealArray
    shapes: IntArray
    ends: RealArray | None = None
    groups: IntArray | None = None
    primaries: BoolArray | None = None

    def __post_init__(self) -> None:
        check_offsets(self.offsets, len(self.points))
        for name in ("shapes", "ends", "groups", "primaries"):
            column = getattr(self, name)
            if column is not None and len(column) != len(self):
                raise DataError(f"{name} of the clusters do not match them", got=len(column), expected=len(self))

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @classmethod
    def select(
        cls,
        coords: NumberArray,
        values: NumberArray,
        clusts: Ragged,
        shapes: NumberArray,
        ends: NumberArray | None = None,
    ) -> Clusters:
        """Clusters of an image.

        Parameters
        ----------
        coords : (N, 3) int or float
            Voxels of the image.
        values : (N,) float
            Their charge.
        clusts : Ragged of int
            Rows of the image in each cluster.
        shapes : (n,) int
            Semantic classes.
        ends : (n, 6) float, optional
            Start and end points.
        """
        rows = clusts.values
        points = np.ascontiguousarray(np.asarray(coords)[rows], dtype=np.float32).reshape(-1, 3)
        found = None if ends is None else np.asarray(ends, dtype=np.float32)
        charge = np.asarray(values)[rows].astype(np.float32)
        return cls(points, clusts.offsets, charge, np.asarray(shapes, dtype=np.int64), found)
