"""Tables keep their declared types, rows write through, derived columns follow."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

from spine.errors import DataError, SchemaError
from spine.schema import Block, Event, Ragged, Table, Tensor, row_of
from spine.schema.object_records import RecoParticle, TruthParticle
from spine.schema.truth_records import ParticleLabel


def particles(n: int = 3) -> Table:
    table = Table(RecoParticle, n)
    table["index"] = [np.arange(i + 1) for i in range(n)]
    table["shape"] = np.ones(n)
    table["pid"] = np.arange(n) + 2
    table["is_contained"] = np.arange(n) % 2 == 0
    table["calo_ke"] = np.full(n, 10.0)
    table["csda_ke"] = np.full(n, 20.0)
    table["mcs_ke"] = np.full(n, 30.0)
    table["start_dir"] = np.tile([0.0, 0.0, 1.0], (n, 1))
    return table


def test_missing_values() -> None:
    table = Table(RecoParticle, 2)
    assert np.isnan(table["length"]).all()
    assert table["pid"].tolist() == [-1, -1]
    assert table["index"].tolist() == [[], []]
    assert table["units"].tolist() == ["cm", "cm"]
    assert table["is_valid"].all()
    assert not table.has("calo_ke")


def test_types_are_pinned() -> None:
    table = particles()
    table["length"] = np.array([1, 2, 3], dtype=np.int16)
    assert table["length"].dtype == np.float64
    assert table["start_dir"].dtype == np.float32
    with pytest.raises(SchemaError, match="'length' does not fit"):
        table["length"] = np.zeros(4)
    with pytest.raises(SchemaError, match="did you mean 'length'"):
        table["lenght"] = np.zeros(3)


def test_derived_columns_follow() -> None:
    table = particles()
    assert table["size"].tolist() == [1, 2, 3]
    # contained tracks by range, others by scattering
    assert table["ke"].tolist() == [20.0, 30.0, 20.0]
    table["csda_ke"] = np.array([np.nan, 1.0, 0.0])
    assert table["ke"].tolist() == [10.0, 30.0, 10.0]
    mass = 105.6583755
    assert table[0].p == pytest.approx(np.sqrt(10.0**2 + 2 * 10.0 * mass), rel=1e-6)


def test_rows_write_through() -> None:
    table = particles()
    row = table[1]
    row.length = 5.0
    row.match_ids = [4, 2]
    assert table["length"][1] == 5.0
    assert table["best_match_id"].tolist() == [-1, 4, -1]
    assert row.best_match_id == 4
    with pytest.raises(AttributeError, match="did you mean"):
        _ = row.lenght


def test_rows_travel_between_processes() -> None:
    row = pickle.loads(pickle.dumps(particles()[1]))
    assert row.as_dict().keys() == particles()[1].as_dict().keys()
    assert row.id == particles()[1].id
    assert len(row.table) == 1


def test_picking_and_joining() -> None:
    table = particles()
    both = Table.concat([table[:1], table[np.array([False, True, True])]])
    for name in RecoParticle.columns:
        left, right = both[name], table[name]
        if isinstance(left, Ragged):
            assert left.tolist() == right.tolist()
        else:
            np.testing.assert_array_equal(left, right)


def test_truth_kinematics() -> None:
    table = Table(TruthParticle, 2)
    table["momentum"] = np.array([[0.0, 3.0, 4.0], [np.nan] * 3])
    table["energy_init"] = np.array([13.0, 2.0])
    assert table["mass"][0] == pytest.approx(12.0)
    assert table["ke"][0] == pytest.approx(1.0)
    assert np.isnan(table["mass"][1])
    np.testing.assert_allclose(table["start_dir"][0], [0.0, 0.6, 0.8], rtol=1e-6)


def test_flat_columns_split_vectors() -> None:
    flat = particles().flat(["start_dir", "pid_scores", "id", "index"])
    assert list(flat) == [f"start_dir_{a}" for a in "xyz"] + [f"pid_scores_{i}" for i in range(6)] + ["id"]


def test_labels_of_voxels() -> None:
    labels = Table(ParticleLabel, 2, {"group": [7, 8]})
    features = np.array([[1.0, 0, 0], [1.0, 1, 1], [1.0, -1, -1]], dtype=np.float32)
    tensor = Tensor(np.zeros((3, 3), np.int32), features, ("value", "cluster", "particle_index"), labels)
    assert tensor.label("group").tolist() == [7, 8, -1]
    with pytest.raises(DataError, match="did you mean"):
        tensor.feature("valu")


def test_event_names_what_it_lacks() -> None:
    event = Event({"data": 1, "run_info": row_of("run_info", run=3, subrun=0, event=7)}, 4, "file.h5")
    assert event.label == "file.h5 entry 4 (run 3, subrun 0, event 7)"
    with pytest.raises(DataError, match="'seg_label'") as error:
        _ = event["seg_label"]
    assert "the event has: data, run_info" in str(error.value) or "did you mean" in str(error.value)
    with pytest.raises(SchemaError, match="no product is called"):
        event["particels"] = 1
    assert event.changed == ()


def test_blocks_join_tables() -> None:
    events = []
    for n in (2, 0, 3):
        event = Event({})
        event["reco_particles"] = particles(n)
        events.append(event)
    block = Block(events)
    assert len(block.table("reco_particles")) == 5
    assert block.event_rows("reco_particles").tolist() == [0, 0, 2, 2, 2]
