"""Columns have the names, order and types of the files that other producers of the format write."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from spine.schema import Pid, Record
from spine.schema.detector_records import CRTHit, Flash, FlashHypothesis, ImageMeta2D, ImageMeta3D, RunInfo, Trigger
from spine.schema.object_records import OBJECT_RECORDS
from spine.schema.species import PID_MASSES, mass_of, pdg_of, pid_of
from spine.schema.truth_records import Neutrino, Particle, ParticleLabel

LAYOUT = json.loads((Path(__file__).parent / "data" / "layout.json").read_text())
RECORDS: dict[str, type[Record]] = {
    record.__name__: record
    for record in (
        CRTHit, Flash, FlashHypothesis, ImageMeta2D, ImageMeta3D, RunInfo, Trigger, Neutrino, Particle, ParticleLabel,
        *OBJECT_RECORDS.values(),
    )
}  # fmt: skip


def test_every_class_is_there() -> None:
    assert set(RECORDS) == set(LAYOUT)


@pytest.mark.parametrize("name", sorted(LAYOUT))
def test_names_and_order(name: str) -> None:
    assert list(RECORDS[name].columns) == [row[0] for row in LAYOUT[name]]


@pytest.mark.parametrize("name", sorted(LAYOUT))
def test_types(name: str) -> None:
    for column, dtype, length in LAYOUT[name]:
        declared = RECORDS[name].columns[column]
        assert str(declared.dtype) == ("object" if dtype == "str" else dtype), column
        assert declared.kind == ("text" if dtype == "str" else "ragged" if length == 0 else "fixed"), column
        assert declared.shape == ((length,) if length else ()), column


@pytest.mark.parametrize("name", sorted(LAYOUT))
def test_every_column_is_described(name: str) -> None:
    for column in RECORDS[name].columns.values():
        assert len(column.doc) > 3
        assert not column.doc.endswith(".")


def test_masses_are_those_of_the_particle_data_group() -> None:
    particle = pytest.importorskip("particle")
    for pid in Pid:
        if pid in (Pid.UNKNOWN, Pid.PHOTON):
            continue
        reference = particle.Particle.from_pdgid(int(pdg_of(pid))).mass
        assert PID_MASSES[pid] == pytest.approx(reference, rel=1e-6)


def test_species_lookups() -> None:
    assert np.isnan(mass_of([-1, 6])).all()
    assert mass_of([]).shape == (0,)
    assert pid_of([13, -13, 2212, 1000180400, 11]).tolist() == [2, 2, 4, -1, 1]
    assert pdg_of([-1, 3]).tolist() == [0, 211]
