"""Small ROOT files with the trees and members of larcv2, written without larcv."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import awkward as ak
import numpy as np
import uproot

SIZE, COUNT = 0.5, 8


def jagged(rows: Sequence[Any], dtype: str) -> ak.Array:
    """One list of numbers per entry, of a stated type even when all are empty."""
    flat = np.concatenate([np.asarray(row, dtype).ravel() for row in rows] or [np.empty(0, dtype)])
    return ak.unflatten(ak.from_numpy(flat.astype(dtype)), np.array([len(row) for row in rows], np.int64))


def header(body: bytes, member_wise: bool = False) -> bytes:
    """Body of a list member of each object behind its byte count and version."""
    version = 0x400A if member_wise else 10
    return ((len(body) + 2) | 0x40000000).to_bytes(4, "big") + version.to_bytes(2, "big") + body


def texts(rows: Sequence[Sequence[str]]) -> ak.Array:
    """Strings of the objects of each entry."""
    return byte_rows([header(b"".join(_text(word) for word in row)) if row else b"" for row in rows])


def _text(word: str) -> bytes:
    raw = word.encode()
    return (bytes([len(raw)]) if len(raw) < 255 else b"\xff" + len(raw).to_bytes(4, "big")) + raw


def nested(rows: Sequence[Sequence[Sequence[float]]], dtype: str) -> ak.Array:
    """Lists of numbers of the objects of each entry."""
    return byte_rows([header(b"".join(_list(items, dtype) for items in row)) if row else b"" for row in rows])


def _list(items: Sequence[float], dtype: str) -> bytes:
    return len(items).to_bytes(4, "big") + np.asarray(items, np.dtype(dtype).newbyteorder(">")).tobytes()


def voxel_lists(clusters: Sequence[Sequence[tuple[Sequence[int], Sequence[float]]]]) -> ak.Array:
    """Voxels of the clusters of each entry, member by member."""
    bodies = [b"".join(_list(ids, "u8") + _list(values, "f4")[4:] for ids, values in row) for row in clusters]
    return byte_rows([header(b"\x00\x00\x12\x34\x56\x78" + body, True) if body else b"" for body in bodies])


def byte_rows(rows: Sequence[bytes]) -> ak.Array:
    """Raw bytes of each entry."""
    return jagged([np.frombuffer(row, "u1") for row in rows], "u1")


def frame(n: int) -> dict[str, Any]:
    """Members of a frame of 8 x 8 x 8 voxels of 0.5 cm from the origin."""
    leaves: dict[str, Any] = {}
    for axis in "xyz":
        leaves |= {f"_meta._p1.{axis}": np.zeros(n), f"_meta._p2.{axis}": np.full(n, SIZE * COUNT)}
        leaves |= {f"_meta._{axis}len": np.full(n, SIZE), f"_meta._{axis}num": np.full(n, COUNT, "u8")}
    return leaves


def image(ids: Sequence[Sequence[int]], values: Sequence[Sequence[float]]) -> dict[str, Any]:
    """Members of a sparse3d product."""
    return {"_voxel_v._id": jagged(ids, "u8"), "_voxel_v._value": jagged(values, "f4"), **frame(len(ids))}


def clusters(rows: Sequence[Sequence[tuple[Sequence[int], Sequence[float]]]]) -> dict[str, Any]:
    """Members of a cluster3d product."""
    labels = [np.arange(len(row)) for row in rows]
    return {"_voxel_vv._id": jagged(labels, "u2"), "_voxel_vv._voxel_v": voxel_lists(rows), **frame(len(rows))}


@dataclass
class Entries:
    """Objects of each entry, member by member; members are added with the given container in front."""

    container: str
    leaves: dict[str, Any] = field(default_factory=dict)

    def add(self, name: str, rows: Sequence[Any], dtype: str) -> Entries:
        """A number per object."""
        self.leaves[f"{self.container}.{name}"] = jagged(rows, dtype)
        return self

    def raw(self, name: str, rows: ak.Array) -> Entries:
        """A member given as bytes."""
        self.leaves[f"{self.container}.{name}"] = rows
        return self


def write(path: Path, products: Mapping[str, Mapping[str, Any]], events: Sequence[int] | None = None) -> Path:
    """Write products with run 1, subrun 2 and the given event numbers, 0, 1, ... by default."""
    with uproot.recreate(path) as file:
        for product, leaves in products.items():
            n = len(next(iter(leaves.values())))
            numbers = {"_run": np.full(n, 1, "u8"), "_subrun": np.full(n, 2, "u8")}
            numbers["_event"] = np.asarray(range(n) if events is None else events, "u8")
            file.mktree(f"{product}_tree", {**numbers, **leaves})
    return path
