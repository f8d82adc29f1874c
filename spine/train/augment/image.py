"""An event as augmentation works on it: one set of voxels, and everything that belongs to its rows and places."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from spine.model.chain.rows import cluster_truth, image_of, rows_of
from spine.ops.arrays import BoolArray, FloatArray, IntArray, NumberArray
from spine.ops.segments import lengths_to_offsets
from spine.schema import Event, Ragged, Table, Tensor

__all__ = ["Image", "Places"]

Places: TypeAlias = Callable[[FloatArray], FloatArray]
"""Where (n, 3) positions go."""

LABELS = ("seg_label", "ghost_label", "clust_label")
AT_VOXELS = ("seg_pred", "segmentation", "ghost", "ghost_pred", "ppn_points", "ppn_classify_endpoints")
POINTS = ("ppn_label", "vertex_label")
LEVELS = ("fragment", "particle")
PER_CLUSTER = ("shapes", "start_points", "end_points", "group_pred", "primaries")


def _aligned(labels: Tensor, coords: NDArray[Any]) -> Tensor:
    """Labels at the voxels of an image, -1 where there are none."""
    rows = rows_of(labels.coords, coords)
    features = np.full((len(coords), labels.features.shape[1]), -1, dtype=np.float32)
    features[rows >= 0] = labels.features[rows[rows >= 0]]
    return Tensor(coords, features, labels.names, labels.particles)


class Image:
    """Voxels of an event with their labels, and positions in it.

    Parameters
    ----------
    event : Event
        Not changed; labels of voxels that the image does not have are left out.
    """

    def __init__(self, event: Event) -> None:
        image = image_of(event)
        self.coords: IntArray = image.coords.astype(np.int64)
        self.products: dict[str, Any] = {name: event[name] for name in event}
        self.products |= (
            {"data": image, "clust_label": cluster_truth(event)} if "clust_label" in event else {"data": image}
        )
        for name in ("data_adapt", "clust_label_adapt"):
            self.products.pop(name, None)
        for name in LABELS:
            if name in self.products:
                self.products[name] = _aligned(self.products[name], image.coords)
        count = event["meta"].count if "meta" in event else self.coords.max(axis=0, initial=-1) + 1
        self.size: IntArray = np.asarray(count, dtype=np.int64)
        self._about = (event.entry, event.source)

    @property
    def charge(self) -> NDArray[np.float32]:
        """(N,) charge of the voxels, to be read."""
        charge: NDArray[np.float32] = self.products["data"].feature("value")
        return charge

    def set_charge(self, charge: NumberArray) -> None:
        """Give the voxels another charge."""
        data: Tensor = self.products["data"]
        features = data.features.copy()
        features[:, data.names.index("value")] = charge
        self.products["data"] = Tensor(data.coords, features, data.names)

    def move(self, coords: NumberArray, places: Places, directions: FloatArray | None = None) -> None:
        """Move voxels and positions; what leaves the image is lost.

        Parameters
        ----------
        coords : (N, 3) int
            Where voxels go, no two to the same place.
        places : callable
            Where positions go, in voxel units.
        directions : (3, 3) float, optional
            What becomes of vectors, from the left; nothing without it.
        """
        self.coords = np.asarray(coords, dtype=np.int64)
        self._move_positions(places)
        if directions is not None and "ppn_points" in self.products:
            points = np.asarray(self.products["ppn_points"]).copy()
            points[:, :3] = points[:, :3] @ directions.T.astype(points.dtype)
            self.products["ppn_points"] = points
        self.keep(np.asarray(((self.coords >= 0) & (self.coords < self.size)).all(axis=1)))
        for name in POINTS:
            if name in self.products:
                points = self.products[name]
                inside = ((points.coords >= 0) & (points.coords < self.size)).all(axis=1)
                self.products[name] = points.take(np.flatnonzero(inside))

    def _move_positions(self, places: Places) -> None:
        for name in (*POINTS, "coord_label"):
            if name in self.products:
                old = self.products[name]
                moved = places(old.coords.reshape(-1, 3).astype(np.float64)).reshape(old.coords.shape)
                self.products[name] = Tensor(moved.astype(np.float32), old.features, old.names)
        for level in LEVELS:
            for end in ("start", "end"):
                name = f"{level}_{end}_points"
                if name in self.products:  # numbers of voxels, not positions
                    moved = places(np.asarray(self.products[name], dtype=np.float64) + 0.5) - 0.5
                    self.products[name] = moved.astype(np.float32)
        labels: Tensor | None = self.products.get("clust_label")
        if labels is not None and labels.particles is not None and labels.particles.has("vertex"):
            table: Table = labels.particles.copy()
            table["vertex"] = places(np.asarray(table["vertex"], dtype=np.float64))
            self.products["clust_label"] = Tensor(labels.coords, labels.features, labels.names, table)

    def keep(self, mask: BoolArray) -> None:
        """Lose the other voxels."""
        if not mask.all():
            owners = np.where(mask, np.cumsum(mask) - 1, -1)
            self._take(np.flatnonzero(mask), owners)

    def merge(self, coords: NumberArray) -> None:
        """Move voxels alone; those that meet become one with all their charge and the labels of the largest."""
        moved = np.asarray(coords, dtype=np.int64)
        _, inverse = np.unique(moved, axis=0, return_inverse=True)
        inverse = inverse.reshape(-1)
        order = np.lexsort((-self.charge, inverse))
        first = order[np.searchsorted(inverse[order], np.arange(inverse.max(initial=-1) + 1))] if len(order) else order
        kept = np.sort(first)
        place = np.empty(len(kept), dtype=np.int64)
        place[inverse[kept]] = np.arange(len(kept))
        charge = np.bincount(place[inverse], weights=self.charge, minlength=len(kept))
        self.coords = moved
        self._take(kept, place[inverse])
        self.set_charge(charge)

    def _take(self, rows: IntArray, owners: IntArray) -> None:
        """Keep some rows; ``owners`` is the new row of each old one, -1 for none."""
        self.coords = self.coords[rows]
        for name in ("data", *LABELS):
            if name in self.products:
                self.products[name] = self.products[name].take(rows)
        for name in AT_VOXELS:
            if name in self.products:
                self.products[name] = np.asarray(self.products[name])[rows]
        lost = {level: self._take_lists(level, owners) for level in LEVELS if f"{level}_clusts" in self.products}
        if "particle" in lost and "fragment_group_pred" in self.products:
            numbers = np.append(np.cumsum(lost["particle"]) - 1, -1)
            self.products["fragment_group_pred"] = numbers[self.products["fragment_group_pred"]]

    def _take_lists(self, level: str, owners: IntArray) -> BoolArray:
        """Clusters without the voxels that are gone, and without those that have none left; returns which stay."""
        lists: Ragged = self.products[f"{level}_clusts"]
        pairs = np.column_stack([lists.rows, owners[lists.values]])
        _, first = np.unique(pairs, axis=0, return_index=True)
        first = np.sort(first[pairs[first, 1] >= 0])
        lengths = np.bincount(pairs[first, 0], minlength=len(lists))
        stays: BoolArray = lengths > 0
        self.products[f"{level}_clusts"] = Ragged(
            pairs[first, 1].astype(lists.values.dtype), lengths_to_offsets(lengths[stays])
        )
        for name in PER_CLUSTER:
            if f"{level}_{name}" in self.products:
                self.products[f"{level}_{name}"] = np.asarray(self.products[f"{level}_{name}"])[stays]
        return stays

    def event(self) -> Event:
        """The event as it is now."""
        coords = self.coords.astype(np.int32)
        for name in ("data", *LABELS):
            if name in self.products:
                old = self.products[name]
                self.products[name] = Tensor(coords, old.features, old.names, old.particles)
        return Event(self.products, *self._about)
