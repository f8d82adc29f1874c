"""Post: objects in, the same objects with more columns filled out."""

from __future__ import annotations

from pathlib import Path

from spine.build.summary import refresh
from spine.config.check import step_options, steps_of
from spine.config.model import Config
from spine.config.slices import stage_code, stage_slice
from spine.stages.chain import ChainLink, event_stage
from spine.stages.loop import Action
from spine.stages.outcome import StageReport
from spine.stages.steps import call_of, detector_of, take_objects

__all__ = ["post_actions", "run"]


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
    detector = detector_of(config)
    actions = [Action("read", take_objects)]
    for entry, step in steps_of("post", config.post):
        actions.append(Action(entry.name, call_of(step, step_options(entry, step), detector)))
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
    names = tuple(entry.name for entry, _ in steps_of("post", config.post))
    link = ChainLink("post", stage_slice(config, "post"), stage_code(config, "post"), names)
    return event_stage(source, output, config.base, link, post_actions(config))
