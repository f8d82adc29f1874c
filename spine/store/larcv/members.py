"""Bytes of members which ROOT does not store column by column: lists and strings of each object of a list."""

from __future__ import annotations

from typing import NamedTuple

import numba
import numpy as np
from numpy.typing import DTypeLike, NDArray

from spine.schema import Ragged, offsets_of

__all__ = [
    "DecodeError",
    "VoxelLists",
    "decode_lists",
    "decode_texts",
    "decode_voxel_lists",
    "scan_lists",
    "scan_texts",
]

Bytes = NDArray[np.uint8]
Ints = NDArray[np.int64]

HEADER = 6
"""Bytes before the first object: u4 byte count with flag 0x40000000, u2 version of the list streamer."""
MEMBER_WISE = 0x40
"""Flag in the first byte of that version: the values of each member follow each other."""
LONG_TEXT = 255
"""Length byte of a string whose length follows as u4."""


class DecodeError(ValueError):
    """The bytes of an entry are not what the layout says; the argument is the position in the range of entries."""


class VoxelLists(NamedTuple):
    """Voxels of the clusters of many events: ``ids`` (rows are clusters) int64, ``values`` (m,) float32."""

    ids: Ragged
    values: NDArray[np.float32]


@numba.njit(cache=True)
def scan_lists(  # pragma: no cover - compiled
    buffer: Bytes, begins: Ints, ends: Ints, counts: Ints, width: int
) -> tuple[Ints, Ints, Ints]:
    """Find the lists in the bytes of each entry: u4 length, then ``width`` bytes per item.

    Parameters
    ----------
    buffer : (b,) uint8
    begins, ends : (e,) int64
        First byte of the first list and end of the bytes of each entry.
    counts : (e,) int64
        Lists of each entry.
    width : int
        Bytes of one item.

    Returns
    -------
    lengths, starts : (sum of counts,) int64
        Items and first byte of each list.
    stops : (e,) int64
        Where the last list of each entry ends, -1 when it runs over the end.
    """
    total = counts.sum()
    lengths, starts = np.zeros(total, dtype=np.int64), np.zeros(total, dtype=np.int64)
    stops = np.zeros(len(counts), dtype=np.int64)
    row = 0
    for entry in range(len(counts)):
        at = begins[entry]
        for _ in range(counts[entry]):
            if at >= 0 and at + 4 <= ends[entry]:
                length = 0
                for byte in buffer[at : at + 4]:
                    length = 256 * length + byte
                lengths[row], starts[row] = length, at + 4
                at += 4 + width * length
            if at > ends[entry] or starts[row] == 0:
                at, lengths[row] = -1, 0
            row += 1
        stops[entry] = at
    return lengths, starts, stops


@numba.njit(cache=True)
def scan_texts(  # pragma: no cover - compiled
    buffer: Bytes, begins: Ints, ends: Ints, counts: Ints
) -> tuple[Ints, Ints, Ints]:
    """Find the strings in the bytes of each entry: u1 length (255: u4 length follows), then the characters.

    Arguments and results are those of `scan_lists`.
    """
    total = counts.sum()
    lengths, starts = np.zeros(total, dtype=np.int64), np.zeros(total, dtype=np.int64)
    stops = np.zeros(len(counts), dtype=np.int64)
    row = 0
    for entry in range(len(counts)):
        at = begins[entry]
        for _ in range(counts[entry]):
            if at >= 0 and at < ends[entry]:
                length, at = int(buffer[at]), at + 1
                if length == LONG_TEXT and at + 4 <= ends[entry]:
                    length = 0
                    for byte in buffer[at : at + 4]:
                        length = 256 * length + byte
                    at += 4
                lengths[row], starts[row] = length, at
                at += length
            if at > ends[entry] or starts[row] == 0:
                at, lengths[row] = -1, 0
            row += 1
        stops[entry] = at
    return lengths, starts, stops


def _check_headers(raw: Ragged, counts: Ints) -> None:
    """Every entry that has objects starts with its byte count."""
    used = np.flatnonzero(counts > 0)
    if (raw.lengths[used] < HEADER).any():
        raise DecodeError(int(used[np.argmax(raw.lengths[used] < HEADER)]))
    heads = raw.values[raw.offsets[used][:, None] + np.arange(4)]
    announced = heads.astype(np.int64) @ (256 ** np.arange(3, -1, -1, dtype=np.int64))
    wrong = announced != (raw.lengths[used] - 4) | 0x40000000
    if wrong.any():
        raise DecodeError(int(used[np.argmax(wrong)]))


