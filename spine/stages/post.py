"""Post: objects in, the same objects with more columns filled out."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from spine.build.summary import refresh
from spine.config.check import step_options, steps_of
from spine.config.model import Config
from spine.config.slices import stage_code, stage_slice
from spine.geometry import Detector, load_detector
from spine.schema import Event
from spine.schema.object_records import OBJECT_RECORDS
from spine.stages.chain import ChainLink, event_stage
from spine.stages.loop import Action
from spine.stages.outcome import StageReport
from spine.steps import Step, StepConfig

__all__ = ["post_actions", "run"]


def _call(step: Step, options: StepConfig, detector: Detector | None) -> Callable[[Event], None]:
    if step.takes_detector:
        return lambda event: step.run(event, options, detector)
    return lambda event: step.run(event, options)


def _take_objects(event: Event) -> None:
    """Copy the object tables of an event, so that steps change the event and not what was read."""
    for prefix, level in OBJECT_RECORDS:
        name = f"{prefix}_{level}s"
        if name in event:
            event[name] = event.table(name).copy()


def post_actions(config: Config) -> list[Action]:
    """Everything that post-processing does to an event, in order.

    Parameters
    ----------
    config : Config
        Uses the blocks post and geo.

    Raises
    ------
    ConfigError
        When a step is unknown or its options are wrong.
    """
    detector = load_detector(config.geo.detector, config.geo.tag) if config.geo.detector else None
    actions = [Action("read", _take_objects)]
    for entry, step in steps_of("post", config.post):
        options = step_options(entry, step)
        actions.append(Action(entry.name, _call(step, options, detector)))
    return [*actions, Action("summary", refresh)]


def run(source: Path, output: Path, config: Config) -> StageReport:
    """Post-process every event of a file.

    Parameters
    ----------
    source : Path
        Output of build.
    output : Path
        HDF5 file to write.
    config : Config
        Uses the blocks post, geo and base.

    Returns
    -------
    StageReport
        Events written and skipped.

    Raises
    ------
    ConfigError
        When a step is unknown or its options are wrong.
    DataError
        When an event fails and ``on_error`` is ``stop``.
    """
    actions = post_actions(config)
    names = tuple(entry.name for entry, _ in steps_of("post", config.post))
    link = ChainLink("post", stage_slice(config, "post"), stage_code(config, "post"), names)
    return event_stage(source, output, config.base, link, actions)
