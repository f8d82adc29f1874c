"""Columns of the truth particle list, named as SPINE users know them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spine.sim.hits import Hits
from spine.sim.labels import Clusters, Instances
from spine.sim.primaries import Primaries
from spine.sim.species import mass
from spine.sim.transport import Tracks

__all__ = ["ParticleColumns", "group_primary", "interaction_primary", "particle_columns", "particle_species"]

Array = NDArray[np.float64]
Index = NDArray[np.int64]
Flags = NDArray[np.bool_]
#: One entry per particle: arrays, lists of arrays (``children_id``) or lists of names (``*_process``).
ParticleColumns = dict[str, NDArray[np.generic] | list[NDArray[np.int32]] | list[str]]

_SPECIES = {22: 0, 11: 1, -11: 1, 13: 2, -13: 2, 211: 3, -211: 3, 2212: 4, 321: 5, -321: 5}
#: Particles that decay so fast that their children count as primaries: pi0, rho0, eta, eta', Sigma0.
_SHORT_LIVED = (111, 113, 221, 331, 3212)
_LOW_ENERGY = 4


def particle_species(pdg: NDArray[np.integer], group: NDArray[np.integer]) -> Index:
    """Species of what a group begins with: 0 photon, 1 electron, 2 muon, 3 pion, 4 proton, 5 kaon, else -1."""
    return np.array([_SPECIES.get(int(code), -1) for code in pdg[group]], np.int64)


def group_primary(
    group: NDArray[np.integer],
    shape: NDArray[np.integer],
    first_time: NDArray[np.floating],
    visible: Flags,
    label_le: bool = False,
) -> Index:
    """Tell the instance that a group begins with, where that is beyond doubt.

    Parameters
    ----------
    group, shape, first_time, visible : (P,) array
        Row that the group begins with; shape; time of the first deposit (ns); whether there are voxels.
    label_le : bool
        Whether low-energy depositions count.

    Returns
    -------
    (P,) int64
        1 where the beginning of a group is visible and earlier than all its other visible pieces, else 0.
    """
    count = len(group)
    eligible = visible & ((shape < _LOW_ENERGY) | label_le)
    earliest = np.full(count, np.inf)
    np.minimum.at(earliest, group[eligible], first_time[eligible])
    ties = np.zeros(count, np.int64)
    at_start = eligible & (first_time == earliest[group])
    np.add.at(ties, group[at_start], 1)
    leads = at_start & (group == np.arange(count))
    return np.asarray(leads & (ties == 1), np.int64)


def interaction_primary(
    group: NDArray[np.integer],
    track: NDArray[np.integer],
    ancestor: NDArray[np.integer],
    parent_track: NDArray[np.integer],
    parent_pdg: NDArray[np.integer],
) -> Index:
    """Tell instances whose group comes straight from the vertex.

    Parameters
    ----------
    group, track, ancestor, parent_track, parent_pdg : (P,) integer array
        Row that the group begins with; track ids of itself, its ancestor and its parent; PDG code of the parent.

    Returns
    -------
    (P,) int64
        1 when the group begins with a primary, or with the child of a primary that decays at once; else 0.
    """
    fast = np.isin(np.abs(parent_pdg[group]), _SHORT_LIVED) & (parent_track[group] == ancestor[group])
    return np.asarray(fast | (track[group] == ancestor), np.int64)


@dataclass(frozen=True)
class _Steps:
    """First and last deposit of every instance."""

    first: Index
    last: Index
    path: Array


def _steps(hits: Hits, instances: Instances) -> _Steps:
    """Rows of the first and last hit, the latter of the stand-in track where it deposits, and its path."""
    count = np.arange(len(instances.track))
    own = hits.track == instances.track[instances.hit]
    begin = np.lexsort((hits.start_time, instances.hit))
    finish = np.lexsort((hits.end_time, own, instances.hit))
    path = np.bincount(instances.hit[own], hits.length[own], len(count))
    return _Steps(
        first=begin[np.searchsorted(instances.hit[begin], count)],
        last=finish[np.searchsorted(instances.hit[finish], count, side="right") - 1],
        path=np.where(path > 0, path, np.nan),
    )


def _visible_parent(tracks: Tracks, hits: Hits, instances: Instances) -> Index:
    """Row of the nearest ancestor with an instance of its own or a share in one; itself when there is none.

    Parents come before their children in the list, so that chains of parents end.
    """
    home = np.full(len(tracks.pdg), -1, np.int64)
    order = np.lexsort((hits.start_time, hits.track))
    track, first = np.unique(hits.track[order], return_index=True)
    home[track] = instances.hit[order[first]]
    itself = np.arange(len(instances.track))
    home[instances.track] = itself
    parent = tracks.parent[instances.track]
    while True:
        climb = (parent >= 0) & ((home[parent] < 0) | (home[parent] >= itself))
        if not climb.any():
            break
        parent = np.where(climb, tracks.parent[parent], parent)
    return np.where(parent >= 0, home[parent], itself)


def _children(parent: Index) -> list[NDArray[np.int32]]:
    child = np.flatnonzero(parent != np.arange(len(parent)))
    order = np.argsort(parent[child], kind="stable")
    edges = np.searchsorted(parent[child][order], np.arange(1, len(parent)))
    return [c.astype(np.int32) for c in np.split(child[order], edges)][: len(parent)]


def _momentum(pdg: Index, kinetic: Array, direction: Array) -> Array:
    size = np.sqrt(kinetic * (kinetic + 2 * mass(pdg)))
    return np.asarray((size[:, None] * direction), np.float32)


def particle_columns(
    tracks: Tracks, hits: Hits, instances: Instances, clusters: Clusters, primaries: Primaries
) -> ParticleColumns:
    """Fill the particle list.

    Returns
    -------
    ParticleColumns
        One row per instance. Positions in cm, times in ns, energies in MeV (`energy_init` with the rest mass),
        momenta in MeV/c. Primaries, and particles without a visible ancestor, are their own parent.
    """
    rep = instances.track
    parent = _visible_parent(tracks, hits, instances)
    steps = _steps(hits, instances)
    return {
        **_identity(tracks, instances, primaries, parent),
        **_kinematics(tracks, rep),
        **_relatives(tracks, rep),
        **_deposited(hits, instances, clusters, steps),
        **_derived(tracks, instances, clusters, hits.start_time[steps.first]),
        "children_id": _children(parent),
    }


def _identity(tracks: Tracks, instances: Instances, primaries: Primaries, parent: Index) -> ParticleColumns:
    rep = instances.track
    interaction = primaries.interaction[tracks.primary[rep]]
    return {
        "id": np.arange(len(rep), dtype=np.int64),
        "parent_id": parent,
        "group_id": instances.group,
        "interaction_id": interaction,
        "nu_id": primaries.vertex_nu[interaction],
        "mct_index": interaction,
        "mcst_index": np.full(len(rep), -1, np.int64),
        "shape": instances.shape,
        "track_id": rep + 1,
    }


def _kinematics(tracks: Tracks, rep: Index) -> ParticleColumns:
    pdg = tracks.pdg[rep]
    return {
        "pdg_code": pdg,
        "creation_process": tracks.process[rep].tolist(),
        "energy_init": tracks.kinetic[rep] + mass(pdg),
        "t": tracks.time[rep],
        "end_t": tracks.end_time[rep],
        "position": tracks.position[rep].astype(np.float32),
        "end_position": tracks.end_position[rep].astype(np.float32),
        "momentum": _momentum(pdg, tracks.kinetic[rep], tracks.direction[rep]),
        "end_momentum": _momentum(pdg, tracks.end_kinetic[rep], tracks.end_direction[rep]),
    }


def _relatives(tracks: Tracks, rep: Index) -> ParticleColumns:
    up = tracks.parent[rep]
    columns: ParticleColumns = {}
    for name, row in (("parent", np.where(up >= 0, up, rep)), ("ancestor", tracks.primary[rep])):
        columns[f"{name}_track_id"] = row + 1
        columns[f"{name}_pdg_code"] = tracks.pdg[row]
        columns[f"{name}_creation_process"] = tracks.process[row].tolist()
        columns[f"{name}_t"] = tracks.time[row]
        columns[f"{name}_position"] = tracks.position[row].astype(np.float32)
    return columns


def _deposited(hits: Hits, instances: Instances, clusters: Clusters, steps: _Steps) -> ParticleColumns:
    count = len(instances.track)
    return {
        "num_voxels": np.bincount(clusters.instance, minlength=count),
        "energy_deposit": np.bincount(clusters.instance, clusters.energy, count),
        "distance_travel": steps.path,
        "first_step": hits.start[steps.first].astype(np.float32),
        "first_step_t": hits.start_time[steps.first],
        "last_step": hits.end[steps.last].astype(np.float32),
        "last_step_t": hits.end_time[steps.last],
    }


def _derived(tracks: Tracks, instances: Instances, clusters: Clusters, first_time: Array) -> ParticleColumns:
    rep, group = instances.track, instances.group
    up = np.where(tracks.parent[rep] >= 0, tracks.parent[rep], rep)
    visible = np.bincount(clusters.instance, minlength=len(rep)) > 0
    return {
        "pid": particle_species(tracks.pdg[rep], group),
        "group_primary": group_primary(group, instances.shape, first_time, visible),
        "interaction_primary": interaction_primary(group, rep, tracks.primary[rep], up, tracks.pdg[up]),
    }
