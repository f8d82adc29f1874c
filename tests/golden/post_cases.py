"""Files with objects, the configuration that made them, and the tables of their analysis."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import yaml
from numpy.typing import NDArray

from spine.build import BuildConfig, build_event
from spine.config.check import steps_of
from spine.config.model import AnaBlock, Config, StepBlock
from spine.errors import ConfigError
from spine.schema import PRODUCTS, Block, Event, Ragged, Record, Table
from spine.schema.object_records import OBJECT_RECORDS
from spine.stages.ana import TableRows, analyses
from spine.stages.post import post_actions
from spine.steps.registry import load_step
from spine.store.reader import EventFile, StoredBlock
from spine.store.source import open_events
from tests.golden.rules import apply_rules

__all__ = ["Case", "Expected", "cases"]

Array = NDArray[Any]
IntArray = NDArray[np.int64]
Values = Array | Ragged
Tree = dict[str, Any]

OBJECTS = tuple(f"{side}_{level}s" for side, level in OBJECT_RECORDS)
POINTS = tuple(name for name in PRODUCTS if name.startswith(("points", "depositions")))
SHIFTS = (1e-7, 1e-5)
"""How far points are moved (cm), at most by the last digit of a float32 at 100 cm."""
BLOCK = 64
ANA_OPTIONS = ("overwrite", "prefix_output", "buffer_size")
NUMBERS = ["index", "run", "subrun", "event"]
BASE = (*NUMBERS, "file_index", "file_entry_index")


class Expected(NamedTuple):
    """A column as we make it and as SPINE made it, None where one side has none.

    Also the event of each row, the number of rows left out because they stand beside another, equal match, and what
    SPINE's own rules give.
    """

    found: Values | None
    expected: Values | None
    events: IntArray
    ties: int = 0
    ruled: Values | None = None


def _steps(tree: Mapping[str, Any]) -> list[Tree]:
    """Configured steps in the order in which SPINE runs them: higher priority first, then as listed."""
    if "stages" in tree:
        return [dict(entry) for entry in tree["stages"]]
    entries = [(name, dict(options or {})) for name, options in tree.items()]
    entries.sort(key=lambda entry: -entry[1].get("priority", -1))
    return [
        {"name": name, "provider": options.pop("provider", name), "config": options.pop("config", options)}
        for name, options in entries
        if [options.pop("priority", None)]
    ]


def _available(kind: Any, entries: Sequence[Tree]) -> tuple[list[Tree], list[str]]:
    """Steps that exist, and names of those that do not."""
    there: list[Tree] = []
    missing = []
    for entry in entries:
        try:
            load_step(kind, entry["provider"])
        except ConfigError:
            missing.append(f"{kind}.{entry['provider']}")
        else:
            there.append(entry)
    return there, missing


def _analysis(names: Sequence[str]) -> Tree:
    """Analysis that makes tables of the given names, where a configuration does not state any."""
    kinds = [kind for kind in ("fragment", "particle", "interaction") if any(kind in name for name in names)]
    made: Tree = {}
    if any(name.startswith("save_") for name in names):
        made["save"] = {"obj_type": kinds, "match_mode": "both"}
    if any(name.startswith("cluster_eval_") for name in names):
        made["cluster_eval"] = {"obj_type": kinds, "use_objects": True, "truth_index_mode": "index"}
    return made


def _stored(record: type[Record]) -> type[Record]:
    """The record with columns as they are stored, none of them computed."""
    plain: type[Record] = type(record.__name__, (Record,), {})
    plain.columns = {name: replace(column, of=None) for name, column in record.columns.items()}
    return plain


@dataclass
class Case:
    """A file with objects.

    Parameters
    ----------
    path : Path
        The file.
    tree : mapping
        Its configuration.
    tables : mapping of str to DataFrame
        Tables of SPINE's analysis of this file.
    """

    path: Path
    tree: Mapping[str, Any]
    tables: Mapping[str, pd.DataFrame]
    missing: list[str] = field(default_factory=list)

    @property
    def label(self) -> str:
        """Name for people."""
        return f"{self.path.name}: objects" + (f" and tables {', '.join(self.tables)}" if self.tables else "")

    @cached_property
    def config(self) -> Config:
        """Post-processing and analysis which exist here, in SPINE's order."""
        post, missing = _available("post", _steps(self.tree.get("post") or {}))
        ana = {name: options for name, options in (self.tree.get("ana") or {}).items() if name not in ANA_OPTIONS}
        listed, also = _available("ana", _steps(ana or _analysis(list(self.tables))))
        self.missing[:] = [*missing, *also]
        blocks = {
            "post": StepBlock.model_validate({"stages": post}),
            "ana": AnaBlock.model_validate({"stages": listed}),
        }
        return Config(build=dict(self.tree.get("build") or {}), geo=self.tree.get("geo") or {}, **blocks)

    def columns(self, attempt: int = 0, only: Collection[int] | None = None) -> Iterator[tuple[str, Expected]]:
        """Every stored column of every object, then every column of every table, each with what we make of it.

        Parameters
        ----------
        attempt : int
            Above 0, move every point by a different random distance below its precision.
        only : collection of int, optional
            Events to take.
        """
        rows, ruled = TableRows(analyses(self.config)), TableRows(analyses(self.config))
        made: dict[str, list[Table]] = {}
        other: dict[str, list[Table]] = {}
        theirs: dict[str, list[Table]] = {}
        owners: dict[str, list[IntArray]] = {}
        with open_events(self.path) as file:
            names = [name for name in OBJECTS if name in file.names()]
            for block in file.blocks(BLOCK):
                chosen = Block([event for event in block if only is None or event.entry in only])
                if len(chosen) == 0:
                    continue
                _as_precise(file, block, attempt)
                self._run(chosen)
                rows.add(chosen)
                for name in names:
                    stored = _as_stored(file, name, block)
                    owner = np.array([event.entry for event in block])[block.event_rows(name)]
                    kept = np.isin(owner, [event.entry for event in chosen])
                    made.setdefault(name, []).append(chosen.table(name))
                    theirs.setdefault(name, []).append(stored[kept])
                    owners.setdefault(name, []).append(owner[kept])
                for event in chosen:
                    apply_rules(event, self.config)
                ruled.add(chosen)
                for name in names:
                    other.setdefault(name, []).append(chosen.table(name))
        for name, tables in made.items():
            stored, events = Table.concat(theirs[name]), np.concatenate(owners[name])
            columns = _object_columns(name, Table.concat(tables), stored)
            twins = _object_columns(name, Table.concat(other[name]), stored)
            for (column, found, expected), (_, twin, _) in zip(columns, twins, strict=True):
                yield column, Expected(found, expected, events, ruled=twin)
        yield from self._table_columns(rows.columns(), ruled.columns(), only)

    def _run(self, block: Block) -> None:
        """Build and post-process events; what steps write is emptied before."""
        options = BuildConfig.model_validate(self.config.build)
        actions = post_actions(self.config)
        written = _written(self.config)
        for event in block:
            event["index"] = event["file_entry_index"] = event.entry
            event["file_index"] = 0
            build_event(event, options)
            actions[0].run(event)
            for name, column in written:
                if name in event:
                    _empty(event.table(name), column)
            for action in actions[1:]:
                action.run(event)

    def _table_columns(
        self,
        made: Mapping[str, Mapping[str, Array]],
        ruled: Mapping[str, Mapping[str, Array]],
        only: Collection[int] | None,
    ) -> Iterator[tuple[str, Expected]]:
        for name, table in self.tables.items():
            ours = made.get(name, {})
            theirs = table if only is None or "index" not in table else table[table["index"].isin(list(only))]
            fits = len(ours.get("index", ())) == len(theirs)
            kept = ~_tied(ours, theirs) if fits else np.ones(len(theirs), dtype=np.bool_)
            owner = ours["index"][kept] if fits else np.zeros(0, dtype=np.int64)
            for column in dict.fromkeys([*table.columns, *ours]):
                expected = theirs[column].to_numpy()[kept] if column in theirs else None
                found = ours[column][kept if fits else ...] if column in ours else None
                twin = ruled[name][column][kept] if column in ours and fits else None
                yield _full_name(name, column, theirs), Expected(found, expected, owner, int((~kept).sum()), twin)


