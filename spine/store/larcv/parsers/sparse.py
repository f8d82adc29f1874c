"""Parsers of sparse images."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from spine.schema import Shape, Tensor
from spine.store.larcv.block import RawEvent, RawVoxels
from spine.store.larcv.parsers.options import ParserOptions

__all__ = ["Sparse3DGhostOptions", "Sparse3DOptions", "sparse3d", "sparse3d_ghost"]


class Sparse3DOptions(ParserOptions):
    """Options of `sparse3d`."""

    sparse_event: str | None = Field(None, description="sparse3d product: voxels and their value")
    sparse_event_list: tuple[str, ...] | None = Field(None, description="sparse3d products, one feature each")
    num_features: int | None = Field(
        None, ge=1, description="Products of the list which share voxels; further ones add voxels (all by default)"
    )
    hit_keys: tuple[int, ...] | None = Field(
        None, description="Features of which the valid ones (>= 0) are counted into one more feature"
    )
    nhits_idx: int | None = Field(None, ge=0, description="Position of that feature among the others")
    lexsort: bool = Field(False, description="Sort the voxels of several sources by z, y, x")

    @model_validator(mode="after")
    def _consistent(self) -> Sparse3DOptions:
        if (self.sparse_event is None) == (self.sparse_event_list is None):
            raise ValueError("give sparse_event or sparse_event_list")
        if not self.products:
            raise ValueError("sparse_event_list is empty")
        if len(self.products) % self.width:
            raise ValueError(f"num_features ({self.width}) must divide the number of products ({len(self.products)})")
        if self.lexsort and self.num_features is None:
            raise ValueError("lexsort is for several sources: give num_features")
        if self.hit_keys is not None and (self.nhits_idx is None or self.nhits_idx > self.width):
            raise ValueError(f"hit_keys needs nhits_idx, at most {self.width}")
        if self.hit_keys is not None and not all(0 <= key < self.width for key in self.hit_keys):
            raise ValueError(f"hit_keys must be from 0 to {self.width - 1}")
        return self

    @property
    def products(self) -> tuple[str, ...]:
        """Products in the order of the features."""
        return (self.sparse_event,) if self.sparse_event is not None else self.sparse_event_list or ()

    @property
    def width(self) -> int:
        """Products that share voxels."""
        return self.num_features or len(self.products)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the features: value, value_1, ..., with nhits in its place."""
        names = ["value", *(f"value_{i}" for i in range(1, self.width))]
        if self.hit_keys is not None and self.nhits_idx is not None:
            names.insert(self.nhits_idx, "nhits")
        return tuple(names)


class Sparse3DGhostOptions(ParserOptions):
    """Options of `sparse3d_ghost`."""

    sparse_event: str = Field(description="sparse3d product of semantic classes")


def distinct(event: RawEvent, product: str, ids: NDArray[np.int64], mend: str) -> None:
    """Refuse voxels that occur twice.

    Raises
    ------
    DataError
        Names the file, the entry, the product and a voxel.
    """
    found, counts = np.unique(ids, return_counts=True)
    if len(found) < len(ids):
        got = f"{int((counts > 1).sum())} voxels, such as {int(found[counts > 1][0])}"
        raise event.error("voxels occur more than once", product, got=got, mend=mend)


def _stacked(event: RawEvent, cfg: Sparse3DOptions, products: tuple[str, ...]) -> tuple[RawVoxels, NDArray[np.float32]]:
    """Voxels of the first product and the features of all, for products that share their voxels."""
    parts = [event.voxels(product) for product in products]
    for product, part in zip(products, parts, strict=True):
        if not np.array_equal(part.ids, parts[0].ids):
            got = f"{len(part.ids)} and {len(parts[0].ids)} voxels"
            raise event.error(f"the voxels are not those of {products[0]!r}", product, got=got)
    columns = [part.values for part in parts]
    if cfg.hit_keys is not None and cfg.nhits_idx is not None:
        hits = np.stack([columns[key] for key in cfg.hit_keys], axis=1) >= 0
        columns.insert(cfg.nhits_idx, hits.sum(axis=1).astype(np.float32))
    return parts[0], np.stack(columns, axis=1)


def sparse3d(event: RawEvent, cfg: Sparse3DOptions) -> Tensor:
    """Sparse image: coordinates (n, 3) int32, one float32 feature per product, in the order of the file.

    Raises
    ------
    DataError
        Products whose frames or voxels differ, a voxel twice or outside the image, a value that is not a number.
    """
    width = cfg.width
    groups = [cfg.products[i : i + width] for i in range(0, len(cfg.products), width)]
    frame = event.frame(cfg.products[0])
    for product in cfg.products:
        if not event.frame(product).same(frame):
            raise event.error(f"the frame is not that of {cfg.products[0]!r}", product)
    parts = [_stacked(event, cfg, group) for group in groups]
    ids = np.concatenate([voxels.ids for voxels, _ in parts])
    features = np.concatenate([values for _, values in parts])
    distinct(event, ", ".join(cfg.products), ids, "make the image again without duplicates")
    order = np.argsort(ids, kind="stable") if cfg.lexsort else np.arange(len(ids))
    return Tensor(frame.cells(ids[order]), features[order], cfg.names)


def sparse3d_ghost(event: RawEvent, cfg: Sparse3DGhostOptions) -> Tensor:
    """Mask of ghost points from semantic classes: feature 1 for ghosts, 0 for others; errors as in `sparse3d`."""
    classes = sparse3d(event, Sparse3DOptions(sparse_event=cfg.sparse_event, sparse_event_list=None))
    return Tensor(classes.coords, (classes.features == Shape.GHOST).astype(np.float32), classes.names)
