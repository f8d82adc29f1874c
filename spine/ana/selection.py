"""Selections of objects by cuts that the configuration spells out, and what each cut keeps."""

from __future__ import annotations

from functools import cache
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from spine.ana.objects import (
    OBJECT_PRODUCTS,
    OTHER,
    ObjectKind,
    Side,
    best_match_rows,
    event_rows_of,
    flat_columns,
    joined_columns,
    objects_of,
)
from spine.ana.tables import EVENT_ROW
from spine.errors import ConfigError, did_you_mean
from spine.ops.expression import parse
from spine.schema import Block, product
from spine.steps import Columns, StepConfig, step

__all__ = ["Cuts", "SelectionConfig", "cut_flow", "selection"]

Array = NDArray[Any]
BoolArray = NDArray[np.bool_]


@cache
def _flat_names(kind: ObjectKind, side: Side) -> tuple[str, ...]:
    record = product(f"{side}_{kind}s").record
    columns = record.columns.values() if record is not None else ()
    return tuple(
        flat
        for c in columns
        if c.kind != "ragged"
        for flat in ([f"{c.name}_{s}" for s in c.suffixes] if c.suffixes else [c.name])
    )


class Cuts(StepConfig):
    """One selection."""

    obj_type: ObjectKind = Field("interaction", description="Kind of objects to select")
    side: Side = Field("reco", description="Objects to select: reco or truth")
    cuts: dict[str, str] = Field(
        min_length=1,
        description="Expressions over columns by name, in order: 'is_contained & pid == 2', 'truth.ke > 50'; a name "
        "with truth. or reco. in front means the best match on the other side",
    )
    signal: str | None = Field(None, description="Expression that tells the objects which the selection is after")
    columns: tuple[str, ...] = Field((), description="Columns to write beside the result, as in expressions")

    @model_validator(mode="after")
    def _check(self) -> Self:
        texts = [*self.cuts.values(), *((self.signal,) if self.signal else ()), *self.columns]
        for text in texts:
            try:
                names = parse(text).names
            except ConfigError as error:
                raise ValueError(str(error)) from error
            for name in names:
                self._check_name(name)
        return self

    def _check_name(self, name: str) -> None:
        side, _, column = name.rpartition(".")
        if side not in ("", *OTHER):
            raise ValueError(f"{name!r}: write reco.{column} or truth.{column}")
        known = _flat_names(self.obj_type, "truth" if (side or self.side) == "truth" else "reco")
        if column not in known:
            raise ValueError(
                f"{side or self.side} {self.obj_type}s have no column {column!r}; {did_you_mean(column, known)}"
            )


class SelectionConfig(StepConfig):
    """Selections by name."""

    selections: dict[str, Cuts] = Field(
        min_length=1, description="Selections by name, which is part of the table names"
    )


def _tables(cfg: SelectionConfig) -> tuple[str, ...]:
    return tuple(f"selection_{name}{tail}" for name in cfg.selections for tail in ("", "_cut_flow"))


@step(reads=OBJECT_PRODUCTS, per="block", tables=_tables)
def selection(block: Block, cfg: SelectionConfig) -> dict[str, Columns]:
    """Select objects and count what each cut keeps.

    Parameters
    ----------
    block : Block
        With the objects of each selection, and those of the other side where a cut names it.
    cfg : SelectionConfig
        Options.

    Returns
    -------
    dict of str to columns
        For a selection ``numu``: ``selection_numu``, a row per object: ``id``, the columns asked for, ``pass_CUT`` for
        each cut alone, ``selected`` and ``is_signal``; and ``selection_numu_cut_flow``, a row per event and cut, which
        `cut_flow` adds up: ``step, cut``, objects that pass the cut alone and that pass it and all before
        (``num_alone, num_passed``), and those of them that are signal.
    """
    out: dict[str, Columns] = {}
    for name, cuts in cfg.selections.items():
        out |= _selected(block, f"selection_{name}", cuts)
    return out