def _full_name(table: str, column: str, theirs: pd.DataFrame) -> str:
    """Name of a column with the side of the object, which tables of one side leave out."""
    side = table.split("_")[1] if table.startswith("save_") and "match_overlap" not in theirs else ""
    return f"{table}.{side + '_' if side and column not in BASE else ''}{column}"


def _tied(ours: Mapping[str, Array], theirs: pd.DataFrame) -> NDArray[np.bool_]:
    """Rows that stand beside another match of the same overlap."""
    tied = np.zeros(len(theirs), dtype=np.bool_)
    if "match_overlap" not in theirs or "match_overlap" not in ours:
        return tied
    same = np.isclose(ours["match_overlap"], theirs["match_overlap"].to_numpy(), rtol=1e-5)
    for name in ("reco_best_match_id", "truth_best_match_id"):
        if name in theirs:
            tied |= np.asarray(ours[name] != theirs[name].to_numpy())
    return np.asarray(tied & same & (theirs["match_overlap"].to_numpy() > 0), dtype=np.bool_)


def _as_precise(file: EventFile, block: StoredBlock, attempt: int) -> None:
    """Give events points and depositions in the precision in which SPINE had and stored them.

    In a coarser one, points at the same distance from a start change their order.
    """
    for name in POINTS:
        if name in file.names():
            stored = file.read(PRODUCTS[name], block.start, block.stop)
            rows = _moved(stored.rows, attempt) if name.startswith("points") else stored.rows
            for event, (start, stop) in zip(block, pairwise(stored.bounds.tolist()), strict=True):
                event[name] = rows[start:stop]


