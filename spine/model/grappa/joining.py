"""Union of groups along sorted edges, with the sum of the weights between each two groups kept up to date.

A hash table holds the sum for each pair of groups with edges between them. When one group joins another, the
entries of the one with fewer edges are added to those of the other, so that each edge is touched O(log E) times.
"""

from __future__ import annotations

import numba
import numpy as np

from spine.ops.arrays import BoolArray, FloatArray, IntArray

__all__ = ["join_groups"]


@numba.njit(cache=True)
def join_groups(ordered: IntArray, codes: IntArray, totals: FloatArray, count: int, tracks: BoolArray) -> IntArray:
    """Join groups along edges, where the weights between two groups add up to more than 0.

    Parameters
    ----------
    ordered : (E, 2) int64
        Edges, in the order in which they are tried.
    codes : (P,) int64
        Pairs of different nodes with edges between them, ``low * count + high``.
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
    keys, sums, stamps = _table(codes, totals)
    heads, tails, following, others = _lists(codes, count)
    sizes = np.zeros(count, dtype=np.int64)
    for code in codes:
        sizes[code // count] += 1
        sizes[code % count] += 1
    parents, versions = np.arange(count), np.zeros(count, dtype=np.int64)
    attached = np.zeros(len(tracks), dtype=np.bool_)
    used = len(codes)
    for row in range(len(ordered)):
        a, b = ordered[row]
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
        entry = heads[second]
        while entry >= 0:
            used += _move(first, second, _root(parents, others[entry]), keys, sums, stamps, count)
            entry = following[entry]
        parents[second], versions[first] = first, now + 1
        sizes[first] += sizes[second]
        if heads[second] >= 0:
            following[tails[first]], tails[first] = heads[second], tails[second]
        if 10 * used > 7 * len(keys):
            used = _purge(keys, sums, stamps, parents, count)
    for node in range(count):
        parents[node] = _root(parents, node)
    return parents


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
def _table(codes: IntArray, totals: FloatArray) -> tuple[IntArray, FloatArray, IntArray]:
    """Table of the pairs: codes, sums, and at which state of its groups a pair was last refused."""
    size = 16
    while size < 2 * len(codes):
        size *= 2
    keys, sums = np.full(size, -1, dtype=np.int64), np.zeros(size)
    for row in range(len(codes)):
        slot = _slot(keys, codes[row])
        keys[slot], sums[slot] = codes[row], totals[row]
    return keys, sums, np.full(size, -1, dtype=np.int64)


@numba.njit(cache=True)
def _lists(codes: IntArray, count: int) -> tuple[IntArray, IntArray, IntArray, IntArray]:
    """Linked lists of the neighbours of each node: first and last entry, the entry after each, and the neighbour."""
    heads, tails = np.full(count, -1, dtype=np.int64), np.full(count, -1, dtype=np.int64)
    following, others = np.full(2 * len(codes), -1, dtype=np.int64), np.empty(2 * len(codes), dtype=np.int64)
    for row in range(len(codes)):
        low, high = codes[row] // count, codes[row] % count
        for entry, node, other in ((2 * row, low, high), (2 * row + 1, high, low)):
            others[entry] = other
            if heads[node] < 0:
                heads[node] = entry
            else:
                following[tails[node]] = entry
            tails[node] = entry
    return heads, tails, following, others


@numba.njit(cache=True)
def _move(first: int, second: int, other: int, keys: IntArray, sums: FloatArray, stamps: IntArray, count: int) -> int:
    """Add what lies between the second group and another to what lies between the first and that; number of new pairs.

    A pair that has been moved has the stamp -2.
    """
    if other in (first, second):
        return 0
    old = _slot(keys, _code(second, other, count))
    if stamps[old] == -2:
        return 0
    stamps[old] = -2
    slot = _slot(keys, _code(first, other, count))
    fresh = keys[slot] == -1
    if fresh:
        keys[slot], sums[slot], stamps[slot] = _code(first, other, count), 0.0, -1
    sums[slot] += sums[old]
    return int(fresh)


@numba.njit(cache=True)
def _purge(keys: IntArray, sums: FloatArray, stamps: IntArray, parents: IntArray, count: int) -> int:
    """Drop the pairs of groups that are no more; number of those that remain."""
    alive = np.zeros(len(keys), dtype=np.bool_)
    for slot in range(len(keys)):
        if keys[slot] >= 0 and stamps[slot] != -2:
            low, high = keys[slot] // count, keys[slot] % count
            alive[slot] = parents[low] == low and parents[high] == high
    kept, values, marks = keys[alive], sums[alive], stamps[alive]
    keys[:], sums[:], stamps[:] = -1, 0.0, -1
    for row in range(len(kept)):
        slot = _slot(keys, kept[row])
        keys[slot], sums[slot], stamps[slot] = kept[row], values[row], marks[row]
    return len(kept)
