"""Build: network products in, fragments, particles and interactions out."""

from __future__ import annotations

from pathlib import Path

from spine.build import BuildConfig, build_event
from spine.config.model import Config
from spine.config.slices import stage_code, stage_slice
from spine.stages.chain import ChainLink, event_stage
from spine.stages.loop import Action
from spine.stages.outcome import StageReport

__all__ = ["build_actions", "run"]


def build_actions(config: Config) -> list[Action]:
    """Building of objects, as the block build says."""
    options = BuildConfig.model_validate(config.build)
    return [Action("build", lambda event: build_event(event, options))]


def run(source: Path, output: Path, config: Config) -> StageReport:
    """Build the objects of every event of a file.

    Parameters
    ----------
    source : Path
        Output of infer.
    output : Path
        HDF5 file to write.
    config : Config
        Uses the blocks build, geo and base.

    Returns
    -------
    StageReport
        Events written and skipped.

    Raises
    ------
    DataError
        When an event cannot be built and ``on_error`` is ``stop``.
    """
    link = ChainLink("build", stage_slice(config, "build"), stage_code(config, "build"), ("build",))
    return event_stage(source, output, config.base, link, build_actions(config))
