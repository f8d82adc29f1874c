"""The older layout holds what the public makers of analysis files declare: HDF5 itself converts it to their types.

`data/caf_columns.json` has, for each maker, the members of the structures into which it reads each product
(`src/reco/SPINE_h5_classes.cxx` of DUNE/ND_CAFMaker, made from a file of SPINE; `src/*.cc` of
justinjmueller/sbn_ml_cafmaker). Members of the type ``enum`` are enumerations of 8 bytes. Those of the SBN maker carry
other names than the files of SPINE 1.x (``Muon`` for ``MUON``), so they are read as numbers here, in which form HDF5
gives them too; so are its interaction modes and types.
"""

from __future__ import annotations

import ctypes
import json
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from spine.schema import PRODUCTS
from spine.store.export import export
from spine.store.region_writer import RegionWriter, object_dtype
from spine.store.source import open_events
from spine.store.writer import FileInfo
from tests.store.events import random_event, random_table

PEER = Path(__file__).parents[1] / "golden" / "data" / "post" / "reco" / "events3_v1.h5"
MAKERS = json.loads((Path(__file__).parent / "data" / "caf_columns.json").read_text())
CASES = [(maker, name) for maker, products in MAKERS.items() for name in products]
NAMED = ("units", "creation_process", "topology")


def members(maker: str, name: str) -> dict[str, str]:
    """Type of each member of a structure."""
    return {column: kind for kind, columns in MAKERS[maker][name].items() for column in columns.split()}


def memory_type(kind: str) -> np.dtype[Any]:
    """The bytes of a member in memory: lists are a length and an address, strings an address."""
    if kind == "s":
        return np.dtype("u8")
    if kind.endswith("[]"):
        return np.dtype([("length", "u8"), ("address", "u8")])
    base, _, width = kind.rstrip("]").partition("[")
    plain = np.dtype({"b": "u1", "enum": "i8"}.get(base, base))
    return np.dtype((plain, (int(width),))) if width else plain


def hdf5_type(kind: str) -> h5py.h5t.TypeID:
    """The type of a member as the maker hands it to HDF5."""
    if kind == "s":
        text = h5py.h5t.C_S1.copy()
        text.set_size(h5py.h5t.VARIABLE)
        text.set_cset(h5py.h5t.CSET_UTF8)
        return text
    if kind.endswith("[]"):
        return h5py.h5t.vlen_create(h5py.h5t.py_create(np.dtype(kind[:-2])))
    return h5py.h5t.py_create(memory_type(kind))


def structures(path: Path, name: str, declared: dict[str, str]) -> np.ndarray[Any, Any]:
    """Rows of a product as HDF5 writes them into the structures of a maker."""
    memory = np.dtype([(column, memory_type(kind)) for column, kind in declared.items()])
    whole = h5py.h5t.create(h5py.h5t.COMPOUND, memory.itemsize)
    for column, kind in declared.items():
        whole.insert(column.encode(), memory.fields[column][1], hdf5_type(kind))  # type: ignore[index]
    with h5py.File(path) as file:
        assert set(declared) <= set(file[name].dtype.names)
        rows = np.zeros(len(file[name]), dtype=memory)
        space = file[name].id.get_space()
        file[name].id.read(space, space, rows, whole)
    return rows


def followed(value: Any, kind: str) -> Any:
    """What the address of a list or string leads to."""
    if kind == "s":
        return ctypes.string_at(int(value)).decode() if value else ""
    if kind.endswith("[]"):
        dtype = np.dtype(kind[:-2])
        n = int(value["length"])
        return (
            np.frombuffer(ctypes.string_at(int(value["address"]), n * dtype.itemsize), dtype)
            if n
            else np.empty(0, dtype)
        )
    return value


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file with all that the makers read, filled at random."""
    path = tmp_path_factory.mktemp("caf") / "all.h5"
    rng = np.random.default_rng(0)
    names = ("reco_particles", "reco_interactions", "truth_particles", "truth_interactions", "flashes", "trigger")
    with RegionWriter(path, FileInfo(stage="test")) as writer:
        for entry in range(3):
            event = random_event(entry)
            for name in names:
                table = random_table(PRODUCTS[name].record, 1 if name == "trigger" else entry + 1, rng)  # type: ignore[arg-type]
                event[name] = table[0] if name == "trigger" else table
            writer.append([event])
    return path


@pytest.mark.parametrize(("maker", "name"), CASES)
def test_hdf5_converts_rows_to_the_structures_of_the_maker(exported: Path, maker: str, name: str) -> None:
    declared = members(maker, name)
    rows = structures(exported, name, declared)
    with open_events(exported) as file:
        tables = [getattr(event[name], "table", event[name]) for event in file.block(0, 3)]
        values = {column: [value for table in tables for value in table[column]] for column in declared}
    for column, kind in declared.items():
        for found, value in zip(rows[column], values[column], strict=True):
            check(followed(found, kind), value, kind)


def check(found: Any, value: Any, kind: str) -> None:
    if kind == "s":
        assert found == value
    elif kind.startswith("i") and np.asarray(value).dtype.kind == "f":
        known = np.asarray(value)[np.isfinite(value)]  # what a missing number becomes as an integer is not defined
        np.testing.assert_array_equal(np.asarray(found)[np.isfinite(value)], known.astype(np.int64))
    else:
        np.testing.assert_allclose(found, np.asarray(value).astype(np.asarray(found).dtype), rtol=1e-6)


@pytest.mark.parametrize("name", MAKERS["DUNE/ND_CAFMaker"])
def test_columns_and_types_are_those_that_the_near_detector_declares(name: str) -> None:
    record = PRODUCTS[name].record
    assert record is not None
    stored = object_dtype(record)
    declared = members("DUNE/ND_CAFMaker", name)
    assert set(stored.names or ()) == set(declared)
    for column, kind in declared.items():
        found = stored[column]
        if kind == "s":
            assert h5py.check_string_dtype(found) is not None
        elif kind.endswith("[]"):
            assert h5py.check_vlen_dtype(found) == np.dtype(kind[:-2])
        else:
            expected = memory_type(kind)
            assert (found.base.itemsize, found.shape) == (expected.base.itemsize, expected.shape)
            assert (h5py.check_enum_dtype(found) is not None) == (kind == "enum")
            assert found.base.kind == ("b" if kind == "b" else expected.base.kind)


def test_export_of_a_chain_has_the_references_of_both_makers(tmp_path: Path) -> None:
    export(PEER, tmp_path / "out.h5", "v1")
    needed = {
        "index", "meta", "run_info", "reco_interactions", "reco_particles", "truth_interactions", "truth_particles",
        "points", "depositions",
    }  # fmt: skip
    with h5py.File(tmp_path / "out.h5") as file:
        assert needed <= set(file["events"].dtype.names)
        rows = file["reco_particles"][file["events"][1]["reco_particles"]]
        with h5py.File(PEER) as peer:
            assert len(rows) == len(peer["reco_particles"][peer["events"][1]["reco_particles"]])
            assert file["reco_particles"].dtype.names == peer["reco_particles"].dtype.names
