"""Predictions from the images of single objects, or of whole events."""

from __future__ import annotations

from spine.model.image.encoder import ImageEncoder, build_encoder
from spine.model.image.loss import ImageLoss, ImageTruth, build_image_loss
from spine.model.image.network import ImageNetwork, ImageOutput, build_from_options, build_image
from spine.model.image.objects import image_objects
from spine.model.image.options import ImageLossOptions, ImageOptions

__all__ = [
    "ImageEncoder",
    "ImageLoss",
    "ImageLossOptions",
    "ImageNetwork",
    "ImageOptions",
    "ImageOutput",
    "ImageTruth",
    "build_encoder",
    "build_from_options",
    "build_image",
    "build_image_loss",
    "image_objects",
]
