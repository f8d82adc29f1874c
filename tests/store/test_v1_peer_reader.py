"""The reader of the SPINE distribution opens what we write in the layout of region references."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import numpy as np
import pytest

from spine.store.export import export
from spine.store.region_writer import RegionWriter
from spine.store.source import open_events
from spine.store.writer import FileInfo
from tests.store.events import random_event
from tests.store.test_peer_reader import PYTHON, check_object, plain, same

PEER = Path(__file__).parents[1] / "golden" / "data" / "post" / "reco" / "events3_v1.h5"
OBJECTS = ("reco_particles", "truth_particles", "reco_interactions", "truth_interactions")

SCRIPT = """
import json, sys
import numpy as np
from spine.io.read.hdf5 import HDF5Reader

def plain(value):
    if isinstance(value, np.ndarray):
        return [plain(v) for v in value.tolist()]
    if isinstance(value, np.generic):
        return plain(value.item())
    if isinstance(value, float) and value != value:
        return None
    if isinstance(value, bytes):
        return value.decode()
    return value

def known(value):
    if hasattr(value, "as_dict"):
        return {k: plain(v) for k, v in value.as_dict().items()}
    if isinstance(value, (list, np.ndarray)) and len(value) and hasattr(value[0], "as_dict"):
        return [known(v) for v in value]
    if isinstance(value, (list, np.ndarray)) and getattr(value, "dtype", object) == object:
        return [plain(np.asarray(v)) for v in value]
    return plain(value)

out = []
reader = HDF5Reader(file_keys=sys.argv[1])
for i in range(len(reader)):
    out.append({k: known(v) for k, v in reader.get(i).items()})
json.dump(out, open(sys.argv[2], "w"))
"""

pytestmark = [
    pytest.mark.peer,
    pytest.mark.skipif(not PYTHON.exists(), reason="make peer could not install the SPINE distribution"),
]


def read(path: Path, folder: Path) -> list[dict[str, object]]:
    """Events as SPINE's reader gives them."""
    script, out = folder / "read.py", folder / "out.json"
    script.write_text(SCRIPT)
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"} | {"NUMBA_DISABLE_JIT": "1"}
    subprocess.run([PYTHON, script, path, out], check=True, cwd=folder, env=environment, capture_output=True)
    events: list[dict[str, object]] = json.loads(out.read_text())
    return events


def test_products_and_objects_are_equal(tmp_path: Path) -> None:
    events = [random_event(i) for i in range(6)]
    for event in events:
        for name in ("particles", "reco_particles"):
            event[name]["units"] = np.full(
                len(event[name]), "cm", dtype=object
            )  # SPINE's reader refuses anything but cm and px
    path = tmp_path / "ours.h5"
    with RegionWriter(path, FileInfo(stage="test")) as writer:
        writer.append(events[:4])
        writer.append(events[4:])
    for event, found in zip(events, read(path, tmp_path), strict=True):
        rows = [
            [*map(float, c), *f] for c, f in zip(event["data"].coords, event["data"].features.tolist(), strict=True)
        ]
        assert same(rows, found["data"])
        assert same(plain(event["clust_label"].features), [row[3:] for row in found["clust_label"]])  # type: ignore[attr-defined]
        assert same(event["fragment_clusts"].tolist(), found["fragment_clusts"])
        for name in ("points", "depositions", "graph_label"):
            assert same(plain(event[name]), found[name])
        tables = {"particles": "particles", "reco_particles": "reco_particles", "clust_label": "clust_label_particles"}
        for name, stored in tables.items():
            table = event[name].particles if name == "clust_label" else event[name]
            others = found[stored]
            assert isinstance(others, list)
            assert len(table) == len(others)
            for row, other in zip(table, others, strict=True):
                check_object(row, other, table.record.columns)
        for name in ("run_info", "meta"):
            check_object(event[name], found[name], event[name].table.record.columns)  # type: ignore[arg-type]


def test_export_of_a_file_of_spine_reads_as_that_file(tmp_path: Path) -> None:
    """Through our columns and back, SPINE's reader sees the same objects."""
    export(PEER, tmp_path / "columns.h5", "v2")
    export(tmp_path / "columns.h5", tmp_path / "ours.h5", "v1")
    with open_events(PEER) as file:
        names = file.names()
    for before, after in zip(read(PEER, tmp_path), read(tmp_path / "ours.h5", tmp_path), strict=True):
        assert set(names) <= set(after)
        for name in OBJECTS:
            left, right = before[name], after[name]
            assert isinstance(left, list)
            assert isinstance(right, list)
            assert len(left) == len(right)
            for one, other in zip(left, right, strict=True):
                assert one.keys() == other.keys()
                assert [key for key in one if not same(other[key], one[key])] == []
