"""Products of a range of entries as larcv stores them, each read once and handed out event by event."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from spine.errors import DataError
from spine.schema import Ragged
from spine.store.larcv.frame import Frame
from spine.store.larcv.leaves import Member, ObjectList, read_objects
from spine.store.larcv.raw import RootFile, TreeRange

__all__ = ["RawBlock", "RawClusters", "RawEvent", "RawVoxels", "read_numbers"]

T = TypeVar("T")
Ints = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class RawVoxels:
    """Sparse image of one event: voxel ``ids`` (n,) int64 in the ``frame``, ``values`` (n,) float32."""

    frame: Frame
    ids: Ints
    values: NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class RawClusters:
    """Clusters of one event: voxel ids, one row per cluster, and ``values`` (n,) float32 of all their voxels."""

    frame: Frame
    ids: Ragged
    values: NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class _ClusterRange:
    offsets: Ints
    ids: Ragged
    values: NDArray[np.float32]

    def entry(self, i: int, frame: Frame) -> RawClusters:
        ids = self.ids[int(self.offsets[i]) : int(self.offsets[i + 1])]
        first = int(self.ids.offsets[self.offsets[i]])
        return RawClusters(frame, ids, self.values[first : first + len(ids.values)])


class RawBlock:
    """A range of entries of a file.

    Parameters
    ----------
    file : RootFile
        The file.
    start, stop : int
        Range of entries.

    Notes
    -----
    ``broken`` turns true when a product cannot be read over the whole range.
    """

    def __init__(self, file: RootFile, start: int, stop: int) -> None:
        self.file, self.start, self.stop = file, start, stop
        self._known: dict[Hashable, object] = {}
        self.broken = False

    def __len__(self) -> int:
        return self.stop - self.start

    def event(self, i: int) -> RawEvent:
        """The i-th event of the range."""
        return RawEvent(self, i)

    def once(self, what: str, product: str, read: Callable[[TreeRange], T]) -> T:
        """What ``read`` makes of a product, made at the first call."""
        key = (what, product)
        if key not in self._known:
            self._known[key] = self._read(product, read)
        found = self._known[key]
        if isinstance(found, DataError):
            raise found
        return found  # type: ignore[return-value]

    def _read(self, product: str, read: Callable[[TreeRange], T]) -> T | DataError:
        try:
            return read(self.file.tree(product).range(self.start, self.stop))
        except DataError as error:
            self.broken = True
            return error


def _read_frames(tree: TreeRange) -> tuple[NDArray[np.float64], Ints]:
    """(e, 3, 3) lower, upper, size and (e, 3) count of the frame of each entry."""
    patterns = ("_meta._p1.{}", "_meta._p2.{}", "_meta._{}len")
    columns = [[tree.required(p.format(axis), np.float64) for axis in "xyz"] for p in patterns]
    counts = [tree.required(f"_meta._{axis}num", np.int64) for axis in "xyz"]
    return np.stack([np.stack(c, axis=1) for c in columns], axis=1), np.stack(counts, axis=1)


def _read_voxels(tree: TreeRange) -> tuple[Ragged, Ragged]:
    ids = tree.required_lists("_voxel_v._id", np.uint64)
    values = tree.required_lists("_voxel_v._value", np.float32)
    if not np.array_equal(ids.offsets, values.offsets):
        raise DataError("voxels and their values differ in number", where=tree.where)
    return Ragged(ids.values.astype(np.int64), ids.offsets), values


def _read_clusters(tree: TreeRange) -> _ClusterRange:
    labels = tree.required_lists("_voxel_vv._id", np.uint64)
    voxels = tree.voxel_lists("_voxel_vv._voxel_v", labels.lengths)
    return _ClusterRange(labels.offsets, voxels.ids, voxels.values)


def read_numbers(tree: TreeRange) -> Ints:
    """(e, 3) run, subrun and event number, -1 where the file has none."""
    columns = [tree.scalars(name, np.int64) for name in ("_run", "_subrun", "_event")]
    missing = np.full(tree.stop - tree.start, -1, dtype=np.int64)
    return np.stack([missing if column is None else column for column in columns], axis=1)


class RawEvent:
    """One event of a range of entries.

    Parameters
    ----------
    block : RawBlock
        The range.
    i : int
        Position of the event in it.
    """

    def __init__(self, block: RawBlock, i: int) -> None:
        self._block, self._i = block, i
        self.entry = block.start + i

    def error(
        self, what: str, product: str, *, got: object = None, expected: object = None, mend: str = ""
    ) -> DataError:
        """An error that names the file, the entry and the product."""
        where = f"{self._block.file.path} entry {self.entry}, {product}"
        return DataError(what, where=where, got=got, expected=expected, mend=mend)

    def frame(self, product: str) -> Frame:
        """Frame of a product that has one (sparse3d, cluster3d)."""
        boxes, counts = self._block.once("frame", product, _read_frames)
        box, count = boxes[self._i], counts[self._i]
        if not np.isfinite(box).all() or (box[2] <= 0).any() or (count <= 0).any():
            raise self.error("the frame of the image is not a box", product, got=f"{box.tolist()}, {count.tolist()}")
        return Frame(box[0], box[1], box[2], count)

    def voxels(self, product: str) -> RawVoxels:
        """A sparse3d product."""
        ids, values = self._block.once("voxels", product, _read_voxels)
        frame = self.frame(product)
        return RawVoxels(frame, self._checked(ids[self._i], values[self._i], frame, product), values[self._i])

    def clusters(self, product: str) -> RawClusters:
        """A cluster3d product."""
        found = self._block.once("clusters", product, _read_clusters).entry(self._i, self.frame(product))
        self._checked(found.ids.values, found.values, found.frame, product)
        return found

    def _checked(self, ids: Ints, values: NDArray[np.float32], frame: Frame, product: str) -> Ints:
        cells = int(frame.count.prod())
        outside = (ids < 0) | (ids >= cells)
        if outside.any():
            got = f"{int(outside.sum())} of {len(ids)}, such as {int(ids[outside][0])}"
            raise self.error("voxels outside the image", product, got=got, expected=f"0 to {cells - 1}")
        bad = ~np.isfinite(values)
        if bad.any():
            got = f"{int(bad.sum())} of {len(ids)}, such as voxel {int(ids[bad][0])}"
            raise self.error("the value of voxels is not a number", product, got=got)
        return ids

    def objects(self, product: str, members: tuple[Member, ...]) -> ObjectList:
        """Objects of a particle, neutrino, flash or crthit product."""
        return self._block.once("objects", product, lambda tree: read_objects(tree, members)).entry(self._i)

    def scalar(self, product: str, member: str) -> int:
        """An integer member of a product which is a single object, -1 when the file does not have it."""
        column = self._block.once(member, product, lambda tree: tree.scalars(member, np.int64))
        return -1 if column is None else int(column[self._i])

    def numbers(self, product: str) -> tuple[int, int, int]:
        """Run, subrun and event number that a product was stored with."""
        run, subrun, event = self._block.once("numbers", product, read_numbers)[self._i].tolist()
        return run, subrun, event

    def check_numbers(self, products: tuple[str, ...]) -> None:
        """Refuse an entry whose products were stored with different event numbers.

        Raises
        ------
        DataError
            Names the file, the entry and the first product that differs.
        """
        for product in products[1:]:
            if self.numbers(product) != self.numbers(products[0]):
                raise self.error(
                    f"the product belongs to another event than {products[0]!r}", product,
                    got=self.numbers(product), expected=self.numbers(products[0]), mend="make the file again",
                )  # fmt: skip
