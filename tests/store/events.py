"""Events made up for tests: every kind of product, seeded."""

from __future__ import annotations

from typing import Any

import numpy as np

from spine.schema import Event, Ragged, Table, Tensor, row_of
from spine.schema.columns import Column, Record
from spine.schema.object_records import RecoParticle
from spine.schema.truth_records import Particle, ParticleLabel


def column_values(column: Column, n: int, rng: np.random.Generator) -> Any:
    """Random values of a column, of its own type."""
    if column.kind == "text":
        return np.array(["", "cm", "µ⁻ Ionisation"], dtype=object)[rng.integers(0, 3, n)]
    if column.kind == "ragged":
        rows = [rng.integers(0, 100, rng.integers(0, 4)) for _ in range(n)]
        return Ragged.from_list(rows, column.dtype)
    if column.enum is not None:
        return rng.choice([int(member) for member in column.enum], size=n)
    if column.dtype.kind == "f":
        values = rng.normal(size=(n, *column.shape))
        values[rng.random(values.shape) < 0.2] = np.nan
        return values.astype(column.dtype)
    if column.dtype.kind == "b":
        return rng.random((n, *column.shape)) < 0.5
    return rng.integers(-1, 50, (n, *column.shape)).astype(column.dtype)


def random_table(record: type[Record], n: int, rng: np.random.Generator) -> Table:
    """A table with every column filled."""
    return Table(record, n, {name: column_values(c, n, rng) for name, c in record.columns.items() if c.of is None})


def random_event(entry: int, seed: int = 0) -> Event:
    """An event with a product of every kind; every fourth one is empty."""
    rng = np.random.default_rng([seed, entry])
    n = 0 if entry % 4 == 3 else int(rng.integers(1, 30))
    event = Event({}, entry, "made up")
    coords = rng.integers(0, 768, (n, 3)).astype(np.int32)
    labels = random_table(ParticleLabel, 3, rng)
    rows = rng.integers(-1, 3, n)
    label_features = np.stack([rng.random(n), rows, rows], axis=1).astype(np.float32)
    event["index"] = entry
    event["run_info"] = row_of("run_info", run=1, subrun=2, event=100 + entry)
    event["meta"] = row_of(
        "meta", lower=np.zeros(3), upper=np.full(3, 230.4), size=np.full(3, 0.3), count=np.full(3, 768)
    )
    event["data"] = Tensor(coords, rng.random((n, 1)).astype(np.float32))
    event["clust_label"] = Tensor(coords, label_features, ("value", "cluster", "particle_index"), labels)
    event["points"] = rng.random((n, 3)).astype(np.float32)
    event["depositions"] = rng.random(n).astype(np.float32)
    event["graph_label"] = rng.integers(0, 3, (2, 2))
    event["fragment_clusts"] = Ragged.from_list([rng.integers(0, max(n, 1), k) for k in range(n % 5)], np.int32)
    event["particles"] = random_table(Particle, n % 4, rng)
    event["reco_particles"] = random_table(RecoParticle, n % 6, rng)
    return event


def assert_same(left: Any, right: Any) -> None:
    """Two products hold the same values of the same types."""
    assert type(left) is type(right)
    if isinstance(left, Tensor):
        assert_same(left.coords, right.coords)
        assert_same(left.features, right.features)
        assert left.names == right.names
        if left.particles is not None:
            assert_same(left.particles, right.particles)
    elif isinstance(left, Ragged):
        assert_same(left.values, right.values)
        assert_same(left.offsets, right.offsets)
    elif isinstance(left, Table):
        assert left.record is right.record
        for name in left.record.columns:
            assert_same(left[name], right[name])
    elif isinstance(left, np.ndarray):
        assert left.dtype == right.dtype
        np.testing.assert_array_equal(left, right)
    elif hasattr(left, "table"):
        assert_same(left.table, right.table)
    else:
        assert left == right


def assert_same_events(left: Event, right: Event, names: tuple[str, ...]) -> None:
    """Two events hold the same values in the named products."""
    for name in names:
        try:
            assert_same(left[name], right[name])
        except AssertionError as error:
            error.add_note(f"product {name}")
            raise
