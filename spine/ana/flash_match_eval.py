"""Interactions beside their flashes and their matches on the other side."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from spine.ana.objects import (
    OTHER,
    Side,
    TimeWindow,
    best_match_rows,
    creation_times,
    event_rows_of,
    flat_columns,
    inside,
    joined_columns,
    objects_of,
)
from spine.ana.tables import EVENT_ROW
from spine.schema import Block
from spine.steps import Columns, StepConfig, step

__all__ = ["FlashMatchEvalConfig", "flash_match_eval"]

FLASH_LISTS = ("flash_ids", "flash_volume_ids", "flash_times", "flash_scores")


class FlashMatchEvalConfig(StepConfig):
    """Which interactions to write."""

    time_window: TimeWindow | None = Field(None, description="True interactions count if made in this range (ns)")
    neutrino_only: bool = Field(True, description="Only neutrinos among true interactions")
    max_num_flashes: int = Field(1, ge=1, description="How many flashes to write for each interaction")
    match_mode: Literal["reco_to_truth", "truth_to_reco", "both", "all"] = Field("both", description="Tables to write")
    extra_reco_attrs: tuple[str, ...] = Field((), description="Further columns of reconstructed interactions")
    extra_truth_attrs: tuple[str, ...] = Field((), description="Further columns of true interactions")

    @property
    def sides(self) -> tuple[Side, ...]:
        """Side of each table."""
        sides: tuple[Side, ...] = ("reco", "truth")
        return tuple(s for s in sides if self.match_mode in ("both", "all", f"{s}_to_{OTHER[s]}"))

    def names(self, side: Side) -> tuple[str, ...]:
        """Columns of a side."""
        if side == "reco":
            flash = ("is_flash_matched", *FLASH_LISTS, "flash_total_pe", "flash_hypo_pe")
            return ("id", "size", "is_contained", "topology", *flash, *self.extra_reco_attrs)
        energy = ("energy_init",) if self.neutrino_only else ()
        return ("id", "size", "is_contained", "nu_id", "t", "topology", *energy, *self.extra_truth_attrs)

    def lengths(self, side: Side) -> dict[str, int]:
        """How many values of lists to write."""
        return dict.fromkeys(FLASH_LISTS, self.max_num_flashes) if side == "reco" else {}


@step(
    reads=("reco_interactions.flash_ids", "truth_interactions"),
    per="block",
    tables=lambda cfg: tuple(f"flash_match_eval_{side}" for side in cfg.sides),
)
def flash_match_eval(block: Block, cfg: FlashMatchEvalConfig) -> dict[str, Columns]:
    """Write the interactions on which flash matching is judged.

    Parameters
    ----------
    block : Block
        With interactions matched to flashes and to those of the other side.
    cfg : FlashMatchEvalConfig
        Options.

    Returns
    -------
    dict of str to columns
        ``flash_match_eval_reco``: reconstructed interactions with a flash; ``flash_match_eval_truth``: true ones which
        should have one. Columns of the interaction, of its best match (missing values without one), ``match_overlap``.
    """
    return {f"flash_match_eval_{side}": _rows(block, cfg, side) for side in cfg.sides}


def _rows(block: Block, cfg: FlashMatchEvalConfig, side: Side) -> Columns:
    other = OTHER[side]
    name, target = f"{side}_interactions", f"{other}_interactions"
    objects = objects_of(block, name)
    own = flat_columns(objects, cfg.names(side), cfg.lengths(side))
    match = best_match_rows(block, name, target)
    theirs = joined_columns(objects_of(block, target), match, cfg.names(other), cfg.lengths(other))
    rows = {EVENT_ROW: event_rows_of(block, name)} | {f"{side}_{key}": values for key, values in own.items()}
    rows |= {f"{other}_{key}": values for key, values in theirs.items()}
    rows["match_overlap"] = objects["best_match_overlap"]
    chosen = _chosen(block, cfg, side)
    return {key: values[chosen] for key, values in rows.items()}


def _chosen(block: Block, cfg: FlashMatchEvalConfig, side: Side) -> NDArray[np.bool_]:
    objects = objects_of(block, f"{side}_interactions")
    if side == "reco":
        return np.asarray(objects["is_flash_matched"])
    timely = inside(creation_times(block, "interaction"), cfg.time_window) if cfg.time_window else True
    return np.asarray(timely & ((objects["nu_id"] >= 0) | (not cfg.neutrino_only)))
