"""Points and depositions, the images that objects index into."""

from __future__ import annotations

from typing import Any

import numpy as np

from spine.build.config import BuildConfig
from spine.build.units import positions
from spine.errors import DataError
from spine.schema import Event, Tensor

__all__ = ["add_images", "label_tensor", "source"]


def source(event: Event, cfg: BuildConfig, role: str) -> Any:
    """The first product that plays a role, None when there is none."""
    return next((event[name] for name in cfg.candidates(role) if name in event), None)


def _required(event: Event, cfg: BuildConfig, role: str, side: str) -> Tensor:
    tensor: Tensor | None = source(event, cfg, role)
    if tensor is None:
        raise DataError(
            f"{side} objects are asked for, but the event has nothing to make them from", where=event.label,
            got=f"products {', '.join(sorted(event))}", expected=" or ".join(cfg.candidates(role)),
            mend=f"set build.mode: {'reco' if side == 'truth' else 'truth'}",
        )  # fmt: skip
    return tensor


def label_tensor(event: Event, cfg: BuildConfig) -> Tensor:
    """The cluster labels that define true objects.

    Raises
    ------
    DataError
        When the event has no cluster labels or they do not point to particles.
    """
    label = _required(event, cfg, "label_tensor", "truth")
    if label.particles is None:
        raise DataError(
            "the cluster labels do not point to particles", where=event.label, got=f"features {label.names}",
            mend="parse cluster labels with particles, or set build.mode: reco",
        )  # fmt: skip
    return label


def add_images(event: Event, cfg: BuildConfig) -> None:
    """Add points (cm or voxel units) and depositions of the image and of the labels.

    Parameters
    ----------
    event : Event
        Gets the products points, depositions, depositions_q, sources, orig_index (reconstruction), and
        points_label, depositions_label, depositions_label_adapt, points_g4, depositions_g4 (truth).
    cfg : BuildConfig

    Raises
    ------
    DataError
        When a tensor that a requested side needs is missing.
    """
    if "reco" in cfg.sides or source(event, cfg, "label_adapt_tensor") is not None:
        _add_image(event, cfg)
    if "truth" in cfg.sides:
        _add_label_images(event, cfg)


def _add_image(event: Event, cfg: BuildConfig) -> None:
    data = _required(event, cfg, "data_tensor", "reco")
    charge: Tensor = source(event, cfg, "data_q_tensor") or data
    if len(charge) != len(data):
        raise DataError(
            "charges and calibrated charges are of different images", where=event.label, got=len(charge),
            expected=f"{len(data)} rows", mend="set build.sources.data_q_tensor",
        )  # fmt: skip
    event["points"] = positions(event, data.coords, cfg.units)
    event["depositions"] = data.features[:, 0]
    event["depositions_q"] = charge.features[:, 0]
    for role, name in (("sources", "sources"), ("orig_index", "orig_index")):
        value = source(event, cfg, role)
        if value is not None and value is not event.get(name):
            event[name] = value


def _add_label_images(event: Event, cfg: BuildConfig) -> None:
    label = label_tensor(event, cfg)
    event["points_label"] = positions(event, label.coords, cfg.units)
    event["depositions_label"] = label.feature("value")
    adapted: Tensor | None = source(event, cfg, "label_adapt_tensor")
    if adapted is not None:
        event["depositions_label_adapt"] = adapted.feature("value")
    true: Tensor | None = source(event, cfg, "label_g4_tensor")
    if true is not None:
        event["points_g4"] = positions(event, true.coords, cfg.units)
        event["depositions_g4"] = true.feature("value")
    for role in ("depositions_q_label", "sources_label", "orig_index_label"):
        value = source(event, cfg, role)
        if value is not None and value is not event.get(role) and len(value) == len(label):
            event[role] = np.asarray(value)
