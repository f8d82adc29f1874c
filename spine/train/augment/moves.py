"""Augmentation that moves an event as a whole: mirror images, rotations, translations."""

from __future__ import annotations

from itertools import combinations
from typing import Annotated

import numpy as np
from pydantic import BeforeValidator, Field

from spine.ops.arrays import FloatArray, IntArray
from spine.steps.step import StepConfig
from spine.train.augment.image import Image

__all__ = ["Flip", "Rotate", "Tilt", "Translate", "flip", "rotate", "tilt", "translate"]

Numbers = Annotated[tuple[int, ...], BeforeValidator(lambda value: (value,) if isinstance(value, int) else value)]


class Flip(StepConfig):
    """Mirror image."""

    axis: Numbers = Field((0, 1, 2), description="Axes; each is mirrored or not on its own")
    p: float = Field(0.5, ge=0, le=1, description="Probability for each axis")


class Rotate(StepConfig):
    """Rotation by right angles about the centre of the image."""

    axes: tuple[int, int] | None = Field(None, description="Plane; one of the three at random when left out")
    k: Numbers = Field((0, 1, 2, 3), description="Right angles, one of them at random")
    p: float = Field(1.0, ge=0, le=1, description="Probability")


class Tilt(StepConfig):
    """Rotation by any angle about the centre of the image, in a plane at random.

    Rows and columns of voxels are shifted by whole voxels three times (Paeth, Graphics Interface 1986), so that no two
    voxels meet and no holes appear; voxels end up within one and a half voxels of where they should.
    """

    max_angle: float = Field(45.0, gt=0, le=45, description="Largest angle (degrees)")
    p: float = Field(1.0, ge=0, le=1, description="Probability")


class Translate(StepConfig):
    """Translation by whole voxels."""

    lower: Numbers | None = Field(None, description="Least shift, one for all axes or one each (voxels)")
    upper: Numbers | None = Field(None, description="Largest shift; by default the event stays in the image (voxels)")
    p: float = Field(1.0, ge=0, le=1, description="Probability")


def _linear(image: Image, matrix: FloatArray) -> None:
    """Turn or mirror about the centre; the matrix takes axes to axes."""
    centre = image.size / 2
    moved = (image.coords + 0.5 - centre) @ matrix.T + centre
    corner = np.zeros(3) + 0.5 - centre
    rest = np.mod(corner @ matrix.T + centre - 0.5, 1.0)  # half a voxel where the sizes of axes differ by an odd number

    def places(positions: FloatArray) -> FloatArray:
        turned: FloatArray = (positions - centre) @ matrix.T + centre - rest
        return turned

    image.move(np.floor(moved - rest), places, matrix)


def flip(image: Image, cfg: Flip, random: np.random.Generator) -> None:
    """Mirror axes."""
    signs = np.ones(3)
    signs[list(cfg.axis)] = np.where(random.random(len(cfg.axis)) < cfg.p, -1.0, 1.0)
    _linear(image, np.diag(signs))


def rotate(image: Image, cfg: Rotate, random: np.random.Generator) -> None:
    """Turn by right angles."""
    planes = [cfg.axes] if cfg.axes is not None else list(combinations(range(3), 2))
    first, second = planes[int(random.integers(len(planes)))]
    turns, chance = int(random.choice(cfg.k)) % 4, random.random()
    if chance < cfg.p and turns:
        _linear(image, _rotation(first, second, turns * np.pi / 2).round())


def _rotation(first: int, second: int, angle: float) -> FloatArray:
    matrix = np.eye(3)
    matrix[[first, second], [first, second]] = np.cos(angle)
    matrix[first, second], matrix[second, first] = -np.sin(angle), np.sin(angle)
    return matrix


def tilt(image: Image, cfg: Tilt, random: np.random.Generator) -> None:
    """Turn by any angle."""
    first, second = list(combinations(range(3), 2))[int(random.integers(3))]
    angle, chance = np.deg2rad(random.uniform(-cfg.max_angle, cfg.max_angle)), random.random()
    if chance >= cfg.p:
        return
    centre, matrix = image.size / 2, _rotation(first, second, angle)
    coords = sheared(image.coords, (first, second), angle, centre)
    image.move(coords, lambda positions: (positions - centre) @ matrix.T + centre, matrix)


def sheared(coords: IntArray, plane: tuple[int, int], angle: float, centre: FloatArray) -> IntArray:
    """(n, 3) voxels turned in a plane by three shears of whole voxels."""
    first, second = plane
    turned = np.asarray(coords, dtype=np.int64).copy()
    for target, source, factor in (
        (first, second, -np.tan(angle / 2)), (second, first, np.sin(angle)), (first, second, -np.tan(angle / 2)),
    ):  # fmt: skip
        turned[:, target] += np.rint(factor * (turned[:, source] + 0.5 - centre[source])).astype(np.int64)
    return turned


def translate(image: Image, cfg: Translate, random: np.random.Generator) -> None:
    """Shift by whole voxels."""
    lowest = -image.coords.min(axis=0, initial=0) if not len(image.coords) else -image.coords.min(axis=0)
    highest = image.size - 1 - (image.coords.max(axis=0) if len(image.coords) else image.size - 1)
    lower = np.broadcast_to(lowest if cfg.lower is None else np.array(cfg.lower), 3)
    upper = np.broadcast_to(highest if cfg.upper is None else np.array(cfg.upper), 3)
    shift, chance = random.integers(lower, np.maximum(lower, upper) + 1), random.random()
    if chance < cfg.p:
        image.move(image.coords + shift, lambda positions: positions + shift)
