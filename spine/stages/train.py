"""Train: events with truth in, weights of networks out."""

from __future__ import annotations

import logging
import resource
import time
from pathlib import Path

from spine.config.model import Config
from spine.stages.outcome import StageReport
from spine.train import Outcome
from spine.train.loop import train
from spine.train.setup import TrainInputs

__all__ = ["TrainInputs", "run"]

log = logging.getLogger("spine")


def run(inputs: TrainInputs, output: Path, config: Config, logs: Path | None = None) -> tuple[StageReport, Outcome]:
    """Train networks, or go on where an earlier run ended.

    Parameters
    ----------
    inputs : TrainInputs
        Files to train and to validate on.
    output : Path
        Directory of snapshots and logs; ``weights.ckpt`` appears in it when the training has come to its end.
    config : Config
        Uses the blocks model, train, validation and base.
    logs : Path, optional
        Another directory for the logs.

    Returns
    -------
    report : StageReport
        Events that were trained on, each as often as it was.
    outcome : Outcome
        Whether the training came to its end.
    """
    start = time.perf_counter()
    outcome = train(config, inputs, output, logs)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024.0
    report = StageReport("train", output, outcome.events, (), time.perf_counter() - start, peak)
    log.info("%s", report)
    return report, outcome