def _check_stops(raw: Ragged, counts: Ints, stops: Ints) -> None:
    wrong = (counts > 0) & (stops != raw.offsets[1:])
    if wrong.any():
        raise DecodeError(int(np.argmax(wrong)))


def _items(buffer: Bytes, starts: Ints, lengths: Ints, dtype: DTypeLike) -> NDArray[np.generic]:
    """Items of all lists, one list after the other, from big-endian bytes."""
    item = np.dtype(dtype).newbyteorder(">")
    offsets = offsets_of(lengths)
    within = np.arange(offsets[-1]) - np.repeat(offsets[:-1], lengths)
    first = np.repeat(starts, lengths) + item.itemsize * within
    raw: Bytes = np.ascontiguousarray(buffer[first[:, None] + np.arange(item.itemsize)])
    return raw.view(item).ravel().astype(np.dtype(dtype))


def decode_lists(raw: Ragged, counts: Ints, dtype: DTypeLike) -> Ragged:
    """Lists of numbers, one per object (``vector<T>`` member of each object of a vector).

    Parameters
    ----------
    raw : Ragged of uint8
        Bytes of each entry.
    counts : (e,) int64
        Objects of each entry.
    dtype : numpy dtype
        Type of the numbers.

    Returns
    -------
    Ragged
        One row per object of all entries.

    Raises
    ------
    DecodeError
        When the bytes of an entry do not fit this layout.
    """
    _check_headers(raw, counts)
    begins = raw.offsets[:-1] + HEADER
    lengths, starts, stops = scan_lists(raw.values, begins, raw.offsets[1:], counts, np.dtype(dtype).itemsize)
    _check_stops(raw, counts, stops)
    return Ragged(_items(raw.values, starts, lengths, dtype), offsets_of(lengths))


def decode_texts(raw: Ragged, counts: Ints) -> NDArray[np.object_]:
    """Strings, one per object; arguments and errors are those of `decode_lists`."""
    _check_headers(raw, counts)
    begins = raw.offsets[:-1] + HEADER
    lengths, starts, stops = scan_texts(raw.values, begins, raw.offsets[1:], counts)
    _check_stops(raw, counts, stops)
    buffer = raw.values.tobytes()
    pieces = [buffer[a : a + n] for a, n in zip(starts.tolist(), lengths.tolist(), strict=True)]
    known = {piece: piece.decode("utf-8", "replace") for piece in set(pieces)}
    texts = np.empty(len(pieces), dtype=object)
    texts[:] = [known[piece] for piece in pieces]
    return texts


def decode_voxel_lists(raw: Ragged, counts: Ints) -> VoxelLists:
    """Voxels of each cluster (``vector<Voxel>``, written member by member).

    Parameters
    ----------
    raw : Ragged of uint8
        Bytes of each entry: the header, u2 version of the voxel class, u4 checksum when that version is 0, then for
        each cluster u4 n, n times u8 voxel id, n times f4 value, all big-endian.
    counts : (e,) int64
        Clusters of each entry.

    Raises
    ------
    DecodeError
        When the bytes of an entry do not fit this layout.
    """
    _check_headers(raw, counts)
    used = np.flatnonzero(counts > 0)
    begins = raw.offsets[:-1] + HEADER + 6
    if len(used):
        short = raw.lengths[used] < HEADER + 2
        if short.any():
            raise DecodeError(int(used[np.argmax(short)]))
        first = raw.offsets[used]
        wrong = raw.values[first + 4] != MEMBER_WISE
        if wrong.any():
            raise DecodeError(int(used[np.argmax(wrong)]))
        versioned = (raw.values[first + HEADER] | raw.values[first + HEADER + 1]) > 0
        begins[used] -= 4 * versioned
    lengths, starts, stops = scan_lists(raw.values, begins, raw.offsets[1:], counts, 12)
    _check_stops(raw, counts, stops)
    ids = _items(raw.values, starts, lengths, np.uint64).astype(np.int64)
    values = _items(raw.values, starts + 8 * lengths, lengths, np.float32).astype(np.float32)
    return VoxelLists(Ragged(ids, offsets_of(lengths)), values)
