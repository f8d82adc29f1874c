"""Union of groups along sorted edges, with the sum of the weights between each two groups kept up to date.

A hash table holds the sum for each pair of groups with edges between them. When one group joins another, the
entries of the one with fewer edges are added to those of the other, so that each edge is touched O(log E) times.
"""

from __future__ import annotations

from typing import NamedTuple

import numba
import numpy as np

from spine.ops.arrays import BoolArray, FloatArray, IntArray

__all__ = ["join_groups"]


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
    lists = _lists(codes, count)
    size = 1 << max(4, (4 * len(codes)).bit_length())
    while True:
        table = Table(np.full(size, -1, dtype=np.int64), np.zeros(size), np.full(size, -1, dtype=np.int64))
        _fill(table.keys, table.sums, codes, totals)
        parents = np.arange(count)
        copies = Lists(*(column.copy() for column in lists))
        if _join(ordered, table, copies, parents, tracks, len(codes)):
            return union_of(parents)
        size *= 2


def union_of(parents: IntArray) -> IntArray:
    """Root of each node of a forest."""
    while True:
        further = parents[parents]
        if np.array_equal(further, parents):
            return parents
        parents = further


class Table(NamedTuple):
    """Pairs of groups: codes, sums, and the state of the two groups when they were last refused."""

    keys: IntArray
    sums: FloatArray
    stamps: IntArray


class Lists(NamedTuple):
    """Linked lists of the neighbours of each node: first and last entry, the entry after each, neighbour, length."""

    heads: IntArray
    tails: IntArray
    following: IntArray
    others: IntArray
    sizes: IntArray


def _lists(codes: IntArray, count: int) -> Lists:
    low, high = np.divmod(codes, max(count, 1))
    nodes, others = np.concatenate([low, high]), np.concatenate([high, low])
    order = np.argsort(nodes, kind="stable")
    sizes = np.bincount(nodes, minlength=count).astype(np.int64)
    ends = np.cumsum(sizes)
    following = np.arange(1, len(nodes) + 1, dtype=np.int64)
    following[ends[sizes > 0] - 1] = -1
    heads, tails = np.where(sizes > 0, ends - sizes, -1), np.where(sizes > 0, ends - 1, -1)
    return Lists(heads, tails, following, others[order], sizes)


@numba.njit(cache=True)
def _fill(keys: IntArray, sums: FloatArray, codes: IntArray, totals: FloatArray) -> None:
    for row in range(len(codes)):
        slot = _slot(keys, codes[row])
        keys[slot], sums[slot] = codes[row], totals[row]


@numba.njit(cache=True)
def _join(ordered: IntArray, table: Table, lists: Lists, parents: IntArray, tracks: BoolArray, used: int) -> bool:
    """Join in place; False when the table is too small."""
    keys, sums, stamps = table
    heads, tails, following, others, sizes = lists
    count = len(parents)
    versions, attached = np.zeros(count, dtype=np.int64), np.zeros(len(tracks), dtype=np.bool_)
    for row in range(len(ordered)):
        a, b = ordered[row, 0], ordered[row, 1]
        first, second = _root(parents, a), _root(parents, b)
        if first == second:
            continue
        slot = _slot(keys, _code(first, second, count))
        now = versions[first] + versions[second]
        if stamps[slot] == now or not _may_attach(a, b, tracks, attached):
            continue
        if not sums[slot] > 0:
            stamps[slot] = now
            continue
        if sizes[first] < sizes[second]:
            first, second = second, first
        if 10 * (used + sizes[second]) > 7 * len(keys):
            return False
        entry = heads[second]
        while entry >= 0:
            other = _root(parents, others[entry])
            if other != first and other != second:
                used += _move(_code(second, other, count), _code(first, other, count), table)
            entry = following[entry]
        parents[second], versions[first] = first, now + 1
        sizes[first] += sizes[second]
        if heads[second] >= 0:
            following[tails[first]] = heads[second]
            tails[first] = tails[second]
    return True


@numba.njit(cache=True)
def _may_attach(a: int, b: int, tracks: BoolArray, attached: BoolArray) -> bool:
    """Whether an edge may be tried; notes the connection of a node with a track."""
    if len(tracks) == 0:
        return True
    if attached[a] or attached[b]:
        return False
    if tracks[a] != tracks[b]:
        attached[b if tracks[a] else a] = True
    return True


@numba.njit(cache=True)
def _root(parents: IntArray, node: int) -> int:
    while parents[node] != node:
        parents[node] = parents[parents[node]]
        node = parents[node]
    return node


@numba.njit(cache=True)
def _code(first: int, second: int, count: int) -> int:
    return min(first, second) * count + max(first, second)


@numba.njit(cache=True)
def _slot(keys: IntArray, code: int) -> int:
    """Where a code stands in a table whose size is a power of two, or the free place for it."""
    mask = len(keys) - 1
    place = ((code * 11400714819323) ^ (code >> 15)) & mask
    while keys[place] != -1 and keys[place] != code:
        place = (place + 1) & mask
    return place


@numba.njit(cache=True)
def _move(source: int, target: int, table: Table) -> int:
    """Add the sum of one pair to another, once; number of new pairs. A pair that was moved has the stamp -2."""
    keys, sums, stamps = table
    old = _slot(keys, source)
    if stamps[old] == -2:
        return 0
    stamps[old] = -2
    slot = _slot(keys, target)
    fresh = keys[slot] == -1
    keys[slot] = target
    sums[slot] += sums[old]
    return 1 if fresh else 0
