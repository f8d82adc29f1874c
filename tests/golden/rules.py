"""What a rule of SPINE gives where it is wrong, so that its deviation can be told from any other."""

from __future__ import annotations

from typing import Any

import numpy as np

from spine.config.check import step_options, steps_of
from spine.config.model import Config
from spine.post.children_count import ChildrenCountConfig
from spine.schema import Event, Pid, Ragged, Shape, offsets_of

__all__ = ["apply_rules"]


def apply_rules(event: Event, config: Config) -> None:
    """Count children as SPINE does.

    Parameters
    ----------
    event : Event
        After post-processing; its tables are changed.
    config : Config
        Steps that were run.
    """
    for entry, step in steps_of("post", config.post):
        options: Any = step_options(entry, step)
        if isinstance(options, ChildrenCountConfig):
            _set_children(event, options)


def _set_children(event: Event, cfg: ChildrenCountConfig) -> None:
    """Parents are rows of the list, and are looked up among the numbers of the input."""
    table = event.truth.particles
    width = int(Shape.GHOST) if cfg.mode == "shape" else len(Pid) - 1
    numbers, parents, kinds = table["orig_id"], table["parent_id"], table[cfg.mode]
    counts = np.zeros((len(table), width), dtype=np.int32)
    last = {int(number): int(kind) for number, kind in zip(numbers, kinds, strict=True)}
    for number, parent in zip(numbers.tolist(), parents.tolist(), strict=True):
        if parent != number and 0 <= last[number] < width:
            counts[numbers == parent, last[number]] += 1
    table["children_counts"] = Ragged(counts.reshape(-1), offsets_of(np.full(len(table), width)))
