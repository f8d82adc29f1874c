"""Eight reconstructed events and the tables that SPINE 1.4.3 made of them; see data/README.md."""

from __future__ import annotations

import io
import zipfile
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from spine.ana.tables import csv_text, with_base_columns
from spine.schema import Block, Event, Pid, Ragged, Shape, Table, offsets_of, product, row_of
from spine.steps import Columns

DATA = Path(__file__).parent / "data"
LOWER, UPPER, SIZE, COUNT = -115.2, 115.2, 0.3, 768
TABLES = ("reco_particles", "truth_particles", "reco_interactions", "truth_interactions")

Array = np.ndarray[Any, Any]


@cache
def _arrays() -> dict[str, Array]:
    with np.load(DATA / "eight_events.npz") as file:
        return dict(file)


def _table(name: str, event: int) -> Table:
    arrays = _arrays()
    chosen = np.flatnonzero(arrays[f"{name}/events"] == event)
    record = product(name).record
    assert record is not None
    columns: dict[str, Any] = {}
    for column in record.columns:
        values = arrays.get(f"{name}/{column}")
        lengths = arrays.get(f"{name}/{column}/lengths")
        if values is not None and lengths is not None:
            columns[column] = Ragged(values, offsets_of(lengths))[chosen]
        elif values is not None:
            columns[column] = values[chosen]
    return Table(record, len(chosen), columns)


def _event(i: int) -> Event:
    arrays = _arrays()
    bounds = offsets_of(arrays["sizes"])
    rows = slice(bounds[i], bounds[i + 1])
    points = (LOWER + (arrays["voxels"][rows].astype(np.float64) + 0.5) * SIZE).astype(np.float32)
    run, subrun, number = arrays["run_info"][i].tolist()
    entry = int(arrays["events"][i])
    products: dict[str, Any] = {
        "index": entry,
        "file_index": 0,
        "file_entry_index": entry,
        "run_info": row_of("run_info", run=run, subrun=subrun, event=number),
        "meta": row_of("meta", lower=[LOWER] * 3, upper=[UPPER] * 3, size=[SIZE] * 3, count=[COUNT] * 3),
        "points": points,
        "points_label": points,
        "depositions": arrays["depositions"][rows],
        "depositions_label": arrays["depositions_label"][rows],
    }
    return Event(products | {name: _table(name, i) for name in TABLES}, entry, "eight events")


def frozen_block(*chosen: int) -> Block:
    """The events (by position, all by default)."""
    return Block([_event(i) for i in (chosen or range(len(_arrays()["events"])))])


def dressed_block() -> Block:
    """The events with made-up true depositions, flashes and neutrinos, and with the pions taken for muons."""
    block = frozen_block()
    for event in block:
        _add_depositions(event)
        for side in (event.reco, event.truth):
            pions = (side.particles["shape"] == Shape.TRACK) & (side.particles["pid"] == Pid.PION)
            side.particles["pid"] = np.where(pions, Pid.MUON, side.particles["pid"])
        _add_flashes(event.reco.interactions)
        _set_muon_energies(event.truth.particles)
        event.truth.interactions["t"] = np.full(len(event.truth.interactions), 700.0 + 40.0 * (event.entry % 5))
        event.truth.interactions["nu_id"] = np.where(event.truth.interactions["id"] == 0, 0, -1)
    return block


def _add_depositions(event: Event) -> None:
    labelled = event["points_label"]
    rows = np.arange(0, len(labelled), 2)
    event["points_g4"] = labelled[rows] + np.float32(0.05) * (rows % 9)[:, None].astype(np.float32)
    for table in (event.truth.particles, event.truth.interactions):
        table["index_g4"] = [row[row % 2 == 0] // 2 for row in table["index"]]


def _set_muon_energies(table: Table) -> None:
    """Momenta of muons, so that their mass is 105.658 MeV."""
    muons = np.flatnonzero(table["pid"] == Pid.MUON)
    momentum = table["momentum"].copy()
    momentum[muons] = 0.0
    momentum[muons, 2] = np.sqrt(np.maximum(table["energy_init"][muons] ** 2 - 105.658**2, 0.0))
    table["momentum"] = momentum


def _add_flashes(table: Table) -> None:
    counts = table["id"] % 3
    table["is_flash_matched"] = counts > 0
    table["flash_ids"] = [np.arange(m) + i for i, m in zip(table["id"], counts, strict=True)]
    table["flash_volume_ids"] = [np.zeros(m) for m in counts]
    table["flash_times"] = [np.arange(m) * 1.5 - i for i, m in zip(table["id"], counts, strict=True)]
    table["flash_scores"] = [np.arange(m) + 0.25 for m in counts]
    table["flash_total_pe"] = np.where(counts > 0, 100.0 * counts, np.nan)
    table["flash_hypo_pe"] = np.where(counts > 0, 90.0 * counts, np.nan)


@cache
def peer_text(name: str) -> str:
    """CSV that the peer wrote."""
    with zipfile.ZipFile(DATA / "peer_tables.zip") as archive:
        return archive.read(f"{name}.csv").decode()


def read(text: str) -> pd.DataFrame:
    """CSV text as a frame; only nan, None and nothing are missing."""
    return pd.read_csv(io.StringIO(text), keep_default_na=False, na_values=["nan", "None", ""])


def same_as_peer(
    block: Block, columns: Columns, name: str, minus_one_is_none: tuple[str, ...] = (), atol: float = 2e-5
) -> None:
    """Check that the CSV text of a table parses to what the peer wrote: columns, order, values.

    Columns that hold -1 where the peer writes None are named. The peer's electron is 0.511998 MeV heavy,
    which moves momenta by up to 1e-3.
    """
    found = read(csv_text(with_base_columns(block, columns)))
    want = read(peer_text(name))
    assert list(found) == list(want)
    assert len(found) == len(want)
    for column in want:
        mine, theirs = found[column].to_numpy(), want[column].to_numpy()
        if column.endswith("_mass"):
            theirs = np.where(theirs == 0.511998, 0.51099895, theirs)
        if column.endswith("truth_time"):  # without a neutrino the peer takes that of the first particle
            theirs = np.where(np.isnan(want["truth_t"]), np.nan, theirs)
        if column in minus_one_is_none:
            theirs = np.nan_to_num(theirs.astype(np.float64), nan=-1)
        if theirs.dtype.kind in "fiu":
            mine = mine.astype(np.float64)
            light = "_momentum_" in column or column.endswith("_p")
            rtol = 1e-3 if light else 1e-4
            np.testing.assert_allclose(mine, theirs, rtol=rtol, atol=atol, equal_nan=True, err_msg=column)
        else:
            assert [str(x) for x in mine] == [str(x) for x in theirs], column