def _moved(points: Array, attempt: int) -> Array:
    """Points moved at random, the same way for the same attempt."""
    if attempt == 0:
        return points
    shift = SHIFTS[(attempt - 1) % len(SHIFTS)]
    return points.astype(np.float64) + np.random.default_rng(attempt).uniform(-shift, shift, points.shape)


def _written(config: Config) -> list[tuple[str, str]]:
    """Columns that the steps write without reading them before."""
    written: list[str] = []
    read: set[str] = set()
    for _, step in steps_of("post", config.post):
        read |= set(step.reads) - set(written)
        written += step.writes
    pairs = [name.partition(".") for name in dict.fromkeys(written) if name not in read and "." in name]
    return [(name, column) for name, _, column in pairs]


def _empty(table: Table, name: str) -> None:
    column = table.record.column(name)
    table[name] = (
        Ragged.empty(len(table), column.dtype)
        if column.kind == "ragged"
        else np.full((len(table), *column.shape), column.missing, dtype=column.dtype)
    )


def _as_stored(file: EventFile, name: str, block: StoredBlock) -> Table:
    """Objects as the file holds them, also where a column follows from others."""
    declared = PRODUCTS[name]
    assert declared.record is not None
    rows: Table = file.read(replace(declared, record=_stored(declared.record)), block.start, block.stop).rows
    return rows


def _object_columns(name: str, made: Table, theirs: Table) -> Iterator[tuple[str, Values, Values]]:
    for column in theirs.record.columns:
        if theirs.has(column) and column == "match_ids":
            yield f"{name}.{column}", _matches(made), _matches(theirs)
        elif theirs.has(column):
            yield f"{name}.{column}", made[column], theirs[column]


def _matches(table: Table) -> Ragged:
    """Matches, those of the same overlap in rising order: SPINE leaves theirs to the sorting algorithm."""
    ids, overlaps = table["match_ids"], table["match_overlaps"]
    order = np.lexsort((ids.values, -np.round(overlaps.values, 6), ids.rows))
    return Ragged(ids.values[order], ids.offsets)


def _read_table(path: Path) -> pd.DataFrame:
    """A table of SPINE; empty texts are texts, missing numbers are written as nan."""
    table = pd.read_csv(path, keep_default_na=False, na_values={})
    for name in table:
        numbers = pd.to_numeric(table[name].replace("nan", np.nan), errors="coerce")
        if (numbers.isna() == (table[name].astype(str) == "nan")).all():
            table[name] = numbers
    return table


def _tree_of(path: Path) -> Mapping[str, Any]:
    """Configuration of a file: the YAML file named after it, the only one, or the one it was written with."""
    files = sorted(path.parent.glob("*.yaml"), key=lambda file: len(file.stem), reverse=True)
    named = [file for file in files if path.stem.startswith(file.stem)] or (files if len(files) == 1 else [])
    if named:
        text = named[0].read_text(encoding="utf-8")
    else:
        with open_events(path) as file:
            text = file.attribute("cfg", "{}")
    tree: Mapping[str, Any] = yaml.safe_load(text)
    return tree


def _numbers(path: Path) -> set[tuple[int, ...]]:
    """Numbers of the events of a file."""
    with open_events(path) as file:
        return {_event_numbers(event) for block in file.blocks(BLOCK) for event in block}


def _event_numbers(event: Event) -> tuple[int, ...]:
    info = event.run_info
    return (event.entry,) if info is None else (event.entry, info.run, info.subrun, info.event)


def _matching(tables: Mapping[str, pd.DataFrame], files: Sequence[Path]) -> Path | None:
    """The file that holds all events of the tables, and fewest others."""
    found = {tuple(row) for t in tables.values() for row in t[[n for n in NUMBERS if n in t]].to_numpy().tolist()}
    numbers = {path: _numbers(path) for path in files}
    fitting = [path for path in files if tables and found <= numbers[path]]
    return min(fitting, key=lambda path: len(numbers[path]), default=None)


def cases(directory: Path) -> Iterator[Case]:
    """Files with objects below ``reco``, each with its configuration and the tables that belong to it."""
    files = sorted((directory / "reco").glob("*.h5"))
    tables = {path.stem: _read_table(path) for path in sorted((directory / "csv").glob("*.csv"))}
    owner = _matching(tables, files)
    for path in files:
        yield Case(path, _tree_of(path), tables if path == owner else {})
