"""Charge of voxels made of hits on three planes of wires, after ghosts have been taken out."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from spine.errors import DataError
from spine.ops.arrays import BoolArray, FloatArray, IntArray
from spine.schema import Event, Tensor

__all__ = ["Hits", "hits_of", "shared_charge"]

PLANES = 3
COLLECTION = 2
"""Plane on which charge is collected."""


class Hits(NamedTuple):
    """The hit on each plane of which a voxel is made.

    Parameters
    ----------
    charge : (N, 3) float
        Charge of the hits.
    ids : (N, 3) int64
        Number of each hit, the same for all voxels made of it; negative where the plane has none.
    """

    charge: NDArray[Any]
    ids: IntArray

    @property
    def present(self) -> BoolArray:
        """(N, 3) whether the plane has a hit."""
        return np.asarray(self.ids >= 0)

    def uses(self) -> IntArray:
        """(N, 3) number of voxels made of each hit, 0 where there is none."""
        _, inverse, counts = np.unique(self.ids, return_inverse=True, return_counts=True)
        return np.where(self.present, counts[inverse].reshape(self.ids.shape), 0).astype(np.int64)


def hits_of(image: Tensor, event: Event) -> Hits:
    """Hits of an image whose last six features are the charges of three hits and their numbers.

    Raises
    ------
    DataError
        When it has fewer features.
    """
    if image.features.shape[1] <= 2 * PLANES:
        raise DataError(
            "charge is shared among the voxels of a hit, and the image does not tell their hits",
            where=event.label, got=f"{image.features.shape[1]} features per voxel",
            expected="seven or more: value, ..., charges of three hits, their numbers",
            mend="parse 'data' from a sparse_event_list with the hits at its end, or set charge_rescaling: null",
        )  # fmt: skip
    return Hits(image.features[:, -2 * PLANES : -PLANES], image.features[:, -PLANES:].astype(np.int64))


def shared_charge(hits: Hits, collection_only: bool = False) -> FloatArray:
    """Charge of voxels, that of each hit shared evenly among the voxels made of it.

    Parameters
    ----------
    hits : Hits
        Hits of the voxels that are left.
    collection_only : bool
        Take the collection plane alone where it has a hit; else the mean of the planes that have one.

    Returns
    -------
    (N,) float64
        0 for a voxel without hits.
    """
    present = hits.present
    shares = np.where(present, hits.charge / np.maximum(hits.uses(), 1), 0.0)
    mean: FloatArray = shares.sum(axis=1) / np.maximum(present.sum(axis=1), 1)
    if not collection_only:
        return mean
    return np.where(present[:, COLLECTION], shares[:, COLLECTION], mean)
