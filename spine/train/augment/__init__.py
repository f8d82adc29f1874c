"""Augmentation: events changed at random, image, labels and points together."""

from __future__ import annotations

from spine.train.augment.chain import AUGMENTATIONS, Augmentation, make_augmentation
from spine.train.augment.image import Image

__all__ = ["AUGMENTATIONS", "Augmentation", "Image", "make_augmentation"]
