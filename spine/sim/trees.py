"""Group Geant4 tracks into trees: a track on its own, or a shower with all its secondaries."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from spine.sim.species import is_charged, is_electromagnetic, is_nucleus
from spine.sim.transport import Tracks

__all__ = ["Kind", "Trees", "grow_trees"]

Index = NDArray[np.int64]


class Kind(IntEnum):
    """What a tree is."""

    TRACK = 0
    NUCLEUS = 1
    NEUTRAL = 2
    SHOWER = 3
    DELTA = 4
    MICHEL = 5


@dataclass(frozen=True)
class Trees:
    """The tree of every track.

    Attributes
    ----------
    root : (T,) int64
        Row of the track that the tree begins with.
    kind : (T,) int64
        `Kind` of the tree.
    """

    root: Index
    kind: Index


def grow_trees(tracks: Tracks, michel_energy: float) -> Trees:
    """Assign every track to a tree.

    Photons, electrons and positrons from others of their like belong to the tree of their parent; every other
    track begins a tree. Ionisation electrons of charged particles begin delta rays; electrons of muon decay
    begin Michel electrons (those of a bound mu- come from the capture process in Geant4).

    Parameters
    ----------
    tracks : Tracks
        All tracks of an event.
    michel_energy : float
        Least kinetic energy of a Michel electron (MeV).

    Returns
    -------
    Trees
        One entry per track.
    """
    shower_like = is_electromagnetic(tracks.pdg)
    parent = np.maximum(tracks.parent, 0)
    has_parent = tracks.parent >= 0
    inner = shower_like & has_parent & shower_like[parent]
    root = np.where(inner, parent, np.arange(len(parent)))
    while not np.array_equal(root, root[root]):
        root = root[root]
    electron = np.abs(tracks.pdg) == 11
    ionised = np.isin(tracks.process, ("muIoni", "hIoni", "ionIoni"))
    decayed = np.isin(tracks.process, ("Decay", "muMinusCaptureAtRest"))
    from_muon = has_parent & (np.abs(tracks.pdg[parent]) == 13)
    kind = np.select(
        [
            electron & decayed & from_muon & (tracks.kinetic >= michel_energy),
            electron & ionised & has_parent,
            shower_like,
            is_nucleus(tracks.pdg),
            ~is_charged(tracks.pdg),
        ],
        [Kind.MICHEL, Kind.DELTA, Kind.SHOWER, Kind.NUCLEUS, Kind.NEUTRAL],
        Kind.TRACK,
    ).astype(np.int64)
    return Trees(root, kind[root])
