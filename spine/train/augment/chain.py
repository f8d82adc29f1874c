"""The augmentations that a configuration asks for, in its order."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from pydantic import ValidationError

from spine.config.training import AugmentBlock
from spine.errors import ConfigError, did_you_mean
from spine.schema import Event
from spine.steps.step import StepConfig
from spine.train.augment import moves, voxels
from spine.train.augment.image import Image

__all__ = ["AUGMENTATIONS", "Augmentation", "make_augmentation"]

AUGMENTATIONS: dict[str, tuple[type[StepConfig], Callable[[Image, Any, np.random.Generator], None]]] = {
    "flip": (moves.Flip, moves.flip),
    "rotate": (moves.Rotate, moves.rotate),
    "tilt": (moves.Tilt, moves.tilt),
    "translate": (moves.Translate, moves.translate),
    "crop": (voxels.Crop, voxels.crop),
    "mask": (voxels.Mask, voxels.mask),
    "jitter": (voxels.Jitter, voxels.jitter),
    "response": (voxels.Response, voxels.response),
}
"""Options and function of each augmentation."""


@dataclass(frozen=True)
class Augmentation:
    """Augmentations in their order.

    Parameters
    ----------
    steps : tuple of (str, StepConfig)
        Name and options of each.
    """

    steps: tuple[tuple[str, StepConfig], ...]

    def __call__(self, event: Event, random: np.random.Generator) -> Event:
        """The changed event; what is drawn follows from the generator alone."""
        image = Image(event)
        for name, options in self.steps:
            AUGMENTATIONS[name][1](image, options, random)
        return image.event()


def make_augmentation(blocks: Sequence[AugmentBlock]) -> Augmentation | None:
    """The augmentations of a configuration, None when there are none.

    Raises
    ------
    ConfigError
        When there is no augmentation of that name, or options are wrong.
    """
    return Augmentation(tuple((block.provider, _options(block)) for block in blocks)) if blocks else None


def _options(block: AugmentBlock) -> StepConfig:
    if block.provider not in AUGMENTATIONS:
        mend = did_you_mean(block.provider, AUGMENTATIONS)
        raise ConfigError(f"no augmentation is called {block.provider!r}", where="train.augment", mend=mend)
    try:
        return AUGMENTATIONS[block.provider][0].model_validate(block.options)
    except ValidationError as error:
        lines = [f"{'.'.join(map(str, item['loc']))}: {item['msg']}" for item in error.errors()]
        raise ConfigError("options: " + "; ".join(lines), where=f"train.augment.{block.provider}") from error
