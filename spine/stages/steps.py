"""Calling steps on events."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from spine.config.model import Config
from spine.schema import Event
from spine.schema.object_records import OBJECT_RECORDS
from spine.steps import Step, StepConfig

if TYPE_CHECKING:
    from spine.geometry import Detector

__all__ = ["call_of", "detector_of", "take_objects"]


def detector_of(config: Config) -> Detector | None:
    """The configured detector, None when none is named.

    Raises
    ------
    ConfigError
        When there is no such detector.
    """
    if config.geo.detector is None:
        return None
    from spine.geometry import load_detector

    return load_detector(config.geo.detector, config.geo.tag)


def call_of(step: Step, options: StepConfig, detector: Detector | None) -> Callable[[Event], None]:
    """A step with its options as a function of the event alone."""
    if step.takes_detector:
        return lambda event: step.run(event, options, detector)
    return lambda event: step.run(event, options)


def take_objects(event: Event) -> None:
    """Copy the object tables of an event, so that steps change the event and not what was read."""
    for prefix, level in OBJECT_RECORDS:
        name = f"{prefix}_{level}s"
        if name in event:
            event[name] = event.table(name).copy()
