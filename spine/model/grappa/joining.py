"""Union of groups along sorted edges, with the sum of the weights between each two groups kept up to date.

A hash table holds the sum for each pair of groups with edges between them. When one group joins another, the
entries of the one with fewer edges are added to those of the other, so that each edge is touched O(log E) times.
"""

from __future__ import annotations

import numba
import numpy as np

from spine.ops.arrays import BoolArray, FloatArray, IntArray

__all__ = ["join_groups"]

CODE, STAMP = 0, 1
HEAD, TAIL, SIZE, PARENT, JOINS, TRACK, ATTACHED = range(7)
FACTOR = 11400714819323
"""Spreads codes over the table."""


def join_groups(ordered: IntArray, codes: IntArray, totals: FloatArray, count: int, tracks: BoolArray) -> IntArray:
    """Join groups along edges, where the weights between two groups add up to more than 0.

    Parameters
    ----------
    ordered : (E, 2) int64
        Edges, in the order in which they are tried.
    codes : (P,) int64
        Pairs of different nodes with edges between them, ``low * count + high``, each once.
    totals : (P,) float64
        Sum of the weights of each pair.
    count : int
        Number of nodes.
    tracks : (count,) or (0,) bool
        Which nodes are tracks; a node that is none is connected with one at most.

    Returns
    -------
    (count,) int64
        A number that the nodes of a group have in common.
    """
    columns = nodes_of(codes, count, tracks)
    size = 1 << max(4, (4 * len(codes)).bit_length())
    while True:
        nodes, entries = columns[0].copy(), columns[1].copy()
        if _join(ordered, *hash_table(codes, totals, size), nodes, entries, len(codes)):
            return union_of(nodes[PARENT])
        size *= 2


def union_of(parents: IntArray) -> IntArray:
    """Root of each node of a forest."""
    while True:
        further = parents[parents]
        if np.array_equal(further, parents):
            return parents
        parents = further


def hash_table(codes: IntArray, totals: FloatArray, size: int) -> tuple[IntArray, FloatArray]:
    """(2, size) int64 codes and stamps, -1 where there are none, and (size,) float64 sums; ``size`` is a power of two.

    A code stands at the first free place from that of `_slot` onwards.
    """
    table, sums = np.full((2, size), -1, dtype=np.int64), np.zeros(size)
    with np.errstate(over="ignore"):
        places = ((codes * FACTOR) ^ (codes >> 15)) & (size - 1)
    waiting = np.arange(len(codes))
    while len(waiting):
        here = places[waiting]
        free = table[CODE, here] == -1
        table[CODE, here[free]] = codes[waiting[free]]
        placed = table[CODE, here] == codes[waiting]
        sums[here[placed]] = totals[waiting[placed]]
        waiting = waiting[~placed]
        places[waiting] = (places[waiting] + 1) & (size - 1)
    return table, sums


def nodes_of(codes: IntArray, count: int, tracks: BoolArray) -> tuple[IntArray, IntArray]:
    """Columns of nodes and the linked lists of their neighbours.

    Returns
    -------
    (7, count) int64
        First and last entry of the list, its length, parent in the forest, number of joins, whether a track (-1 where
        that does not matter), whether connected with one.
    (2, 2 P) int64
        Entry after each entry, -1 for none, and neighbour.
    """
    low, high = np.divmod(codes, max(count, 1))
    owners, others = np.concatenate([low, high]), np.concatenate([high, low])
    order = np.argsort(owners, kind="stable")
    sizes = np.bincount(owners, minlength=count).astype(np.int64)
    ends = np.cumsum(sizes)
    following = np.arange(1, len(owners) + 1, dtype=np.int64)
    following[ends[sizes > 0] - 1] = -1
    heads, tails = np.where(sizes > 0, ends - sizes, -1), np.where(sizes > 0, ends - 1, -1)
    none = np.zeros(count, dtype=np.int64)
    kinds = tracks.astype(np.int64) if len(tracks) else none - 1
    return np.stack([heads, tails, sizes, np.arange(count), none, kinds, none]), np.stack([following, others[order]])


@numba.njit(cache=True)
def _join(ordered: IntArray, table: IntArray, sums: FloatArray, nodes: IntArray, entries: IntArray, used: int) -> bool:
    """Join in place; False when the table is too small. A pair that is refused is stamped with the joins so far."""
    count = nodes.shape[1]
    for row in range(len(ordered)):
        a, b = ordered[row, 0], ordered[row, 1]
        first, second = _root(nodes, a), _root(nodes, b)
        if first == second:
            continue
        slot = _slot(table, first, second, count)
        now = nodes[JOINS, first] + nodes[JOINS, second]
        if table[STAMP, slot] == now:
            continue
        if nodes[TRACK, a] >= 0:  # an edge that is tried uses up the one connection of a node with a track
            if nodes[ATTACHED, a] + nodes[ATTACHED, b] > 0:
                continue
            if nodes[TRACK, a] != nodes[TRACK, b]:
                nodes[ATTACHED, b if nodes[TRACK, a] else a] = 1
        if not sums[slot] > 0:
            table[STAMP, slot] = now
            continue
        if nodes[SIZE, first] < nodes[SIZE, second]:
            first, second = second, first
        if 10 * (used + nodes[SIZE, second]) > 7 * table.shape[1]:
            return False
        entry = nodes[HEAD, second]
        while entry >= 0:  # add each sum with the second group to that with the first, once: then its stamp is -2
            other = _root(nodes, entries[1, entry])
            entry = entries[0, entry]
            slot = _slot(table, second, other, count)
            if other in (first, second) or table[STAMP, slot] == -2:
                continue
            table[STAMP, slot] = -2
            total, slot = sums[slot], _slot(table, first, other, count)
            used += table[CODE, slot] == -1
            table[CODE, slot] = first * count + other if first < other else other * count + first
            sums[slot] += total
        nodes[PARENT, second], nodes[JOINS, first] = first, now + 1
        nodes[SIZE, first] += nodes[SIZE, second]
        if nodes[HEAD, second] >= 0:
            entries[0, nodes[TAIL, first]] = nodes[HEAD, second]
            nodes[TAIL, first] = nodes[TAIL, second]
    return True


@numba.njit(cache=True)
def _root(nodes: IntArray, node: int) -> int:
    while nodes[PARENT, node] != node:
        nodes[PARENT, node] = nodes[PARENT, nodes[PARENT, node]]
        node = nodes[PARENT, node]
    return node


@numba.njit(cache=True)
def _slot(table: IntArray, first: int, second: int, count: int) -> int:
    """Where the code of a pair stands in the table, or the free place for it."""
    code = first * count + second if first < second else second * count + first
    mask = table.shape[1] - 1
    place: int = ((code * FACTOR) ^ (code >> 15)) & mask
    while table[CODE, place] != -1 and table[CODE, place] != code:
        place = (place + 1) & mask
    return place
