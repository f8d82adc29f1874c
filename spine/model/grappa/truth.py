"""What the truth says about the nodes of graphs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

import numpy as np

from spine.errors import DataError
from spine.model.chain.rows import cluster_truth, image_of, rows_of
from spine.ops.arrays import BoolArray, FloatArray, IntArray, NumberArray
from spine.ops.segments import offsets_to_owners
from spine.schema import Event, Ragged, Tensor

__all__ = ["EventTruth", "GraphTruth", "Overlap", "cluster_majority", "match_clusters"]

ALIASES = {"clust": "cluster", "part": "particle", "inter": "interaction", "inter_primary": "interaction_primary"}


def cluster_majority(values: NumberArray, clusts: Ragged) -> NumberArray:
    """Most frequent value of each list of rows, the smallest among equally frequent ones.

    Parameters
    ----------
    values : (N,) or (N, k) array
        Value of each row; columns are looked at one by one.
    clusts : Ragged of int
        Lists of rows, none of which is empty.

    Returns
    -------
    (n,) or (n, k) array
        In the type of the values.
    """
    if values.ndim > 1:
        return np.stack([cluster_majority(column, clusts) for column in values.T], axis=1)
    result = np.full(len(clusts), -1, dtype=values.dtype)
    found, inverse = np.unique(values, return_inverse=True)
    pairs, counts = np.unique(clusts.rows * max(len(found), 1) + inverse[clusts.values], return_counts=True)
    owners, numbers = np.divmod(pairs, max(len(found), 1))
    order = np.lexsort((-numbers, counts, owners))
    result[owners[order]] = found[numbers[order]]
    return result


@dataclass(frozen=True)
class EventTruth:
    """Truth of an event at the voxels of its image.

    Parameters
    ----------
    coords : (N, 3) float
        Voxels of the image.
    rows : (N,) int64
        Row of each voxel in the true clusters, -1 where there is none.
    clusters : Tensor
        True clusters with their table of particles (``clust_label``).
    starts, ends : (P, 3) float
        Ends of true particles, in voxels.
    times : (P,) float
        When they were made.
    relations : (R, 2) int64
        True particles that descend from each other, parent first.
    contains : callable, optional
        Which of (n, 3) positions in voxels lie in the detector.
    size : (3,) float, optional
        Number of voxels along each axis of the image.
    """

    coords: NumberArray
    rows: IntArray
    clusters: Tensor
    starts: NumberArray = field(default_factory=lambda: np.empty((0, 3)))
    ends: NumberArray = field(default_factory=lambda: np.empty((0, 3)))
    times: NumberArray = field(default_factory=lambda: np.empty(0))
    relations: IntArray = field(default_factory=lambda: np.empty((0, 2), dtype=np.int64))
    contains: Callable[[NumberArray], BoolArray] | None = None
    size: NumberArray | None = None

    @classmethod
    def of(cls, event: Event, contains: Callable[[NumberArray], BoolArray] | None = None) -> EventTruth:
        """Truth of an event; the ends and relations of particles as far as it has them."""
        truth = cluster_truth(event)
        image = image_of(event).coords
        ends = event["coord_label"] if "coord_label" in event else None
        relations = event["graph_label"] if "graph_label" in event else np.empty((0, 2))
        return cls(
            image,
            rows_of(truth.coords, image),
            truth,
            np.empty((0, 3)) if ends is None else ends.coords[:, :3],
            np.empty((0, 3)) if ends is None else ends.coords[:, 3:],
            np.empty(0) if ends is None else ends.feature("time"),
            np.asarray(relations, dtype=np.int64).reshape(-1, 2),
            contains,
            np.asarray(event["meta"].count) if "meta" in event else None,
        )

    def label(self, name: str) -> NumberArray:
        """(N,) or (N, k) label of each voxel, -1 where it has none.

        Raises
        ------
        DataError, SchemaError
            When there is no such label.
        """
        name = ALIASES.get(name, name)
        table = self.clusters.particles
        if name in self.clusters.names:
            values = self.clusters.feature(name)
        elif table is not None:
            values = self._of_particle(np.asarray(table[name]))
        else:
            raise DataError("the true clusters have no such label", got=name, expected=self.clusters.names)
        result = np.full((len(self.rows), *values.shape[1:]), -1, dtype=values.dtype)
        result[self.rows >= 0] = values[self.rows[self.rows >= 0]]
        return result

    def _of_particle(self, column: NumberArray) -> NumberArray:
        particles = self.clusters.feature("particle_index").astype(np.int64)
        known = (particles >= 0) & (particles < len(column))
        values = np.full((len(particles), *column.shape[1:]), -1, dtype=column.dtype)
        values[known] = column[particles[known]]
        return values

    def particle_rows(self, ids: IntArray) -> IntArray:
        """(n,) first row of the table of particles with each number, -1 where it has no end points."""
        table = self.clusters.particles
        numbers = np.empty(0, dtype=np.int64) if table is None else np.asarray(table["particle"], dtype=np.int64)
        unique, first = np.unique(numbers, return_index=True)
        place = np.searchsorted(unique, ids)
        found = np.full(len(ids), -1, dtype=np.int64)
        inside = place < len(unique)
        inside[inside] = unique[place[inside]] == np.asarray(ids)[inside]
        found[inside] = first[place[inside]]
        found[found >= len(self.starts)] = -1
        return found


class Overlap(NamedTuple):
    """True instance with most voxels of each cluster (-1 for none), and how well the two agree."""

    matches: IntArray
    iou: FloatArray
    purity: FloatArray
    efficiency: FloatArray


def match_clusters(labels: IntArray, clusts: Ragged) -> Overlap:
    """Match clusters with true instances.

    Parameters
    ----------
    labels : (N,) int64
        True instance of each row, negative for none.
    clusts : Ragged of int
        Rows of each cluster.

    Returns
    -------
    Overlap
        (n,) columns; of equally large overlaps the lowest instance, 0 for clusters without one.
    """
    n, width = len(clusts), int(labels.max(initial=-1)) + 1
    owned = labels[clusts.values]
    pairs, counts = np.unique((clusts.rows * width + owned)[owned >= 0], return_counts=True)
    owners, found = np.divmod(pairs, max(width, 1))
    order = np.lexsort((-found, counts, owners))
    matches, shared = np.full(n, -1, dtype=np.int64), np.zeros(n)
    matches[owners[order]], shared[owners[order]] = found[order], counts[order]
    sizes = np.bincount(labels[labels >= 0], minlength=max(width, 1))[matches] * (matches >= 0)
    union = clusts.lengths + sizes - shared
    columns = [shared / np.maximum(total, 1) for total in (union, clusts.lengths, sizes)]
    return Overlap(matches, *columns)


class GraphTruth:
    """Truth of the nodes of the graphs of some events.

    Parameters
    ----------
    events : sequence of EventTruth
        Truth of each event.
    clusts : sequence of Ragged
        Nodes of each event, as rows of its image.
    """

    def __init__(self, events: Sequence[EventTruth], clusts: Sequence[Ragged]) -> None:
        self.events, self.clusts = tuple(events), tuple(clusts)
        self._labels: dict[str, NumberArray] = {}
        self._overlaps: dict[str, Overlap] = {}

    @cached_property
    def owners(self) -> IntArray:
        """(C,) event of each node."""
        return np.repeat(np.arange(len(self.clusts)), [len(one) for one in self.clusts])

    def label(self, name: str) -> NumberArray:
        """(C,) or (C, k) label of most voxels of each node, see `cluster_majority`."""
        if name not in self._labels:
            parts = zip(self.events, self.clusts, strict=True)
            self._labels[name] = np.concatenate([cluster_majority(e.label(name), c) for e, c in parts])
        return self._labels[name]

    def integers(self, name: str) -> IntArray:
        """(C,) label of most voxels as integers."""
        return self.label(name).astype(np.int64)

    def overlap(self, name: str) -> Overlap:
        """Match of each node with the instances of a label."""
        if name not in self._overlaps:
            parts = zip(self.events, self.clusts, strict=True)
            found = [match_clusters(e.label(name).astype(np.int64), c) for e, c in parts]
            self._overlaps[name] = Overlap(*(np.concatenate(column) for column in zip(*found, strict=True)))
        return self._overlaps[name]

    def instances(self, ids: IntArray) -> IntArray:
        """(C,) numbers that are equal where event and id are; negative ids count as an id like any other."""
        _, numbers = np.unique(np.stack([self.owners, ids]), axis=1, return_inverse=True)
        return numbers.reshape(-1).astype(np.int64)

    def nearest_to_start(self, chosen: BoolArray) -> tuple[IntArray, IntArray]:
        """The node of each true group that is nearest to the start of the particle that gives the group its number.

        Parameters
        ----------
        chosen : (C,) bool
            Nodes to look at.

        Returns
        -------
        nodes : (m,) int64
            Chosen nodes whose group has a known start.
        winners : (m,) int64
            For each of them, the nearest node of its group, the first among equals.
        """
        groups = self.integers("group")
        gap = self._start_distances(groups)
        nodes = np.flatnonzero(chosen & np.isfinite(gap))
        numbers = self.instances(groups)[nodes]
        order = np.lexsort((nodes, gap[nodes], numbers))
        _, first = np.unique(numbers[order], return_index=True)
        _, inverse = np.unique(numbers, return_inverse=True)
        return nodes, nodes[order][first][inverse]

    def _start_distances(self, groups: IntArray) -> FloatArray:
        """(C,) distance of each node from the start of its group, infinite where that is not known."""
        gaps, node = np.full(len(groups), np.inf), 0
        for event, clusts in zip(self.events, self.clusts, strict=True):
            rows = event.particle_rows(groups[node : node + len(clusts)])
            owners = offsets_to_owners(clusts.offsets)
            known = rows[owners] >= 0
            rays = event.coords[clusts.values[known]] - event.starts[rows[owners[known]]]
            np.minimum.at(gaps, node + owners[known], np.linalg.norm(rays.astype(np.float64), axis=1))
            node += len(clusts)
        return gaps
