"""Inference on ranges of events, of one file or of several."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from spine.config.jobs import parse_entries
from spine.config.model import Config
from spine.errors import ConfigError
from spine.stages import infer
from spine.stages.several import named_ranges
from spine.store.atomic import atomic_directory

__all__ = ["infer_ranges"]


def infer_ranges(sources: Sequence[Path], output: Path, config: Config, entries: str = "") -> None:
    """Run the chain on ranges of events.

    Parameters
    ----------
    sources : sequence of Path
        Inputs.
    output : Path
        A file that ends in ``.h5`` for one input, or a directory.
    config : Config
        Uses the blocks io, model and base.
    entries : str
        Range of each input, such as ``0:40,0:``; everything when empty.

    Raises
    ------
    ConfigError
        When several inputs go to one file, or there are not as many ranges as inputs.
    """
    ranges = parse_entries(entries) if entries else [infer.ALL] * len(sources)
    if output.suffix == ".h5":
        if len(sources) != 1:
            raise ConfigError("several inputs need a directory", where="--output", got=output)
        infer.run(sources[0], output, config, ranges[0])
        return
    with atomic_directory(output) as folder:
        for source, chosen, name in named_ranges(sources, ranges, output.name):
            infer.run(source, folder / name, config, chosen)
