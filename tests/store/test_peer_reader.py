"""The reader of the SPINE distribution opens what we write."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import numpy as np
import pytest

from spine.schema import Ragged
from spine.store.writer import EventWriter, FileInfo
from tests.store.events import random_event

ROOT = Path(__file__).resolve().parents[2]
PYTHON = Path(os.environ.get("SPINE_PEER_PYTHON", ROOT / ".venv-peer" / "bin" / "python"))

SCRIPT = """
import json, sys
import numpy as np
from spine.io.read.hdf5 import HDF5Reader

def plain(value):
    if isinstance(value, np.ndarray):
        return [plain(v) for v in value.tolist()]
    if isinstance(value, (np.generic,)):
        return plain(value.item())
    if isinstance(value, float) and value != value:
        return None
    return value

out = []
reader = HDF5Reader(file_keys=sys.argv[1])
for i in range(len(reader)):
    data = reader.get(i)
    out.append({
        "coords": plain(data["data"].coords), "value": plain(data["data"].features[:, 0]),
        "cluster": plain(data["clust_label"].features[:, 1]),
        "group": plain(data["clust_label"].particles["group"]),
        "edges": plain(data["graph_label"].features.T),
        "clusts": [plain(c) for c in data["fragment_clusts"].features],
        "points": plain(data["points"]),
        "run": int(data["run_info"].event),
        "upper": plain(data["meta"].upper),
        "particles": [{k: plain(v) for k, v in p.as_dict().items()} for p in data["particles"]],
        "reco": [{k: plain(v) for k, v in p.as_dict().items()} for p in data["reco_particles"]],
    })
json.dump(out, open(sys.argv[2], "w"))
"""

pytestmark = [
    pytest.mark.peer,
    pytest.mark.skipif(not PYTHON.exists(), reason="make peer could not install the SPINE distribution"),
]


def plain(value: object) -> object:
    if isinstance(value, np.ndarray):
        return [plain(v) for v in value.tolist()]
    if isinstance(value, float) and value != value:
        return None
    return value


def same(left: object, right: object) -> bool:
    """Equal; floats to single precision, for the other reader hands some on as such."""
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(same, left, right))
    if isinstance(left, float) and isinstance(right, int | float):
        return bool(np.isclose(left, right, rtol=1e-6, atol=0))
    return left == right


def test_products_and_objects_are_equal(tmp_path: Path) -> None:
    events = [random_event(i) for i in range(6)]
    path = tmp_path / "ours.h5"
    with EventWriter(path, FileInfo(stage="test")) as writer:
        writer.append(events)
    script, out = tmp_path / "read.py", tmp_path / "out.json"
    script.write_text(SCRIPT)
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"} | {"NUMBA_DISABLE_JIT": "1"}
    subprocess.run([PYTHON, script, path, out], check=True, cwd=tmp_path, env=environment, capture_output=True)
    for event, read in zip(events, json.loads(out.read_text()), strict=True):
        assert same(plain(event["data"].coords), [[int(x) for x in row] for row in read["coords"]])
        assert same(plain(event["data"].features[:, 0]), read["value"])
        assert same(plain(event["clust_label"].features[:, 1]), read["cluster"])
        assert same(plain(event["clust_label"].particles["group"]), read["group"])
        assert same(plain(event["graph_label"]), read["edges"])
        assert same(event["fragment_clusts"].tolist(), read["clusts"])
        assert same(plain(event["points"]), read["points"])
        assert event.run_info is not None
        assert event.run_info.event == read["run"]
        assert same(plain(event["meta"].upper), read["upper"])
        for name in ("particles", "reco"):
            table = event["particles" if name == "particles" else "reco_particles"]
            assert len(table) == len(read[name])
            for row, other in zip(table, read[name], strict=True):
                check_object(row, other, table.record.columns)


def check_object(row: object, other: dict[str, object], columns: dict[str, object]) -> None:
    for column, declared in columns.items():
        if declared.stored_after:  # type: ignore[attr-defined]
            continue  # the other reader computes these from the rest
        value = getattr(row, column)
        value = value.tolist() if isinstance(value, Ragged) else plain(value)
        assert same(value, other[column]), (column, value, other[column])
