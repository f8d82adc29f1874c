"""Ghosts: voxels that hits on different planes suggest and no charge caused. Taken out by the truth."""

from __future__ import annotations

from typing import Any, Literal, Self

import numpy as np
from pydantic import Field, model_validator

from spine.errors import DataError
from spine.model.chain.charge import hits_of, shared_charge
from spine.model.chain.formation import one_hot
from spine.model.chain.image import kept_products
from spine.model.chain.provider import Result, provider
from spine.model.chain.rows import rows_of
from spine.ops.arrays import BoolArray, IntArray
from spine.schema import Event, Shape, Tensor
from spine.steps.step import StepConfig

__all__ = ["DeghostConfig", "charge_made", "deghosted", "label"]

MADE = ("data_adapt", "orig_index", "ghost", "ghost_pred")
"""Products of every mode."""


class DeghostConfig(StepConfig):
    """Options of taking ghosts out."""

    charge_rescaling: Literal["collection", "average", "label"] | None = Field(
        None,
        description="Share the charge of each hit among its voxels that are left: that of the collection plane where "
        "it has one, or the mean of the planes; or take that of the true clusters, where ghosts are those of the truth",
    )
    store_charge_info: bool = Field(False, description="Keep the charges of the hits and their numbers of voxels")

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.store_charge_info and self.charge_rescaling not in ("collection", "average"):
            raise ValueError("store_charge_info needs charge_rescaling 'collection' or 'average'")
        return self


def charge_made(cfg: DeghostConfig) -> tuple[str, ...]:
    """Products that are made with these options."""
    return (*MADE, *(("charge_per_plane", "charge_multiplicity") if cfg.store_charge_info else ()))


def _required(cfg: DeghostConfig) -> tuple[str, ...]:
    return ("data", "seg_label", *(("clust_label",) if cfg.charge_rescaling == "label" else ()))


@provider("deghost", "label", requires=_required, provides=charge_made)
def label(event: Event, cfg: DeghostConfig) -> Result:
    """Take out the voxels that are ghosts in truth, or that the truth does not have."""
    truth: Tensor = event["seg_label"]
    rows = rows_of(truth.coords, event["data"].coords)
    classes = np.full(len(rows), int(Shape.GHOST), dtype=np.int64)
    classes[rows >= 0] = truth.feature("value")[rows[rows >= 0]].astype(np.int64)
    ghost = (classes == Shape.GHOST).astype(np.int64)
    products = deghosted(event, ghost, cfg)
    if cfg.charge_rescaling == "label":
        products["data_adapt"] = _with_charge(products["data_adapt"], _true_charge(event, ghost == 0))
    return {**products, "ghost": one_hot(ghost, 2).astype(np.float32)}


def _true_charge(event: Event, keep: BoolArray) -> Any:
    truth: Tensor = event["clust_label"]
    rows = rows_of(truth.coords, event["data"].coords[keep])
    if (rows < 0).any():
        raise DataError(
            "a voxel that is left has no true charge", where=event.label,
            got=event["data"].coords[keep][rows < 0][0].tolist(), mend="set charge_rescaling: null",
        )  # fmt: skip
    return truth.feature("value")[rows]


def deghosted(event: Event, ghost: IntArray, cfg: DeghostConfig) -> dict[str, Any]:
    """Products of an event whose ghosts are known, without their scores.

    Parameters
    ----------
    event : Event
        With ``data``.
    ghost : (N,) int64
        1 for the voxels of ``data`` that are ghosts.
    cfg : DeghostConfig
        How charge is shared.
    """
    products = {**kept_products(event, event["data"], ghost == 0), "ghost_pred": ghost}
    return {**products, **_charge_products(event, products["data_adapt"], cfg)}


def _charge_products(event: Event, image: Tensor, cfg: DeghostConfig) -> dict[str, Any]:
    """The image with shared charge, and the hits that it came from; nothing where that is not asked for."""
    if cfg.charge_rescaling not in ("collection", "average"):
        return {}
    hits = hits_of(image, event)
    products: dict[str, Any] = {
        "data_adapt": _with_charge(image, shared_charge(hits, cfg.charge_rescaling == "collection"))
    }
    if cfg.store_charge_info:
        products["charge_per_plane"] = hits.charge.astype(np.float32)
        products["charge_multiplicity"] = hits.uses()
    return products


def _with_charge(image: Tensor, charge: Any) -> Tensor:
    features = np.column_stack([charge, image.features[:, 1:]]).astype(np.float32)
    return Tensor(image.coords, features, image.names, image.particles)
