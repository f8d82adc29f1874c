"""Augmentation of single voxels: parts cut out, places blurred, charges changed."""

from __future__ import annotations

from typing import Annotated, Literal

import numpy as np
from pydantic import BeforeValidator, Field

from spine.ops.arrays import BoolArray, IntArray
from spine.steps.step import StepConfig
from spine.train.augment.image import Image

__all__ = ["Crop", "Jitter", "Mask", "Response", "crop", "jitter", "mask", "response"]

Sizes = Annotated[
    tuple[int, int, int], BeforeValidator(lambda value: (value,) * 3 if isinstance(value, int) else value)
]


class Crop(StepConfig):
    """Keep what is in a box of random size and place."""

    min_dimensions: Sizes = Field(description="Least size of the box (voxels)")
    max_dimensions: Sizes = Field(description="Largest size of the box (voxels)")
    center_mode: Literal["uniform", "activity", "weighted_activity"] = Field(
        "activity", description="The centre is anywhere, at a voxel, or at a voxel chosen by its charge"
    )
    p: float = Field(1.0, ge=0, le=1, description="Probability")


class Mask(Crop):
    """Lose what is in a box of random size and place."""


class Jitter(StepConfig):
    """Move each voxel on its own; those that meet become one."""

    max_offset: int = Field(1, ge=1, description="Largest distance along each axis (voxels)")
    fraction: float = Field(1.0, ge=0, le=1, description="Share of the voxels that are moved")
    p: float = Field(1.0, ge=0, le=1, description="Probability")


class Response(StepConfig):
    """Change the charge of voxels."""

    gain_range: tuple[float, float] = Field((1.0, 1.0), description="One factor for the event, between these")
    noise_sigma: float = Field(0.0, ge=0, description="Spread of a factor for each voxel, about 1")
    dropout_prob: float = Field(0.0, ge=0, lt=1, description="Probability that a voxel is lost")
    threshold: float | None = Field(None, description="Voxels with less charge are lost (in the unit of the image)")
    saturation: float | None = Field(None, description="Largest charge (in the unit of the image)")
    clip_min: float | None = Field(0.0, description="Least charge (in the unit of the image)")
    p: float = Field(1.0, ge=0, le=1, description="Probability")


def _box(image: Image, cfg: Crop, random: np.random.Generator) -> BoolArray:
    """(N,) which voxels are in a box."""
    size = random.integers(cfg.min_dimensions, np.maximum(cfg.min_dimensions, cfg.max_dimensions) + 1)
    if cfg.center_mode == "uniform" or not len(image.coords):
        centre: IntArray = random.integers(0, np.maximum(image.size, 1))
    else:
        weights = np.maximum(image.charge, 0.0).astype(np.float64) if cfg.center_mode == "weighted_activity" else None
        if weights is not None:
            weights = weights / weights.sum() if weights.sum() > 0 else None
        centre = image.coords[random.choice(len(image.coords), p=weights)]
    lower = centre - size // 2
    return np.asarray(((image.coords >= lower) & (image.coords < lower + size)).all(axis=1))


def crop(image: Image, cfg: Crop, random: np.random.Generator) -> None:
    """Keep a box."""
    inside, chance = _box(image, cfg, random), random.random()
    if chance < cfg.p and inside.any():
        image.keep(inside)


def mask(image: Image, cfg: Mask, random: np.random.Generator) -> None:
    """Lose a box."""
    inside, chance = _box(image, cfg, random), random.random()
    if chance < cfg.p and not inside.all():
        image.keep(~inside)


def jitter(image: Image, cfg: Jitter, random: np.random.Generator) -> None:
    """Move voxels a little."""
    offsets = random.integers(-cfg.max_offset, cfg.max_offset + 1, (len(image.coords), 3))
    offsets[random.random(len(offsets)) >= cfg.fraction] = 0
    if random.random() < cfg.p:
        image.merge(np.clip(image.coords + offsets, 0, image.size - 1))


def response(image: Image, cfg: Response, random: np.random.Generator) -> None:
    """Change charges."""
    count = len(image.coords)
    gain, spread = random.uniform(*cfg.gain_range), random.normal(1.0, cfg.noise_sigma, count)
    lost, chance = random.random(count) < cfg.dropout_prob, random.random()
    if chance >= cfg.p:
        return
    charge = image.charge * gain * spread
    if cfg.threshold is not None:
        lost |= charge < cfg.threshold
    image.set_charge(np.clip(charge, cfg.clip_min, cfg.saturation))
    if not lost.all():
        image.keep(~lost)
