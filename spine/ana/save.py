"""Objects as tables, alone or beside their best matches."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from spine.ana.objects import (
    OBJECT_PRODUCTS,
    OTHER,
    ObjectKind,
    ObjectKinds,
    RunMode,
    Side,
    best_match_rows,
    event_rows_of,
    flat_columns,
    joined_columns,
    objects_of,
    sides_of,
)
from spine.ana.tables import EVENT_ROW
from spine.errors import did_you_mean
from spine.schema import Block, product
from spine.schema.columns import Column
from spine.steps import Columns, StepConfig, step

__all__ = ["SaveConfig", "save"]


class SaveConfig(StepConfig):
    """Which objects and columns to write."""

    obj_type: ObjectKinds = Field(description="Kinds of objects: fragment, particle, interaction")
    fragment: tuple[str, ...] | None = Field(None, description="Columns of fragments, all by default")
    particle: tuple[str, ...] | None = Field(None, description="Columns of particles, all by default")
    interaction: tuple[str, ...] | None = Field(None, description="Columns of interactions, all by default")
    lengths: dict[str, int] = Field({}, description="How many values to keep of columns with lists")
    run_mode: RunMode = Field("both", description="Sides that get a table: reco, truth or both")
    match_mode: Literal["reco_to_truth", "truth_to_reco", "both", "all"] | None = Field(
        "both", description="Directions in which the best match is put beside each object, null for none"
    )

    @model_validator(mode="after")
    def _check(self) -> Self:
        for side in ("reco", "truth") if self.match_mode in ("both", "all") else ():
            if side not in sides_of(self.run_mode):
                raise ValueError(f"match_mode {self.match_mode!r} needs run_mode 'both', not {self.run_mode!r}")
        source = (self.match_mode or "").partition("_to_")[0]
        if source in ("reco", "truth") and source not in sides_of(self.run_mode):
            raise ValueError(f"match_mode {self.match_mode!r} needs run_mode {source!r} or 'both'")
        for kind in self.obj_type:
            self._check_names(kind)
        return self

    def _check_names(self, kind: ObjectKind) -> None:
        known = _declared(kind, "reco") | _declared(kind, "truth")
        for name in self.names(kind) or ():
            if name not in known:
                raise ValueError(f"{kind}s have no column {name!r}; {did_you_mean(name, known)}")
            if known[name].kind == "ragged" and name not in self.lengths:
                raise ValueError(f"column {name!r} holds lists; say under 'lengths' how many values to keep")

    def names(self, kind: ObjectKind) -> tuple[str, ...] | None:
        """Columns asked for of a kind of object."""
        return {"fragment": self.fragment, "particle": self.particle, "interaction": self.interaction}[kind]

    def matched(self, side: Side) -> bool:
        """Whether objects of a side stand beside their best match."""
        return self.match_mode in ("both", "all", f"{side}_to_{OTHER[side]}")

    def sources(self) -> list[tuple[Side, ObjectKind]]:
        """Side and kind of each table, in the order of writing."""
        return [(side, kind) for kind in self.obj_type for side in sides_of(self.run_mode)]


def _declared(kind: ObjectKind, side: Side) -> dict[str, Column]:
    record = product(f"{side}_{kind}s").record
    return record.columns if record is not None else {}


def _tables(cfg: SaveConfig) -> tuple[str, ...]:
    return tuple(f"save_{side}_{kind}s" for side, kind in cfg.sources())


@step(reads=OBJECT_PRODUCTS, per="block", tables=_tables)
def save(block: Block, cfg: SaveConfig) -> dict[str, Columns]:
    """Write one row per object, on request with the columns of its best match.

    Parameters
    ----------
    block : Block
        Events with the chosen objects, on both sides where matches are written.
    cfg : SaveConfig
        Options.

    Returns
    -------
    dict of str to columns
        ``save_reco_particles``, ...: the columns of the objects; where matches are written, ``reco_*`` and
        ``truth_*`` columns (missing values where an object has no match) and ``match_overlap`` (-1 for none).
    """
    return {f"save_{side}_{kind}s": _rows(block, cfg, side, kind) for side, kind in cfg.sources()}


def _rows(block: Block, cfg: SaveConfig, side: Side, kind: ObjectKind) -> Columns:
    source, names = f"{side}_{kind}s", cfg.names(kind)
    objects = objects_of(block, source)
    own = flat_columns(objects, names, cfg.lengths)
    where = {EVENT_ROW: event_rows_of(block, source)}
    if not cfg.matched(side):
        return where | own
    other = OTHER[side]
    target = f"{other}_{kind}s"
    theirs = joined_columns(objects_of(block, target), best_match_rows(block, source, target), names, cfg.lengths)
    own = {f"{side}_{name}": values for name, values in own.items()}
    theirs = {f"{other}_{name}": values for name, values in theirs.items()}
    return where | own | theirs | {"match_overlap": objects["best_match_overlap"]}
