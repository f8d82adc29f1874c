"""The truth rules of the field: which voxels make one particle instance, and what shape it has.

Shapes are those of larcv: 0 shower, 1 track, 2 Michel electron, 3 delta ray, 4 low-energy deposition. The rules
follow Domine and Terao, Phys. Rev. D 102 (2020) 012005, and Drielsma et al., Phys. Rev. D 104 (2021) 072004.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spine.sim.components import Components, contact, find_components
from spine.sim.config import LabelConfig
from spine.sim.hits import Hits
from spine.sim.transport import Tracks
from spine.sim.trees import Kind, Trees

__all__ = ["PRECEDENCE", "Clusters", "Instances", "find_instances", "overlay"]

Array = NDArray[np.float64]
Index = NDArray[np.int64]
Flags = NDArray[np.bool_]

SHOWER, TRACK, MICHEL, DELTA, LOW_ENERGY = 0, 1, 2, 3, 4
#: Where instances share a voxel, the first of these shapes wins.
PRECEDENCE = (TRACK, MICHEL, SHOWER, DELTA, LOW_ENERGY)
_MERGED = -1


@dataclass(frozen=True)
class Instances:
    """Particle instances, in the order of their tracks.

    Attributes
    ----------
    track : (P,) int64
        Track that stands for the instance.
    shape : (P,) int64
        Shape.
    group : (P,) int64
        Instance that the shower of this piece begins with; itself for anything else.
    hit : (M,) int64
        Instance of each hit.
    """

    track: Index
    shape: Index
    group: Index
    hit: Index


@dataclass(frozen=True)
class Clusters:
    """Energy of every instance in every voxel, and the one instance that each voxel belongs to.

    Attributes
    ----------
    row, instance, energy : (Q,)
        Rows of voxel and instance, sorted by instance, then voxel; energy (MeV).
    winner : (N,) int64
        Instance that a voxel belongs to.
    """

    row: Index
    instance: Index
    energy: Array
    winner: Index


def find_instances(
    hits: Hits, tracks: Tracks, trees: Trees, cells: tuple[int, int, int], cfg: LabelConfig
) -> Instances:
    """Apply the labelling rules.

    Tracks are instances as they are. The voxels of a shower, Michel electron or delta ray fall into connected
    pieces: the one at the start (of a photon, the earliest of enough voxels) stands for the whole, the others
    become instances of its group, showers when large, low-energy depositions when small. Small pieces that
    touch the track they come from, and delta rays that do not leave it, are part of that track.

    Parameters
    ----------
    hits, tracks, trees
        Pieces of deposits in the image, all tracks, and the tree of each.
    cells : tuple of int
        Size of the image.
    cfg : LabelConfig
        Sizes in voxels that tell large from small.

    Returns
    -------
    Instances
        Only those with at least one voxel.
    """
    parts = find_components(hits, trees, cells)
    main = _main_components(parts, hits, tracks, trees, cfg)
    is_main = main == np.arange(len(main))
    body = _body_of_parent(parts, tracks, trees)
    shape = _shapes(parts, tracks, trees, is_main, body, cfg)
    stand_in = _stand_in(parts, tracks, is_main)
    target = _resolve(parts, shape, stand_in, is_main, body)
    own = np.flatnonzero(target == np.arange(len(target)))
    own = own[np.lexsort((own, stand_in[own]))]
    row = np.zeros(len(target), np.int64)
    row[own] = np.arange(len(own))
    instance = row[target]
    return Instances(
        track=stand_in[own],
        shape=shape[own],
        group=instance[main[own]],
        hit=instance[parts.component[parts.pair]],
    )


def _main_components(parts: Components, hits: Hits, tracks: Tracks, trees: Trees, cfg: LabelConfig) -> Index:
    """The component that stands for the tree of each component."""
    count = len(parts.tree)
    charged_root = (hits.track == trees.root[hits.track]) & (tracks.pdg[hits.track] != 22)
    starts = np.flatnonzero(charged_root)
    order = starts[np.lexsort((hits.start_time[starts], hits.track[starts]))]
    _, first = np.unique(hits.track[order], return_index=True)
    begins = np.zeros(count, bool)
    begins[parts.component[parts.pair[order[first]]]] = True
    small = parts.size < cfg.low_energy_size
    rank = np.lexsort((parts.lead_time, np.where(small, -parts.size, 0), small, ~begins, parts.tree))
    _, first, inverse = np.unique(parts.tree[rank], return_index=True, return_inverse=True)
    main = np.empty(count, np.int64)
    main[rank] = rank[first][inverse]
    return main


def _body_of_parent(parts: Components, tracks: Tracks, trees: Trees) -> Index:
    """Component of the track or nucleus that the tree of each component comes from, -1 for none."""
    home = np.full(len(trees.root) + 1, -1, np.int64)
    solid = np.isin(trees.kind[parts.tree], (Kind.TRACK, Kind.NUCLEUS))
    home[parts.tree[solid]] = np.flatnonzero(solid)
    parent = tracks.parent[parts.tree]
    return home[np.where(parent >= 0, trees.root[parent], -1)]


def _shapes(parts: Components, tracks: Tracks, trees: Trees, is_main: Flags, body: Index, cfg: LabelConfig) -> Index:
    """Shape of each component; -1 for those that are part of the track they come from."""
    touches, beyond = contact(parts, np.where(body >= 0, parts.tree[body], -1))
    kind = trees.kind[parts.tree]
    large = parts.size >= cfg.low_energy_size
    primary = tracks.parent[parts.tree] < 0
    shower = is_main & (kind == Kind.SHOWER)
    delta = is_main & (kind == Kind.DELTA)
    return np.select(
        [
            kind == Kind.TRACK,
            is_main & (kind == Kind.MICHEL),
            delta & (beyond >= cfg.delta_size),
            delta & touches,
            delta & large,
            shower & primary,
            kind == Kind.NEUTRAL,
            large & (kind == Kind.NUCLEUS),
            large,
            touches,
        ],
        [TRACK, MICHEL, DELTA, _MERGED, DELTA, SHOWER, LOW_ENERGY, TRACK, SHOWER, _MERGED],
        LOW_ENERGY,
    ).astype(np.int64)


def _stand_in(parts: Components, tracks: Tracks, is_main: Flags) -> Index:
    """Track that stands for each component: the first of the tree, else the earliest one in the component.

    A pair of electrons from a conversion is represented by its photon.
    """
    photon = np.maximum(tracks.parent[parts.lead], 0)
    converted = (tracks.process[parts.lead] == "conv") & (photon != parts.tree)
    return np.where(is_main, parts.tree, np.where(converted, photon, parts.lead))


def _resolve(parts: Components, shape: Index, stand_in: Index, is_main: Flags, body: Index) -> Index:
    """Component whose instance each component belongs to; components with one stand-in become one."""
    alone = np.flatnonzero(shape != _MERGED)
    order = alone[np.lexsort((alone, -parts.size[alone], ~is_main[alone], stand_in[alone]))]
    _, first, inverse = np.unique(stand_in[order], return_index=True, return_inverse=True)
    target = body.copy()
    target[order] = order[first][inverse]
    while not np.array_equal(target, target[target]):
        target = target[target]
    return target


def overlay(hits: Hits, instances: Instances) -> Clusters:
    """Sum the energy per voxel and instance, and give every voxel to one instance.

    Returns
    -------
    Clusters
        The winner of a voxel is the instance whose shape comes first in `PRECEDENCE`; the last one of equals.
    """
    count = len(hits.voxel)
    key, pair = np.unique(instances.hit * count + hits.row, return_inverse=True)
    instance, row = key // max(count, 1), key % max(count, 1)
    rank = np.argsort(PRECEDENCE)[instances.shape[instance]]
    order = np.lexsort((-instance, rank, row))
    winner = instance[order[np.searchsorted(row[order], np.arange(count))]]
    energy = np.zeros(len(key))
    np.add.at(energy, pair, hits.energy)
    return Clusters(row, instance, energy, winner)
