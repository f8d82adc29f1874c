"""Which particles lead their group, which come from the vertex, and of which species they are."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from spine.schema.enums import Shape
from spine.schema.species import pid_of

__all__ = ["SHORT_LIVED", "group_primaries", "interaction_primaries", "leader_species", "seen"]

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

SHORT_LIVED: Final = (111, 113, 221, 331, 3212)
"""PDG codes of parents which decay at the vertex: pi0, rho0, eta, eta', Sigma0."""


def _in_list(group: Ints) -> Bools:
    return (group >= 0) & (group < len(group))


def group_primaries(group: Ints, valid: Bools, eligible: Bools, start: NDArray[np.float64]) -> Ints:
    """Tell which particle of each group is its visible progenitor.

    Parameters
    ----------
    group : (n,) int64
        Row of the leader of the group, -1 for none.
    valid : (n,) bool
        Particles that carry labels.
    eligible : (n,) bool
        Particles that can be seen (they have voxels, and are not of a class that is left out).
    start : (n,) float64
        Time of the first step in ns; a group with a missing time has no primary.

    Returns
    -------
    (n,) int64
        1 for a leader which is eligible and alone the earliest of the eligible particles of its group; -1 where the
        group has no leader or its leader no labels; 0 otherwise.
    """
    leader = np.where(_in_list(group), group, 0)
    known = _in_list(group) & valid[leader]
    members = np.flatnonzero(known & eligible)
    earliest = np.full(len(group), np.inf)
    np.minimum.at(earliest, group[members], np.where(np.isnan(start), -np.inf, start)[members])
    first = members[start[members] == earliest[group[members]]]
    alone = np.bincount(group[first], minlength=len(group)) == 1
    result = np.where(known, 0, -1)
    heads = first[(group[first] == first) & alone[first]]
    result[heads] = 1
    return result


def interaction_primaries(
    group: Ints, valid: Bools, track: Ints, parent_track: Ints, ancestor_track: Ints, parent_pdg: Ints
) -> Ints:
    """Tell which particles were made at the vertex of their interaction.

    Parameters
    ----------
    group : (n,) int64
        Row of the leader of the group, -1 for none.
    valid : (n,) bool
        Particles that carry labels.
    track, parent_track, ancestor_track : (n,) int64
        Geant4 track numbers of the particle, its parent and its ancestor.
    parent_pdg : (n,) int64
        PDG code of the parent.

    Returns
    -------
    (n,) int64
        1 when the leader of the group is the ancestor, or comes from a short-lived ancestor; 0 when not; -1 for
        particles without labels or without a leader in the list.
    """
    known = _in_list(group) & valid
    leader = np.where(known, group, 0)
    decay = np.isin(np.abs(parent_pdg), SHORT_LIVED) & (parent_track == ancestor_track)
    primary = decay[leader] | (track[leader] == ancestor_track)
    return np.where(known, primary.astype(np.int64), -1)


def leader_species(group: Ints, valid: Bools, pdg: Ints) -> Ints:
    """Species of the leader of the group of each particle.

    Parameters
    ----------
    group : (n,) int64
        Row of the leader of the group, -1 for none.
    valid : (n,) bool
        Particles that carry labels.
    pdg : (n,) int64
        PDG codes.

    Returns
    -------
    (n,) int64
        Species (`spine.schema.Pid`), -1 for other codes and for particles without labels or leader.
    """
    known = _in_list(group) & valid
    return np.where(known, pid_of(pdg)[np.where(known, group, 0)], -1)


def seen(shape: Ints, visible: Bools, low_energy: bool) -> Bools:
    """(n,) visible particles of the classes that can lead a group; ``low_energy`` keeps all classes."""
    return visible if low_energy else visible & (shape < Shape.LOWE)
