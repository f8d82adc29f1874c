"""What is left of the image, and of what goes with it, when a stage takes voxels out."""

from __future__ import annotations

from typing import Any

import numpy as np

from spine.model.chain.rows import rows_of
from spine.ops.arrays import BoolArray, IntArray
from spine.schema import Event, Shape, Tensor

__all__ = ["kept_products"]


def kept_products(event: Event, image: Tensor, keep: BoolArray) -> dict[str, Any]:
    """Products of an event after some voxels of its image were taken out.

    Parameters
    ----------
    event : Event
        With ``data`` and, where they are, ``sources`` and true labels.
    image : Tensor
        ``data``, or what was left of it before.
    keep : (N,) bool
        Voxels of the image that stay.

    Returns
    -------
    dict
        ``data_adapt``, ``orig_index`` (rows of ``data``); ``sources_adapt``, ``sources_label`` and
        ``orig_index_label`` (rows of ``data`` that are in the true labels) where the event has what they need.
    """
    rows = np.flatnonzero(keep)
    original = _original_rows(event, image)[rows]
    products: dict[str, Any] = {"data_adapt": image.take(rows), "orig_index": original}
    labelled = _labelled_rows(event)
    if labelled is not None:
        products["orig_index_label"] = labelled
    if "sources" in event:
        sources = np.asarray(event["sources"])
        products["sources_adapt"] = sources[original]
        if labelled is not None:
            products["sources_label"] = sources[labelled]
    return products


def _original_rows(event: Event, image: Tensor) -> IntArray:
    """(N,) row of ``data`` of each voxel of the image."""
    if image is event["data"]:
        return np.arange(len(image), dtype=np.int64)
    return rows_of(event["data"].coords, image.coords)


def _labelled_rows(event: Event) -> IntArray | None:
    """Row of ``data`` of each voxel of the true clusters, or of those that are no ghosts in truth."""
    coords = event["data"].coords
    if "clust_label" in event:
        rows = rows_of(coords, event["clust_label"].coords)
        return rows if (rows >= 0).all() else None
    if "seg_label" not in event:
        return None
    truth: Tensor = event["seg_label"]
    rows = rows_of(coords, truth.coords[truth.feature("value") != Shape.GHOST])
    return rows[rows >= 0]
