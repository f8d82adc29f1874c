"""What an event must fulfil before the chain looks at it."""

from __future__ import annotations

import numpy as np

from spine.errors import DataError
from spine.schema import Event, Tensor

__all__ = ["check_input"]


def check_input(event: Event) -> None:
    """Refuse an event that no later stage could make sense of.

    Parameters
    ----------
    event : Event
        As read from the input.

    Raises
    ------
    DataError
        When a charge is not a number, a voxel stands twice in the image, or labels point beyond their particles.
    """
    if "data" in event:
        _check_image(event, event["data"])
    if "clust_label" in event:
        _check_labels(event, event["clust_label"])


def _check_image(event: Event, image: Tensor) -> None:
    bad = ~np.isfinite(image.features).all(axis=1)
    if bad.any():
        raise DataError(
            "the charge of a voxel is not a number", where=event.label,
            got=f"{int(bad.sum())} of {len(image)}, such as voxel {image.coords[bad][0].tolist()}",
            mend="mend the file, or leave the event out with base.on_error=skip",
        )  # fmt: skip
    voxels, counts = np.unique(image.coords, axis=0, return_counts=True)
    if len(voxels) < len(image):
        raise DataError(
            "a voxel stands twice in the image", where=event.label,
            got=f"{len(image) - len(voxels)} too many, such as {voxels[counts > 1][0].tolist()}",
            mend="merge them when the file is made, or read it with a parser that does",
        )  # fmt: skip


def _check_labels(event: Event, labels: Tensor) -> None:
    if labels.particles is None:
        return
    rows = labels.feature("particle_index")
    listed = len(labels.particles)
    if len(rows) and rows.max() >= listed:
        raise DataError(
            "the clusters do not match the particle list", where=event.label,
            got=f"particle {int(rows.max())}", expected=f"0 to {listed - 1}, or -1",
        )  # fmt: skip
    if "particles" in event and len(event["particles"]) != listed:
        raise DataError(
            "the particle list does not match the labels of the clusters", where=event.label,
            got=f"{len(event['particles'])} particles", expected=f"{listed}",
        )  # fmt: skip
