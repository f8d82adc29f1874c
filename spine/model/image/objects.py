"""Which voxels make an image, and the table of all of them."""

from __future__ import annotations

import numpy as np

from spine.errors import ConfigError
from spine.model.grappa.truth import EventTruth
from spine.model.image.options import ObjectOptions
from spine.ops.arrays import RealArray
from spine.ops.clustering import clusters_from_labels
from spine.schema import Ragged, Tensor

__all__ = ["image_objects", "object_table"]


def image_objects(image: Tensor, options: ObjectOptions, truth: EventTruth | None) -> Ragged:
    """Rows of an event in each image.

    Parameters
    ----------
    image : Tensor
        Voxels of the event.
    options : ObjectOptions
        What the images show.
    truth : EventTruth, optional
        Truth of the event, where labels tell it.

    Raises
    ------
    ConfigError
        When objects are to be given, or labels are needed and there are none.
    """
    if options.source == "image":
        rows = np.arange(len(image), dtype=np.int64)
        return Ragged.by_label(np.zeros(len(rows), dtype=np.int64), 1) if len(rows) else Ragged.by_label(rows, 0)
    if options.label is None or truth is None:
        raise ConfigError("the objects are not known", where="objects.source", got=options.source)
    wanted = np.isin(truth.label("shape").astype(np.int64), options.classes)
    ids = np.where(wanted, truth.label(options.label).astype(np.int64), -1)
    found = clusters_from_labels(ids, max(options.min_size, 1))
    return Ragged(found.values, found.offsets)


def object_table(image: Tensor, objects: Ragged, features: int, first: int = 0) -> RealArray:
    """(M, 1 + 3 + F) float32 table of the voxels of all objects, numbered from ``first``."""
    rows = objects.values.astype(np.int64)
    columns = [objects.rows[:, None] + first, image.coords[rows], image.features[rows, :features]]
    return np.concatenate(columns, axis=1, dtype=np.float32)
