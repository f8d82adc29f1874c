"""The stage that simulates: the same file whatever the number of processes, and what it says about itself."""

from __future__ import annotations

from pathlib import Path

import h5py
import pytest

from spine.config import load_config
from spine.config.slices import from_slice, stage_slice
from spine.stages import simulate
from spine.stages.simulate import run

pytest.importorskip("calzone", reason="the generator needs the extra 'sim'")
ROOT = Path(__file__).resolve().parents[2]
SMALL = "sim.events_per_file=3;sim.bomb.multiplicity=[1,1];sim.cosmics=null;sim.response.noise=300"


def test_files_do_not_depend_on_the_processes(tmp_path: Path) -> None:
    config = load_config(ROOT / "config" / "config.yaml", SMALL)
    run(1, tmp_path / "one.h5", config, workers=1)
    run(1, tmp_path / "two.h5", config, workers=2)
    assert (tmp_path / "one.h5").read_bytes() == (tmp_path / "two.h5").read_bytes()
    with h5py.File(tmp_path / "one.h5") as file:
        info = dict(file["info"].attrs)
    assert info["geant4_data"] in ("computed for argon", "official (environment)")
    assert len(info["geant4_data_digest"]) == 64
    assert info["geant4_package"].startswith("calzone 1.")


def test_the_detector_counts_where_the_image_follows_it() -> None:
    named = "geo.detector=2x2"
    plain, other = (load_config(ROOT / "config" / "config.yaml", text) for text in ("", named))
    assert stage_slice(plain, "simulate") == stage_slice(other, "simulate")
    framed = load_config(ROOT / "config" / "config.yaml", f"{named};sim.image.frame=detector")
    text = stage_slice(framed, "simulate")
    assert from_slice(text).geo.detector == "2x2"
    assert stage_slice(from_slice(text), "simulate") == text
    assert simulate.__doc__
