"""Which labels of simulated particles are valid, and to which interaction each belongs."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from spine.store.larcv.sentinels import INVALID_TRACK, without_any, without_interactions

__all__ = ["ancestor_rows", "interaction_numbers", "labelled"]

Ints = NDArray[np.int64]


def labelled(interaction_id: Ints, ancestor_track_id: Ints, ancestor_process: NDArray[Any]) -> NDArray[np.bool_]:
    """Tell which particles carry truth labels.

    Parameters
    ----------
    interaction_id : (n,) int64
        Interaction numbers of the file, with its sentinels.
    ancestor_track_id : (n,) int64
        Geant4 track numbers of the ancestors, with the sentinel of the file.
    ancestor_process : (n,) object
        Creation processes of the ancestors.

    Returns
    -------
    (n,) bool
        True for particles with an interaction number; when no particle of the event has one, for particles with a
        known ancestor and its creation process.
    """
    numbered = without_interactions(interaction_id) >= 0
    if numbered.any():
        return numbered
    known: NDArray[np.bool_] = without_any(ancestor_track_id, INVALID_TRACK) >= 0
    made: NDArray[np.bool_] = np.asarray(ancestor_process != "", dtype=bool)
    return known & made


def interaction_numbers(interaction_id: Ints, ancestor_position: NDArray[np.float64], valid: NDArray[np.bool_]) -> Ints:
    """Number the interaction of each particle.

    Parameters
    ----------
    interaction_id : (n,) int64
        Interaction numbers of the file, with its sentinels.
    ancestor_position : (n, 3) float64
        Creation points of the ancestors; where the file has no interaction numbers, particles whose ancestors share
        a point share an interaction, numbered in the order of the points.
    valid : (n,) bool
        Particles that carry labels.

    Returns
    -------
    (n,) int64
        Interaction numbers, -1 for particles without labels.
    """
    if (without_interactions(interaction_id) >= 0).any():
        return np.where(valid, interaction_id, -1)
    if len(ancestor_position) == 0:
        return np.empty(0, dtype=np.int64)
    shared = np.unique(ancestor_position, axis=0, return_inverse=True)[1].reshape(-1)
    return np.where(valid, shared, -1)


def ancestor_rows(track_id: Ints, ancestor_track_id: Ints) -> Ints:
    """Find the row of the ancestor of each particle.

    Parameters
    ----------
    track_id, ancestor_track_id : (n,) int64
        Geant4 track numbers, -1 where there is none. Of particles with the same track the last is taken.

    Returns
    -------
    (n,) int64
        Row of the ancestor, -1 when it is not in the list.
    """
    row = {track: i for i, track in enumerate(track_id.tolist()) if track >= 0}
    return np.array([row.get(track, -1) for track in ancestor_track_id.tolist()], dtype=np.int64)