class _Lookup:
    """Flat columns of the objects of a selection and of their best matches, by name."""

    def __init__(self, block: Block, cuts: Cuts) -> None:
        self.block, self.cuts = block, cuts
        self.name = f"{cuts.side}_{cuts.obj_type}s"
        self.objects = objects_of(block, self.name)

    def __call__(self, name: str) -> Array:
        """(n,) column of a name as in an expression."""
        side, _, column = name.rpartition(".")
        record = self.objects.record if side in ("", self.cuts.side) else product(self.other).record
        plain = column if record and column in record.columns else column.rpartition("_")[0]
        if side in ("", self.cuts.side):
            return flat_columns(self.objects, (plain,))[column]
        rows = best_match_rows(self.block, self.name, self.other)
        return joined_columns(objects_of(self.block, self.other), rows, (plain,))[column]

    @property
    def other(self) -> str:
        """Product of the other side."""
        return f"{OTHER[self.cuts.side]}_{self.cuts.obj_type}s"


def _selected(block: Block, name: str, cuts: Cuts) -> dict[str, Columns]:
    lookup = _Lookup(block, cuts)
    n = len(lookup.objects)
    events = event_rows_of(block, lookup.name)
    passed = {cut: parse(text).mask(lookup, n) for cut, text in cuts.cuts.items()}
    signal = np.zeros(n, dtype=np.bool_) if cuts.signal is None else parse(cuts.signal).mask(lookup, n)
    rows: dict[str, Array] = {EVENT_ROW: events, "id": lookup.objects["id"]}
    rows |= {column.replace(".", "_"): parse(column).values(lookup, n) for column in cuts.columns}
    rows |= {f"pass_{cut}": mask for cut, mask in passed.items()}
    rows |= {"selected": np.logical_and.reduce(list(passed.values())), "is_signal": signal}
    return {name: rows, f"{name}_cut_flow": _counts(passed, signal, events, len(block))}


def _counts(passed: dict[str, BoolArray], signal: BoolArray, events: NDArray[np.int64], size: int) -> Columns:
    """A row per event and cut; the first cut, ``all``, keeps everything."""
    alone = np.array([np.ones(len(signal), dtype=np.bool_), *passed.values()])
    so_far = np.logical_and.accumulate(alone, axis=0)
    steps = len(alone)
    columns: dict[str, Array] = {
        EVENT_ROW: np.repeat(np.arange(size, dtype=np.int64), steps),
        "step": np.tile(np.arange(steps, dtype=np.int64), size),
        "cut": np.tile(np.array(["all", *passed], dtype=object), size),
    }
    masks = {"num_alone": alone, "num_passed": so_far, "signal_alone": alone & signal, "signal_passed": so_far & signal}
    for name, mask in masks.items():
        counts = [np.bincount(events[kept], minlength=size) for kept in mask]
        columns[name] = np.array(counts, dtype=np.int64).reshape(steps, size).T.ravel()
    return columns


def cut_flow(columns: Columns) -> dict[str, Array]:
    """Add up the counts of all events of a cut-flow table.

    Parameters
    ----------
    columns : mapping of str to ndarray
        ``step, cut, num_alone, num_passed, signal_alone, signal_passed`` of any number of events.

    Returns
    -------
    dict of str to (cuts,) ndarray
        The same columns, one row per cut, with ``kept`` (share of all objects), ``kept_by_cut`` (of those before the
        cut), ``signal_efficiency`` and ``purity`` (signal among the kept); NaN where nothing is divided.
    """
    steps, first, place = np.unique(columns["step"], return_index=True, return_inverse=True)
    out: dict[str, Array] = {"step": steps, "cut": np.asarray(columns["cut"])[first]}
    for name in ("num_alone", "num_passed", "signal_alone", "signal_passed"):
        out[name] = np.bincount(place, weights=columns[name], minlength=len(steps)).astype(np.int64)
    before = np.append(out["num_passed"][:1], out["num_passed"][:-1])
    out["kept"] = _share(out["num_passed"], out["num_passed"][:1])
    out["kept_by_cut"] = _share(out["num_passed"], before)
    out["signal_efficiency"] = _share(out["signal_passed"], out["signal_passed"][:1])
    out["purity"] = _share(out["signal_passed"], out["num_passed"])
    return out


def _share(part: Array, whole: Array) -> NDArray[np.float64]:
    whole = np.broadcast_to(whole, part.shape)
    share: NDArray[np.float64] = np.full(part.shape, np.nan)
    return np.divide(part, whole, out=share, where=whole > 0)
